"""Text that fits a terminal, and loses nothing of what it said."""

from __future__ import annotations

import pytest

from l2probe.cli.explain import PAGE_WIDTH, pages
from l2probe.report.layout import columns, grid, reflow

PAGES = pages()
LINES = [("silent-leader", "B07", "every lease is held and no node answers"), ("mtu", "D06", "long packets vanish")]


def is_free(line: str) -> bool:
    """Whether a line may be as long as it is: a link, a command, or a word that nobody can break."""
    return line.startswith(("- <", "#")) or " " not in line.strip()


@pytest.mark.parametrize("code", PAGES)
@pytest.mark.parametrize("width", [60, 72])
def test_a_page_follows_the_terminal(code: str, width: int) -> None:
    """Paragraphs and lists are wrapped; every word stays, and code stays as it was."""
    shown = reflow(PAGES[code], width)

    assert shown.split() == PAGES[code].split()
    fenced = False
    for line in shown.splitlines():
        fenced ^= line.startswith("```")
        assert fenced or len(line) <= width or is_free(line), line
    assert shown.split("```")[1::2] == PAGES[code].split("```")[1::2]


@pytest.mark.parametrize("code", PAGES)
def test_what_was_wrapped_can_be_wrapped_again(code: str) -> None:
    """Narrow, then wide, is wide: no blank line is lost and none is won."""
    wide = reflow(PAGES[code], PAGE_WIDTH)

    assert reflow(reflow(PAGES[code], 60), PAGE_WIDTH) == wide


def test_the_last_column_takes_what_is_left() -> None:
    """A narrow terminal wraps the last column under itself; without a width nothing is wrapped."""
    assert columns(LINES, 60).splitlines()[:2] == [
        "silent-leader  B07  every lease is held and no node answers",
        "mtu            D06  long packets vanish",
    ]
    narrow = columns([("x" * 25, "B07", LINES[0][2])], 60).splitlines()
    assert narrow == [f"{'x' * 25}  B07  every lease is held and no", " " * 32 + "node answers"]
    assert len(columns([("a", "word " * 40)], None).splitlines()) == 1
    assert columns([], 80) == ""


def test_a_table_keeps_its_headings() -> None:
    """Headings stand above their columns."""
    assert grid(("A", "B"), [("1", "2")], (None, None)).splitlines() == ["A    B", "1    2"]
