"""What the lab's MetalLB and a real one must agree on: one table of scenarios, played in both worlds.

tests/lab/test_agreement.py plays it in the lab, tests/real/test_agrees_with_lab.py in both, side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FLOWS = ("tcp4", "udp4", "tcp6", "udp6")
ENOUGH_BYTES = 1400
"""A payload that passes both networks in one packet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One situation. `command`: "run", or "diagnose" of one Service with this externalTrafficPolicy.

    `broken`: what is wrong, by the name of the lab's fault; "" for nothing. `first`: the finding that both must name
    first, "" for none. `capabilities`: what both must conclude, as far as the situation decides it.
    """

    name: str
    command: str
    broken: str = ""
    policy: str = "Cluster"
    first: str = ""
    capabilities: Mapping[str, Any]


def every(value: object) -> dict[str, object]:
    """Return the same value for each flow kind."""
    return dict.fromkeys(FLOWS, value)


HEALTHY = {"announced": True, "exclusive": True, "reachable": every(True)}
SILENT = {"announced": False}
SCENARIOS = (
    Scenario(
        name="run on a healthy cluster",
        command="run",
        first="E01",
        capabilities={**HEALTHY, "source": every("never"), "local_policy": every("moved"), "full_size": True},
    ),
    Scenario(name="run without a pool", command="run", broken="no-pool", first="A01", capabilities=SILENT),
    Scenario(
        name="run without an advertisement",
        command="run",
        broken="no-advertisement",
        first="B01",
        capabilities=SILENT,
    ),
    Scenario(
        name="run with an advertisement that selects no node",
        command="run",
        broken="advertisement-node-selector",
        first="B02",
        capabilities=SILENT,
    ),
    Scenario(name="run beside a foreign owner", command="run", broken="foreign-owner", first="C03", capabilities={}),
    Scenario(name="diagnose a healthy Service", command="diagnose", capabilities=HEALTHY),
    Scenario(name="diagnose a healthy Local Service", command="diagnose", policy="Local", capabilities=HEALTHY),
    Scenario(
        name="diagnose a Service without endpoint",
        command="diagnose",
        broken="no-endpoint",
        first="B13",
        capabilities=SILENT,
    ),
    Scenario(
        name="diagnose a Service without an advertisement",
        command="diagnose",
        broken="no-advertisement",
        first="B01",
        capabilities=SILENT,
    ),
)


def first(report: Mapping[str, Any]) -> str:
    """Return the code of the first finding, "" when there is none."""
    return next((str(finding["code"]) for finding in report["findings"]), "")


def concluded(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the capabilities in words that no node's name is in; of diagnose, TCP is all that is tried."""
    able = report["capabilities"]
    tried = [flow for flow in FLOWS if flow in report["evidence"]["flows"]]
    largest = able["largest_payload_bytes"]
    return {
        "announced": able["announced_by"] is not None,
        "exclusive": able["exclusive"],
        **{name: {flow: able[name][flow] for flow in tried} for name in ("reachable", "source", "local_policy")},
        "full_size": None if largest is None else largest >= ENOUGH_BYTES,
    }


def otherwise(report: Mapping[str, Any], expected: Mapping[str, Any]) -> dict[str, tuple[object, object]]:
    """Return where the report concludes otherwise: capability -> (concluded, expected).

    Flow kinds that were not tried are no difference.
    """
    found = concluded(report)
    wanted = {
        name: {flow: value[flow] for flow in found[name]} if isinstance(value, dict) else value
        for name, value in expected.items()
    }
    return {name: (found[name], value) for name, value in wanted.items() if found[name] != value}
