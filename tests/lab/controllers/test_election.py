"""Who writes what into a Lease, and when: the laws of client-go's leader election with Cilium's timings."""

from __future__ import annotations

from typing import Any

from l2probe.lab.controllers.election import Seat, held_spec, lease_key, released_spec, step
from l2probe.lab.controllers.objects import Key
from l2probe.lab.profiles import Timers

CLOCK = 1_800_000_000.25


def lease(holder: str, *, transitions: int = 0, duration: int = 15) -> dict[str, Any]:
    """Return a Lease as the API holds it."""
    spec = {
        "holderIdentity": holder,
        "leaseDurationSeconds": duration,
        "acquireTime": "A",
        "leaseTransitions": transitions,
    }
    return {"metadata": {"name": "x"}, "spec": spec}


def seat(**change: Any) -> Seat:  # noqa: ANN401 - the fields of Seat
    """Return the seat of node-1, first candidate, at time 100, which has seen the lease change at 90."""
    return Seat(**{"me": "node-1", "rank": 0, "now": 100.0, "observed": 90.0, **change})


def test_lease_names_are_ciliums() -> None:
    """The name is plain, so that two Services can share one, as in Cilium."""
    assert lease_key(Key("foo", "bar-baz")) == lease_key(Key("foo-bar", "baz"))
    assert lease_key(Key("shop", "web")) == Key("kube-system", "cilium-l2announce-shop-web")


def test_the_first_candidate_takes_a_free_lease_at_once() -> None:
    """A missing lease is created with all five fields, for 15 seconds, with no transition."""
    taken = step(None, seat(), CLOCK)

    assert taken.holds
    assert taken.again == 2.0
    assert taken.spec == {
        "holderIdentity": "node-1",
        "leaseDurationSeconds": 15,
        "acquireTime": "2027-01-15T08:00:00.250000Z",
        "renewTime": "2027-01-15T08:00:00.250000Z",
        "leaseTransitions": 0,
    }


def test_later_candidates_wait_for_their_turn() -> None:
    """Later candidates reach for a free lease only after the first had its chance, also when asked again meanwhile."""
    waiting = step(None, seat(rank=2), CLOCK)
    still = step(None, seat(rank=2, now=100.1, turn=waiting.turn), CLOCK)
    assert waiting.turn is not None
    due = step(None, seat(rank=2, now=waiting.turn, turn=waiting.turn), CLOCK)

    assert (waiting.spec, still.spec) == (None, None)
    assert still.turn == waiting.turn
    assert due.spec is not None


def test_a_held_lease_is_respected_until_it_was_silent_for_its_duration() -> None:
    """Another's lease is taken only when it did not change for leaseDurationSeconds since it was seen."""
    early = step(lease("node-2"), seat(now=104.9), CLOCK)
    late = step(lease("node-2", transitions=3), seat(now=105.1), CLOCK)

    assert (early.holds, early.spec) == (False, None)
    assert early.again is not None
    assert abs(early.again - 0.1) < 1e-6
    assert late.spec is not None
    assert (late.spec["holderIdentity"], late.spec["leaseTransitions"]) == ("node-1", 4)


def test_the_holder_renews_every_retry_period() -> None:
    """Two seconds after its last write the holder writes renewTime again, and keeps acquireTime and transitions."""
    early = step(lease("node-1", transitions=2), seat(renewed=98.5), CLOCK)
    due = step(lease("node-1", transitions=2), seat(renewed=98.0), CLOCK)

    assert (early.holds, early.spec, early.again) == (True, None, 0.5)
    assert due.spec == {**held_spec(None, "node-1", CLOCK), "acquireTime": "A", "leaseTransitions": 2}


def test_a_holder_that_could_not_renew_in_time_stops_holding() -> None:
    """Beyond the renew deadline the holder no longer counts as one until it has written again."""
    assert step(lease("node-1"), seat(renewed=92.0), CLOCK).holds is False
    assert step(lease("node-1"), seat(renewed=94.0), CLOCK).holds is True


def test_an_agent_that_may_not_hold_releases() -> None:
    """Losing eligibility empties the holder at once, in client-go's released form; others' leases are left alone."""
    released = step(lease("node-1", transitions=5), seat(rank=None), CLOCK)

    assert released.spec == released_spec(lease("node-1", transitions=5), CLOCK)
    assert released.spec is not None
    assert (released.spec["holderIdentity"], released.spec["leaseDurationSeconds"]) == ("", 1)
    assert released.spec["leaseTransitions"] == 5
    assert step(lease("node-2"), seat(rank=None), CLOCK).spec is None


def test_a_released_lease_is_free() -> None:
    """An empty holder is nobody: the next candidate takes it at once, as one more transition."""
    taken = step(lease("", transitions=5, duration=1), seat(observed=99.99), CLOCK)

    assert taken.spec is not None
    assert taken.spec["leaseTransitions"] == 6


def test_a_restless_holder_lets_go_and_stays_away_for_a_while() -> None:
    """Past its time the holder releases what it holds, and leaves the free lease to others for a second."""
    early = step(lease("node-1"), seat(renewed=99.9, until=100.2), CLOCK)
    due = step(lease("node-1", transitions=2), seat(renewed=99.9, until=100.0), CLOCK)
    away = step(lease("", transitions=2, duration=1), seat(now=100.5, turn=due.turn), CLOCK)

    assert early.holds
    assert early.again is not None
    assert abs(early.again - 0.2) < 1e-6
    assert (due.holds, due.spec) == (False, released_spec(lease("node-1", transitions=2), CLOCK))
    assert due.turn == 101.0
    assert (away.spec, away.again) == (None, 0.5)


def test_a_late_candidate_waits_for_a_lease_that_somebody_had() -> None:
    """A new lease is taken at once all the same."""
    waiting = step(lease("", duration=1), seat(late=5.5), CLOCK)

    assert (waiting.spec, waiting.again) == (None, 5.5)
    assert step(None, seat(late=5.5), CLOCK).holds


def test_the_timers_are_the_profiles() -> None:
    """A cluster that is set to other durations writes them, renews and gives up by them."""
    quick = Timers(lease=3, renew=1.0, retry=0.5)
    taken = step(None, seat(timers=quick), CLOCK)

    assert taken.spec is not None
    assert (taken.spec["leaseDurationSeconds"], taken.again) == (3, 0.5)
    assert step(lease("node-1"), seat(renewed=99.6, timers=quick), CLOCK).spec is None
    assert step(lease("node-1"), seat(renewed=98.4, timers=quick), CLOCK).holds is False
