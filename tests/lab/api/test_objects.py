"""Create, read and update: identity, optimistic locking, dry runs, and who wrote which field."""

from __future__ import annotations

import pytest

from tests.lab.api.client import CORE, DEFAULT, LEASES, MERGE, Server, config_map, fixture, pod, service


def test_a_new_object_gets_an_identity(server: Server) -> None:
    """A create answers uid, creationTimestamp, resourceVersion and the namespace of its URL."""
    made = server.make(f"{DEFAULT}/configmaps", config_map("a", k="v"))
    metadata = made["metadata"]

    assert (made["kind"], made["apiVersion"], metadata["namespace"], made["data"]) == (
        "ConfigMap",
        "v1",
        "default",
        {"k": "v"},
    )
    assert min(len(metadata["uid"]), len(metadata["creationTimestamp"]), int(metadata["resourceVersion"])) > 0
    assert server.get(f"{DEFAULT}/configmaps/a").body == made


def test_generate_name_makes_names(server: Server) -> None:
    """GenerateName is a prefix of five characters more, different each time."""
    body = {"metadata": {"generateName": "probe-"}}
    names = {server.make(f"{DEFAULT}/configmaps", body)["metadata"]["name"] for _ in range(3)}

    assert len(names) == 3
    assert {len(name) for name in names} == {len("probe-") + 5}


def test_a_dry_run_leaves_nothing(server: Server) -> None:
    """DryRun=All answers the object complete, and stores nothing."""
    answer = server.ask("POST", f"{DEFAULT}/services?dryRun=All", service("web"))

    assert (answer.code, answer.body["spec"]["clusterIP"][:6]) == (201, "10.96.")
    assert server.get(f"{DEFAULT}/services/web").code == 404


def test_a_stale_update_conflicts(server: Server) -> None:
    """PUT and PATCH that name an old resourceVersion answer 409 Conflict; without one they win."""
    first = server.make(f"{DEFAULT}/configmaps", config_map("a", k="1"))
    assert server.ask("PUT", f"{DEFAULT}/configmaps/a", {**first, "data": {"k": "2"}}).code == 200
    stale = server.ask("PUT", f"{DEFAULT}/configmaps/a", {**first, "data": {"k": "3"}})
    patch = {"metadata": {"resourceVersion": first["metadata"]["resourceVersion"]}, "data": {"k": "4"}}

    assert (stale.code, stale.body["reason"]) == (409, "Conflict")
    assert stale.body["message"] == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to '
        "the latest version and try again"
    )
    assert server.patch(f"{DEFAULT}/configmaps/a", patch).code == 409
    assert server.ask("PUT", f"{DEFAULT}/configmaps/a", config_map("a", k="5")).body["data"] == {"k": "5"}


def test_another_object_of_the_same_name_is_not_overwritten(server: Server) -> None:
    """A PUT with the uid of a deleted namesake answers 409."""
    first = server.make(f"{DEFAULT}/configmaps", config_map("a"))
    server.ask("DELETE", f"{DEFAULT}/configmaps/a")
    server.make(f"{DEFAULT}/configmaps", config_map("a"))
    del first["metadata"]["resourceVersion"]

    assert server.ask("PUT", f"{DEFAULT}/configmaps/a", first).code == 409


def test_leases_need_a_version_and_are_created_by_put(server: Server) -> None:
    """A Lease's update must carry a resourceVersion; its PUT creates, as the real strategy allows."""
    lease = {"metadata": {"name": "leader"}, "spec": {"holderIdentity": "node-1", "leaseDurationSeconds": 15}}
    created = server.ask("PUT", f"{LEASES}/leader", lease)
    blind = server.ask("PUT", f"{LEASES}/leader", lease)

    assert created.code == 201
    assert blind.code == 422
    assert "metadata.resourceVersion: Invalid value: 0x0: must be specified for an update" in blind.body["message"]
    assert server.ask("PUT", f"{LEASES}/leader", created.body).code == 200


def test_saying_the_same_again_changes_nothing(server: Server) -> None:
    """An update without a difference keeps the resourceVersion, so that watchers hear nothing."""
    made = server.make(f"{DEFAULT}/services", service("web"))
    again = server.ask("PUT", f"{DEFAULT}/services/web", made).body
    patched = server.patch(f"{DEFAULT}/services/web", {"spec": {"selector": {"app": "web"}}}).body

    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    assert patched["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_names_and_namespaces_must_fit_the_url(server: Server) -> None:
    """A body that names another object or namespace than its URL answers 400."""
    server.make(f"{DEFAULT}/configmaps", config_map("a"))
    other = {"metadata": {"name": "a", "namespace": "kube-system"}}

    assert [
        server.ask("PUT", f"{DEFAULT}/configmaps/a", config_map("b")).code,
        server.ask("PUT", f"{DEFAULT}/configmaps/a", other).code,
        server.ask("POST", f"{DEFAULT}/configmaps", other).code,
        server.ask(
            "POST", f"{DEFAULT}/configmaps", {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "x"}}
        ).code,
        server.ask(
            "POST", f"{DEFAULT}/configmaps", {"kind": "ConfigMap", "apiVersion": "v2", "metadata": {"name": "x"}}
        ).code,
        server.ask("POST", f"{DEFAULT}/configmaps", b"{nonsense").code,
        server.ask("POST", f"{DEFAULT}/configmaps", ["list"]).code,
    ] == [400] * 7


