"""Pods -> the model, with the reason why one is not ready, in the cluster's own words. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from l2probe.model import NodeName, Pod
from l2probe.observe import decode, objects
from l2probe.observe.refusals import one_line

STARTING = frozenset({"ContainerCreating", "PodInitializing", ""})
"""Waiting reasons that only say that nothing went wrong yet; an event says more."""
Event = objects.EventObject


def pod(item: objects.PodObject, event: Event | None) -> Pod:
    """Return a Pod; `event` is the newest warning about it."""
    ready = _holds(item, "Ready")
    reason = None if ready else next((reason for rule in RULES if (reason := rule(item, event))), None)
    return Pod(
        name=item.metadata.name,
        node=NodeName(item.spec.node_name) if item.spec.node_name else None,
        addresses=decode.ips(entry.ip for entry in item.status.pod_ips or ()),
        ready=ready,
        phase=item.status.phase,
        waiting=reason,
    )


def said(reason: str | None, message: str | None) -> str:
    """Return "Reason: message" as one bounded line."""
    return one_line(": ".join(part for part in (reason, message) if part))


def _holds(item: objects.PodObject, kind: str) -> bool:
    return any(part.type == kind and part.status == "True" for part in item.status.conditions or ())


def _states(item: objects.PodObject) -> Iterator[objects.ContainerState]:
    for status in (*(item.status.init_container_statuses or ()), *(item.status.container_statuses or ())):
        if status.state is not None:
            yield status.state


def _unscheduled(item: objects.PodObject, _: Event | None) -> str:
    failed = (part for part in item.status.conditions or () if part.type == "PodScheduled" and part.status == "False")
    return next((said(part.reason, part.message) for part in failed), "")


def _failed(item: objects.PodObject, _: Event | None) -> str:
    return said(item.status.reason or "Failed", item.status.message) if item.status.phase == "Failed" else ""


def _waiting(item: objects.PodObject, _: Event | None) -> str:
    waiting = (state.waiting for state in _states(item) if state.waiting is not None)
    return next((said(why.reason, why.message) for why in waiting if (why.reason or "") not in STARTING), "")


def _terminated(item: objects.PodObject, _: Event | None) -> str:
    ended = (state.terminated for state in _states(item) if state.terminated is not None)
    failed = (end for end in ended if end.exit_code)
    return next((said(end.reason, end.message or f"exit code {end.exit_code}") for end in failed), "")


def _warned(_: objects.PodObject, event: Event | None) -> str:
    return said(event.reason, event.message) if event is not None else ""


def _starting(item: objects.PodObject, _: Event | None) -> str:
    waiting = (state.waiting for state in _states(item) if state.waiting is not None)
    return next((said(why.reason, why.message) for why in waiting), "")


def _unready(item: objects.PodObject, _: Event | None) -> str:
    parts = (part for part in item.status.conditions or () if part.type == "Ready" and part.status != "True")
    return next((said(part.reason, part.message) for part in parts), "") or item.status.phase


RULES: tuple[Callable[[objects.PodObject, Event | None], str], ...] = (
    _unscheduled,
    _failed,
    _waiting,
    _terminated,
    _warned,
    _starting,
    _unready,
)
"""Most telling first; the first that says something is the reason."""
