"""A Kubernetes Lease as leader elections use it: who holds it. Whether it still counts is judged. Pure.

https://kubernetes.io/docs/concepts/architecture/leases/
"""

from __future__ import annotations

from dataclasses import dataclass

from l2probe.model import Claim, NodeName


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """coordination.k8s.io/v1 Lease; times are Unix seconds. `holder` is empty when it was released."""

    namespace: str
    name: str
    holder: str = ""
    acquired: float | None = None
    renewed: float | None = None
    duration_seconds: float | None = None
    transitions: int | None = None


def claim_of(lease: Lease, implementation: str, read_at: float) -> Claim:
    """Return what the lease claims at `read_at` (Unix seconds): an empty holder means nobody."""
    why = None if lease.holder else "the holder released the lease"
    return Claim(
        implementation=implementation,
        source=f"Lease {lease.namespace}/{lease.name}",
        holder=NodeName(lease.holder) if lease.holder else None,
        read_at=read_at,
        acquired=lease.acquired,
        renewed=lease.renewed,
        duration_seconds=lease.duration_seconds,
        transitions=lease.transitions,
        why_nobody=why,
    )


def gone(last: Claim, read_at: float) -> Claim:
    """Return the claim of a lease or status object that was deleted: nobody."""
    return Claim(
        implementation=last.implementation,
        source=last.source,
        holder=None,
        read_at=read_at,
        transitions=last.transitions,
        why_nobody=f"{last.source} was deleted",
    )
