"""Waiting for Services to get addresses and for Pods to become ready, and saying why they are not there yet.

Waits on watch events only. A reason that will not go away by itself ends the wait early; what was missing is returned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from l2probe.model import Cluster, Pod, Service
from l2probe.run.edges import Edges, Live, Snapshot

DEFINITE_SERVICE_SECONDS = 3.0
"""LB IPAM reconciles within a second; the same refusal after three is final."""
DEFINITE_POD_SECONDS = 10.0
"""A kubelet retries a failed image pull after 10 s (its initial back-off); a registry's hiccup is over by then."""
REFUSED = frozenset({"False", "Warning"})
"""Status of a condition that refuses an address; "Warning" is an event, as MetalLB sets no condition."""
POD_OBSTACLES = (
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "CreateContainerConfigError",
    "CreateContainerError",
    "CrashLoopBackOff",
    "Unschedulable",
    "FailedScheduling",
)
"""Reasons (kubelet and scheduler) that need somebody to act."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One object that is not there yet, and why. `definite`: it will not come by waiting."""

    kind: str
    name: str
    why: str
    definite: bool

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.why}"


def service_wait(service: Service | None, name: str, cluster: Cluster) -> Wait | None:
    """Return why a Service has no address yet; None when it has one."""
    if service is not None and service.vips:
        return None
    refusals = [c for c in (service.conditions if service else ()) if c.status in REFUSED]
    if refusals:
        why = "; ".join(f"{c.type} is {c.status}: {c.reason} {c.message}".rstrip() for c in refusals)
        return Wait(kind="Service", name=name, why=why, definite=True)
    if cluster.pools == ():
        return Wait(kind="Service", name=name, why="no address, and the cluster has no address pool", definite=True)
    return Wait(kind="Service", name=name, why="no address yet", definite=False)


def pod_wait(pod: Pod | None, name: str) -> Wait | None:
    """Return why a Pod is not ready yet; None when it is."""
    if pod is not None and pod.ready:
        return None
    why = (pod.waiting or pod.phase or "not started") if pod else "not seen yet"
    return Wait(kind="Pod", name=name, why=why, definite=any(obstacle in why for obstacle in POD_OBSTACLES))


def missing(snapshot: Snapshot, cluster: Cluster, services: Sequence[str], pods: Sequence[str]) -> tuple[Wait, ...]:
    """Return what is not there yet of these Services and Pods."""
    have_services = {service.name: service for service in snapshot.services}
    have_pods = {pod.name: pod for pod in snapshot.pods}
    waits = [service_wait(have_services.get(name), name, cluster) for name in services]
    waits += [pod_wait(have_pods.get(name), name) for name in pods]
    return tuple(wait for wait in waits if wait is not None)


def settle(
    edges: Edges, live: Live, waits: Callable[[Snapshot], tuple[Wait, ...]], *, timeout: float
) -> tuple[Wait, ...]:
    """Wait until nothing is missing; returns what still was when waiting made no more sense, or after `timeout` s."""
    deadline = edges.now() + timeout
    since, last = edges.now(), None
    while pending := waits(live.snapshot()):
        edges.check()
        signature = [(wait.name, wait.definite) for wait in pending]
        if signature != last:
            since, last = edges.now(), signature
        edges.say(f"Waiting for {together(pending)}.", topic(pending))
        left = min(deadline, _gives_up(pending, since)) - edges.now()
        if left <= 0:
            return pending
        live.until(_changed(waits, pending), timeout=left, interrupted=edges.interrupted)
    return ()


def together(waits: Sequence[Wait]) -> str:
    """Return the waits as words, those of one kind and reason together: "3 Pods: Pending"."""
    groups: dict[tuple[str, str], list[str]] = {}
    for wait in waits:
        groups.setdefault((wait.kind, wait.why), []).append(wait.name)
    return "; ".join(f"{_named(kind, names)}: {why}" for (kind, why), names in groups.items())


def _named(kind: str, names: Sequence[str]) -> str:
    return f"{kind} {names[0]}" if len(names) == 1 else f"{len(names)} {kind}s ({', '.join(names)})"


def topic(waits: Sequence[Wait]) -> str:
    """Return what the waits are about, whoever they are: their kinds and reasons."""
    return "; ".join(sorted({f"{wait.kind}: {wait.why}" for wait in waits}))


def _changed(
    waits: Callable[[Snapshot], tuple[Wait, ...]], pending: tuple[Wait, ...]
) -> Callable[[Snapshot], bool | None]:
    return lambda snapshot: True if waits(snapshot) != pending else None


def _gives_up(pending: Sequence[Wait], since: float) -> float:
    """Return the Unix time at which to stop if nothing changes: never, while anything may still come by itself."""
    if not all(wait.definite for wait in pending):
        return float("inf")
    patience = {"Service": DEFINITE_SERVICE_SECONDS, "Pod": DEFINITE_POD_SECONDS}
    return since + max(patience[wait.kind] for wait in pending)
