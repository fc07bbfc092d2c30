"""Values of the judge in a few words: what a sceptic can compare with the report's evidence."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from itertools import islice

from l2probe.judge.case import Case

MOST = 3
"""Things that are named before the rest becomes a number."""
LONGEST = 90


def shown(value: object) -> str:
    """Return a value in words, on one line and bounded."""
    return shortened(" ".join(words(value).split()))


def shortened(text: str) -> str:
    """Return a text cut to LONGEST characters."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def words(value: object) -> str:
    """Return a value in words."""
    if value is None or isinstance(value, bool):
        return {None: "not known", True: "yes", False: "no"}[value]
    if isinstance(value, str | float | Enum):
        return plain(value)
    match value:
        case Mapping():
            return several([f"{words(key)}: {words(item)}" for key, item in islice(value.items(), MOST)], len(value))
        case Collection():
            return several([words(item) for item in islice(value, MOST)], len(value))
        case _:
            return thing(value)


def plain(value: str | float | Enum) -> str:
    """Return a text, a number or a term of the model."""
    if isinstance(value, Enum):
        return str(value.value)
    return f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else value or "empty"


def several(named: list[str], number: int) -> str:
    """Return "a, b, c and 4 more"."""
    if not number:
        return "none"
    more = f" and {number - len(named)} more" if number > len(named) else ""
    return f"{', '.join(named)}{more}"


def thing(value: object) -> str:
    """Return one of the model's nouns by what identifies it."""
    if isinstance(value, Case):
        return value.name
    if not is_dataclass(value):
        return str(value)
    telling = [getattr(value, field.name) for field in fields(value)]
    named = [words(part) for part in telling if isinstance(part, str | int | float) and part != ""]
    return f"{type(value).__name__}({', '.join(named[:MOST])})"
