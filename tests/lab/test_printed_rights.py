"""What `l2probe rbac` prints is enough in the lab, and one right less is said: as somebody who has nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.conftest import Command, commander
from tests.lab.planes import needs_kubectl
from tests.lab.test_lab_command import free

pytestmark = [pytest.mark.lab, pytest.mark.kubectl, pytest.mark.xdist_group("the one lab of this user")]


@pytest.fixture(scope="module")
def lab() -> Iterator[Command]:
    """Bring one lab up for these tests; its server judges whom the person impersonates by roles and bindings."""
    needs_kubectl()
    command = free(commander())
    assert command("lab", "up").code == 0
    yield command
    assert command("lab", "down").code == 0


def inside(lab: Command, script: str) -> int:
    """Run a shell script in the lab and return its exit code."""
    return lab("lab", "shell", "--", "sh", "-c", script).code


@pytest.mark.parametrize(
    "command", [("run",), ("diagnose", "--all"), ("audit", "--on-wire")], ids=lambda words: words[0]
)
def test_the_printed_rights_are_enough(lab: Command, command: tuple[str, ...]) -> None:
    """With them and no other right nothing stays unread; without any, nothing is read at all."""
    who = ("--as", f"jane-{command[0]}", "-o", "json")
    before = lab("lab", "shell", "--", "l2probe", *command, *who)
    grant = f"l2probe rbac --for {command[0]} --user jane-{command[0]} | kubectl apply -f -"
    assert inside(lab, grant) == 0
    after = lab("lab", "shell", "--", "l2probe", *command, *who)

    assert before.code == 2
    assert after.code in {0, 1}, after.stderr
    assert "V05" not in after.codes
