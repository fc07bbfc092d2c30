"""Durations are read as kubectl reads them."""

from __future__ import annotations

import re

import pytest

from l2probe.cli.duration import seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("10", 10), ("0", 0), ("0s", 0), ("1.5", 1.5), (".5s", 0.5), ("10s", 10), ("1m", 60), ("1h1m1.5s", 3661.5)),
        *(("250ms", 0.25), ("1m30s", 90), ("10us", 1e-5), ("10µs", 1e-5)),
    ],
)
def test_what_kubectl_takes_is_taken(text: str, expected: float) -> None:
    """Plain numbers are seconds, all else is Go's notation."""
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "s", "1x", "1 s", "-1", "1m30", "1,5s", "ten", "1s ", "0x1", "1e3", "٣s"])
def test_anything_else_is_refused(text: str) -> None:
    """Half a duration is none."""
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        seconds(text)
