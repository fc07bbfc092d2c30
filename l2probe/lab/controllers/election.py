"""One step of client-go's leader election over a Lease: what to write now, and when to look again. Pure.

Timings are Cilium's defaults (l2-announcements-lease-duration 15s, -renew-deadline 5s, -retry-period 2s); names and the
released form follow pkg/l2announcer and k8s.io/client-go/tools/leaderelection.
"""

from __future__ import annotations

from dataclasses import dataclass

from l2probe.lab.controllers.objects import Key, Obj, dig, micro_timestamp
from l2probe.lab.profiles import Timers

NAMESPACE = "kube-system"
DEFAULT = Timers()
TURN_SECONDS = 0.5
"""How much later each next candidate reaches for a free lease."""
RELEASED_SECONDS = 1
"""leaseDurationSeconds of a released lease."""
AWAY_SECONDS = 1.0
"""How long a holder that let go leaves the lease to others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One agent's situation for one Service. Times are of the agent's own clock, in seconds.

    `rank`: its place among the candidates, None when it may not hold. `observed`: when it first saw the lease as it
    is now. `renewed`: when it last wrote it itself, None if it never did. `turn`: when it may reach for the free
    lease, if that is known. `until`: when it lets go for no reason (None: never). `late`: how much longer it
    waits before it takes a lease that somebody had.
    """

    me: str
    rank: int | None
    now: float
    observed: float
    renewed: float | None = None
    turn: float | None = None
    until: float | None = None
    late: float = 0.0
    timers: Timers = DEFAULT


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


def held_spec(lease: Obj | None, me: str, clock: float, seconds: int = DEFAULT.lease) -> Obj:
    """Return the spec of a lease that `me` holds at Unix time `clock`; a new holder is one more transition."""
    now = micro_timestamp(clock)
    old = dig(lease, "spec") or {}
    mine = holder_of(lease) == me
    return {
        "holderIdentity": me,
        "leaseDurationSeconds": seconds,
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
    if mine and lease and seat.until is not None and seat.now >= seat.until:
        return Step(holds=False, spec=released_spec(lease, clock), turn=seat.now + AWAY_SECONDS)
    if mine:
        return _renew(lease, seat, clock)
    if holder_of(lease):
        duration = float(dig(lease, "spec", "leaseDurationSeconds") or seat.timers.lease)
        left = seat.observed + duration - seat.now
        if left > 0:
            return Step(holds=False, again=left)
    late = seat.late if lease is not None else 0.0
    turn = seat.now + seat.rank * TURN_SECONDS + late if seat.turn is None else seat.turn
    if turn > seat.now:
        return Step(holds=False, again=turn - seat.now, turn=turn)
    return _held(lease, seat, clock, holds=True)


def _held(lease: Obj | None, seat: Seat, clock: float, *, holds: bool) -> Step:
    spec = held_spec(lease, seat.me, clock, seat.timers.lease)
    return Step(holds=holds, spec=spec, again=_soon(seat, seat.timers.retry))


def _soon(seat: Seat, seconds: float) -> float:
    """Return when to look again: in so many seconds, or when it is to let go."""
    return seconds if seat.until is None else max(0.0, min(seconds, seat.until - seat.now))


def _renew(lease: Obj | None, seat: Seat, clock: float) -> Step:
    timers = seat.timers
    due = 0.0 if seat.renewed is None else seat.renewed + timers.retry - seat.now
    if due > 0:
        return Step(holds=True, again=_soon(seat, due))
    late = seat.renewed is not None and seat.now - seat.renewed > timers.retry + timers.renew
    return _held(lease, seat, clock, holds=not late)
