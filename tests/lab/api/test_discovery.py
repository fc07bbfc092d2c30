"""What clients learn before they ask for anything: versions, groups, resources, schemas."""

from __future__ import annotations

from tests.lab.api.client import CRDS, Server, custom_kind, fixture

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


def test_the_version_is_that_of_a_release(server: Server) -> None:
    """GitVersion looks like vX.Y.Z, and all fields of a real answer's core are there."""
    body, recorded = server.get("/version").body, fixture("version.json")

    assert (body["major"], body["minor"], body["gitVersion"][:8]) == ("1", "34", "v1.34.4+")
    assert body.keys() <= recorded.keys()


def test_groups_and_resources(server: Server) -> None:
    """The plain discovery documents name every group, with its resources, verbs and short names."""
    groups = {group["name"]: group["preferredVersion"]["version"] for group in server.get("/apis").body["groups"]}
    core = {each["name"]: each for each in server.get("/api/v1").body["resources"]}

    assert server.get("/api").body["versions"] == ["v1"]
    assert {
        "apps",
        "discovery.k8s.io",
        "coordination.k8s.io",
        "authorization.k8s.io",
        "apiextensions.k8s.io",
    } <= groups.keys()
    assert (core["services"]["shortNames"], core["services"]["singularName"]) == (["svc"], "service")
    assert {"pods/log", "pods/status", "pods/binding", "pods/eviction", "services/status"} <= core.keys()
    assert core["pods/eviction"]["group"] == "policy"
    assert "watch" in core["pods"]["verbs"]


def test_custom_groups_look_as_recorded(server: Server) -> None:
    """A registered kind appears in discovery with the shape of a recorded one."""
    recorded = next(
        each for each in fixture("discovery-metallb-v1beta1.json")["resources"] if each["name"] == "servicel2statuses"
    )
    server.make(CRDS, custom_kind())
    mine = {each["name"]: each for each in server.get("/apis/lab.test/v1").body["resources"]}

    assert recorded.keys() - mine["widgets"].keys() == set()
    assert set(recorded["verbs"]) == set(mine["widgets"]["verbs"])
    assert mine["widgets/status"]["verbs"] == ["get", "patch", "update"]


def test_aggregated_discovery(server: Server) -> None:
    """One request each for /api and /apis tells everything, under exactly the content type that was asked for."""
    server.make(CRDS, custom_kind())
    answer = server.get("/apis", accept=AGGREGATED)
    core = server.get("/api", accept=AGGREGATED).body
    items = {item["metadata"]["name"]: item for item in answer.body["items"]}

    assert answer.headers["Content-Type"] == "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    assert items["lab.test"]["versions"][0]["resources"][0]["scope"] == "Namespaced"
    assert {each["resource"] for each in core["items"][0]["versions"][0]["resources"]} >= {"pods", "services", "nodes"}


def test_schemas_are_published(server: Server) -> None:
    """/openapi/v3 lists the group versions; each document resolves its references and offers fieldValidation."""
    server.make(CRDS, custom_kind())
    paths = server.get("/openapi/v3").body["paths"]
    core = server.get(paths["api/v1"]["serverRelativeURL"]).body
    custom = server.get(paths["apis/lab.test/v1"]["serverRelativeURL"]).body
    schemas = core["components"]["schemas"]
    patch = core["paths"]["/api/v1/namespaces/{namespace}/services/{name}"]["patch"]

    assert schemas["io.k8s.api.core.v1.ServiceSpec"]["properties"]["ports"]["x-kubernetes-list-map-keys"] == [
        "port",
        "protocol",
    ]
    assert "fieldValidation" in {each["name"] for each in patch["parameters"]}
    assert (
        custom["components"]["schemas"]["test.lab.v1.Widget"]["properties"]["spec"]["properties"]["size"]["minimum"]
        == 1
    )
    assert server.get("/openapi/v2").code == 404, "only its protobuf form is served"
    assert [name for name in references(schemas) if name not in schemas] == []


def references(value: object) -> set[str]:
    """Return the names of all definitions that are referred to."""
    if isinstance(value, dict):
        own = value.get("$ref")
        here = {own.rsplit("/", 1)[-1]} if isinstance(own, str) else set()
        return here.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_the_index_changes_with_what_is_served(server: Server) -> None:
    """Clients cache by the hash of a document's address: a changed definition has another one."""
    crd = server.make(CRDS, custom_kind())
    first = server.get("/openapi/v3").body["paths"]
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["mass"] = {
        "type": "integer"
    }
    server.ask("PUT", f"{CRDS}/widgets.lab.test", crd)
    second = server.get("/openapi/v3").body["paths"]

    assert first["apis/lab.test/v1"] != second["apis/lab.test/v1"]
    assert first["api/v1"] == second["api/v1"]
