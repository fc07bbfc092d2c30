"""What `l2probe run` concludes about each healthy cluster that the lab can play, on real packets."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.lab.conftest import Command

pytestmark = pytest.mark.lab

FLOWS = ("tcp4", "udp4", "tcp6", "udp6")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What is true of a profile. `flows`: those that its cluster announces."""

    source: dict[str, str]
    local: str
    findings: set[str]
    flows: tuple[str, ...] = FLOWS


def all_flows(value: str, flows: tuple[str, ...] = FLOWS) -> dict[str, str]:
    """Return the same value for each flow."""
    return dict.fromkeys(flows, value)


def said(capability: dict[str, object], flows: tuple[str, ...]) -> dict[str, object]:
    """Return what the report says of these flows."""
    return {flow: capability[flow] for flow in flows}


HYBRID = {flow: "always" if flow.startswith("tcp") else "on-announcer-only" for flow in FLOWS}
V4 = ("tcp4", "udp4")

PROFILES = {
    "cilium-1.19-dsr": Expected(source=all_flows("always"), local="rejected", findings={"D01"}),
    "cilium-1.19-dsr+drop": Expected(source=all_flows("always"), local="dropped", findings={"D01"}),
    "cilium-1.19-snat": Expected(source=all_flows("on-announcer-only"), local="rejected", findings={"D01", "E02"}),
    "cilium-1.19-hybrid": Expected(source=HYBRID, local="rejected", findings={"D01", "E04"}),
    "cilium-1.20.2-dsr": Expected(source=all_flows("always"), local="moved", findings=set()),
    "cilium-1.20.2-dsr+quick": Expected(source=all_flows("always"), local="moved", findings=set()),
    "cilium-1.20.2-snat": Expected(source=all_flows("on-announcer-only"), local="moved", findings={"E02"}),
    "cilium-1.17-dsr": Expected(source=all_flows("always", V4), local="rejected", findings={"D01"}, flows=V4),
    # kube-proxy masquerades every connection of policy Cluster, even to a Pod on the announcer: E01, and E05 is why.
    "metallb-0.15": Expected(source=all_flows("never"), local="moved", findings={"E01", "E05"}),
    "kube-vip-1.0": Expected(source=all_flows("never"), local="moved", findings={"E01", "E05"}),
    "kube-vip-1.0+global": Expected(source=all_flows("never"), local="dropped", findings={"D01", "E01", "E05"}),
}


@pytest.mark.parametrize("profile", PROFILES)
def test_run_learns_what_the_cluster_does(l2probe: Command, profile: str) -> None:
    """A healthy cluster's capabilities are found as they are, and nothing above WARN is said of it."""
    expected = PROFILES[profile]

    ran = l2probe("run", "--lab", "--profile", profile, "-o", "json")
    capabilities = ran.report["capabilities"]

    assert capabilities["announced_by"] in {"node-1", "node-2", "node-3"}
    assert capabilities["exclusive"] is True
    assert said(capabilities["reachable"], expected.flows) == dict.fromkeys(expected.flows, True)
    assert said(capabilities["source"], expected.flows) == expected.source
    assert said(capabilities["local_policy"], expected.flows) == all_flows(expected.local, expected.flows)
    assert capabilities["largest_payload_bytes"] >= 1452
    assert set(ran.codes) == expected.findings
    assert ran.worst <= {"warn"}
    assert ran.code == 0
