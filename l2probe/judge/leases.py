"""Whether a claim lives: its holder renews it, or provably does not, or the clocks alone speak and may be wrong.

A lease's renewTime is its holder's clock. client-go's elections never compare it with another one: a candidate measures
with its own clock for how long it saw no renewal (k8s.io/client-go/tools/leaderelection, "tolerates arbitrary clock
skew"), and so does this module. What only a comparison of two machines' clocks says accuses nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from itertools import pairwise

from l2probe.judge.case import Case, claims, claims_until, ended, once
from l2probe.judge.takeover import allowed_seconds
from l2probe.judge.versions import names
from l2probe.judge.words import seconds
from l2probe.model import Claim, Cluster, Evidence, NodeName

LEASED = ("cilium", "kube-vip")
"""Implementations that renew a Lease; MetalLB elects without one."""
MARGIN_SECONDS = 0.5
LONGEST_SECONDS = 16.0
"""For how long a renewal is waited for at most: the longest lease that is set by default (15 s), and a little."""


class Life(Enum):
    """What is known of the last claim that names a holder."""

    HELD = auto()
    OVER = auto()
    UNSURE = auto()


def life(case: Case) -> Life:
    """Return whether the last claim lives; one without times (MetalLB's) does while it is there, one of nobody is over.

    UNSURE: by the clocks of two machines it is too old, and nothing that one clock measured says so.
    """
    last, old = last_claim(case), age(case)
    if last is None or not last.holder:
        return Life.OVER
    if old is None or last.duration_seconds is None:
        return Life.HELD
    if over(case):
        return Life.OVER
    return Life.HELD if old <= last.duration_seconds else Life.UNSURE


def last_claim(case: Case) -> Claim | None:
    """Return the newest claim; None without one."""
    history = claims(case) or ()
    return history[-1] if history else None


def renewal_seen(case: Case) -> float | None:
    """Return when, by our own clock, the last renewal was seen to happen; None when none was."""
    seen = [after.read_at for before, after in pairwise(claims(case) or ()) if before.renewed != after.renewed]
    return seen[-1] if seen else None


def age(case: Case) -> float | None:
    """Seconds from the last renewal to the end of the observation.

    A renewal that we saw happen is timed by our own clock; only one that we did not see relies on the holder's.
    """
    last = last_claim(case)
    if last is None or last.renewed is None:
        return None
    return ended(case) - (renewal_seen(case) or last.renewed)


def followed(case: Case) -> float:
    """Return for how long, by our own clock, the last claim was read and not renewed."""
    last = last_claim(case)
    return 0.0 if last is None else max(0.0, claims_until(case) - last.read_at)


def patience(cluster: Cluster, claim: Claim) -> float:
    """Return within how many seconds the holder must renew or give up: the renew deadline, at most the duration."""
    known, duration = allowed_seconds(cluster), claim.duration_seconds or 0.0
    return min(duration, known[1]) if known else duration


def is_undecided(cluster: Cluster, history: Sequence[Claim], now: float) -> bool:
    """Whether a lease looks too old by two clocks, and following it for a while longer than until `now` would decide.

    A renewal that is seen ends it, for then the clocks differ; none for long enough, and the holder has given up.
    """
    last = history[-1] if history else None
    if last is None or not last.holder or last.renewed is None or last.duration_seconds is None:
        return False
    looks_old = now - last.renewed > last.duration_seconds and len({claim.renewed for claim in history}) == 1
    enough = patience(cluster, last) + MARGIN_SECONDS
    return looks_old and enough <= LONGEST_SECONDS and now - last.read_at < enough


def over(case: Case) -> str:
    """Return what shows by one clock alone that the last claim outlived its duration, in words; "" for nothing."""
    last = last_claim(case)
    if last is None or last.renewed is None or last.duration_seconds is None:
        return ""
    if (later := outlived(case, last)) > last.duration_seconds:
        return f"{last.holder} renewed another lease {seconds(later)} later, by the same clock."
    watched, looks_old = followed(case), (age(case) or 0.0) > last.duration_seconds
    if watched > (patience(case.evidence.cluster, last) if looks_old else last.duration_seconds):
        return f"It was followed for {seconds(watched)} and not renewed."
    return ""


def outlived(case: Case, claim: Claim) -> float:
    """Return by how many seconds the holder's newest renewal of any claim is younger than this one's."""
    newest = newest_by_holder(case.evidence).get(claim.holder)
    return 0.0 if newest is None or claim.renewed is None else newest - claim.renewed


@once
def newest_by_holder(evidence: Evidence) -> Mapping[NodeName | None, float]:
    """Return when each holder renewed any claim last, by its own clock."""
    found: dict[NodeName | None, float] = {}
    history = [*(claim for trial in evidence.trials for claim in trial.claims or ())]
    sharers = [claim for sharer in evidence.sharers for claim in sharer.claims or ()]
    for claim in (*history, *sharers, *(evidence.cluster.stray_claims or ())):
        if claim.renewed is not None:
            found[claim.holder] = max(claim.renewed, found.get(claim.holder, claim.renewed))
    return found


def claimed(case: Case) -> str:
    """Return the last claim in words."""
    last, word = last_claim(case), names(case.evidence.cluster).claim
    if last is None:
        return f"There was no {word} for {case.name}." if claims(case) is not None else ""
    if not last.holder:
        return f"{last.source} named no holder{f': {last.why_nobody}' if last.why_nobody else ''}."
    renewed = "" if last.renewed is None else f", renewed {seconds(max(0.0, age(case) or 0.0))} before the end"
    return f"{last.source} named {last.holder}{renewed}, transitions {last.transitions}."


def expired(case: Case) -> str:
    """Return whose lease ran out, in words; "" where nobody held one."""
    last, old = last_claim(case), age(case)
    if last is None or not last.holder:
        return ""
    return f"the lease of {last.holder} had not been renewed{f' for {seconds(old)}' if old is not None else ''}"


def lifetime(case: Case) -> str:
    """Return the lease's duration against its age, in words."""
    last, unrenewed = last_claim(case), age(case)
    if last is None or not last.holder or unrenewed is None or last.duration_seconds is None:
        return ""
    return f"A lease lives for {seconds(last.duration_seconds)}; this one was {seconds(unrenewed)} old."


def skew(case: Case) -> str:
    """Return which clocks would have to differ for the claim to live, in words; "" where no clock decides."""
    last = last_claim(case)
    if last is None or life(case) is not Life.UNSURE:
        return ""
    return f"{lifetime(case)} Its time is that of {last.holder}'s clock, the end that of this host's: they may differ."
