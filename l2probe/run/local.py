"""Policy Local with the only backend off the announcer: knock until it is certain what this cluster does.

Real kernels limit how often they reject (about once a second, after quiet not at all for the first six SYNs), so
silence proves "dropped" only after enough knocks over enough time; a rejection proves "rejected" only once the cluster
had its chance to move the announcement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from l2probe.model import Claim, Exchange, Ip, NeighbourReply, Outcome
from l2probe.observe.traffic import Request
from l2probe.run.stage import Stage

KNOCK_SECONDS = 9.0
"""Silence shorter than about 8 s does not prove "dropped": ICMP rate limits (measured on Linux 6.18)."""
SETTLED_SECONDS = 8.0
"""Without claims to read, a cluster that did not react in this time is taken not to react."""
ASK_SECONDS = 1.0
"""How often the wire is asked while knocking. The replies also teach a kernel that ignored the gratuitous ARP: Linux
keeps a new entry for a second whatever it hears (net.ipv4.neigh.*.locktime), and would knock at the old node on."""
ANNOUNCE_SECONDS = 1.2
"""How long after its first answer a new holder may take to announce itself: all of them do it before, or at once."""
REJECTIONS_AFTER = 2
"""Rejections after a renewal that show that the holder was alive, had its chance, and still rejects."""
ACQUAINT_SECONDS = 0.5
"""How long the announcer may take to answer our kernel's own who-has, and a backend behind it its first connect."""
REFUSED = frozenset({Outcome.REFUSED_ICMP, Outcome.REFUSED_RST})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The Service was pointed at this Pod alone at this Unix time, and so many flows knock at it.

    `at` is before the selector was changed: a quick announcer moves before the EndpointSlices are seen to follow.
    """

    pod: str
    flows: int
    at: float


def acquaint(stage: Stage, requests: Sequence[Request]) -> None:
    """Let this host's kernel learn who announces, as a client that uses the Service has: only then can it be misled.

    Without an entry of the old announcer nothing shows whether this host follows a takeover (F04). What is answered is
    no evidence, for policy Local promises nothing before a Pod stands on the announcer.
    """
    edges = stage.edges
    end = edges.now() + ACQUAINT_SECONDS

    def stop(so_far: Sequence[Exchange]) -> bool:
        return len(so_far) == len(requests) or edges.interrupted.is_set() or edges.now() >= end

    stage.traffic.knock(requests, seconds=ACQUAINT_SECONDS, gap=ACQUAINT_SECONDS, stop=stop)
    edges.check()


def knock_until_decided(
    stage: Stage, name: str, vips: Sequence[Ip], requests: Sequence[Request], *, pod: str, since: float
) -> tuple[tuple[Exchange, ...], bool]:
    """Knock at every flow until its outcome is certain, then ask the wire again. `since`: see `Change.at`.

    Returns the attempts (answers of Pods that the datapath had not yet let go of are left out) and whether the cluster
    demonstrably had its chance to react.
    """
    edges = stage.edges
    change = Change(pod=pod, flows=len(requests), at=since)
    edges.say(f"{name}: knocking, to see what policy Local does while the Pod is off the announcer.")
    asked = edges.now()

    def stop(so_far: Sequence[Exchange]) -> bool:
        nonlocal asked
        if stage.wire is not None and edges.now() - asked >= ASK_SECONDS:
            asked = edges.now()
            stage.wire.ask(vips, times=1, linger=0.0)
        return edges.interrupted.is_set() or decided(so_far, stage.claims(name), change, now=edges.now())

    attempts = stage.traffic.knock(requests, seconds=KNOCK_SECONDS, stop=stop)
    edges.check()
    if stage.wire is not None:
        _hear_out(stage, name, vips, change)
        stage.wire.ask(vips, times=3, gap=0.1, linger=0.25)
    return current(attempts, pod), had_its_chance(attempts, stage.claims(name), change, now=edges.now())


def _hear_out(stage: Stage, name: str, vips: Sequence[Ip], change: Change) -> None:
    """Give a new holder that answers the time to announce itself unasked; costs nothing where it has done so."""
    edges = stage.edges
    while wait := unannounced(stage.heard(vips, change.at) or (), stage.claims(name) or (), change, now=edges.now()):
        edges.check()
        edges.pause(min(wait, 0.1))


def unannounced(replies: Sequence[NeighbourReply], claims: Sequence[Claim], change: Change, *, now: float) -> float:
    """Return for how many seconds more a new holder may still announce an address for which it answers already."""
    if not claims or not handed_over(claims, change.at):
        return 0.0
    frames = [reply for reply in replies if reply.node is not None and reply.node == claims[-1].holder]
    told = {reply.ip for reply in frames if not reply.solicited}
    answers = [reply.at for reply in frames if reply.ip not in told]
    return max(0.0, min(answers) + ANNOUNCE_SECONDS - now) if answers else 0.0


def current(attempts: Sequence[Exchange], pod: str) -> tuple[Exchange, ...]:
    """Return the attempts without answers of other Pods: those came before the datapath had followed."""
    return tuple(one for one in attempts if one.outcome is not Outcome.ANSWERED or one.pod == pod)


def decided(attempts: Sequence[Exchange], claims: Sequence[Claim] | None, change: Change, *, now: float) -> bool:
    """Tell whether more knocking is idle: every flow served, or every flow decided and the cluster had its chance."""
    if served(attempts, change):
        return True
    spoke = {
        _lane(one) for one in current(attempts, change.pod) if one.outcome in REFUSED or one.outcome is Outcome.ANSWERED
    }
    return len(spoke) == change.flows and stayed(attempts, claims, change, now=now)


def had_its_chance(attempts: Sequence[Exchange], claims: Sequence[Claim] | None, change: Change, *, now: float) -> bool:
    """Tell whether the cluster demonstrably could react: it served, another took it, or it stayed so."""
    taken = bool(claims) and handed_over(claims or (), change.at) and (claims or ())[-1].holder is not None
    return taken or served(attempts, change) or stayed(attempts, claims, change, now=now)


def served(attempts: Sequence[Exchange], change: Change) -> bool:
    """Tell whether the latest attempt of every flow was answered by the Pod."""
    latest = {_lane(one): one for one in sorted(attempts, key=lambda one: one.at)}
    good = [one for one in latest.values() if one.outcome is Outcome.ANSWERED and one.pod == change.pod]
    return len(good) == change.flows


def stayed(attempts: Sequence[Exchange], claims: Sequence[Claim] | None, change: Change, *, now: float) -> bool:
    """Tell whether it will stay so: the holder renewed after the change, and two rejections came after that.

    Without a lease SETTLED_SECONDS are its chance, and after a handover too: clients need time to learn the new owner.
    Times are Unix seconds by our own clock (Claim.read_at), because the holder's clock may differ from ours.
    """
    waited = now - change.at >= SETTLED_SECONDS
    if not claims or claims[-1].renewed is None or handed_over(claims, change.at):
        return waited
    renewed = renewal_after(claims, change.at)
    if renewed is None:
        return False
    after = [one for one in attempts if one.at > renewed and one.outcome in REFUSED]
    return len(after) >= REJECTIONS_AFTER or waited


def handed_over(claims: Sequence[Claim], changed: float) -> bool:
    """Tell whether the holder of then let go of the address, or another took it."""
    before = [claim.holder for claim in claims if claim.read_at <= changed] or [claims[0].holder]
    return any(claim.holder != before[-1] for claim in claims if claim.read_at > changed)


def renewal_after(claims: Sequence[Claim], changed: float) -> float | None:
    """Return when we first read that the holder had renewed after the change; None when it has not."""
    renewals = [
        later.read_at
        for earlier, later in pairwise(claims)
        if later.read_at > changed and later.holder == earlier.holder and later.renewed != earlier.renewed
    ]
    return renewals[0] if renewals and claims[-1].holder is not None else None


def _lane(exchange: Exchange) -> tuple[str, str]:
    return exchange.protocol, exchange.vip
