"""Server-side apply: who names a field owns it, and nobody loses one without being asked."""

from __future__ import annotations

from typing import Any

from tests.lab.api.client import DEFAULT, Json, Server, config_map, service

MAP = f"{DEFAULT}/configmaps/a"
WEB = f"{DEFAULT}/services/web"


def owners(obj: Json) -> dict[str, Any]:
    """Return the fields of each manager."""
    return {entry["manager"]: entry["fieldsV1"] for entry in obj["metadata"].get("managedFields", ())}


def test_apply_creates_and_owns(server: Server) -> None:
    """The first apply creates the object (201); the applier owns exactly what it named."""
    answer = server.apply(MAP, config_map("a", k="v"))

    assert answer.code == 201
    assert owners(answer.body) == {"me": {"f:data": {"f:k": {}}}}
    assert answer.body["metadata"]["managedFields"][0]["operation"] == "Apply"
    assert server.apply(MAP, config_map("a", k="v")).body == answer.body


def test_what_is_no_longer_named_goes(server: Server) -> None:
    """A field that its only owner leaves out is removed; the others stay."""
    server.apply(MAP, config_map("a", k="v", old="x"))
    server.apply(MAP, config_map("a", theirs="y"), manager="other")
    after = server.apply(MAP, config_map("a", k="w")).body

    assert after["data"] == {"k": "w", "theirs": "y"}
    assert owners(after) == {"me": {"f:data": {"f:k": {}}}, "other": {"f:data": {"f:theirs": {}}}}


def test_a_conflict_names_owner_and_field(server: Server) -> None:
    """Another value for another manager's field answers 409 with the cause; force takes the field."""
    server.apply(MAP, config_map("a", k="v"))
    refused = server.apply(MAP, config_map("a", k="w"), manager="other")
    forced = server.apply(MAP, config_map("a", k="w"), manager="other", force=True).body

    assert (refused.code, refused.body["reason"]) == (409, "Conflict")
    assert refused.body["message"] == 'Apply failed with 1 conflict: conflict with "me": .data.k'
    assert refused.body["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "me"', "field": ".data.k"}
    ]
    assert (forced["data"], list(owners(forced))) == ({"k": "w"}, ["other"])


def test_the_same_value_is_shared(server: Server) -> None:
    """Two appliers that want the same own the field together; it goes when the last one lets go."""
    server.apply(MAP, config_map("a", k="v"))
    shared = server.apply(MAP, config_map("a", k="v"), manager="other").body
    left = server.apply(MAP, config_map("a"), manager="other").body
    gone = server.apply(MAP, config_map("a")).body

    assert owners(shared) == {"me": {"f:data": {"f:k": {}}}, "other": {"f:data": {"f:k": {}}}}
    assert left["data"] == {"k": "v"}
    assert not gone.get("data")


def test_an_update_is_an_owner_too(server: Server) -> None:
    """Fields of a plain create conflict with an apply, and are named with time and version."""
    made = server.make(f"{DEFAULT}/configmaps", config_map("a", k="v"))
    time = made["metadata"]["managedFields"][0]["time"]
    refused = server.apply(MAP, config_map("a", k="w"))

    assert (
        refused.body["message"] == f'Apply failed with 1 conflict: conflict with "tester" using v1 at {time}: .data.k'
    )


def test_keyed_lists_are_owned_by_item(server: Server) -> None:
    """Two appliers share the ports of a Service, each owning its own item; an item goes with its owner."""
    udp = {"name": "dns", "port": 53, "protocol": "UDP"}
    tcp = {"name": "http", "port": 80, "protocol": "TCP"}
    base = service("web", ports=[tcp])
    server.apply(WEB, base)
    both = server.apply(WEB, {**service("web"), "spec": {"ports": [udp]}}, manager="other").body
    mine = owners(both)["me"]["f:spec"]["f:ports"]
    after = server.apply(WEB, {**service("web"), "spec": {}}, manager="other").body

    assert [port["name"] for port in both["spec"]["ports"]] == ["http", "dns"]
    assert list(mine) == ['k:{"port":80,"protocol":"TCP"}']
    assert [port["name"] for port in after["spec"]["ports"]] == ["http"]


def test_several_conflicts_are_listed(server: Server) -> None:
    """More than one conflict of one manager is told as a list."""
    server.apply(MAP, config_map("a", k="v", l="v"))
    refused = server.apply(MAP, config_map("a", k="w", l="w"), manager="other")

    assert refused.body["message"] == 'Apply failed with 2 conflicts: conflicts with "me":\n- .data.k\n- .data.l'


def test_atomic_maps_have_one_owner(server: Server) -> None:
    """A selector is owned as a whole: applying another one without force conflicts, with force it is replaced."""
    server.apply(WEB, service("web", selector={"app": "web", "tier": "front"}))
    other = {**service("web"), "spec": {"selector": {"app": "db"}}}
    refused = server.apply(WEB, other, manager="other")
    forced = server.apply(WEB, other, manager="other", force=True).body

    assert (refused.code, refused.body["details"]["causes"][0]["field"]) == (409, ".spec.selector")
    assert forced["spec"]["selector"] == {"app": "db"}


def test_apply_has_its_own_rules(server: Server) -> None:
    """No fieldManager is 422; managedFields in the configuration and a missing kind are 400; dry runs store nothing."""
    kindless = {"metadata": {"name": "a"}}
    owned = {**config_map("a"), "metadata": {"name": "a", "managedFields": [{"manager": "x"}]}}
    nameless = server.patch(MAP, config_map("a"), "application/apply-patch+yaml")
    dry = server.patch(f"{MAP}?fieldManager=me&dryRun=All", config_map("a", k="v"), "application/apply-patch+yaml")

    assert [nameless.code, server.apply(MAP, kindless).code, server.apply(MAP, owned).code] == [422, 400, 400]
    assert (dry.code, dry.body["data"]) == (201, {"k": "v"})
    assert server.get(MAP).code == 404


def test_status_can_be_applied(server: Server) -> None:
    """An apply to /status owns status fields under its subresource."""
    server.make(f"{DEFAULT}/services", service("web"))
    status = {"loadBalancer": {"ingress": [{"ip": "198.51.100.40"}]}}
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "status": status}
    after = server.apply(f"{WEB}/status", body, manager="ipam").body
    entry = next(each for each in after["metadata"]["managedFields"] if each["manager"] == "ipam")

    assert after["status"]["loadBalancer"]["ingress"][0]["ip"] == "198.51.100.40"
    assert (entry["subresource"], entry["fieldsV1"]) == ("status", {"f:status": {"f:loadBalancer": {"f:ingress": {}}}})
