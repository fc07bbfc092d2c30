"""Policy Local with the only backend off the announcer: knock until it is certain what this cluster does.

Real kernels limit how often they reject (about once a second, after quiet not at all for the first six SYNs), so
silence proves "dropped" only after enough knocks over enough time; a rejection proves "rejected" only once the cluster
had its chance to move the announcement.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from l2probe.model import Claim, Exchange, Ip, Outcome
from l2probe.observe.traffic import Request
from l2probe.run.stage import Stage

KNOCK_SECONDS = 9.0
"""Silence shorter than about 8 s does not prove "dropped": ICMP rate limits (measured on Linux 6.18)."""
SETTLED_SECONDS = 8.0
"""Without claims to read, a cluster that did not react in this time is taken not to react."""
ASK_SECONDS = 1.0
"""How often the wire is asked while knocking. The replies also teach a kernel that ignored the takeover's gratuitous ARP:
Linux keeps an entry for a second whatever it hears (net.ipv4.neigh.*.locktime), and would knock at the old node on."""
REJECTIONS_AFTER = 2
"""Rejections after a renewal that show that the holder was alive, had its chance, and still rejects."""
REFUSED = frozenset({Outcome.REFUSED_ICMP, Outcome.REFUSED_RST})


def knock_until_decided(
    stage: Stage, name: str, vips: Sequence[Ip], requests: Sequence[Request], pod: str
) -> tuple[tuple[Exchange, ...], bool]:
    """Knock at every flow until its outcome is certain, then ask the wire again.

    Returns the attempts (answers of Pods that the datapath had not yet let go of are left out) and whether the cluster
    demonstrably had its chance to react.
    """
    edges, changed = stage.edges, stage.edges.now()
    edges.say(f"{name}: knocking, to see what policy Local does while the Pod is off the announcer.")

    asked = changed

    def stop(so_far: Sequence[Exchange]) -> bool:
        nonlocal asked
        if stage.wire is not None and edges.now() - asked >= ASK_SECONDS:
            asked = edges.now()
            stage.wire.ask(vips, times=1, linger=0.0)
        if edges.interrupted.is_set():
            return True
        return decided(so_far, len(requests), stage.claims(name), pod, changed=changed, now=edges.now())

    attempts = stage.traffic.knock(requests, seconds=KNOCK_SECONDS, stop=stop)
    edges.check()
    if stage.wire is not None:
        stage.wire.ask(vips, times=3, gap=0.1, linger=0.25)
    return current(attempts, pod), _settled(attempts, len(requests), stage.claims(name), pod, changed, edges.now())


def _settled(
    attempts: Sequence[Exchange], flows: int, claims: Sequence[Claim] | None, pod: str, changed: float, now: float
) -> bool:
    """Tell whether the cluster demonstrably had its chance: it served, it handed the address over, or it stayed."""
    if served(attempts, flows, pod) or reacted(attempts, claims, changed=changed, now=now):
        return True
    return bool(claims) and handed_over(claims or (), changed) and (claims or ())[-1].holder is not None


def current(attempts: Sequence[Exchange], pod: str) -> tuple[Exchange, ...]:
    """Return the attempts without answers of other Pods: those came before the datapath had followed."""
    return tuple(one for one in attempts if one.outcome is not Outcome.ANSWERED or one.pod == pod)


def decided(
    attempts: Sequence[Exchange],
    flows: int,
    claims: Sequence[Claim] | None,
    pod: str,
    *,
    changed: float,
    now: float,
) -> bool:
    """Tell whether more knocking is idle: every flow served, or every flow decided and the cluster had its chance."""
    if served(attempts, flows, pod):
        return True
    spoke = {_lane(one) for one in current(attempts, pod) if one.outcome in REFUSED or one.outcome is Outcome.ANSWERED}
    return len(spoke) == flows and reacted(attempts, claims, changed=changed, now=now)


def served(attempts: Sequence[Exchange], flows: int, pod: str) -> bool:
    """Tell whether the latest attempt of every flow was answered by the Pod."""
    latest = {_lane(one): one for one in sorted(attempts, key=lambda one: one.at)}
    good = [one for one in latest.values() if one.outcome is Outcome.ANSWERED and one.pod == pod]
    return len(good) == flows


def reacted(attempts: Sequence[Exchange], claims: Sequence[Claim] | None, *, changed: float, now: float) -> bool:
    """Tell whether the cluster had its chance: its holder renewed after the change and two rejections came after that.

    Without claims SETTLED_SECONDS are its chance, and after a handover too: clients need time to learn the new owner.
    Times are Unix seconds by our own clock (Claim.read_at), because the holder's clock may differ from ours.
    """
    if not claims or handed_over(claims, changed):
        return now - changed >= SETTLED_SECONDS
    renewed = renewal_after(claims, changed)
    if renewed is None:
        return False
    after = [one for one in attempts if one.at > renewed and one.outcome in REFUSED]
    return len(after) >= REJECTIONS_AFTER or now - changed >= SETTLED_SECONDS


def handed_over(claims: Sequence[Claim], changed: float) -> bool:
    """Tell whether the holder of then let go of the address, or another took it."""
    before = [claim.holder for claim in claims if claim.read_at <= changed] or [claims[0].holder]
    return any(claim.holder != before[-1] for claim in claims if claim.read_at > changed)


def renewal_after(claims: Sequence[Claim], changed: float) -> float | None:
    """Return when we first read that the present holder had renewed after the change; None when it has not."""
    last = claims[-1]
    if last.holder is None:
        return None
    streak = len(claims)
    while streak and claims[streak - 1].holder == last.holder:
        streak -= 1
    held = claims[streak:]
    renewals = [
        later.read_at
        for earlier, later in pairwise(held)
        if later.read_at > changed and later.renewed != earlier.renewed
    ]
    return renewals[0] if renewals else None


def _lane(exchange: Exchange) -> tuple[str, str]:
    return exchange.protocol, exchange.vip
