"""The table fault -> finding: the tool finds what it claims to find, and names the cause first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from l2probe.lab.faults import FAULTS, Fault
from tests.lab.conftest import Command

pytestmark = pytest.mark.lab


SHOWN = [
    pytest.param(fault, argv[1:], id=f"{fault.name}-{argv[1]}{'-wire' if '--on-wire' in argv else ''}")
    for fault in FAULTS.values()
    for argv in fault.commands
]
EXIT = {"fail": 1, "unknown": 2, "warn": 0}
"""What a command whose worst finding this is ends with."""
BESIDE: dict[str, set[str]] = {
    # kube-proxy masquerades whatever else is wrong.
    "ipvs-without-strict-arp": {"E01"},
    # A connection whose packets reach both owners in turn is reset.
    "stale-vip": {"E01", "D12"},
}
"""What a fault brings besides its own finding and the blackhole of policy Local, truly and not as its consequence."""


def is_prediction(fault: Fault, argv: tuple[str, ...]) -> bool:
    """Whether the command cannot but foresee it: an audit without the wire, of what the API alone does not prove."""
    return argv[0] == "audit" and "--on-wire" not in argv and not fault.raises.startswith("A")


@pytest.mark.parametrize(("fault", "argv"), SHOWN)
def test_the_fault_is_named_first(l2probe: Command, fault: Fault, argv: tuple[str, ...]) -> None:
    """Its own finding comes first under each fault, with the verdict of its row; all others are its consequences."""
    ran = l2probe(*argv, "-o", "json")

    assert ran.codes[0] == fault.raises
    assert set(ran.causes) <= {fault.raises, "D01"} | BESIDE.get(fault.name, set()), "something false beside it"
    # How much of 30 % is lost is a matter of chance.
    lucky = fault.name == "loss" and ran.code == 0
    verdict = "warn" if lucky or is_prediction(fault, argv) else fault.verdict
    assert ran.report["findings"][0]["verdict"] == ran.report["verdict"] == verdict
    assert ran.code == EXIT[verdict]


PAIRS = [
    ("diagnose", ("requested-address-taken", "wrong-target-port"), ["A03", "D11", "D01"]),
    ("diagnose", ("foreign-load-balancer-class", "announcer-drops"), ["A04", "D03", "D01"]),
    ("diagnose", ("policy-service-selector", "announcements-off"), ["B04", "B02"]),
    ("diagnose", ("not-allowed", "no-policy"), ["B01", "V05"]),
    ("diagnose", ("broadcast-unanswered", "multicast-unanswered"), ["B11", "B12", "D01"]),
    ("diagnose", ("behind-a-router", "no-ready-backend"), ["D02", "V02"]),
    ("run", ("mtu", "duplicate-announcers"), ["C01", "D06"]),
    ("run", ("mtu", "holder-mismatch"), ["C04", "D06"]),
    ("run", ("dsr-not-effective", "mtu"), ["D06", "E03", "D01"]),
    ("run", ("snat", "cross-node-udp-blocked"), ["D05", "E02"]),
    ("run", ("several-nics", "translated"), ["E05", "C02"]),
    ("run", ("no-raw-socket", "mtu"), ["D06", "V03"]),
]
"""Two faults at once, in any order; and the causes in the order in which they should be fixed."""


@pytest.mark.parametrize(
    ("command", "names", "causes"), [pytest.param(*pair, id="+".join((pair[0], *pair[1]))) for pair in PAIRS]
)
def test_two_faults_are_two_causes_in_the_order_of_mending(
    l2probe: Command, command: str, names: tuple[str, ...], causes: list[str]
) -> None:
    """Neither hides the other, and what should be fixed first comes first."""
    ran = l2probe(command, "--lab", *(word for name in names for word in ("--fault", name)), "-o", "json")

    assert ran.causes == causes
    assert ran.code == (1 if "fail" in ran.worst else 0)


@pytest.mark.parametrize("name", ["mtu", "duplicate-announcers", "no-pool"])
def test_judge_says_the_same_offline(l2probe: Command, name: str, tmp_path: Path) -> None:
    """`judge` on the saved report gives byte for byte the same findings."""
    saved = tmp_path / "report.json"
    saved.write_text(l2probe("run", "--lab", "--fault", name, "-o", "json").stdout)

    again = l2probe("judge", str(saved), "-o", "json")

    assert json.dumps(again.report["findings"]) == json.dumps(json.loads(saved.read_text())["findings"])
