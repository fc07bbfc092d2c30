"""What the README shows was printed by the program, and is what it prints today, but for what chance decides."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.lab.conftest import Command

pytestmark = pytest.mark.lab

README = Path(__file__).parents[2] / "README.md"
BLOCK = r"(<!-- recorded: l2probe {} -->\n```text\n)(.*?)(\n```\n<!-- end -->)"
RECORDED = re.findall(r"<!-- recorded: l2probe (.*?) -->", README.read_text())
CHANCE = re.compile(r"\d+ refused by RST, |\d+(\.\d+)?|l2probe-[0-9a-f]{8}")
"""Counts, times, the run's own name, and what a rule that is just being written refuses with."""


def shape(text: str) -> list[str]:
    """Return the words that must not differ: without evidence, for which attempts are alike is a matter of chance."""
    said = re.sub(r"\n +· .*?(?=\n +· |\n +Fix:)", "", text, flags=re.DOTALL)
    return CHANCE.sub(lambda found: "" if " " in found[0] else "N", said).split()


@pytest.mark.parametrize("argv", RECORDED)
def test_the_readme_shows_what_the_program_prints(l2probe: Command, argv: str) -> None:
    """A recorded block equals what its command prints; L2PROBE_GOLDEN=write records it anew."""
    printed = l2probe(*argv.split()).stdout.rstrip("\n")
    block = re.compile(BLOCK.format(re.escape(argv)), re.DOTALL)
    if os.environ.get("L2PROBE_GOLDEN") == "write":
        README.write_text(block.sub(lambda found: found[1] + printed + found[3], README.read_text()))
    shown = block.search(README.read_text())

    assert shown is not None
    assert shape(shown[2]) == shape(printed)


def test_there_is_something_recorded() -> None:
    """Each of the commands that people come for is shown at work."""
    assert {argv.split()[0] for argv in RECORDED} == {"run", "diagnose", "audit"}
