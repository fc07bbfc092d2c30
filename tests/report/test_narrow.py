"""A table on a narrow terminal: it fits, it says what it left out, and it cuts nothing in two."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2probe.model import Ip
from l2probe.report.inventory import HEAD, STEPS, inventory
from l2probe.report.narrow import Step, drawn, fitted, folded, needed
from l2probe.report.seen import Shown
from l2probe.report.table import services
from tests.judge.audited import on_the_wire
from tests.judge.test_prediction import blackhole
from tests.judge.test_prediction import services as changed

LONG = Ip("2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff")


@pytest.mark.parametrize("width", [80, 100, 140])
def test_the_services_fit_the_terminal(width: int) -> None:
    """Every line of an audit's table fits 80 columns, and more; where there is room nothing is folded."""
    for evidence in (blackhole(), on_the_wire()):
        lines = services(evidence, color=False, width=width).splitlines()

        assert max(map(len, lines)) <= width
        whole = services(evidence, color=False, width=None).splitlines()
        assert (lines == whole) is (max(map(len, whole)) <= width)


def test_what_was_left_out_is_said() -> None:
    """The reader learns which columns there are besides and how to see them; complete tables say nothing."""
    narrow, whole = (services(blackhole(), color=False, width=width) for width in (72, None))

    assert narrow.splitlines()[-1] == "(Left out for want of room: policy and on announcer; -o wide shows all.)"
    assert "Left out" not in whole


@pytest.mark.parametrize("width", [60, 80])
def test_no_address_name_or_code_is_cut(width: int) -> None:
    """Whatever has no room makes the line longer: half an address is another address."""
    evidence = changed(blackhole(), lambda one: replace(one, vips=(LONG, *one.vips), namespace="a" * 40))
    shown = services(evidence, color=False, width=width)

    found = {word for line in inventory(evidence).lines for word in line[-1].split() if len(word) > 1}
    assert found
    assert {LONG, "a" * 40 + "/", *found} <= set(shown.replace(",", " ").split())


def test_each_row_keeps_its_colour_once() -> None:
    """A row of several lines is painted where it begins."""
    shown = services(blackhole(), color=True, width=70)

    assert shown.count("\x1b[1;33mWARN\x1b[0m") == 1


def test_pieces_share_a_line_where_they_fit() -> None:
    """A short name is not torn because another one is long."""
    column = folded(("shop/web", "monitoring/kube-prometheus-stack"), re.compile("/"), 7)

    assert column == ("shop/web", "monitoring/\nkube-prometheus-stack")


def test_what_was_folded_can_be_folded_again() -> None:
    """A second fold breaks the lines of the first one; it never joins them."""
    once = folded(("D06 mtu and 2 more", "D01 local-policy-blackhole"), re.compile(r" (?=and \d)"), 7)
    again = folded(once, re.compile(r"^\w+ "), 7)

    assert once == ("D06 mtu and 2 more", "D01 local-policy-blackhole")
    assert folded(("D06 mtu and 2 more",), re.compile(r" (?=and \d)"), 7) == ("D06 mtu\nand 2 more",)
    assert again == ("D06 mtu and 2 more", "D01\nlocal-policy-blackhole")
    assert folded(("D06 mtu\nand 2 more", "x" * 20), re.compile(r"^\w+ "), 7) == ("D06 mtu\nand 2 more", "x" * 20)


def test_no_step_is_taken_without_need() -> None:
    """The steps end as soon as the table fits; a column that a table lacks is no step at all."""
    shown = Shown(title="", head=("A", "B"), lines=(("1, 2", "x"),))
    steps = (Step(heading="C"), Step(heading="A", fold=re.compile(", ")), Step(heading="B"))

    assert fitted(shown, 7, steps).lines == (("1, 2", "x"),)
    assert fitted(shown, 5, steps).lines == (("1,\n2", "x"),)
    assert fitted(shown, 1, steps).left_out == ("B",)
    assert [line for line, _ in drawn(fitted(replace(shown, lines=()), 1, steps))] == ["A"]


@given(
    st.lists(st.tuples(*[st.text("ab1:./, ", max_size=30)] * len(HEAD)), max_size=4),
    st.integers(1, 200),
)
def test_nothing_but_whole_columns_is_lost(lines: list[tuple[str, ...]], width: int) -> None:
    """Of the columns that stay every character stays, in its order; and it fits, or all was done that can be."""
    shown = Shown(title="", head=HEAD, lines=tuple(lines))
    table = fitted(shown, width, STEPS)

    kept = [HEAD.index(heading) for heading in table.head]
    for before, after in zip(shown.lines, table.lines, strict=True):
        assert ["".join(before[at].split()) for at in kept] == ["".join(cell.split()) for cell in after]
    assert needed(table) <= width or len(table.left_out) == sum(step.fold is None for step in STEPS)


def test_a_table_of_nothing_has_its_headings() -> None:
    """The steps name columns that there are."""
    assert {step.heading for step in STEPS} <= set(HEAD)
    assert inventory(on_the_wire()).head == HEAD
