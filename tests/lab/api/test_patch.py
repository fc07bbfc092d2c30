"""The three kinds of patch, by the examples of their specifications and by what kubectl sends."""

from __future__ import annotations

from typing import Any

import pytest

from l2probe.lab.api.kinds import Kinds
from l2probe.lab.api.patch import json_patch, merge_patch, strategic_merge
from l2probe.lab.api.schema import resolved
from l2probe.lab.api.status import ApiError
from tests.lab.api.client import DEFAULT, JSON_PATCH, MERGE, STRATEGIC, Json, Server, service

RFC_7386 = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]

RFC_6902 = [
    ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
    ({"foo": ["bar", "baz"]}, [{"op": "add", "path": "/foo/1", "value": "qux"}], {"foo": ["bar", "qux", "baz"]}),
    ({"foo": ["bar"]}, [{"op": "add", "path": "/foo/-", "value": ["abc"]}], {"foo": ["bar", ["abc"]]}),
    ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    ({"foo": ["bar", "qux", "baz"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["bar", "baz"]}),
    ({"baz": "qux"}, [{"op": "replace", "path": "/baz", "value": "boo"}], {"baz": "boo"}),
    (
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    ({"foo": ["all", "grass"]}, [{"op": "move", "from": "/foo/0", "path": "/foo/1"}], {"foo": ["grass", "all"]}),
    ({"a": {"b": 1}}, [{"op": "copy", "from": "/a", "path": "/c"}], {"a": {"b": 1}, "c": {"b": 1}}),
    (
        {"~1": 10, "a/b": 2},
        [{"op": "test", "path": "/~01", "value": 10}, {"op": "remove", "path": "/a~1b"}],
        {"~1": 10},
    ),
]


@pytest.mark.parametrize(("target", "patch", "expected"), RFC_7386)
def test_merge_patches_of_the_rfc(target: Json, patch: Json, expected: Json) -> None:
    """The test cases of RFC 7386, appendix A."""
    assert merge_patch(target, patch) == expected


@pytest.mark.parametrize(("target", "patch", "expected"), RFC_6902)
def test_json_patches_of_the_rfc(target: Json, patch: Json, expected: Json) -> None:
    """Examples of RFC 6902, appendix A; the target itself is left alone."""
    before = repr(target)

    assert json_patch(target, patch) == expected
    assert repr(target) == before


@pytest.mark.parametrize(
    ("patch", "code"),
    [
        ([{"op": "remove", "path": "/none"}], 422),
        ([{"op": "test", "path": "/a", "value": 2}], 422),
        ([{"op": "add", "path": "/list/9", "value": 1}], 422),
        ([{"op": "add", "path": "/a/b/c", "value": 1}], 422),
        ([{"op": "dance", "path": "/a"}], 400),
        ([{"op": "add", "path": "a"}], 400),
        (["add"], 400),
        ({"op": "add"}, 400),
    ],
)
def test_json_patches_that_do_not_apply(patch: Json, code: int) -> None:
    """A malformed operation is 400, one that does not fit the object 422."""
    with pytest.raises(ApiError) as refused:
        json_patch({"a": 1, "list": []}, patch)

    assert refused.value.code == code


def pod_schema() -> dict[str, Any]:
    """Return the schema of Pods."""
    kind = Kinds().find("", "v1", "pods")
    assert kind is not None
    return resolved(kind.schema)


def containers(*names: str) -> dict[str, Any]:
    """Return a Pod with these containers."""
    return {"spec": {"containers": [{"name": name, "image": "old"} for name in names]}}


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"containers": [{"name": "b", "image": "new"}]}, [("a", "old"), ("b", "new")]),
        ({"containers": [{"name": "c", "image": "new"}]}, [("a", "old"), ("b", "old"), ("c", "new")]),
        ({"containers": [{"name": "a", "$patch": "delete"}]}, [("b", "old")]),
        ({"containers": [{"$patch": "replace"}, {"name": "x", "image": "new"}]}, [("x", "new")]),
        (
            {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}], "containers": []},
            [("b", "old"), ("a", "old")],
        ),
        ({"containers": [{"name": "a", "image": None}]}, [("a", None), ("b", "old")]),
    ],
)
def test_lists_merge_by_their_key(patch: Json, expected: list[tuple[str, str | None]]) -> None:
    """Containers are one list keyed by name, whatever the patch does to it."""
    result = strategic_merge(containers("a", "b"), {"spec": patch}, pod_schema())

    assert [(each["name"], each.get("image")) for each in result["spec"]["containers"]] == expected


def test_primitive_lists_and_maps() -> None:
    """Finalizers merge and can be deleted one by one, $patch replaces a map, $retainKeys drops the rest."""
    schema = pod_schema()
    live = {
        "metadata": {"finalizers": ["a/a", "b/b"], "labels": {"x": "y"}},
        "spec": {"dnsPolicy": "Default", "hostname": "h"},
    }
    grown = strategic_merge(live, {"metadata": {"finalizers": ["b/b", "c/c"]}}, schema)
    shrunk = strategic_merge(live, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a/a"]}}, schema)
    emptied = strategic_merge(live, {"metadata": {"labels": {"$patch": "replace", "z": "1"}}}, schema)
    kept = strategic_merge(live, {"spec": {"$retainKeys": ["hostname"]}}, schema)

    assert grown["metadata"]["finalizers"] == ["a/a", "b/b", "c/c"]
    assert shrunk["metadata"]["finalizers"] == ["b/b"]
    assert emptied["metadata"]["labels"] == {"z": "1"}
    assert kept["spec"] == {"hostname": "h"}


def test_an_item_without_its_key_is_refused() -> None:
    """A strategic merge of a keyed list needs the key in every item."""
    with pytest.raises(ApiError) as refused:
        strategic_merge(containers("a"), {"spec": {"containers": [{"image": "x"}]}}, pod_schema())

    assert refused.value.code == 400


def test_a_selector_can_be_replaced_by_every_kind_of_patch(server: Server) -> None:
    """Stale keys of a selector go when the patch says null, and stay when it is silent."""
    path = f"{DEFAULT}/services/web"
    server.make(f"{DEFAULT}/services", service("web", selector={"app": "web", "tier": "front"}))
    selectors = [
        server.patch(path, {"spec": {"selector": {"app": "db"}}}, MERGE).body["spec"]["selector"],
        server.patch(path, {"spec": {"selector": {"tier": None}}}, MERGE).body["spec"]["selector"],
        server.patch(path, {"spec": {"selector": {"zone": "a"}}}, STRATEGIC).body["spec"]["selector"],
        server.patch(path, [{"op": "replace", "path": "/spec/selector", "value": {"x": "y"}}], JSON_PATCH).body["spec"][
            "selector"
        ],
    ]

    assert selectors == [{"app": "db", "tier": "front"}, {"app": "db"}, {"app": "db", "zone": "a"}, {"x": "y"}]


def test_an_unknown_kind_of_patch_is_refused(server: Server) -> None:
    """Another media type answers 415 and says which are known."""
    server.make(f"{DEFAULT}/services", service("web"))
    answer = server.patch(f"{DEFAULT}/services/web", {}, "application/json")

    assert (answer.code, answer.body["reason"]) == (415, "UnsupportedMediaType")
    assert MERGE in answer.body["message"]
