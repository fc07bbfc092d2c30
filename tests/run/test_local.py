"""The stop rules of policy Local: when knocking may end, as truth tables over attempts, claims and a clock."""

from __future__ import annotations

from dataclasses import replace

import pytest

from l2probe.model import Claim, Exchange, Ip, Mac, NeighbourReply, NodeName, Outcome, Protocol
from l2probe.run.local import (
    ANNOUNCE_SECONDS,
    Change,
    current,
    decided,
    had_its_chance,
    renewal_after,
    served,
    stayed,
    unannounced,
)

CHANGED = 100.0
ONE, TWO = (Change(pod="echo-2", flows=flows, at=CHANGED) for flows in (1, 2))
VIP4, VIP6 = Ip("198.51.100.40"), Ip("2001:db8:1::40")


def knock(at: float, outcome: Outcome, *, pod: str | None = None, vip: Ip = VIP4) -> Exchange:
    """Return one attempt over TCP."""
    return Exchange(at=at, protocol=Protocol.TCP, vip=vip, port=80, outcome=outcome, payload_bytes=512, pod=pod)


def lease(*renewals: tuple[float, str | None]) -> tuple[Claim, ...]:
    """Return a lease's history: when each renewal was read, and by whom."""
    return tuple(
        Claim(
            implementation="cilium",
            source="Lease",
            holder=NodeName(holder) if holder else None,
            read_at=at,
            renewed=at - 1000.0,  # the holder's clock is not ours
        )
        for at, holder in renewals
    )


REFUSED, TIMEOUT, ANSWERED = Outcome.REFUSED_ICMP, Outcome.TIMEOUT, Outcome.ANSWERED
TWO_REFUSALS = (knock(102.1, REFUSED), knock(102.4, REFUSED))


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        pytest.param([(99, "a")], None, id="no renewal since"),
        pytest.param([(97, "a"), (99, "a")], None, id="renewed before the change"),
        pytest.param([(99, "a"), (101, "a")], 101.0, id="renewed after it"),
        pytest.param([(99, "a"), (101, "a"), (103, "a")], 101.0, id="the first renewal counts"),
        pytest.param([(99, "a"), (101, None)], None, id="released"),
        pytest.param([(99, "a"), (101, "b")], None, id="taken over, not renewed yet"),
    ],
)
def test_renewal_is_one_that_came_after_the_change(
    history: list[tuple[float, str | None]], expected: float | None
) -> None:
    """A holder that renewed after the change was alive to react; when, is by our own clock."""
    assert renewal_after(lease(*history), CHANGED) == expected


def test_the_same_renewal_read_again_is_no_renewal() -> None:
    """A relist shows the old object anew."""
    old, again = lease((99.0, "a"), (101.0, "a"))
    repeated = Claim(
        implementation="cilium", source="Lease", holder=again.holder, read_at=again.read_at, renewed=old.renewed
    )

    assert renewal_after((old, repeated), CHANGED) is None


@pytest.mark.parametrize(
    ("attempts", "history", "now", "expected"),
    [
        pytest.param(TWO_REFUSALS, [(99, "a"), (102, "a")], 102.5, True, id="two refusals after the renewal"),
        pytest.param(TWO_REFUSALS[:1], [(99, "a"), (102, "a")], 102.5, False, id="one is not enough"),
        pytest.param(TWO_REFUSALS, [(99, "a"), (102.2, "a")], 102.5, False, id="one of them came before it"),
        pytest.param(TWO_REFUSALS, [(99, "a")], 108.5, False, id="no renewal, however long"),
        pytest.param((knock(107, TIMEOUT),), [(99, "a"), (102, "a")], 107.9, False, id="silence needs eight seconds"),
        pytest.param((knock(107, TIMEOUT),), [(99, "a"), (102, "a")], 108.0, True, id="silence for eight seconds"),
        pytest.param(
            TWO_REFUSALS, [(99, "a"), (101, "b"), (102, "b")], 103.0, False, id="handed over: clients must learn"
        ),
        pytest.param(TWO_REFUSALS, [(99, "a"), (101, "b"), (102, "b")], 108.0, True, id="handed over, still refused"),
        pytest.param((knock(107, TIMEOUT),), [(99, "a"), (101, None)], 108.0, True, id="released, nobody took it"),
        pytest.param(TWO_REFUSALS, None, 107.9, False, id="no claims: not before eight seconds"),
        pytest.param(TWO_REFUSALS, None, 108.0, True, id="no claims: eight seconds"),
    ],
)
def test_the_cluster_had_its_chance(
    *, attempts: tuple[Exchange, ...], history: list[tuple[float, str | None]] | None, now: float, expected: bool
) -> None:
    """Only a holder that renewed and still rejects, or eight seconds, show that the cluster will not react."""
    claims = None if history is None else lease(*history)

    assert stayed(attempts, claims, ONE, now=now) is expected


