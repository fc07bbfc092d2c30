"""What is refused in the first moment is asked again: by the flow, and on played networks by the loop alone."""

from __future__ import annotations

import pytest

from l2probe.diagnose import Plan, diagnose
from l2probe.diagnose.again import LATER_SECONDS, TIMEOUT_SECONDS, TIMES, knock_patiently
from l2probe.diagnose.knocking import Knock
from l2probe.diagnose.subjects import Wish
from l2probe.judge import judge
from l2probe.model import Ip, Outcome, Protocol
from tests.diagnose.played import World

ENDS = (
    Knock(protocol=Protocol.TCP, vip=Ip("198.51.100.40"), port=80),
    Knock(protocol=Protocol.TCP, vip=Ip("2001:db8:1::40"), port=80),
)
ROUNDS = [ENDS] * 8
REFUSALS = (Outcome.REFUSED_ICMP, Outcome.REFUSED_RST)


def test_who_answers_is_knocked_at_no_more() -> None:
    """A healthy end costs no time and no further connect."""
    world = World()

    found = knock_patiently(ROUNDS, world.edges())

    assert (len(found), world.clock) == (16, 1000.0)


@pytest.mark.parametrize("outcome", [Outcome.TIMEOUT, Outcome.NO_NEIGHBOUR, Outcome.RESET])
def test_what_takes_its_time_to_fail_is_not_asked_again(outcome: Outcome) -> None:
    """A dead knock waited for itself."""
    assert len(knock_patiently(ROUNDS, World(outcome=outcome).edges())) == 16


@pytest.mark.parametrize("outcome", REFUSALS)
def test_what_refuses_is_asked_until_the_end(outcome: Outcome) -> None:
    """All the time that there is, and no longer: the last questions end with 3 s."""
    world = World(outcome=outcome)

    found = knock_patiently(ROUNDS, world.edges())

    assert len(found) == 16 + len(LATER_SECONDS) * TIMES * len(ENDS)
    assert world.clock == pytest.approx(1000.0 + LATER_SECONDS[-1])
    assert LATER_SECONDS[-1] + TIMEOUT_SECONDS + 0.1 < 3.0
    assert {one.timeout for one in world.knocked[16:]} == {TIMEOUT_SECONDS}


def test_an_answer_ends_the_waiting() -> None:
    """Who is served after a second is asked three times, and then left alone."""
    world = World(outcome=Outcome.REFUSED_ICMP, served=1000.9)

    found = knock_patiently(ROUNDS, world.edges())

    assert [one.outcome for one in found[16:]] == [Outcome.ANSWERED] * 6
    assert world.clock == pytest.approx(1000.0 + LATER_SECONDS[0])


def test_a_long_wait_of_others_leaves_one_more_question() -> None:
    """Where other knocks timed out meanwhile the time is over, and refusals are asked once more all the same."""
    world = World(outcome=Outcome.REFUSED_RST)
    played = world.knock

    def slow(rounds: list[list[Knock]]) -> object:
        found = played(rounds)
        world.clock += 2.7
        return found

    world.knock = slow  # type: ignore[method-assign,assignment]

    assert len(knock_patiently(ROUNDS, world.edges())) == 16 + TIMES * len(ENDS)


@pytest.mark.parametrize("outcome", REFUSALS)
def test_a_service_that_is_only_being_programmed_is_not_accused(outcome: Outcome) -> None:
    """Refused for a second and then served: the evidence has both, and nothing is found."""
    world = World(outcome=outcome, served=1000.9)

    evidence = diagnose(Plan(wish=Wish(everything=True)), world.edges())

    seen = {one.outcome for trial in evidence.trials for one in trial.exchanges or ()}
    assert seen == {outcome, Outcome.ANSWERED}
    assert judge(evidence) == ()


@pytest.mark.parametrize(("outcome", "code"), [(Outcome.REFUSED_ICMP, "D03"), (Outcome.REFUSED_RST, "D11")])
def test_what_refuses_for_good_is_found(outcome: Outcome, code: str) -> None:
    """Asked again, refused again: now it is believed."""
    world = World(outcome=outcome)

    assert judge(diagnose(Plan(wish=Wish(words=("shop/api",))), world.edges()))[0].code == code
