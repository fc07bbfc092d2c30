"""Custom kinds: registered over HTTP, served, validated, shown, and gone with their definition."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.api.client import CRDS, DEFAULT, MERGE, STRATEGIC, TABLE, Json, Server, custom_kind, fixture

WIDGETS = "/apis/lab.test/v1/namespaces/default/widgets"


def widget(name: str = "one", **spec: object) -> dict[str, Any]:
    """Return a Widget."""
    return {"apiVersion": "lab.test/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec}


def test_a_definition_is_established_and_served_at_once(server: Server) -> None:
    """The answer to the create has the conditions of a working definition, and its kind answers immediately."""
    crd = server.make(CRDS, custom_kind())
    conditions = {each["type"]: each["status"] for each in crd["status"]["conditions"]}

    assert conditions == {"NamesAccepted": "True", "Established": "True"}
    assert (crd["spec"]["names"]["singular"], crd["spec"]["names"]["listKind"]) == ("widget", "WidgetList")
    body = server.get(WIDGETS).body
    assert (body["kind"], body["apiVersion"], body["items"]) == ("WidgetList", "lab.test/v1", [])


def test_custom_resources_get_defaults_and_lose_what_is_unknown(server: Server) -> None:
    """Defaults of the schema are filled in; unknown fields are pruned with a warning, or refused when asked."""
    server.make(CRDS, custom_kind())
    answer = server.ask("POST", WIDGETS, widget(size=3, weight=9))
    strict = server.ask("POST", f"{WIDGETS}?fieldValidation=Strict", widget("two", weight=9))

    assert answer.body["spec"] == {"size": 3, "color": "red"}
    assert answer.warnings == ['unknown field "spec.weight"']
    assert (strict.code, 'unknown field "spec.weight"' in strict.body["message"]) == (400, True)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"size": 0}, "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1"),
        ({"size": "big"}, 'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"'),
        ({"color": "pink"}, 'spec.color: Unsupported value: "pink": supported values: "red", "blue"'),
        (
            {"tags": [1]},
            'spec.tags[0]: Invalid value: "integer": spec.tags[0] in body must be of type string: "integer"',
        ),
    ],
)
def test_the_schema_is_enforced(server: Server, spec: dict[str, Any], message: str) -> None:
    """A value that the schema forbids answers 422 in the real server's words."""
    server.make(CRDS, custom_kind())
    answer = server.ask("POST", WIDGETS, widget(**spec))

    assert (answer.code, answer.body["message"]) == (422, f'Widget.lab.test "one" is invalid: {message}')


def test_combinators_bounds_and_patterns(server: Server) -> None:
    """The other keywords of a structural schema hold too."""
    fields: dict[str, Any] = {
        "cidr": {"type": "string", "pattern": r"^\d+\.\d+$", "maxLength": 5},
        "ports": {"type": "array", "maxItems": 1, "items": {"x-kubernetes-int-or-string": True}},
        "either": {
            "type": "object",
            "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
            "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
        },
        "maybe": {"type": "string", "nullable": True},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "map": {"type": "object", "additionalProperties": {"type": "integer"}},
    }
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": fields}}}
    server.make(CRDS, custom_kind(schema={"openAPIV3Schema": schema}))
    good: dict[str, Json] = {
        "cidr": "1.2",
        "ports": ["http"],
        "either": {"a": "x"},
        "maybe": None,
        "free": {"any": [1]},
        "map": {"k": 1},
    }
    bad: list[dict[str, Any]] = [
        {"cidr": "x"},
        {"cidr": "11.222"},
        {"ports": [1, 2]},
        {"ports": [True]},
        {"either": {}},
        {"either": {"a": "x", "b": "y"}},
        {"map": {"k": "v"}},
    ]

    assert server.make(WIDGETS, widget(**good))["spec"] == good
    assert [server.ask("POST", WIDGETS, widget("bad", **spec)).code for spec in bad] == [422] * len(bad)


def test_status_is_a_subresource_of_custom_kinds(server: Server) -> None:
    """The main resource cannot write status, /status writes nothing else, and the generation counts only the spec."""
    server.make(CRDS, custom_kind())
    made = server.make(WIDGETS, {**widget(size=1), "status": {"phase": "Early"}})
    after = server.patch(f"{WIDGETS}/one/status", {"status": {"phase": "Done"}, "spec": {"size": 9}}).body
    grown = server.patch(f"{WIDGETS}/one", {"spec": {"size": 2}, "status": {"phase": "Late"}}).body

    assert "status" not in made
    assert (after["status"], after["spec"]["size"], after["metadata"]["generation"]) == ({"phase": "Done"}, 1, 1)
    assert (grown["status"], grown["spec"]["size"], grown["metadata"]["generation"]) == ({"phase": "Done"}, 2, 2)


