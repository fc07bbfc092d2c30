"""How an address went from one node to another, as the control plane said it, and how long that may last."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from l2probe.judge.case import Case, claims, family, node_of, replies
from l2probe.judge.versions import CILIUM, setting
from l2probe.model import Claim, Cluster, Ip, Mac, NeighbourReply, NodeName

LEASE_DURATION, RENEW_DEADLINE = "l2-announcements-lease-duration", "l2-announcements-renew-deadline"
DEFAULTS = {LEASE_DURATION: 15.0, RENEW_DEADLINE: 5.0}
"""Seconds where cilium-config does not say: the Helm chart writes these keys only when they are set."""
BRIEF_SECONDS = 0.15
UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
LONGEST_DURATION = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover:
    """One node took an address over from another. `free`: when the claim of the first was first seen to be over."""

    before: NodeName
    after: NodeName
    free: float
    taken: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One holder's time: since when it was named, and until when (None: to the end of what was seen)."""

    holder: NodeName
    since: float
    until: float | None = None


def terms(history: Sequence[Claim]) -> tuple[Term, ...]:
    """Return who was named, one after the other; whoever is named again after nobody was begins no new term."""
    found: list[Term] = []
    for claim in history:
        if found and claim.holder != found[-1].holder and found[-1].until is None:
            found[-1] = replace(found[-1], until=claim.read_at)
        if claim.holder is None:
            continue
        if found and found[-1].holder == claim.holder:
            found[-1] = replace(found[-1], until=None)
        else:
            found.append(Term(holder=claim.holder, since=claim.read_at))
    return tuple(found)


def takeovers(case: Case) -> tuple[Takeover, ...]:
    """Return each change of the holder in the history of claims, oldest first.

    While one hands over to another, the objects of both may be there and change: who was named for a moment only, and
    then another, is no holder. Of the first nobody knows for how long it had been.
    """
    seen = terms(claims(case) or ())
    steady = [
        term
        for number, term in enumerate(seen)
        if number in {0, len(seen) - 1} or seen[number + 1].since - term.since >= BRIEF_SECONDS
    ]
    return tuple(
        Takeover(before=one.holder, after=other.holder, free=one.until or other.since, taken=other.since)
        for one, other in pairwise(steady)
        if one.holder != other.holder
    )


def frames_of(case: Case, vip: Ip, node: NodeName) -> tuple[NeighbourReply, ...]:
    """Return all frames in which this node told that it has the VIP."""
    return tuple(reply for reply in replies(case, vip) or () if node_of(case, reply.mac) == node)


def macs_of(case: Case, node: NodeName) -> frozenset[Mac]:
    """Return the MACs that a node answered with for its own address."""
    return frozenset(mac for mac, name in case.macs.items() if name == node)


def announcement(vip: Ip) -> str:
    """Return what a new announcer must send for this address."""
    return "gratuitous ARP" if family(vip) == 4 else "unsolicited neighbour advertisement"  # noqa: PLR2004 - IPv4


def allowed_seconds(cluster: Cluster) -> tuple[float, float] | None:
    """Return lease duration and renew deadline in seconds, as the cluster sets them; None when that is not known."""
    if cluster.implementation != CILIUM or setting(cluster, "enable-l2-announcements") is None:
        return None  # cilium-config was not read
    lease, renew = (_seconds(cluster, key) for key in (LEASE_DURATION, RENEW_DEADLINE))
    return None if lease is None or renew is None else (lease, renew)


def _seconds(cluster: Cluster, key: str) -> float | None:
    text = setting(cluster, key)
    return DEFAULTS[key] if text is None else parsed(text)


def parsed(text: str) -> float | None:
    """Return a Go duration ("15s", "1m30s") in seconds; None for anything else and for nothing."""
    parts = DURATION.findall(text[:LONGEST_DURATION])
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * UNITS[unit] for number, unit in parts) or None
