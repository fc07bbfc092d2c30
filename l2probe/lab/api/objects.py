"""API objects as the server holds them: plain JSON values, never changed once stored. No I/O; knows no kind."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any, TypeAlias

Json: TypeAlias = Any
"""Any JSON value; its type is looked at where it is read."""
Obj: TypeAlias = dict[str, Any]
"""A JSON object."""


def copied(value: Json) -> Json:
    """Return a copy that shares no container with `value`."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copied(item) for item in value]
    return value


def dig(value: Json, *path: str | int) -> Json:
    """Return what lies at `path`, or None where a step is missing or null."""
    for step in path:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def meta(obj: Obj) -> Obj:
    """Return the object's metadata for reading; an empty one when there is none."""
    found = obj.get("metadata")
    return found if isinstance(found, dict) else {}


def labels(obj: Obj) -> dict[str, str]:
    """Return the object's labels for reading."""
    return meta(obj).get("labels") or {}


def name_of(obj: Obj) -> str:
    """Return metadata.name or the empty string."""
    return str(meta(obj).get("name") or "")


def namespace_of(obj: Obj) -> str:
    """Return metadata.namespace or the empty string."""
    return str(meta(obj).get("namespace") or "")


def encoded(value: Json) -> bytes:
    """Return compact JSON; half of a surrogate pair, which UTF-8 cannot say, becomes a question mark."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


def decoded(data: bytes) -> Json:
    """Read JSON as strictly as Go does: no NaN, no bottomless nesting. ValueError when it is none."""
    try:
        return json.loads(data, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("exceeded max depth") from error


def _no_constant(name: str) -> Json:
    raise ValueError(f"invalid character in literal {name}")


def now() -> str:
    """Return the present as metav1.Time: whole seconds, RFC 3339, UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: Json) -> datetime | None:
    """Read a metav1.Time or MicroTime; None when it is none."""
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


def new_uid() -> str:
    """Return a fresh metadata.uid."""
    return str(uuid.uuid4())
