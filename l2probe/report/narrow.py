"""A table that a narrow terminal can show: its cells folded first, then its least columns left out. Pure.

An address, a name or a finding's code is never cut: where nothing more can be folded, the line is longer than wanted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from l2probe.report.layout import GAP
from l2probe.report.seen import Shown

Lines = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What to do about one column: fold its cells after what `fold` matches, or leave it out (None).

    What is folded stays `least` columns wide, so that pieces which fit in there stay on one line.
    """

    heading: str
    fold: re.Pattern[str] | None = None
    least: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A table as it will stand: each cell may have several lines. `left_out`: the headings of columns without place."""

    head: tuple[str, ...]
    lines: Lines
    left_out: tuple[str, ...] = ()


def fitted(shown: Shown, width: int | None, steps: Sequence[Step]) -> Fitted:
    """Return the table so that it takes `width` columns (None: any), with no more of the steps than that needs."""
    table = Fitted(head=shown.head, lines=shown.lines)
    for step in steps:
        if width is None or needed(table) <= width:
            break
        table = done(step, table)
    return table


def needed(table: Fitted) -> int:
    """Return how many columns of the terminal a table takes."""
    return sum(widths(table)) + GAP * (len(table.head) - 1)


def widths(table: Fitted) -> tuple[int, ...]:
    """Return the width of each column."""
    return tuple(
        max(len(heading), max((widest(cell) for cell in column), default=0))
        for heading, column in zip(table.head, _columns(table), strict=True)
    )


def widest(cell: str) -> int:
    """Return the length of the longest line of a cell."""
    return max(map(len, cell.split("\n"))) if "\n" in cell else len(cell)


def done(step: Step, table: Fitted) -> Fitted:
    """Return the table after one step; a column that it does not have changes nothing."""
    if step.heading not in table.head:
        return table
    at = table.head.index(step.heading)
    if step.fold is None:
        return Fitted(
            head=(*table.head[:at], *table.head[at + 1 :]),
            lines=tuple((*line[:at], *line[at + 1 :]) for line in table.lines),
            left_out=(*table.left_out, step.heading),
        )
    columns = _columns(table)
    columns[at] = folded(columns[at], step.fold, max(step.least, len(step.heading)))
    return replace(table, lines=tuple(zip(*columns, strict=True)))


def folded(column: Sequence[str], where: re.Pattern[str], least: int) -> tuple[str, ...]:
    """Return the cells of a column, no wider than `least` or its longest piece; pieces that fit share a line."""
    lines = {line: tuple(_pieces(line, where)) for cell in set(column) for line in cell.split("\n")}
    most = max(least, max((len(piece.rstrip()) for pieces in lines.values() for piece in pieces), default=0))
    return tuple(
        "\n".join(part for line in cell.split("\n") for part in _packed(lines[line], most))
        if widest(cell) > most
        else cell
        for cell in column
    )


def _pieces(line: str, where: re.Pattern[str]) -> Iterator[str]:
    start = 0
    for match in where.finditer(line):
        yield line[start : match.end()]
        start = match.end()
    if start < len(line):
        yield line[start:]


def _packed(pieces: Sequence[str], width: int) -> Iterator[str]:
    line = ""
    for piece in pieces:
        if line and len((line + piece).rstrip()) > width:
            yield line.rstrip()
            line = ""
        line += piece
    yield line.rstrip()


def _columns(table: Fitted) -> list[tuple[str, ...]]:
    return list(zip(*table.lines, strict=True)) if table.lines else [() for _ in table.head]


def drawn(table: Fitted) -> Iterator[tuple[str, str]]:
    """Yield each line of the text, with the first cell of the row that begins there ("" where none does)."""
    # Not by tabulate, which takes a second for ten thousand lines.
    form = (" " * GAP).join(f"{{:<{width}}}" for width in widths(table)).format
    yield form(*map(str.upper, table.head)).rstrip(), ""
    for row in table.lines:
        begun = row[0]
        for cells in zip_longest(*(cell.split("\n") for cell in row), fillvalue="") if _is_folded(row) else (row,):
            yield form(*cells).rstrip(), begun
            begun = ""


def _is_folded(row: Sequence[str]) -> bool:
    return any("\n" in cell for cell in row)
