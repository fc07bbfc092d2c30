"""Sets of fields of an object, as managedFields keeps them (FieldsV1), and what differs between two objects.

A path is a tuple of FieldsV1 steps: `f:name`, `k:{"name":"web"}`, `v:"value"`. Follows structured-merge-diff's
typed walkers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from l2probe.lab.api.objects import Json, Obj
from l2probe.lab.api.schema import field_schema, item_schema

Path = tuple[str, ...]
Fields = frozenset[Path]

LIST_KEY_DEFAULTS: Final = {"protocol": "TCP"}
"""What a list key's absent field counts as (the API's own default of ports' protocol)."""


def granular_map(schema: Obj) -> bool:
    """Say whether entries of this object are owned one by one."""
    return schema.get("x-kubernetes-map-type") != "atomic"


def list_kind(schema: Obj) -> str:
    """Return atomic, set or map."""
    return str(schema.get("x-kubernetes-list-type") or "atomic")


def item_step(item: Json, schema: Obj) -> str:
    """Return the path step of one item of a set or map list."""
    if list_kind(schema) == "set":
        return f"v:{json.dumps(item, separators=(',', ':'))}"
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    held = item if isinstance(item, dict) else {}
    values = {key: held.get(key, LIST_KEY_DEFAULTS.get(key)) for key in sorted(keys)}
    present = {key: value for key, value in values.items() if value is not None}
    return f"k:{json.dumps(present, separators=(',', ':'))}"


def parts(value: Json, schema: Obj) -> list[tuple[str, Json, Obj]] | None:
    """Return (step, value, schema) of what a value consists of; None when it is owned as a whole."""
    if isinstance(value, dict) and granular_map(schema):
        blank: Obj = {}
        return [(f"f:{key}", item, field_schema(schema, key) or blank) for key, item in value.items()]
    if isinstance(value, list) and list_kind(schema) in {"map", "set"}:
        return [(item_step(item, schema), item, item_schema(schema)) for item in value]
    return None


def _declared(schema: Obj, step: str) -> bool:
    return step.startswith("f:") and step[2:] in (schema.get("properties") or {})


def _owned(value: Json, schema: Obj, path: Path) -> Iterator[Path]:
    below = parts(value, schema)
    if below is None:
        yield path
        return
    for step, item, inner in below:
        here = (*path, step)
        if item in ({}, None) or not _declared(schema, step):
            yield here
        if parts(item, inner) is not None or item not in ({}, None):
            yield from _owned(item, inner, here)


def fields_of(obj: Obj, schema: Obj) -> Fields:
    """Return what an applied configuration owns: every field it names, without identity and bookkeeping."""
    return frozenset(path for path in _owned(obj, schema, ()) if path and not ignored(path))


IGNORED: Final = frozenset(
    ("f:metadata", f"f:{name}")
    for name in (
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
        "selfLink",
    )
)
CONTAINERS: Final = frozenset({("f:metadata",), ("f:spec",), ("f:status",), ()})


def ignored(path: Path) -> bool:
    """Say whether nobody owns this path: identity and bookkeeping."""
    return path[:1] in {("f:apiVersion",), ("f:kind",)} or path[:2] in IGNORED or path in CONTAINERS


@dataclass(slots=True)
class Difference:
    """Paths that one object has and another has not, or has with another value."""

    added: set[Path] = field(default_factory=set)
    modified: set[Path] = field(default_factory=set)
    removed: set[Path] = field(default_factory=set)


MISSING: Final = object()


def _compare(before: Json, after: Json, schema: Obj, path: Path, found: Difference) -> None:
    if before is after or (before is not MISSING and after is not MISSING and before == after):
        return
    if before is MISSING:
        found.added.add(path)
    elif after is MISSING:
        found.removed.add(path)
    old = {} if before is MISSING else _by_step(before, schema)
    new = {} if after is MISSING else _by_step(after, schema)
    if old is None or new is None:
        if before is not MISSING and after is not MISSING:
            found.modified.add(path)
        return
    for step in {**old, **new}:
        one, other = old.get(step), new.get(step)
        inner = (one or other or ("", schema))[1]
        _compare(one[0] if one else MISSING, other[0] if other else MISSING, inner, (*path, step), found)


def _by_step(value: Json, schema: Obj) -> dict[str, tuple[Json, Obj]] | None:
    below = parts(value, schema)
    return None if below is None else {step: (item, inner) for step, item, inner in below}


def compare(before: Obj, after: Obj, schema: Obj) -> Difference:
    """Return how `after` differs from `before`, without identity and bookkeeping."""
    found = Difference()
    _compare(before, after, schema, (), found)
    for paths in (found.added, found.modified, found.removed):
        paths -= {path for path in paths if ignored(path)}
    return found


def packed(fields: Fields) -> Obj:
    """Return the nested FieldsV1 form."""
    root: Obj = {}
    for path in sorted(fields):
        place = root
        for step in path:
            place = place.setdefault(step, {})
        place["."] = {}
    return _without_lone_dots(root)


def _without_lone_dots(tree: Obj) -> Obj:
    if tree.keys() == {"."}:
        return {}
    return {step: _without_lone_dots(below) if step != "." else {} for step, below in tree.items()}


def unpacked(tree: Json, path: Path = ()) -> Iterator[Path]:
    """Yield the paths of a FieldsV1."""
    if not isinstance(tree, dict) or not tree:
        if path:
            yield path
        return
    for step, below in tree.items():
        if step == ".":
            yield path
        else:
            yield from unpacked(below, (*path, step))


def _shown_step(step: str) -> str:
    kind, _, rest = step.partition(":")
    if kind == "k":
        pairs = json.loads(rest)
        return f"[{','.join(f'{key}={json.dumps(value)}' for key, value in pairs.items())}]"
    return f"[={rest}]" if kind == "v" else f".{rest}"


def shown(path: Path) -> str:
    """Return the path as messages write it: `.spec.containers[name="web"].image`."""
    return "".join(_shown_step(step) for step in path)
