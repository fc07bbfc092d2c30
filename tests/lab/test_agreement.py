"""The lab's MetalLB is what the table says that a real one is, too (tests/real/test_agrees_with_lab.py)."""

from __future__ import annotations

import pytest

from tests.agreement import SCENARIOS, Scenario, first, otherwise
from tests.lab.conftest import Command

pytestmark = pytest.mark.lab

SERVICES = {"Cluster": "shop/api", "Local": "shop/web"}


def argv(scenario: Scenario) -> tuple[str, ...]:
    """Return the command line that plays a scenario in a fresh lab."""
    about = (SERVICES[scenario.policy],) if scenario.command == "diagnose" else ("--timeout", "8")
    broken = ("--fault", scenario.broken) if scenario.broken else ()
    return (scenario.command, *about, "--lab", "--profile", "metallb-0.15", *broken, "-o", "json")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_lab_agrees_with_the_table(l2probe: Command, scenario: Scenario) -> None:
    """First finding and capabilities are those that the table holds a real cluster to."""
    report = l2probe(*argv(scenario)).report

    assert first(report) == scenario.first
    assert otherwise(report, scenario.capabilities) == {}
