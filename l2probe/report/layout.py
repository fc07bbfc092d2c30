"""Text that fits a terminal: wrapped lines and plain tables. Knows nothing of reports; the only user of tabulate."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence

NARROWEST = 60
"""Columns below which nothing is wrapped any further."""
GAP = 2
"""Blanks that tabulate puts between columns, and after a heading that is the widest of its column."""


def wrap(text: str, width: int, first: str, rest: str | None = None) -> str:
    """Return the text wrapped, with its first line and the following ones indented."""
    rest = " " * len(first) if rest is None else rest
    return textwrap.fill(
        text, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def grid(head: Sequence[str], lines: Sequence[Sequence[str]], widths: Sequence[int | None]) -> str:
    """Return a plain table, `head` () without headings; cells wider than their column are wrapped, None is any."""
    cells = [
        [
            "\n".join(textwrap.wrap(cell, limit, break_on_hyphens=False) or [""]) if limit else cell
            for cell, limit in zip(line, widths, strict=True)
        ]
        for line in lines
    ]
    from tabulate import tabulate  # noqa: PLC0415 - most reports have no such table

    drawn = tabulate(cells, headers=head, tablefmt="plain", disable_numparse=True)
    return "\n".join(line.rstrip() for line in drawn.splitlines())


def columns(lines: Sequence[Sequence[str]], width: int | None) -> str:
    """Return a table without headings whose last column takes what the others leave of `width` (None: all it needs)."""
    if not lines:
        return ""
    taken = sum(max(len(line[number]) for line in lines) + GAP for number in range(len(lines[0]) - 1))
    last = None if width is None else max(20, max(width, NARROWEST) - taken)
    return grid((), lines, (*(None,) * (len(lines[0]) - 1), last))


def reflow(page: str, width: int) -> str:
    """Return a Markdown page with its paragraphs and list items wrapped; headings, links and code stay as they are."""
    return "\n\n".join(block if is_fixed(block) else paragraph(block, max(width, NARROWEST)) for block in blocks(page))


def blocks(page: str) -> Iterator[str]:
    """Yield what blank lines separate; blank lines within fenced code separate nothing."""
    pieces = re.split(r"(^```.*?^```$)", page.strip("\n"), flags=re.MULTILINE | re.DOTALL)
    for piece in pieces:
        yield from (
            [piece] if piece.startswith("```") else filter(None, (part.strip("\n") for part in piece.split("\n\n")))
        )


def is_fixed(block: str) -> bool:
    """Whether a block must keep its lines."""
    return block.startswith(("```", "#", "|", "- <"))


def paragraph(block: str, width: int) -> str:
    """Return a paragraph, or the items of a list, wrapped."""
    items = re.split(r"\n(?=- )", block)
    return "\n".join(wrap(" ".join(item.split()), width, "", "  " if item.startswith("- ") else "") for item in items)
