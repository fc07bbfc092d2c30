"""Whether the claims are worth following for a while longer. Pure.

Two looks half a second apart cannot tell one handover from an announcer that changes again and again; nor a lease that
nobody renews from one whose holder's clock is behind ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from l2probe.judge.leases import is_undecided
from l2probe.model import Claim, Cluster

FOLLOW_SECONDS = 4.0
STEP_SECONDS = 0.2
"""How long claims are followed at most, and how often they are read meanwhile."""
AWAIT_STEP_SECONDS = 0.5
FRESH_SECONDS = 2.0
"""Who has held the lease for longer than this has it for good, as far as a diagnosis can wait."""
ENOUGH = 4
"""After more changes than this nothing more need be seen."""
FEW = 3
"""Transitions that a lease may have without being suspicious: a cluster's first day brings them."""
MANY = 64
"""Services whose claims are followed: each look lists the leases of all."""


def worth_following(histories: Iterable[Sequence[Claim]]) -> bool:
    """Tell whether any of few Services changed its announcer just now and has done so before."""
    found = tuple(histories)
    return len(found) <= MANY and any(just_changed(one) and changes(one) <= ENOUGH for one in found)


def worth_awaiting(cluster: Cluster, histories: Iterable[Sequence[Claim]], now: float) -> bool:
    """Tell whether a renewal is worth waiting for: of few Services, one's lease looks too old by the clocks alone."""
    found = tuple(histories)
    return len(found) <= MANY and any(is_undecided(cluster, one, now) for one in found)


def changes(history: Sequence[Claim]) -> int:
    """Return how often another holder was named than before."""
    named = [claim.holder for claim in history if claim.holder is not None]
    return sum(before != after for before, after in pairwise(named))


def just_changed(history: Sequence[Claim]) -> bool:
    """Tell whether the holder had had the lease for a moment only when it last renewed it, by its own clock."""
    last = history[-1] if history else None
    if last is None or (last.transitions or 0) < FEW:
        return False
    if last.holder is None:
        return True
    return last.acquired is not None and last.renewed is not None and last.renewed - last.acquired < FRESH_SECONDS
