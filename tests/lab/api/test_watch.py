"""Watches: nothing is lost, nothing is invented, and who comes too late is told so."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest

from tests.lab.api.client import CORE, DEFAULT, FIXTURES, MERGE, TABLE, Json, Server, config_map, fixture, service

MAPS = f"{DEFAULT}/configmaps"
OTHERS = "fieldSelector=metadata.name!=kube-root-ca.crt"


def seen(event: Json) -> tuple[str, str]:
    """Return type and name."""
    return event["type"], event["object"]["metadata"].get("name", "")


def test_a_watch_resumes_where_the_list_ended(server: Server) -> None:
    """From a list's resourceVersion on, every change comes once and in order."""
    server.make(MAPS, config_map("before"))
    version = server.get(MAPS).body["metadata"]["resourceVersion"]
    server.make(MAPS, config_map("a"))
    events = server.watch(f"{MAPS}?watch=1&resourceVersion={version}&timeoutSeconds=5")
    assert seen(next(events)) == ("ADDED", "a")
    server.patch(f"{MAPS}/a", {"data": {"k": "v"}})
    server.ask("DELETE", f"{MAPS}/a")
    server.make(f"{CORE}/namespaces/kube-system/configmaps", config_map("elsewhere"))
    server.make(MAPS, config_map("b"))

    assert [seen(next(events)) for _ in range(3)] == [("MODIFIED", "a"), ("DELETED", "a"), ("ADDED", "b")]


def test_versions_in_a_watch_only_grow(server: Server) -> None:
    """Every event carries a newer resourceVersion than the one before, deletions included."""
    events = server.watch(f"{MAPS}?watch=1&{OTHERS}&timeoutSeconds=5")
    server.make(MAPS, config_map("a"))
    server.patch(f"{MAPS}/a", {"data": {"k": "v"}})
    server.ask("DELETE", f"{MAPS}/a")
    versions = [int(next(events)["object"]["metadata"]["resourceVersion"]) for _ in range(3)]

    assert versions == sorted(set(versions))


@pytest.mark.parametrize("query", ["watch=1", "watch=True&resourceVersion=0", "watch=t&resourceVersion="])
def test_without_a_version_the_present_comes_first(server: Server, query: str) -> None:
    """No resourceVersion, or 0, starts with what exists; every boolean of Go's ParseBool is understood."""
    server.make(MAPS, config_map("a"))
    events = server.watch(f"{MAPS}?{query}&{OTHERS}&timeoutSeconds=5")
    assert seen(next(events)) == ("ADDED", "a")
    server.make(MAPS, config_map("b"))

    assert seen(next(events)) == ("ADDED", "b")


def test_false_is_no_watch(server: Server) -> None:
    """watch=false is a list, watch=maybe is refused."""
    assert server.get(f"{MAPS}?watch=false").body["kind"] == "ConfigMapList"
    assert server.get(f"{MAPS}?watch=maybe").code == 400


def test_history_is_bounded(forgetful: Server) -> None:
    """A watch from a revision that is forgotten gets one ERROR event: Status 410 Expired."""
    version = forgetful.get(MAPS).body["metadata"]["resourceVersion"]
    for number in range(6):
        forgetful.make(MAPS, config_map(f"m{number}"))
    events = list(forgetful.watch(f"{MAPS}?watch=1&resourceVersion={version}"))

    assert [event["type"] for event in events] == ["ERROR"]
    assert (events[0]["object"]["code"], events[0]["object"]["reason"]) == (410, "Expired")
    assert events[0]["object"]["message"].startswith(f"too old resource version: {version} (")


def test_entering_and_leaving_a_selection(server: Server) -> None:
    """An object that begins to match is ADDED, one that ceases to match is DELETED with its last matching state."""
    server.make(MAPS, {"metadata": {"name": "a"}})
    events = server.watch(f"{MAPS}?watch=1&labelSelector=app=web&timeoutSeconds=5")
    server.patch(f"{MAPS}/a", {"metadata": {"labels": {"app": "web"}}})
    server.patch(f"{MAPS}/a", {"data": {"k": "v"}})
    server.patch(f"{MAPS}/a", {"metadata": {"labels": {"app": "db"}}})
    found = [next(events) for _ in range(3)]

    assert [event["type"] for event in found] == ["ADDED", "MODIFIED", "DELETED"]
    assert found[2]["object"]["metadata"]["labels"] == {"app": "web"}


