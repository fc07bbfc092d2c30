"""One step of client-go's leader election over a Lease: what to write now, and when to look again. Pure.

Timings are Cilium's defaults (l2-announcements-lease-duration 15s, -renew-deadline 5s, -retry-period 2s); names and the
released form follow pkg/l2announcer and k8s.io/client-go/tools/leaderelection.
"""

from __future__ import annotations

from dataclasses import dataclass

from l2probe.lab.controllers.objects import Key, Obj, dig, micro_timestamp

NAMESPACE = "kube-system"
LEASE_SECONDS = 15
RENEW_DEADLINE_SECONDS = 5.0
RETRY_SECONDS = 2.0
TURN_SECONDS = 0.5
"""How much later each next candidate reaches for a free lease."""
RELEASED_SECONDS = 1
"""leaseDurationSeconds of a released lease."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One agent's situation for one Service. Times are of the agent's own clock, in seconds.

    `rank`: its place among the candidates, None when it may not hold. `observed`: when it first saw the lease as it
    is now. `renewed`: when it last wrote it itself, None if it never did. `turn`: when it may reach for the free
    lease, if that is known.
    """

    me: str
    rank: int | None
    now: float
    observed: float
    renewed: float | None = None
    turn: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What to do: `spec` is the Lease spec to write, None for nothing; `again`: look again in so many seconds."""

    holds: bool
    spec: Obj | None = None
    again: float | None = None
    turn: float | None = None


def lease_key(service: Key) -> Key:
    """Return the Lease of a Service: nothing is escaped, so a-b/c and a/b-c share one (Cilium issue 48084)."""
    return Key(NAMESPACE, f"cilium-l2announce-{service.namespace}-{service.name}")


def holder_of(lease: Obj | None) -> str:
    """Return who holds the lease, empty for nobody."""
    return str(dig(lease, "spec", "holderIdentity") or "")


def held_spec(lease: Obj | None, me: str, clock: float) -> Obj:
    """Return the spec of a lease that `me` holds at Unix time `clock`; a new holder is one more transition."""
    now = micro_timestamp(clock)
    old = dig(lease, "spec") or {}
    mine = holder_of(lease) == me
    return {
        "holderIdentity": me,
        "leaseDurationSeconds": LEASE_SECONDS,
        "acquireTime": old.get("acquireTime", now) if mine else now,
        "renewTime": now,
        "leaseTransitions": int(old.get("leaseTransitions") or 0) + (0 if mine or lease is None else 1),
    }


def released_spec(lease: Obj, clock: float) -> Obj:
    """Return the spec that ReleaseOnCancel leaves: nobody holds it, and it lasts one second."""
    now = micro_timestamp(clock)
    return {
        "holderIdentity": "",
        "leaseDurationSeconds": RELEASED_SECONDS,
        "acquireTime": now,
        "renewTime": now,
        "leaseTransitions": int(dig(lease, "spec", "leaseTransitions") or 0),
    }


def step(lease: Obj | None, seat: Seat, clock: float) -> Step:
    """Return what the agent does now; `clock` is Unix time for what is written."""
    mine = holder_of(lease) == seat.me
    if seat.rank is None:
        return Step(holds=False, spec=released_spec(lease, clock) if mine and lease else None)
    if mine:
        return _renew(lease, seat, clock)
    if holder_of(lease):
        duration = float(dig(lease, "spec", "leaseDurationSeconds") or LEASE_SECONDS)
        left = seat.observed + duration - seat.now
        if left > 0:
            return Step(holds=False, again=left)
    turn = seat.now + seat.rank * TURN_SECONDS if seat.turn is None else seat.turn
    if turn > seat.now:
        return Step(holds=False, again=turn - seat.now, turn=turn)
    return Step(holds=True, spec=held_spec(lease, seat.me, clock), again=RETRY_SECONDS)


def _renew(lease: Obj | None, seat: Seat, clock: float) -> Step:
    due = 0.0 if seat.renewed is None else seat.renewed + RETRY_SECONDS - seat.now
    if due > 0:
        return Step(holds=True, again=due)
    late = seat.renewed is not None and seat.now - seat.renewed > RETRY_SECONDS + RENEW_DEADLINE_SECONDS
    return Step(holds=not late, spec=held_spec(lease, seat.me, clock), again=RETRY_SECONDS)
