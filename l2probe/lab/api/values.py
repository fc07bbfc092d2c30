"""Value constraints of a CustomResourceDefinition's schema: enum, pattern, bounds, and the logical combinators.

Messages as kube-openapi's validate package words them. Each rule is one entry of a table.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Final

from l2probe.lab.api.objects import Json, Obj
from l2probe.lab.api.status import Cause

Rule = Callable[[Json, Json, str, Obj], str | None]
"""Takes the value, the keyword's value, the path and the schema; returns what is wrong."""


def _quoted(value: Json) -> str:
    return json.dumps(value, separators=(",", ":"))


@cache
def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error:
        return re.compile("")


def _number(value: Json) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _minimum(value: Json, limit: Json, path: str, schema: Obj) -> str | None:
    if not _number(value) or value > limit or (value == limit and not schema.get("exclusiveMinimum")):
        return None
    than = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
    return f"{path} in body should be {than} {limit}"


def _maximum(value: Json, limit: Json, path: str, schema: Obj) -> str | None:
    if not _number(value) or value < limit or (value == limit and not schema.get("exclusiveMaximum")):
        return None
    than = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
    return f"{path} in body should be {than} {limit}"


def _matches(value: Json, pattern: Json, path: str, _schema: Obj) -> str | None:
    wrong = isinstance(value, str) and not _pattern(pattern).search(value)
    return f"{path} in body should match '{pattern}'" if wrong else None


def _min_length(value: Json, limit: Json, path: str, _schema: Obj) -> str | None:
    wrong = isinstance(value, str) and len(value) < limit
    return f"{path} in body should be at least {limit} chars long" if wrong else None


def _max_length(value: Json, limit: Json, path: str, _schema: Obj) -> str | None:
    wrong = isinstance(value, str) and len(value) > limit
    return f"{path} in body should be at most {limit} chars long" if wrong else None


def _min_items(value: Json, limit: Json, path: str, _schema: Obj) -> str | None:
    wrong = isinstance(value, list) and len(value) < limit
    return f"{path} in body should have at least {limit} items" if wrong else None


def _max_items(value: Json, limit: Json, path: str, _schema: Obj) -> str | None:
    wrong = isinstance(value, list) and len(value) > limit
    return f"{path} in body should have at most {limit} items" if wrong else None


RULES: Final[dict[str, Rule]] = {
    "minimum": _minimum,
    "maximum": _maximum,
    "pattern": _matches,
    "minLength": _min_length,
    "maxLength": _max_length,
    "minItems": _min_items,
    "maxItems": _max_items,
}


def _enum(value: Json, schema: Obj, path: str) -> Iterator[Cause]:
    allowed = schema.get("enum")
    if allowed and value not in allowed:
        supported = ", ".join(_quoted(each) for each in allowed)
        text = f"Unsupported value: {_quoted(value)}: supported values: {supported}"
        yield Cause("FieldValueNotSupported", path, text)


def _holds(value: Json, schema: Obj, path: str) -> bool:
    required = all(key in value for key in schema.get("required") or ()) if isinstance(value, dict) else True
    below = schema.get("properties") or {}
    fields = (
        all(_holds(value[key], below[key], key) for key in below if key in value) if isinstance(value, dict) else True
    )
    return required and fields and not constraint_causes(value, schema, path)


def _combined(value: Json, schema: Obj, path: str) -> Iterator[Cause]:
    any_of, one_of = schema.get("anyOf") or (), schema.get("oneOf") or ()
    if any_of and not any(_holds(value, each, path) for each in any_of):
        text = f'Invalid value: "": "{path}" must validate at least one schema (anyOf)'
        yield Cause("FieldValueInvalid", path, text)
    if one_of and sum(_holds(value, each, path) for each in one_of) != 1:
        yield Cause(
            "FieldValueInvalid", path, f'Invalid value: "": "{path}" must validate one and only one schema (oneOf)'
        )
    if not all(_holds(value, each, path) for each in schema.get("allOf") or ()):
        yield Cause("FieldValueInvalid", path, f'Invalid value: "": "{path}" must validate all the schemas (allOf)')
    if "not" in schema and _holds(value, schema["not"], path):
        yield Cause("FieldValueInvalid", path, f'Invalid value: "": "{path}" must not validate the schema (not)')


def constraint_causes(value: Json, schema: Obj, path: str) -> list[Cause]:
    """Return what is wrong with one value itself; its parts are judged on their own."""
    causes = list(_enum(value, schema, path))
    for keyword, rule in RULES.items():
        text = rule(value, schema[keyword], path, schema) if keyword in schema else None
        if text:
            causes.append(Cause("FieldValueInvalid", path, f"Invalid value: {_quoted(value)}: {text}"))
    return causes + list(_combined(value, schema, path))
