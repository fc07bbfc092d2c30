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
BESIDE: dict[str, set[str]] = {}
"""What a fault brings besides its own finding and the blackhole of policy Local, truly and not as its consequence."""


@pytest.mark.parametrize(("fault", "argv"), SHOWN)
def test_the_fault_is_named_first(l2probe: Command, fault: Fault, argv: tuple[str, ...]) -> None:
    """Under each fault its own finding comes first, is proven, and every other one is marked as its consequence."""
    ran = l2probe(*argv, "-o", "json")

    assert ran.codes[0] == fault.raises
    assert set(ran.causes) <= {fault.raises, "D01"} | BESIDE.get(fault.name, set()), "something false beside it"
    assert ran.report["findings"][0]["verdict"] == ("warn" if fault.name == "loss" and ran.code == 0 else "fail")
    assert ran.code == (0 if ran.worst <= {"warn"} else 1)


@pytest.mark.parametrize("name", ["mtu", "duplicate-announcers", "no-pool"])
def test_judge_says_the_same_offline(l2probe: Command, name: str, tmp_path: Path) -> None:
    """`judge` on the saved report gives byte for byte the same findings."""
    saved = tmp_path / "report.json"
    saved.write_text(l2probe("run", "--lab", "--fault", name, "-o", "json").stdout)

    again = l2probe("judge", str(saved), "-o", "json")

    assert json.dumps(again.report["findings"]) == json.dumps(json.loads(saved.read_text())["findings"])
