"""Lists: selectors, pages, and revisions that are too old or too new."""

from __future__ import annotations

import pytest

from tests.lab.api.client import CORE, DEFAULT, Json, Server, config_map, pod

MAPS = f"{DEFAULT}/configmaps"


def names(body: Json) -> list[str]:
    """Return the names of a list's items, without what every namespace has."""
    found = [item["metadata"]["name"] for item in body["items"]]
    return [name for name in found if name != "kube-root-ca.crt"]


def test_a_list_is_ordered_and_bare(server: Server) -> None:
    """Items come by namespace and name, carry no kind of their own, and the list has the store's revision."""
    server.make(MAPS, config_map("b"))
    last = server.make(MAPS, config_map("a"))
    body = server.get(MAPS).body

    assert (body["kind"], body["apiVersion"], names(body)) == ("ConfigMapList", "v1", ["a", "b"])
    assert "kind" not in body["items"][0]
    assert body["metadata"] == {"resourceVersion": last["metadata"]["resourceVersion"]}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("app=web", ["a", "b"]),
        ("app==web,tier=front", ["a"]),
        ("app!=web", ["c", "d"]),
        ("app", ["a", "b", "c"]),
        ("!app", ["d"]),
        ("app in (web, db)", ["a", "b", "c"]),
        ("app notin (web)", ["c", "d"]),
        ("app in (web),tier notin (front)", ["b"]),
        ("tier=", []),
    ],
)
def test_label_selectors(server: Server, selector: str, expected: list[str]) -> None:
    """Every operator of a label selector selects what its documentation says."""
    labels = {"a": {"app": "web", "tier": "front"}, "b": {"app": "web"}, "c": {"app": "db"}, "d": {}}
    for name, values in labels.items():
        server.make(MAPS, {"metadata": {"name": name, "labels": values}})
    query = selector.replace(" ", "%20").replace("!", "%21")

    assert names(server.get(f"{MAPS}?labelSelector={query}").body) == expected


def test_field_selectors(server: Server) -> None:
    """Names and the fields that a kind offers can be selected; others answer 400."""
    server.make(f"{DEFAULT}/pods", pod("one"))
    server.make(f"{DEFAULT}/pods", pod("two", node=None))
    paths = (
        "spec.nodeName=node-1",
        "metadata.name!=one",
        "status.phase=Pending,spec.nodeName=",
        "spec.hostNetwork=false",
    )

    assert [names(server.get(f"{CORE}/pods?fieldSelector={path}").body) for path in paths] == [
        ["one"],
        ["two"],
        ["two"],
        ["one", "two"],
    ]
    refused = server.get(f"{CORE}/pods?fieldSelector=spec.color=red")
    assert (refused.code, refused.body["message"]) == (400, "field label not supported: spec.color")


def test_pages_hold_everything_once(server: Server) -> None:
    """Limit and continue walk through all objects; the rest is counted."""
    for number in range(7):
        server.make(MAPS, config_map(f"m{number}"))
    found, token, sizes = [], "", []
    while True:
        body = server.get(f"{MAPS}?limit=3&continue={token}").body
        found += names(body)
        sizes.append(body["metadata"].get("remainingItemCount", 0))
        token = body["metadata"].get("continue", "")
        if not token:
            break

    assert (found, sizes) == ([f"m{number}" for number in range(7)], [5, 2, 0])


def test_a_continue_token_expires_with_the_history(forgetful: Server) -> None:
    """When more changed than is remembered, a token answers 410 Expired; nonsense answers 400."""
    for number in range(3):
        forgetful.make(MAPS, config_map(f"m{number}"))
    token = forgetful.get(f"{MAPS}?limit=1").body["metadata"]["continue"]
    for number in range(6):
        forgetful.make(MAPS, config_map(f"n{number}"))
    answer = forgetful.get(f"{MAPS}?limit=1&continue={token}")

    assert (answer.code, answer.body["reason"]) == (410, "Expired")
    assert forgetful.get(f"{MAPS}?limit=1&continue=nonsense").code == 400


def test_the_future_is_not_known(server: Server) -> None:
    """A resourceVersion that was never given out answers 504 Timeout, one that is no number 400."""
    future = server.get(f"{MAPS}?resourceVersion=999999")

    assert (future.code, future.body["reason"]) == (504, "Timeout")
    assert "Too large resource version: 999999" in future.body["message"]
    assert server.get(f"{MAPS}?resourceVersion=x").code == 400


def test_all_namespaces_or_one(server: Server) -> None:
    """A list without a namespace has all of them."""
    server.make(MAPS, config_map("a"))
    server.make(f"{CORE}/namespaces/kube-system/configmaps", config_map("b"))

    assert names(server.get(f"{CORE}/configmaps").body) == ["a", "b"]
    assert names(server.get(f"{CORE}/namespaces/kube-system/configmaps").body) == ["b"]
