"""The arithmetic behind "pattern" and "loss"."""

from __future__ import annotations

from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2probe.judge.statistics import fisher, tail, wilson


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (1, 40, 0.0044, 0.1288), (0, 0, 0.0, 1.0)],
)
def test_wilson_gives_the_published_interval(hits: int, total: int, low: float, high: float) -> None:
    """The 95 % interval equals the one of the textbooks to four digits."""
    found = wilson(hits, total)

    assert isclose(found[0], low, abs_tol=5e-4)
    assert isclose(found[1], high, abs_tol=5e-4)


@given(st.integers(0, 500), st.integers(1, 500))
def test_wilson_holds_the_share_and_stays_in_bounds(hits: int, more: int) -> None:
    """The interval lies within 0 and 1 and contains the observed share."""
    total = hits + more
    low, high = wilson(hits, total)

    assert 0 <= low <= hits / total + 1e-12
    assert hits / total - 1e-12 <= high <= 1


def test_fisher_counts_the_ways() -> None:
    """Four lost of four here and none of eight there happens in one of C(12, 4) = 495 lotteries."""
    assert isclose(fisher(4, 4, 0, 8), 1 / 495)
    assert isclose(fisher(0, 4, 4, 8), 1.0)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_fisher_is_a_chance(lost_in: int, good_in: int, lost_out: int, good_out: int) -> None:
    """It lies in (0, 1] whatever the counts."""
    chance = fisher(lost_in, lost_in + good_in, lost_out, lost_out + good_out)

    assert 0 < chance <= 1 + 1e-12


def test_fisher_sums_to_one() -> None:
    """The exact chances of all outcomes with the same margins add up to one."""
    exact = [fisher(k, 5, 4 - k, 6) - (fisher(k + 1, 5, 3 - k, 6) if k < 4 else 0) for k in range(5)]

    assert isclose(sum(exact), 1.0)
    assert min(exact) >= 0


@pytest.mark.parametrize(
    ("hits", "total", "share", "chance"),
    [(0, 10, 0.5, 1.0), (1, 2, 0.5, 0.75), (10, 10, 0.5, 1 / 1024), (1, 12, 0.01, 1 - 0.99**12), (3, 0, 0.5, 0.0)],
)
def test_tail_counts_at_least_so_many(hits: int, total: int, share: float, chance: float) -> None:
    """The chance of at least so many is the textbook's."""
    assert isclose(tail(hits, total, share), chance, abs_tol=1e-9)


@given(st.integers(0, 20_000), st.integers(0, 20_000), st.floats(0.001, 0.999))
def test_tail_is_a_chance_for_any_number(hits: int, total: int, share: float) -> None:
    """Tens of thousands of exchanges overflow nothing."""
    assert 0 <= tail(hits, total, share) <= 1
