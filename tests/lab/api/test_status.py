"""Refusals agree, field by field, with what a real API server answered."""

from __future__ import annotations

import pytest

from tests.lab.api.client import CORE, DEFAULT, FIXTURES, Json, Server, config_map, custom_kind, fixture, pod, service

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


def put_in_my_name(body: Json) -> Json:
    """Return a recorded refusal as if the lab's user had received it."""
    body["message"] = body["message"].replace('"limited"', '"kubernetes-admin"')
    return body


def test_a_missing_object_is_not_found(server: Server) -> None:
    """GET of nothing answers the recorded 404."""
    answer = server.get(f"{DEFAULT}/services/none")

    assert (answer.code, answer.body) == (404, fixture("status-404-service.json"))


def test_a_missing_namespace_takes_no_pods(server: Server) -> None:
    """A create in a namespace that does not exist answers the recorded 404 of the namespace."""
    answer = server.ask("POST", f"{CORE}/namespaces/none/pods", pod("x"))

    assert (answer.code, answer.body) == (404, fixture("status-404-namespace-create-pod.json"))


def test_a_name_is_taken_once(server: Server) -> None:
    """A second create of one name answers the recorded 409."""
    server.make(f"{DEFAULT}/services", service("ok-cluster"))
    answer = server.ask("POST", f"{DEFAULT}/services", service("ok-cluster"))

    assert (answer.code, answer.body) == (409, fixture("status-409-service-exists.json"))


def test_an_invalid_service_names_every_cause(server: Server) -> None:
    """A bad name and a bad policy answer the recorded 422 with both causes."""
    answer = server.ask("POST", f"{DEFAULT}/services", service("Bad_Name", externalTrafficPolicy="Sometimes"))

    assert (answer.code, answer.body) == (422, fixture("status-422-service-invalid.json"))


def test_pod_security_is_explained(server: Server) -> None:
    """A careless Pod in a restricted namespace answers the recorded 403."""
    server.make(f"{CORE}/namespaces", {"metadata": {"name": "tight", "labels": RESTRICTED}})
    answer = server.ask("POST", f"{CORE}/namespaces/tight/pods", pod("x"))

    assert (answer.code, answer.body) == (403, fixture("status-403-podsecurity-restricted.json"))


@pytest.mark.parametrize(
    ("right", "method", "path", "recorded"),
    [
        (("list", "", "nodes"), "GET", "/api/v1/nodes", "status-403-limited-nodes.json"),
        (("create", "", "namespaces"), "POST", "/api/v1/namespaces", "status-403-limited-create-namespace.json"),
        (("create", "", "pods"), "POST", "/api/v1/namespaces/default/pods", "status-403-limited-create-pod.json"),
        (
            ("get", "", "services"),
            "GET",
            "/api/v1/namespaces/l2fix/services/ok-cluster",
            "status-403-limited-services-other-ns.json",
        ),
    ],
)
def test_a_missing_right_is_named(
    server: Server, right: tuple[str, str, str], method: str, path: str, recorded: str
) -> None:
    """A right that was switched off answers the recorded 403, and only that right is gone."""
    server.api.restrict(right, allowed=False)
    answer = server.ask(method, path, {"metadata": {"name": "x"}} if method == "POST" else None)

    assert (answer.code, answer.body) == (403, put_in_my_name(fixture(recorded)))
    assert server.get(f"{DEFAULT}/configmaps").code == 200


def test_a_missing_right_on_a_custom_kind_names_its_group(server: Server) -> None:
    """The 403 of a custom resource carries the group in message and details, as recorded."""
    crd = custom_kind("IPAddressPool")
    crd["metadata"]["name"] = "ipaddresspools.metallb.io"
    crd["spec"]["group"] = "metallb.io"
    server.make("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
    server.api.restrict(("list", "metallb.io", "ipaddresspools"), allowed=False)
    answer = server.get("/apis/metallb.io/v1/namespaces/metallb-system/ipaddresspools")

    assert (answer.code, answer.body) == (403, put_in_my_name(fixture("status-403-limited-ipaddresspools.json")))


def test_an_absent_group_is_text(server: Server) -> None:
    """Where no API group is served the answer is the mux's text, not a Status, as recorded."""
    answer = server.get("/apis/cilium.io/v2alpha1")

    assert (answer.code, answer.data) == (404, (FIXTURES / "discovery-cilium-absent.json").read_bytes())


def test_strangers_are_turned_away(server: Server) -> None:
    """No token and a wrong token answer 401 Unauthorized; health and version are open to all."""
    for header in ({"Authorization": ""}, {"Authorization": "Bearer nonsense"}):
        answer = server.ask("GET", f"{CORE}/pods", headers=header)
        assert (answer.code, answer.body["reason"]) == (401, "Unauthorized")
        assert [
            server.ask("GET", path, headers=header).code for path in ("/readyz", "/livez", "/healthz", "/version")
        ] == [200] * 4


def test_what_is_no_method_is_refused(server: Server) -> None:
    """A verb that a resource does not have answers 405."""
    assert [
        server.ask("PUT", f"{DEFAULT}/services", {}).code,
        server.ask("DELETE", f"{CORE}/namespaces").code,
        server.ask("POST", f"{DEFAULT}/services/web", {}).code,
        server.ask("OPTIONS", f"{DEFAULT}/services").code,
    ] == [405] * 4


def test_a_body_that_is_too_large_is_refused(server: Server) -> None:
    """More than three MiB answer 413 with a Status."""
    answer = server.ask("POST", f"{DEFAULT}/configmaps", config_map("x", a="x" * 3_200_000))

    assert (answer.code, answer.body["reason"]) == (413, "RequestEntityTooLarge")