def test_status_is_written_on_its_own(server: Server) -> None:
    """The main resource ignores status, /status ignores the rest; creation drops status except for Nodes."""
    address = {"loadBalancer": {"ingress": [{"ip": "198.51.100.40"}]}}
    made = server.make(f"{DEFAULT}/services", {**service("web"), "status": address})
    assert made["status"] == {"loadBalancer": {}}
    path = f"{DEFAULT}/services/web"
    changed = server.patch(f"{path}/status", {"status": address, "spec": {"selector": {"app": "other"}}}).body
    ignored = server.patch(path, {"status": {"loadBalancer": None}}).body
    node = server.make(
        f"{CORE}/nodes",
        {"metadata": {"name": "n"}, "status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}]}},
    )

    assert changed["status"]["loadBalancer"]["ingress"] == [{"ip": "198.51.100.40", "ipMode": "VIP"}]
    assert changed["spec"]["selector"] == {"app": "web"}
    assert ignored["status"] == changed["status"]
    assert server.get(f"{path}/status").body == ignored
    assert node["status"]["addresses"][0]["address"] == "10.0.0.1"


def test_generation_counts_changes_of_the_spec(server: Server) -> None:
    """A Pod's generation grows with its spec, not with its status or labels."""
    path = f"{DEFAULT}/pods/web-1"
    generations = [
        server.make(f"{DEFAULT}/pods", pod())["metadata"]["generation"],
        server.patch(path, {"metadata": {"labels": {"a": "b"}}}).body["metadata"]["generation"],
        server.patch(f"{path}/status", {"status": {"phase": "Running"}}).body["metadata"]["generation"],
        server.patch(path, {"spec": {"activeDeadlineSeconds": 9}}).body["metadata"]["generation"],
    ]

    assert generations == [1, 1, 1, 2]


def test_field_ownership_is_recorded_as_by_a_real_server(server: Server) -> None:
    """Creating the recorded Service again gives the recorded managedFields, entry by entry."""
    recorded = fixture("service-ok-local.json")
    applied = recorded["metadata"]["annotations"]
    body = service("ok-local", externalTrafficPolicy="Local", selector={"app": "echo"})
    body["metadata"]["annotations"] = applied
    server.make(f"{DEFAULT}/services?fieldManager=kubectl-client-side-apply", body)
    server.patch(
        f"{DEFAULT}/services/ok-local?fieldManager=controller",
        {"metadata": {"annotations": {"metallb.io/ip-allocated-from-pool": "lan"}}},
    )
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "10.99.0.201"}]}}}
    made = server.patch(f"{DEFAULT}/services/ok-local/status?fieldManager=controller", status).body
    mine = {
        entry["manager"] + entry.get("subresource", ""): entry["fieldsV1"]
        for entry in made["metadata"]["managedFields"]
    }
    theirs = next(
        each for each in recorded["metadata"]["managedFields"] if each["manager"] == "kubectl-client-side-apply"
    )
    del theirs["fieldsV1"]["f:metadata"]["f:annotations"]
    own = mine["kubectl-client-side-apply"]
    del own["f:metadata"]["f:annotations"]

    assert own == theirs["fieldsV1"]
    assert mine["controllerstatus"] == {"f:status": {"f:loadBalancer": {"f:ingress": {}}}}


def test_the_manager_is_taken_from_the_agent(server: Server) -> None:
    """Without a fieldManager parameter the first word of the User-Agent owns the fields."""
    made = server.make(f"{DEFAULT}/configmaps", config_map("a", k="v"))
    server.ask(
        "PATCH",
        f"{DEFAULT}/configmaps/a",
        {"data": {"k": "w"}},
        headers={"Content-Type": MERGE, "User-Agent": "other/2"},
    )
    after = server.get(f"{DEFAULT}/configmaps/a").body["metadata"]["managedFields"]

    assert [entry["manager"] for entry in made["metadata"]["managedFields"]] == ["tester"]
    assert {entry["manager"]: entry["fieldsV1"] for entry in after} == {
        "tester": {"f:data": {}},
        "other": {"f:data": {"f:k": {}}},
    }


@pytest.mark.parametrize("path", [f"{DEFAULT}/pods/none", f"{DEFAULT}/pods/none/status", f"{CORE}/nodes/none"])
def test_what_does_not_exist_cannot_be_changed(server: Server, path: str) -> None:
    """PUT, PATCH and DELETE of nothing answer 404."""
    codes = [server.ask("PUT", path, {"metadata": {"name": "none"}}).code, server.patch(path, {}).code]

    assert codes == [404, 404]
    assert server.ask("DELETE", path.removesuffix("/status")).code == 404
