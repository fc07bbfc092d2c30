"""One difference between two reports, and what it means to the user."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

OUR_NAMESPACE = "l2probe-"
"""A run's own namespace has another name every time."""


class Effect(StrEnum):
    """What a change means to the user; declared as it is shown, the worst first."""

    WORSE = "worse"
    BETTER = "better"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference, about a `topic`: verdict, finding, capability, address, announcer, claim, version, and so on.

    `subject` says what of it; `before` and `after` are words, "" where there was nothing. `says` explains a finding.
    """

    effect: Effect
    topic: str
    subject: str
    before: str
    after: str
    says: str = ""


def by_rank(before: int | None, after: int | None) -> Effect:
    """Return what a change of rank means; None is not known."""
    if before is None or after is None or before == after:
        return Effect.CHANGED
    return Effect.BETTER if after > before else Effect.WORSE


def changed(topic: str, subject: str, old: str, new: str) -> Iterator[Change]:
    """Yield a difference that is neither better nor worse in itself."""
    if old != new:
        yield Change(effect=Effect.CHANGED, topic=topic, subject=subject, before=old, after=new)


def named(namespace: str, name: str) -> str:
    """Return namespace/name; of our own Services the name alone."""
    return name if namespace.startswith(OUR_NAMESPACE) else "/".join(filter(None, (namespace, name)))