def test_custom_kinds_have_no_strategic_patch(server: Server) -> None:
    """A strategic merge patch answers 415, a merge patch works, and an update needs a resourceVersion."""
    server.make(CRDS, custom_kind())
    made = server.make(WIDGETS, widget(size=1))
    codes = [
        server.patch(f"{WIDGETS}/one", {"spec": {"size": 2}}, STRATEGIC).code,
        server.patch(f"{WIDGETS}/one", {"spec": {"size": 2}}, MERGE).code,
        server.ask("PUT", f"{WIDGETS}/one", widget(size=3)).code,
        server.ask("PUT", f"{WIDGETS}/one", made).code,
    ]

    assert codes == [415, 200, 422, 409]


def test_two_versions_are_one_object(server: Server) -> None:
    """An object made in one version is read in the other, with that version's apiVersion."""
    crd = custom_kind()
    crd["spec"]["versions"].append({**crd["spec"]["versions"][0], "name": "v1alpha1", "storage": False})
    server.make(CRDS, crd)
    server.make(WIDGETS, widget(size=1))
    other = server.get(WIDGETS.replace("/v1/", "/v1alpha1/") + "/one").body

    assert (other["apiVersion"], other["spec"]["size"]) == ("lab.test/v1alpha1", 1)
    assert [each["version"] for each in server.get("/apis/lab.test").body["versions"]] == ["v1", "v1alpha1"]


def test_a_definition_takes_its_objects_with_it(server: Server) -> None:
    """Deleting a definition deletes its objects, waits for their finalizers, and then serves the kind no more."""
    server.make(CRDS, custom_kind())
    server.make(WIDGETS, widget(size=1))
    held = widget("held")
    held["metadata"]["finalizers"] = ["lab.test/hold"]
    server.make(WIDGETS, held)
    server.ask("DELETE", f"{CRDS}/widgets.lab.test")

    assert server.get(f"{WIDGETS}/one").code == 404
    assert server.get(f"{CRDS}/widgets.lab.test").code == 200
    server.patch(f"{WIDGETS}/held", {"metadata": {"finalizers": None}})
    assert server.get(f"{CRDS}/widgets.lab.test").code == 404
    assert server.get("/apis/lab.test/v1").code == 404


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scope": "Galaxy"}, 'supported values: "Cluster", "Namespaced"'),
        ({"versions": []}, "spec.versions: Required value"),
        ({"group": "other.test"}, 'must be spec.names.plural+"."+spec.group'),
    ],
)
def test_definitions_must_make_sense(server: Server, change: dict[str, Any], words: str) -> None:
    """A definition that contradicts itself answers 422."""
    crd = custom_kind()
    crd["spec"] |= change
    answer = server.ask("POST", CRDS, crd)

    assert (answer.code, words in answer.body["message"]) == (422, True), answer.body["message"]


def test_pools_are_shown_as_recorded(server: Server) -> None:
    """The recorded Cilium pools, stored here, give the recorded Table (the age aside)."""
    recorded = fixture("ippools-table.json")
    columns = [
        {"name": "Disabled", "type": "boolean", "jsonPath": ".spec.disabled"},
        {
            "name": "Conflicting",
            "type": "string",
            "jsonPath": '.status.conditions[?(@.type=="cilium.io/PoolConflict")].status',
        },
        {
            "name": "IPs Available",
            "type": "string",
            "jsonPath": '.status.conditions[?(@.type=="cilium.io/IPsAvailable")].message',
        },
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    crd = custom_kind(
        "CiliumLoadBalancerIPPool", scope="Cluster", name="v2", schema=schema, additionalPrinterColumns=columns
    )
    crd["metadata"]["name"] = "ciliumloadbalancerippools.cilium.io"
    crd["spec"]["group"] = "cilium.io"
    server.make(CRDS, crd)
    path = "/apis/cilium.io/v2/ciliumloadbalancerippools"
    for pool in fixture("ippools.json")["items"]:
        server.make(path, {"metadata": {"name": pool["metadata"]["name"]}, "spec": pool["spec"]})
        server.patch(f"{path}/{pool['metadata']['name']}/status", {"status": pool["status"]})
    table = server.get(path, accept=TABLE).body

    assert [row["cells"][:4] for row in table["rows"]] == [row["cells"][:4] for row in recorded["rows"]]
    assert [{**each, "description": ""} for each in table["columnDefinitions"]] == [
        {**each, "description": ""} for each in recorded["columnDefinitions"]
    ]


def test_a_service_of_another_group_is_no_service(server: Server) -> None:
    """The rules of built-in kinds do not touch custom kinds of the same name."""
    crd = custom_kind(
        "Service", schema={"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    )
    server.make(CRDS, crd)
    made = server.make(
        "/apis/lab.test/v1/namespaces/default/services", {"metadata": {"name": "a.b"}, "spec": {"type": "odd"}}
    )

    assert made["spec"] == {"type": "odd"}
    assert server.get(f"{DEFAULT}/services/a.b").code == 404
