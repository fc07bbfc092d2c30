"""Durations as kubectl's --request-timeout takes them."""

from __future__ import annotations

import re

import click

UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
NUMBER = r"(?:\d+\.?\d*|\.\d+)"
PART = re.compile(rf"({NUMBER})({'|'.join(sorted(UNITS, key=len, reverse=True))})", re.ASCII)
UNBOUNDED_SECONDS = 2_000_000.0
"""What 0 and anything longer become: 23 days, about the longest that poll(2) can wait."""


class Seconds(click.FloatRange):
    """A number of seconds within bounds, called so when it is none."""

    name = "number of seconds"


def seconds(text: str) -> float:
    """Return the seconds of `90`, `1.5`, `30s` or `1m30s` (Go's time.ParseDuration); ValueError for anything else.

    A plain number is seconds, as client-go's ParseTimeout reads it.
    """
    if re.fullmatch(NUMBER, text, re.ASCII):
        return float(text)
    parts = [*PART.finditer(text)]
    if not parts or "".join(part.group() for part in parts) != text:
        raise ValueError(text)
    return sum(float(part[1]) * UNITS[part[2]] for part in parts)


def bound(ctx: click.Context, param: click.Parameter, given: str) -> float:
    """Return a bound in seconds; 0 bounds nothing. click.BadParameter says how a duration is written."""
    del ctx, param
    try:
        return min(seconds(given) or UNBOUNDED_SECONDS, UNBOUNDED_SECONDS)
    except ValueError:
        raise click.BadParameter(f"{given!r} is no duration; write 10, 30s, 1m or 1m30s, and 0 for none.") from None
