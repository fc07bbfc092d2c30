"""Reads a submitted object by its schema: prunes the unknown, and notes what was unknown, mistyped or missing.

One walk for built-in kinds and custom resources; what the notes lead to (400, a warning, 422) is decided by the caller.
Rules about values of particular kinds are in rules.py. CEL (x-kubernetes-validations) is not evaluated.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from l2probe.lab.api.objects import Json, Obj, copied, moment
from l2probe.lab.api.schema import is_open, reference, resolved
from l2probe.lab.api.status import Cause
from l2probe.lab.api.values import constraint_causes

MAY_BE_EMPTY: Final = frozenset({"endpoints", "value"})
INT_RANGES: Final = {"int32": 2**31, "int64": 2**63}
MICRO_TIME: Final = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)$")
GO_TYPES: Final = {"number": "float64", "string": "string", "boolean": "bool"}


@dataclass(slots=True)
class Notes:
    """What a walk found. `mistyped` holds the Go decoder's complaints; `causes` are for 422."""

    unknown: list[str] = field(default_factory=list)
    mistyped: list[str] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)


def type_name(value: Json) -> str:
    """Return the JSON type as Go's decoder calls it."""
    names = {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


def _is_number(value: Json, _schema: Obj) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_integer(value: Json, schema: Obj) -> bool:
    limit = INT_RANGES.get(schema.get("format") or "int64", 2**63)
    return isinstance(value, int) and not isinstance(value, bool) and -limit <= value < limit


TYPES: Final[dict[str, Callable[[Json, Obj], bool]]] = {
    "object": lambda value, _: isinstance(value, dict),
    "array": lambda value, _: isinstance(value, list),
    "string": lambda value, _: isinstance(value, str),
    "boolean": lambda value, _: isinstance(value, bool),
    "integer": _is_integer,
    "number": _is_number,
}


def fits(value: Json, schema: Obj) -> bool:
    """Say whether the value has the schema's type."""
    if schema.get("x-kubernetes-int-or-string"):
        return isinstance(value, (int, float, str)) and not isinstance(value, bool)
    test = TYPES.get(str(schema.get("type")))
    return test is None or test(value, schema)


def go_type(schema: Obj) -> str:
    """Return the Go type that stands for a schema, for decoder messages."""
    name = reference(schema)
    if name:
        return f"v1.{name.rsplit('.', 1)[-1]}"
    kind = str(schema.get("type"))
    if kind == "array":
        return f"[]{go_type(schema.get('items') or {})}"
    if kind == "object":
        return f"map[string]{go_type(schema.get('additionalProperties') or {'type': 'string'})}"
    return str(schema.get("format") or "int64") if kind == "integer" else GO_TYPES.get(kind, "string")


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a walk stands: `path` for people, `place` and `struct` as Go's decoder says it (no index, no map key)."""

    path: str = ""
    place: str = ""
    struct: str = ""

    def field(self, name: str, struct: str, *, of_map: bool) -> Spot:
        """Return the spot of a struct's field or a map's entry."""
        path = f"{self.path}.{name}" if self.path else name
        place = self.place if of_map else f"{self.place}.{name}" if self.place else name
        return Spot(path, place, struct)

    def item(self, index: int) -> Spot:
        """Return the spot of a list's item."""
        return Spot(f"{self.path}[{index}]", self.place, self.struct)


class Walk:
    """One walk over one object."""

    def __init__(self, notes: Notes, *, custom: bool) -> None:
        self._custom = custom
        self.notes = notes

    def read(self, value: Json, schema: Obj, spot: Spot) -> Json:
        """Return `value` pruned to `schema` (not resolved yet), sharing nothing with it."""
        if self._custom and reference(schema) is not None:  # metadata: a built-in type within a custom resource
            return Walk(self.notes, custom=False).read(value, schema, spot)
        known = resolved(schema)
        if value is None and known.get("nullable"):
            return None
        if not fits(value, known):
            self._mistyped(value, schema, spot)
            return copied(value)
        if not self._custom:
            value = self._scalar(value, schema, spot.path)
        if isinstance(value, dict) and known.get("type", "object") == "object":
            value = self._object(value, known, spot, (reference(schema) or spot.struct).rsplit(".", 1)[-1])
        elif isinstance(value, list):
            items = known.get("items") or {}
            value = [self.read(item, items, spot.item(index)) for index, item in enumerate(value)]
        if self._custom:
            self.notes.causes += constraint_causes(value, known, spot.path)
        return value

    def _object(self, value: Obj, schema: Obj, spot: Spot, struct: str) -> Obj:
        properties, extra = schema.get("properties") or {}, schema.get("additionalProperties")
        result: Obj = {}
        for key, item in value.items():
            below = spot.field(key, struct, of_map=key not in properties)
            inner = properties.get(key, extra if isinstance(extra, dict) else None)
            if inner is None:
                if self._keeps(schema):
                    result[key] = copied(item)
                else:
                    self.notes.unknown.append(below.path)
            elif item is not None or not self._drops_null(inner):
                result[key] = self.read(item, inner, below)
        self._fill(result, schema)
        self._require(result, schema, spot.path)
        return result

    def _keeps(self, schema: Obj) -> bool:
        if is_open(schema) or schema.get("additionalProperties") is True:
            return True
        return not self._custom and not schema.get("properties")

    def _drops_null(self, schema: Obj) -> bool:
        known = resolved(schema)
        built_in = not self._custom or reference(schema) is not None
        return built_in or ("default" in known and not known.get("nullable"))

    def _fill(self, value: Obj, schema: Obj) -> None:
        if self._custom:
            for key, inner in (schema.get("properties") or {}).items():
                if key not in value and "default" in inner:
                    value[key] = copied(inner["default"])

    def _require(self, value: Obj, schema: Obj, path: str) -> None:
        if path.startswith("status") and not self._custom:
            return
        for key in schema.get("required") or ():
            missing = key not in value or (not self._custom and value[key] in ("", []) and key not in MAY_BE_EMPTY)
            if missing and not (key == "endpoints" and not self._custom):
                below = f"{path}.{key}" if path else key
                self.notes.causes.append(Cause("FieldValueRequired", below, "Required value"))

    def _mistyped(self, value: Json, schema: Obj, spot: Spot) -> None:
        got, known = type_name(value), resolved(schema)
        if self._custom:
            want = known.get("type", "integer or string")
            shown = "integer" if isinstance(value, int) and got == "number" else {"bool": "boolean"}.get(got, got)
            text = f'Invalid value: "{shown}": {spot.path} in body must be of type {want}: "{shown}"'
            self.notes.causes.append(Cause("FieldValueTypeInvalid", spot.path, text))
            return
        shown = f"number {value}" if got == "number" and known.get("type") == "integer" else got
        where = f"Go struct field {spot.struct}.{spot.place}"
        self.notes.mistyped.append(f"json: cannot unmarshal {shown} into {where} of type {go_type(schema)}")

    def _scalar(self, value: Json, schema: Obj, path: str) -> Json:
        if not isinstance(value, str):
            return value
        name = (reference(schema) or "").rsplit(".", 1)[-1]
        if name == "MicroTime" and not MICRO_TIME.match(value):
            self.notes.mistyped.append(
                f'parsing time "{value}" as "2006-01-02T15:04:05.000000Z07:00": cannot parse it ({path})'
            )
        elif name == "Time":
            return self._time(value, path)
        elif schema.get("format") == "byte":
            self._bytes(value)
        return value

    def _time(self, value: str, path: str) -> str:
        if moment(value) is None or "T" not in value:
            self.notes.mistyped.append(
                f'parsing time "{value}" as "2006-01-02T15:04:05Z07:00": cannot parse it ({path})'
            )
        return re.sub(r"\.\d+", "", value)

    def _bytes(self, value: str) -> None:
        try:
            base64.b64decode(value, validate=True)
        except ValueError:
            self.notes.mistyped.append("illegal base64 data at input byte 0")


def read_object(value: Obj, schema: Obj, kind: str, *, custom: bool) -> tuple[Obj, Notes]:
    """Return the object pruned and copied, and what was noted; custom resources get their schema's defaults."""
    walk = Walk(Notes(), custom=custom)
    return walk.read(value, schema, Spot(struct=kind)), walk.notes
