"""Saved reports are judged again for years: those of older versions are read, and judging is the same byte for byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from l2probe.judge import conclude, judge
from l2probe.report import load, render
from tests.judge.shapes import EXISTING, RUNS

OLD = sorted((Path(__file__).parent / "v1").glob("*.json"))
"""Written by l2probe as it was when the schema was named, before any field was added to it."""
RETHOUGHT = {
    # Its lease was followed for a moment only: by two clocks it was too old, and these may differ.
    ("stale-lease", "B06"): "B14",
}
"""What the same evidence is called today, where the older name claimed more than it showed."""
SAVED = {**EXISTING, **{name: RUNS[name] for name in ("run v1.19.4 dsr refused-icmp", "run metallb", "run kube-vip")}}


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_a_report_of_the_first_version_is_read_and_judged_alike(path: Path) -> None:
    """What it lacks was not looked at, and the same evidence gives the same codes and verdicts."""
    report = load(path.read_bytes())
    said = [(RETHOUGHT.get((path.stem, f.code), f.code), f.verdict) for f in report.findings]

    assert [(f.code, f.verdict) for f in judge(report.evidence)] == said
    assert load(render(report, "json").encode()) == report


@pytest.mark.parametrize("name", SAVED)
def test_judging_a_saved_report_gives_the_same_bytes(name: str) -> None:
    """From Evidence on nothing reads a clock or the world, whichever command observed."""
    evidence = SAVED[name]
    first = render(conclude(evidence, started="2026-11-26T12:00:00Z", duration_seconds=1.0, command="x"), "json")

    again = load(first.encode())
    second = conclude(
        again.evidence, started=again.started, duration_seconds=again.duration_seconds, command=again.command
    )

    assert render(second, "json") == first
    assert json.loads(first)["evidence"]["command"] == evidence.command
