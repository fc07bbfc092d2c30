"""What the decoder does with bodies that are not quite right: refuses, warns, prunes, completes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.lab.api.client import CORE, DEFAULT, LEASES, SLICES, Json, Server, config_map, fixture, pod, service

STRANGE = {**service("web"), "spec": {**service("web")["spec"], "colour": "red"}}


def test_unknown_fields_are_refused_warned_of_or_dropped(server: Server) -> None:
    """Strict answers 400, Warn (the default) a Warning header, Ignore nothing; the field is never stored."""
    path = f"{DEFAULT}/services"
    strict = server.ask("POST", f"{path}?fieldValidation=Strict", STRANGE)
    warned = server.ask("POST", f"{path}?dryRun=All", STRANGE)
    ignored = server.ask("POST", f"{path}?dryRun=All&fieldValidation=Ignore", STRANGE)

    assert (strict.code, strict.body["message"]) == (
        400,
        'Service in version "v1" cannot be handled as a Service: strict decoding error: unknown field "spec.colour"',
    )
    assert (warned.code, warned.warnings) == (201, ['unknown field "spec.colour"'])
    assert (ignored.code, ignored.warnings) == (201, [])
    assert "colour" not in ignored.body["spec"]


def test_strict_patches_are_refused_too(server: Server) -> None:
    """A strict patch whose result has an unknown field answers 422 about the patch."""
    server.make(f"{DEFAULT}/services", service("web"))
    answer = server.patch(f"{DEFAULT}/services/web?fieldValidation=Strict", {"spec": {"colour": "red"}})

    assert answer.code == 422
    assert answer.body["message"].endswith('strict decoding error: unknown field "spec.colour"')


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        (
            "services",
            service(ports=[{"port": "http"}]),
            "cannot unmarshal string into Go struct field ServicePort.spec.ports.port of type int32",
        ),
        (
            "services",
            service(ports={"port": 80}),
            "cannot unmarshal object into Go struct field ServiceSpec.spec.ports of type []v1.ServicePort",
        ),
        (
            "services",
            service(selector="app"),
            "cannot unmarshal string into Go struct field ServiceSpec.spec.selector of type map[string]string",
        ),
        ("services", service(publishNotReadyAddresses="yes"), "of type bool"),
        ("services", service(ports=[{"port": 99999999999}]), "cannot unmarshal number 99999999999 into"),
        ("services", service(ports=[{"port": 80, "targetPort": True}]), "cannot unmarshal bool into"),
        (
            "configmaps",
            config_map("a", k=1),
            "cannot unmarshal number into Go struct field ConfigMap.data of type string",
        ),
        ("secrets", {"metadata": {"name": "a"}, "data": {"k": "not base64"}}, "illegal base64 data"),
        ("pods", {"metadata": {"name": "a", "creationTimestamp": "yesterday"}, "spec": {}}, 'parsing time "yesterday"'),
    ],
)
def test_wrong_types_are_refused_in_go_words(server: Server, path: str, body: Json, words: str) -> None:
    """A value of the wrong type answers 400 with the words of Go's decoder."""
    answer = server.ask("POST", f"{DEFAULT}/{path}", body)

    assert (answer.code, words in answer.body["message"]) == (400, True), answer.body["message"]


def test_lease_times_need_microseconds(server: Server) -> None:
    """MicroTime without exactly six digits answers 400, as Go's parser does; with them it is stored as it is."""
    spec = {"holderIdentity": "node-1", "leaseDurationSeconds": 15}
    wrong = server.ask(
        "POST", LEASES, {"metadata": {"name": "a"}, "spec": {**spec, "renewTime": "2026-11-23T10:00:00Z"}}
    )
    right = server.make(
        LEASES, {"metadata": {"name": "a"}, "spec": {**spec, "renewTime": "2026-11-23T10:00:00.123456Z"}}
    )

    assert (wrong.code, right["spec"]["renewTime"]) == (400, "2026-11-23T10:00:00.123456Z")


def test_nulls_are_no_values(server: Server) -> None:
    """A null field is as good as none; the classic `creationTimestamp: null` of manifests is harmless."""
    made = server.make(
        f"{DEFAULT}/pods",
        {
            "metadata": {"name": "a", "creationTimestamp": None, "labels": None},
            "spec": {**pod()["spec"], "hostname": None},
        },
    )

    assert "hostname" not in made["spec"]
    assert "labels" not in made["metadata"]


