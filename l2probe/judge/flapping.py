"""F01, the announcer changes again and again.

One orderly handover is none of that, nor are those that our own run causes by moving the backends of policy Local.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from l2probe.judge.case import Case, cases, claims, node_of, replies, vips
from l2probe.judge.finding import about, finding
from l2probe.judge.owners import contenders
from l2probe.judge.takeover import takeovers
from l2probe.judge.words import count, listing, seconds
from l2probe.model import Evidence, Finding, Ip, Placement, Verdict

FLAPS = 3
"""Changes of the holder that nobody asked for, from which on it is no failover any more."""
FLAP_SECONDS = 60.0
"""Within which they must have come: a rolling restart of the agents takes its time from node to node."""


def announcer_flaps(evidence: Evidence) -> Iterator[Finding]:
    """F01: the holder or the answering MAC changed again and again while it was watched."""
    for case in cases(evidence):
        if not changed_too_often(case):
            continue
        since = watched_since(case)
        yield finding(
            "F01",
            Verdict.FAIL,
            says=f"The announcer of {case.name} changed {max(len(moves(case)), counter(case))} times in "
            f"{seconds(watched_until(case) - since)}: {listing(order(case))}.",
            because=(
                counter_words(case),
                *(f"{one.before} to {one.after} {seconds(one.taken - since)} in." for one in takeovers(case)),
                *(line for vip in vips(case) if (line := sequence(case, vip))),
            ),
            remedy="Look at the agents' logs on these nodes: lost leases mean an API server that is slow or throttles "
            "(k8s-client-qps below Services / renew deadline), restarts mean a crashing agent; a longer "
            "l2-announcements-lease-duration bridges short gaps. A rolling update of the agents looks the same while "
            "it lasts.",
            subject=about(case, vips(case)),
        )


def changed_too_often(case: Case) -> bool:
    """Whether FLAPS changes that our own run did not cause came within FLAP_SECONDS, seen or counted by the lease."""
    moments, enough = moves(case), FLAPS + caused(case)
    seen = zip(moments, moments[enough - 1 :], strict=False)
    return counter(case) >= enough or any(last - first <= FLAP_SECONDS for first, last in seen)


def watched_until(case: Case) -> float:
    """Return when the last thing about the announcer was seen: a claim, or that another node answered."""
    return max([*moves(case)[-1:], *(claim.read_at for claim in (claims(case) or ())[-1:])], default=0.0)


def watched_since(case: Case) -> float:
    """Return when the first thing about the announcer was seen."""
    heard = [reply.at for vip in vips(case) for reply in (replies(case, vip) or ())[:1]]
    return min([*heard, *(claim.read_at for claim in (claims(case) or ())[:1])], default=0.0)


def moves(case: Case) -> list[float]:
    """Return when the holder changed, or the MAC that answers where that was seen more often."""
    by_claim = [one.taken for one in takeovers(case)]
    by_frame = [switches(case, vip) for vip in vips(case)]
    return max([by_claim, *by_frame], key=len)


def switches(case: Case, vip: Ip) -> list[float]:
    """Return when another node than before answered for this VIP; nothing where several answer at once."""
    if contenders(case, vip):
        return []
    frames = [(node_of(case, reply.mac) or reply.mac, reply.at) for reply in replies(case, vip) or ()]
    return [at for (before, _), (after, at) in pairwise(frames) if before != after]


def order(case: Case) -> tuple[str, ...]:
    """Return the holders or answerers in their order, each once."""
    held = [claim.holder for claim in claims(case) or () if claim.holder]
    return tuple(held) or tuple(node_of(case, r.mac) or r.mac for vip in vips(case) for r in replies(case, vip) or ())


def counter(case: Case) -> int:
    """Return by how much the lease's own count of transitions grew while it was watched, at most FLAP_SECONDS."""
    history = [claim for claim in claims(case) or () if claim.transitions is not None]
    if not history or history[-1].read_at - history[0].read_at > FLAP_SECONDS:
        return 0
    same = [claim.transitions or 0 for claim in history if claim.source == history[-1].source]
    return max(0, same[-1] - same[0])


def counter_words(case: Case) -> str:
    """Return the growth of the lease's count in words."""
    history, grown = claims(case) or (), counter(case)
    return f"{history[-1].source}: transitions {history[-1].transitions}, {grown} more than at first." if grown else ""


def sequence(case: Case, vip: Ip) -> str:
    """Return who answered for this VIP one after the other, in words."""
    found = switches(case, vip)
    return f"{vip}: another node than before answered {count(len(found), 'time')}." if found else ""


def caused(case: Case) -> int:
    """Return how many handovers our own run may have caused: policy Local follows the backends that it moved."""
    moved = [trial for trial in case.trials if trial.own and trial.placement is not Placement.ANY]
    return len(moved) if case.local else 0