def test_a_watch_ends_when_it_was_told_to(server: Server) -> None:
    """TimeoutSeconds ends the stream; with bookmarks the last line tells where to resume."""
    server.make(MAPS, config_map("a"))
    events = list(server.watch(f"{MAPS}?watch=1&{OTHERS}&timeoutSeconds=1&allowWatchBookmarks=true"))

    assert [event["type"] for event in events] == ["ADDED", "BOOKMARK"]
    assert events[1]["object"]["kind"] == "ConfigMap"
    assert int(events[1]["object"]["metadata"]["resourceVersion"]) >= int(
        events[0]["object"]["metadata"]["resourceVersion"]
    )


def test_the_end_of_the_initial_events_is_marked(server: Server) -> None:
    """SendInitialEvents closes the present with an annotated bookmark."""
    server.make(MAPS, config_map("a"))
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    events = server.watch(f"{MAPS}?watch=1&{OTHERS}&{query}&timeoutSeconds=5")

    assert seen(next(events)) == ("ADDED", "a")
    assert next(events)["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_one_object_can_be_watched(server: Server) -> None:
    """Watching a name hears of that object only."""
    for name in ("a", "b"):
        server.make(MAPS, config_map(name))
    events = server.watch(f"{MAPS}/b?watch=1&timeoutSeconds=5")

    assert seen(next(events)) == ("ADDED", "b")


def test_tables_are_watched_too(server: Server) -> None:
    """With a Table media type every event is a Table, and only the first carries the columns."""
    path = f"{DEFAULT}/services?watch=1&fieldSelector=metadata.name=web&timeoutSeconds=5"
    response = server.open("GET", path, headers={"Accept": TABLE})
    server.make(f"{DEFAULT}/services", service("web"))
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.40"}]}}}
    server.ask("PATCH", f"{DEFAULT}/services/web/status", status, headers={"Content-Type": MERGE})
    tables = [json.loads(response.readline())["object"] for _ in range(2)]

    assert [table["rows"][0]["cells"][3] for table in tables] == ["<pending>", "198.51.100.40"]
    assert [len(table["columnDefinitions"]) for table in tables] == [7, 0]


def test_an_address_that_is_given_looks_as_recorded(server: Server) -> None:
    """The events of a Service that gets its address have the recorded types and status."""
    lines = (FIXTURES / "watch-services-address-given.jsonl").read_text().splitlines()
    recorded = [event for event in map(json.loads, lines) if event["object"]["metadata"]["name"] == "ok-cluster"]
    events = server.watch(f"{DEFAULT}/services?watch=1&fieldSelector=metadata.name=ok-cluster&timeoutSeconds=5")
    server.make(f"{DEFAULT}/services", service("ok-cluster"))
    server.patch(f"{DEFAULT}/services/ok-cluster/status", {"status": recorded[-1]["object"]["status"]})
    mine = [next(events) for _ in range(2)]

    assert [event["type"] for event in mine] == ["ADDED", "MODIFIED"]
    assert [event["object"]["status"] for event in mine] == [
        recorded[0]["object"]["status"],
        recorded[-1]["object"]["status"],
    ]
    assert mine[0]["object"]["kind"] == recorded[0]["object"]["kind"]


def test_many_watchers_hear_the_same(server: Server) -> None:
    """Ten watchers of one kind get each of a hundred changes, in the same order."""
    version = server.get(MAPS).body["metadata"]["resourceVersion"]
    heard: dict[int, list[str]] = {}

    def listen(number: int) -> None:
        events = server.watch(f"{MAPS}?watch=1&resourceVersion={version}&timeoutSeconds=20")
        heard[number] = [next(events)["object"]["metadata"]["name"] for _ in range(100)]

    threads = [threading.Thread(target=listen, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for number in range(100):
        server.make(MAPS, config_map(f"m{number}"))
    for thread in threads:
        thread.join(20)

    assert heard == {number: [f"m{each}" for each in range(100)] for number in range(10)}


def test_closing_the_server_ends_its_watches(server: Server) -> None:
    """A watch does not keep a closing server waiting: its stream ends."""
    events = server.watch(f"{MAPS}?watch=1&resourceVersion=1")
    asyncio.run_coroutine_threadsafe(server.api.close(), server.loop).result(5)
    for event in events:
        assert event["type"] == "ADDED"


def test_recorded_namespaces_die_like_ours(server: Server) -> None:
    """The answer to the deletion of a namespace agrees with the recorded one in phase, finalizers and timestamps."""
    recorded = fixture("namespace-terminating.json")
    server.make(f"{CORE}/namespaces", {"metadata": {"name": "l2fix"}})
    answer = server.ask("DELETE", f"{CORE}/namespaces/l2fix").body

    assert (answer["kind"], answer["spec"], answer["status"]) == (
        recorded["kind"],
        recorded["spec"],
        recorded["status"],
    )
    assert answer["metadata"].keys() == recorded["metadata"].keys()