def test_the_defaults_of_a_pod(server: Server) -> None:
    """A recorded Pod, made again from what its author wrote, gets the same spec but for the token volume."""
    recorded = next(each for each in fixture("pods.json")["items"] if each["metadata"]["name"] == "unschedulable")
    applied = json.loads(recorded["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"])
    applied["metadata"]["namespace"] = "default"
    mine, theirs = server.make(f"{DEFAULT}/pods", applied), recorded
    del theirs["spec"]["volumes"], theirs["spec"]["containers"][0]["volumeMounts"], theirs["status"]["conditions"]

    assert mine["spec"] == theirs["spec"]
    assert mine["status"] == theirs["status"]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"containers": []}, "spec.containers: Required value"),
        ({"containers": [{"name": "a"}]}, "spec.containers[0].image: Required value"),
        ({"containers": [{"name": "A", "image": "x"}]}, "a lowercase RFC 1123 label must consist of"),
        (
            {"containers": [{"name": "a", "image": "x"}, {"name": "a", "image": "x"}]},
            'spec.containers[1].name: Duplicate value: "a"',
        ),
        (
            {"containers": [{"name": "a", "image": "x", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]},
            'volumeMounts[0].name: Not found: "v"',
        ),
        ({"restartPolicy": "Sometimes"}, 'supported values: "Always", "OnFailure", "Never"'),
    ],
)
def test_invalid_pods_are_refused(server: Server, spec: dict[str, Any], words: str) -> None:
    """A Pod that makes no sense answers 422 and says where."""
    answer = server.ask("POST", f"{DEFAULT}/pods", pod("a", **spec))

    assert (answer.code, words in answer.body["message"]) == (422, True), answer.body["message"]


def test_a_running_pod_can_hardly_be_changed(server: Server) -> None:
    """Images and labels may change; command, node and volumes may not."""
    server.make(f"{DEFAULT}/pods", pod("a"))
    path = f"{DEFAULT}/pods/a"
    codes = [
        server.patch(path, {"metadata": {"labels": {"a": "b"}}}).code,
        server.patch(
            path, [{"op": "replace", "path": "/spec/containers/0/image", "value": "new"}], "application/json-patch+json"
        ).code,
        server.patch(
            path, [{"op": "add", "path": "/spec/containers/0/command", "value": ["sh"]}], "application/json-patch+json"
        ).code,
        server.patch(path, {"spec": {"nodeName": "node-2"}}).code,
    ]

    assert codes == [200, 200, 422, 422]


def test_other_kinds_have_rules_too(server: Server) -> None:
    """Leases, EndpointSlices, ConfigMaps, Nodes, labels and names: one bad value each answers 422."""
    slice_ = {"metadata": {"name": "a"}, "addressType": "IPv4", "endpoints": [{"addresses": ["2001:db8::1"]}]}
    refusals = [
        (LEASES, {"metadata": {"name": "a"}, "spec": {"leaseDurationSeconds": 0}}, "must be greater than 0"),
        (SLICES, slice_, "must be a valid IPv4 address"),
        (SLICES, {**slice_, "addressType": "MAC"}, 'supported values: "FQDN", "IPv4", "IPv6"'),
        (f"{DEFAULT}/configmaps", config_map("a", **{"no/slash": "x"}), "a valid config key must consist of"),
        (f"{DEFAULT}/configmaps", config_map("a", big="x" * 1_100_000), "Too long: may not be more than 1048576 bytes"),
        (f"{DEFAULT}/configmaps", config_map("Caps"), "a lowercase RFC 1123 subdomain must consist of"),
        (f"{DEFAULT}/configmaps", {"metadata": {}}, "metadata.name: Required value: name or generateName is required"),
        (f"{DEFAULT}/configmaps", {"metadata": {"name": "a", "labels": {"a b": "c"}}}, "name part must consist of"),
        (
            f"{CORE}/nodes",
            {"metadata": {"name": "n"}, "spec": {"taints": [{"key": "a", "effect": "Never"}]}},
            "supported values",
        ),
        (f"{CORE}/namespaces", {"metadata": {"name": "a.b"}}, "a lowercase RFC 1123 label must consist of"),
    ]
    for path, body, words in refusals:
        answer = server.ask("POST", path, body)
        assert (answer.code, words in answer.body["message"]) == (422, True), answer.body["message"]


def test_an_immutable_config_map_stays(server: Server) -> None:
    """Data of an immutable ConfigMap cannot be changed."""
    server.make(f"{DEFAULT}/configmaps", {**config_map("a", k="v"), "immutable": True})

    assert server.patch(f"{DEFAULT}/configmaps/a", {"data": {"k": "w"}}).code == 422
