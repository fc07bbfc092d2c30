"""API objects as they are on the wire, plain JSON mappings, and how to read and select them. Pure; no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias

Obj: TypeAlias = dict[str, Any]
"""A JSON object."""


class Key(NamedTuple):
    """What names an object among those of its kind; `namespace` is empty for cluster-scoped kinds."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def dig(value: object, *path: str) -> Any:  # noqa: ANN401 - JSON from a server: its type is looked at where it is read
    """Return what lies at `path`, or None where a step is missing or null."""
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def key_of(obj: Obj) -> Key:
    """Return the object's namespace and name."""
    metadata = obj["metadata"]
    return Key(metadata.get("namespace", ""), metadata["name"])


def labels_of(obj: Obj) -> dict[str, str]:
    """Return the object's labels; an empty mapping when it has none."""
    return dig(obj, "metadata", "labels") or {}


def annotations_of(obj: Obj) -> dict[str, str]:
    """Return the object's annotations; an empty mapping when it has none."""
    return dig(obj, "metadata", "annotations") or {}


def uid_of(obj: Obj) -> str:
    """Return the object's uid."""
    return str(dig(obj, "metadata", "uid") or "")


def age_order(obj: Obj) -> tuple[str, Key]:
    """Return a sort key: oldest first, then by name, so that equal ages have one order."""
    return str(dig(obj, "metadata", "creationTimestamp") or ""), key_of(obj)


def _is_in(labels: Mapping[str, str], key: str, values: Iterable[str]) -> bool:
    return labels.get(key) in set(values)


_OPERATORS: Mapping[str, Callable[[Mapping[str, str], str, Iterable[str]], bool]] = {
    "In": _is_in,
    "NotIn": lambda labels, key, values: not _is_in(labels, key, values),
    "Exists": lambda labels, key, _: key in labels,
    "DoesNotExist": lambda labels, key, _: key not in labels,
}


def selects(selector: Obj | None, labels: Mapping[str, str]) -> bool:
    """Say whether a LabelSelector matches; None and the empty selector match everything.

    Kubernetes API, meta/v1 LabelSelector: all terms must hold; an unknown operator matches nothing.
    """
    if not selector:
        return True
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    terms = selector.get("matchExpressions") or ()
    return all(
        (holds := _OPERATORS.get(term.get("operator", ""))) is not None
        and holds(labels, term["key"], term.get("values") or ())
        for term in terms
    )


def timestamp(moment: float) -> str:
    """Return Unix seconds as meta/v1 Time: RFC 3339, whole seconds, UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_timestamp(moment: float) -> str:
    """Return Unix seconds as meta/v1 MicroTime: RFC 3339 with six digits, UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment_of(text: str) -> float:
    """Return the Unix seconds of a meta/v1 Time or MicroTime."""
    return datetime.fromisoformat(text).timestamp()


def with_condition(conditions: Iterable[Obj], condition: Obj, now: str) -> list[Obj]:
    """Return the conditions with this one set; its lastTransitionTime changes only when its status does.

    The rule of apimachinery's meta.SetStatusCondition.
    """
    found = list(conditions)
    for place, old in enumerate(found):
        if old["type"] == condition["type"]:
            since = old.get("lastTransitionTime", now) if old["status"] == condition["status"] else now
            found[place] = {**condition, "lastTransitionTime": since}
            return found
    return [*found, {**condition, "lastTransitionTime": now}]