RENEWED = lease((99.0, "a"), (102.0, "a"))


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        pytest.param((), False, id="nothing came back yet"),
        pytest.param(
            (knock(101, ANSWERED, pod="echo-2"), knock(101, ANSWERED, pod="echo-2", vip=VIP6)), True, id="served"
        ),
        pytest.param((*TWO_REFUSALS, knock(102.5, REFUSED, vip=VIP6)), True, id="every flow refused"),
        pytest.param(TWO_REFUSALS, False, id="one flow still silent"),
        pytest.param((*TWO_REFUSALS, knock(102.5, TIMEOUT, vip=VIP6)), False, id="silence decides nothing early"),
        pytest.param(
            (*TWO_REFUSALS, knock(102.5, ANSWERED, pod="echo-1", vip=VIP6)), False, id="stale answer of another Pod"
        ),
        pytest.param(
            (*TWO_REFUSALS, knock(102.5, ANSWERED, pod="echo-2", vip=VIP6)), True, id="one served, one refused"
        ),
    ],
)
def test_knocking_ends_when_every_flow_is_certain(*, attempts: tuple[Exchange, ...], expected: bool) -> None:
    """Two flows: each must have been served by the Pod, or refused after the cluster had its chance."""
    assert decided(attempts, RENEWED, TWO, now=102.6) is expected


def test_claims_that_are_never_renewed_count_by_time() -> None:
    """MetalLB's ServiceL2Status has no renewal to wait for."""
    status = tuple(replace(claim, renewed=None) for claim in lease((99.0, "a")))

    assert not stayed(TWO_REFUSALS, status, ONE, now=107.9)
    assert stayed(TWO_REFUSALS, status, ONE, now=108.0)


def test_served_looks_at_the_latest_attempt_of_each_flow() -> None:
    """A flow that was answered once and refused since is not served."""
    answered, refused = knock(101, ANSWERED, pod="echo-2"), knock(102, REFUSED)

    assert served((refused, knock(103, ANSWERED, pod="echo-2")), ONE)
    assert not served((answered, refused), ONE)


def test_answers_of_other_pods_are_left_out() -> None:
    """The datapath had not followed yet: these say nothing about where the Pod is now."""
    stale, fresh, lost = knock(101, ANSWERED, pod="echo-1"), knock(102, ANSWERED, pod="echo-2"), knock(103, TIMEOUT)

    assert current((stale, fresh, lost), "echo-2") == (fresh, lost)


@pytest.mark.parametrize(
    ("attempts", "history", "expected"),
    [
        pytest.param((knock(101, ANSWERED, pod="echo-2"),), [(99, "a")], True, id="served"),
        pytest.param((knock(101, TIMEOUT),), [(99, "a"), (101, "b")], True, id="another took it"),
        pytest.param((knock(101, TIMEOUT),), [(99, "a"), (101, None)], False, id="released just now"),
        pytest.param(TWO_REFUSALS, [(99, "a"), (102, "a")], True, id="renewed and still rejects"),
        pytest.param(TWO_REFUSALS, [(99, "a")], False, id="nothing happened yet"),
    ],
)
def test_had_its_chance(
    *, attempts: tuple[Exchange, ...], history: list[tuple[float, str | None]], expected: bool
) -> None:
    """A verdict about policy Local rests on a cluster that could have reacted."""
    assert had_its_chance(attempts, lease(*history), ONE, now=103.0) is expected


def frame(at: float, node: str, vip: Ip = VIP4, *, solicited: bool = True) -> NeighbourReply:
    """Return a frame in which a node tells that it has a VIP."""
    return NeighbourReply(
        at=at, ip=vip, mac=Mac("02:00:00:00:00:0b"), op="reply", solicited=solicited, node=NodeName(node)
    )


MOVED = lease((99.0, "a"), (101.0, None), (101.5, "b"))


@pytest.mark.parametrize(
    ("heard", "history", "seconds"),
    [
        pytest.param([frame(102.0, "b")], MOVED, ANNOUNCE_SECONDS, id="answers, said nothing yet"),
        pytest.param([frame(102.0, "b"), frame(101.6, "b", solicited=False)], MOVED, 0.0, id="announced itself"),
        pytest.param(
            [frame(102.0, "b"), frame(101.6, "b", VIP6, solicited=False)],
            MOVED,
            ANNOUNCE_SECONDS,
            id="announced another address",
        ),
        pytest.param([frame(99.5, "a")], MOVED, 0.0, id="only the old one was heard"),
        pytest.param([frame(102.0, "b")], lease((99.0, "a"), (101.0, "a")), 0.0, id="no takeover"),
        pytest.param([frame(102.0, "b")], (), 0.0, id="claims not read"),
        pytest.param([frame(100.5, "b")], MOVED, 0.0, id="its time is over"),
    ],
)
def test_a_new_holder_has_a_moment_to_announce_itself(
    heard: list[NeighbourReply], history: tuple[Claim, ...], seconds: float
) -> None:
    """Only a holder that answers and has said nothing unasked is waited for, and not for long."""
    assert unannounced(heard, history, ONE, now=102.0) == pytest.approx(seconds)
