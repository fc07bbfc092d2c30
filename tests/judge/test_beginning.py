"""One short interruption at the beginning is told from what goes on."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from l2probe.judge.beginning import SURE, beginning, is_unsettled, settled
from l2probe.model import Exchange, Ip, Outcome
from tests.judge.diagnosed import connect
from tests.judge.evidence import NODES, T0, VIP4, VIP6

SHORT = {"A": Outcome.ANSWERED, "R": Outcome.REFUSED_RST, "I": Outcome.REFUSED_ICMP, "T": Outcome.TIMEOUT}


def some(word: str, vip: Ip = VIP4) -> list[Exchange]:
    """Return connects to one end that ended as the letters say."""
    return [connect(vip, T0 + 0.04 * n, NODES[0], NODES[0], SHORT[letter]) for n, letter in enumerate(word)]


@pytest.mark.parametrize(
    ("word", "over", "open_"),
    [
        ("AAAA", 0, False),
        ("IIIIAAA", 4, False),
        ("ITITAAA", 4, False),
        ("RRRR", 0, True),
        ("RRRRAA", 0, True),
        ("TTTTAAA", 0, False),
        ("TTTT", 0, False),
        ("RRAAARA", 0, False),
        ("ARRAAA", 0, False),
        ("RRRARAAAA", 0, False),
    ],
)
def test_only_refusals_before_nothing_but_answers_are_a_beginning(word: str, over: int, open_: bool) -> None:  # noqa: FBT001
    """What comes back later, what was answered before, and what only timed out is not."""
    assert len(beginning(some(word))) == over
    assert is_unsettled(some(word)) is open_


def test_each_end_has_its_own_beginning() -> None:
    """IPv6 programmed late excuses nothing of IPv4; order in time counts, not the order of the list."""
    four, six = some("RRRRRR"), some("II" + "A" * SURE, VIP6)
    mixed: Sequence[Exchange] = [*reversed(six), *four]

    assert set(map(id, settled(mixed))) == {*map(id, four), *map(id, six[2:])}
