"""The table fault -> finding: the tool finds what it claims to find, and names the cause first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from l2probe.lab.faults import FAULTS, Fault
from tests.lab.conftest import Command

pytestmark = pytest.mark.lab


SHOWN = [
    pytest.param(fault, argv[1:], id=f"{fault.name}-{argv[1]}") for fault in FAULTS.values() for argv in fault.commands
]
EXIT = {"fail": 1, "unknown": 2, "warn": 0}
"""What a command whose worst finding this is ends with."""
BESIDE: dict[str, set[str]] = {
    # kube-proxy masquerades whatever else is wrong.
    "ipvs-without-strict-arp": {"E01"},
    "stale-vip": {"E01"},
}
"""What a fault brings besides its own finding and the blackhole of policy Local, truly and not as its consequence."""


@pytest.mark.parametrize(("fault", "argv"), SHOWN)
def test_the_fault_is_named_first(l2probe: Command, fault: Fault, argv: tuple[str, ...]) -> None:
    """Its own finding comes first under each fault, with the verdict of its row; all others are its consequences."""
    ran = l2probe(*argv, "-o", "json")

    assert ran.codes[0] == fault.raises
    assert set(ran.causes) <= {fault.raises, "D01"} | BESIDE.get(fault.name, set()), "something false beside it"
    # How much of 30 % is lost is a matter of chance.
    verdict = "warn" if fault.name == "loss" and ran.code == 0 else fault.verdict
    assert ran.report["findings"][0]["verdict"] == ran.report["verdict"] == verdict
    assert ran.code == EXIT[verdict]


@pytest.mark.parametrize("name", ["mtu", "duplicate-announcers", "no-pool"])
def test_judge_says_the_same_offline(l2probe: Command, name: str, tmp_path: Path) -> None:
    """`judge` on the saved report gives byte for byte the same findings."""
    saved = tmp_path / "report.json"
    saved.write_text(l2probe("run", "--lab", "--fault", name, "-o", "json").stdout)

    again = l2probe("judge", str(saved), "-o", "json")

    assert json.dumps(again.report["findings"]) == json.dumps(json.loads(saved.read_text())["findings"])
