"""Server-side apply: merges a configuration into an object, with ownership of fields and conflicts.

Follows structured-merge-diff's Updater.Apply: merge, compare, refuse or take, then remove what is no longer named.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from l2probe.lab.api.fieldsets import Fields, Path, compare, fields_of, granular_map, item_step, list_kind
from l2probe.lab.api.kinds import Kind
from l2probe.lab.api.managed import APPLY, Owner, check_conflicts, owners_of, write_owners
from l2probe.lab.api.objects import Json, Obj, copied, now
from l2probe.lab.api.schema import field_schema, item_schema

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


def merged(live: Json, applied: Json, schema: Obj) -> Json:
    """Return `live` with everything that `applied` names; what it does not name stays."""
    if isinstance(live, dict) and isinstance(applied, dict) and granular_map(schema):
        result = dict(live)
        for key, value in applied.items():
            result[key] = merged(live[key], value, field_schema(schema, key) or {}) if key in live else copied(value)
        return result
    if isinstance(live, list) and isinstance(applied, list) and list_kind(schema) != "atomic":
        return _merged_items(live, applied, schema)
    return copied(applied)


def _merged_items(live: list[Json], applied: list[Json], schema: Obj) -> list[Json]:
    wanted = {item_step(item, schema): item for item in applied}
    present = {item_step(item, schema): item for item in live}
    inner = item_schema(schema)
    kept = [
        merged(item, wanted[step], inner) if step in wanted and isinstance(item, dict) else item
        for step, item in present.items()
    ]
    return kept + [copied(item) for step, item in wanted.items() if step not in present]


def without(value: Json, paths: Iterable[Path], schema: Obj) -> Json:
    """Return `value` without these fields; a list item goes as a whole before its key could be taken from it."""
    for path in sorted(paths, key=len):
        value = _without(value, path, schema)
    return value


def _without(value: Json, path: Path, schema: Obj) -> Json:
    step, rest = path[0], path[1:]
    if isinstance(value, dict) and step.startswith("f:"):
        key = step[2:]
        if key not in value:
            return value
        if rest:
            return {**value, key: _without(value[key], rest, field_schema(schema, key) or {})}
        return {each: item for each, item in value.items() if each != key}
    if isinstance(value, list):
        inner = item_schema(schema)
        return [
            _without(item, rest, inner) if rest and item_step(item, schema) == step else item
            for item in value
            if rest or item_step(item, schema) != step
        ]
    return value


def _abandoned(before: Fields, after: Fields, others: Sequence[Owner]) -> set[Path]:
    """Return what the applier named last time, names no longer, and nobody else owns (nor anything below it)."""
    held = set(after).union(*(owner.fields for owner in others))
    above = {path[:size] for path in held for size in range(1, len(path) + 1)}
    return {path for path in before - after if path not in above}


def _inherited(live: Obj, kind: Kind, manager: str) -> Fields:
    """Return what kubectl may take over: the fields of its own earlier client-side apply, if nobody changed them since.

    apimachinery pkg/util/managedfields/internal/lastappliedmanager.go.
    """
    text = (live.get("metadata") or {}).get("annotations", {}).get(LAST_APPLIED) if manager == "kubectl" else None
    try:
        last = json.loads(text or "{}")
    except ValueError:
        return frozenset()
    return fields_of(last, kind.schema) - frozenset(compare(live, last, kind.schema).modified)


def apply(live: Obj, applied: Obj, kind: Kind, *, manager: str, subresource: str, force: bool) -> Obj:
    """Return `live` with `applied` merged in and managedFields rewritten; 409 ApplyConflict unless `force`.

    `live` is an empty object when it does not exist yet.
    """
    schema = kind.schema
    fields = fields_of(applied, schema)
    owners = owners_of(live)
    mine = Owner(
        manager=manager,
        operation=APPLY,
        api_version=kind.api_version,
        subresource=subresource,
        fields=fields,
        time=now(),
    )
    before = next((owner for owner in owners if owner.same(mine)), None)
    result: Obj = merged(live, applied, schema)
    difference = compare(live, result, schema)
    taken = difference.added | difference.modified
    if not force:
        check_conflicts(owners, mine, taken - _inherited(live, kind, manager))
    others = [replace(owner, fields=owner.fields - taken) for owner in owners if not owner.same(mine)]
    if before is not None:
        gone = _abandoned(before.fields, fields, others)
        result = without(result, gone, schema)
        mine = before if before.fields == fields and before.api_version == kind.api_version else mine
    result["metadata"] = dict(result.get("metadata") or {})
    write_owners(result, [*others, mine])
    return result
