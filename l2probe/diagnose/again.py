"""Knocking with patience: what is refused in the first moment is asked again before it is believed.

Costs nothing where all is well, and what a dead knock costs where it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from l2probe.diagnose.knocking import Knock
from l2probe.judge.beginning import by_end, is_unsettled
from l2probe.model import Exchange

LATER_SECONDS = (1.0, 1.7, 2.4)
"""When ends that refused are asked again, from the first knock on: the last one ends when a dead knock does."""
TIMES = 3
TIMEOUT_SECONDS = 0.4
MOST = 512
"""Ends that are asked again."""


class World(Protocol):
    """The part of the edges that it needs."""

    @property
    def knock(self) -> Callable[[Sequence[Sequence[Knock]]], tuple[Exchange, ...]]:
        """Put the knocks of all rounds, and return how each ended."""
        ...

    @property
    def now(self) -> Callable[[], float]:
        """Unix seconds."""
        ...

    @property
    def pause(self) -> Callable[[float], object]:
        """Wait for so many seconds."""
        ...


def knock_patiently(rounds: Sequence[Sequence[Knock]], world: World) -> tuple[Exchange, ...]:
    """Put the knocks of all rounds; later, and more than once, those again whose end did nothing but refuse.

    A refusal is quick: eight of them take a third of a second, and a Service that is being programmed takes longer.
    """
    began = world.now()
    found = world.knock(rounds)
    for moment in LATER_SECONDS:
        left = began + moment - world.now()
        if left < 0 and moment != LATER_SECONDS[-1]:
            continue
        again = unsettled(rounds, found)
        if not again:
            break
        world.pause(max(0.0, left))
        found += world.knock([again] * TIMES)
    return found


def unsettled(rounds: Sequence[Sequence[Knock]], found: Sequence[Exchange]) -> tuple[Knock, ...]:
    """Return one knock for each end that so far refused, and did not answer for good."""
    ends = {end for end, some in by_end(one for one in found if not one.unsent).items() if is_unsettled(some)}
    first = {(one.protocol, one.vip, one.port): one for knocks in reversed(rounds) for one in knocks}
    return tuple(replace(one, timeout=TIMEOUT_SECONDS) for end, one in first.items() if end in ends)[:MOST]
