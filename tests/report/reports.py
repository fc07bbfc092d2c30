"""Reports to render: one of each kind that a reader meets."""

from __future__ import annotations

from l2probe.judge import conclude
from l2probe.model import Evidence, Report
from tests.judge import test_faults as faults
from tests.judge.evidence import PROFILES


def report(evidence: Evidence) -> Report:
    """Return the report about this evidence, with fixed times."""
    return conclude(evidence, started="2026-11-23T20:00:00Z", duration_seconds=4.25, command="l2probe run")


REPORTS = {
    "pass": report(PROFILES["cilium-1.20.2-dsr"]),
    "hybrid": report(PROFILES["cilium-1.19-hybrid"]),
    **{name: report(make()) for name, (make, _) in faults.FAULTS.items()},
}
