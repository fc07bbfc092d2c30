"""Workflow commands of GitHub Actions: one line each, for what ends the job."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from l2probe.report.github import command, workflow_commands
from tests.report.foreign import hostile
from tests.report.reports import REPORTS


def test_fail_is_an_error_and_a_warning_nothing() -> None:
    """An annotation is for what ends the job; a consequence names its cause."""
    lines = list(workflow_commands(REPORTS["foreign-owner"]))

    assert lines[0].startswith("::error title=C03 foreign-owner::")
    assert any("(a consequence of C03)" in line for line in lines)
    assert list(workflow_commands(REPORTS["hybrid"])) == []


def test_a_forged_command_stays_inside_its_message() -> None:
    """GitHub reads commands from any line that begins with `::`."""
    (line,) = workflow_commands(hostile())

    assert "\n" not in line
    assert "%0A::error::forged" in line


@given(title=st.text(max_size=40), message=st.text(max_size=40))
def test_a_workflow_command_is_one_line_with_one_title(title: str, message: str) -> None:
    """Whatever is said, it neither begins another line nor ends the title."""
    line = command("error", title, message)
    head, _, said = line.removeprefix("::error title=").partition("::")

    assert not set("\n\r") & set(line)
    assert not set(":,") & set(head)
    assert said.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%") == message
