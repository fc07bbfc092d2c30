"""When a diagnosis follows the claims for longer: an announcer that has only just changed, and not for once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from l2probe.diagnose import Plan, diagnose
from l2probe.diagnose.following import ENOUGH, FEW, FOLLOW_SECONDS, MANY, worth_awaiting, worth_following
from l2probe.diagnose.subjects import Wish
from l2probe.diagnose.surroundings import READING_GAP, READINGS
from l2probe.judge import judge
from l2probe.model import Claim, NodeName
from tests.diagnose.played import World
from tests.judge.diagnosed import ONE, TWO, diagnosed, lease
from tests.judge.evidence import T0


def held(seconds: float, *, transitions: int = FEW, holder: NodeName | None = ONE) -> Claim:
    """Return a lease that its holder had had for so long when it renewed it last."""
    return replace(lease("api", holder, T0), acquired=T0 - seconds, renewed=T0, transitions=transitions)


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        pytest.param([held(0.1)], True, id="just taken, and often before"),
        pytest.param([held(60.0), held(0.1, holder=None)], True, id="let go, and often before"),
        pytest.param([held(0.1, transitions=0)], False, id="the first holder of a new Service"),
        pytest.param([held(60.0, transitions=400)], False, id="held for a minute, whatever was before"),
        pytest.param([replace(held(0.1), acquired=None)], False, id="MetalLB: no times"),
        pytest.param([], False, id="no claim"),
        pytest.param(
            [held(0.1, holder=(ONE, TWO)[number % 2]) for number in range(ENOUGH + 2)], False, id="enough was seen"
        ),
    ],
)
def test_only_a_fresh_change_is_followed(history: list[Claim], expected: bool) -> None:  # noqa: FBT001 - a table
    """A holder of two seconds, or a first one, ends the watch."""
    assert worth_following([[held(60.0)], history]) is expected


def test_thousands_of_services_are_not_followed() -> None:
    """Each look would list all leases."""
    assert worth_following([[held(0.1)]] * MANY)
    assert not worth_following([[held(0.1)]] * (MANY + 1))


def test_a_restless_announcer_is_watched_until_it_is_sure() -> None:
    """Every half second another node holds the lease: a diagnosis follows it and says so, within its bound."""
    world = World(restless=True)
    began = world.clock

    evidence = diagnose(Plan(wish=Wish(everything=True)), world.edges())

    assert judge(evidence)[0].code == "F01"
    assert world.clock - began < FOLLOW_SECONDS + 1.0


def test_a_renewal_is_waited_for_where_few_leases_look_old() -> None:
    """Old by the clocks: worth a wait; for thousands of Services, or a fresh lease, not."""
    cluster, now = diagnosed().cluster, T0 + 1.0
    old = replace(held(60.0), renewed=T0 - 60.0)

    assert worth_awaiting(cluster, [[held(0.1)], [old]], now)
    assert not worth_awaiting(cluster, [[held(0.1)]], now)
    assert not worth_awaiting(cluster, [[old]] * (MANY + 1), now)


def test_a_steady_announcer_costs_no_time() -> None:
    """A lease that is only renewed is read twice, as ever."""
    world = World()
    began = world.clock

    diagnose(Plan(wish=Wish(everything=True)), world.edges())

    assert world.clock - began < 1.0 + READINGS * READING_GAP  # the played clock adds up what is waited side by side
