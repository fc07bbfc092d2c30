"""Removing what runs made: our own at the end of a run, and what dead runs left behind.

Owns by label, name and namespace only; touches nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from l2probe.errors import ClusterError
from l2probe.run.edges import Api
from l2probe.workload.manifests import EXPIRES_ANNOTATION, OURS, PROCESS_ANNOTATION, RUN_LABEL

DELETE_SECONDS = 60.0
"""How long a namespace of ours may take to go: its Pods have one second of grace, large clusters are slow."""
TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A namespace that a run made. `expires`: Unix seconds; None when its annotation cannot be read."""

    namespace: str
    run: str
    expires: float | None
    process: str


def remove(
    api: Api, namespace: str, *, pause: Callable[[float], object], timeout: float = DELETE_SECONDS
) -> str | None:
    """Delete a namespace of ours, trying again when the API fails; None when it is gone, else why it is not.

    `timeout`: seconds to wait for its end, in total over at most TRIES tries.
    """
    why = ""
    for attempt in range(TRIES):
        if attempt:
            pause(float(attempt))
        try:
            if api.delete_namespace(namespace, timeout=timeout):
                return None
        except ClusterError as error:
            why = error.message
        else:
            return f"Namespace {namespace} was still terminating after {timeout:.0f} s{_reason(api, namespace)}."
    return f"Namespace {namespace} could not be deleted: {why}"


def _reason(api: Api, namespace: str) -> str:
    try:
        why = api.why_namespace_stays(namespace).rstrip(".")
    except ClusterError:
        return ""
    return f": {why}" if why else ""


def command(run: str) -> str:
    """Return the command that removes what this run left."""
    return f"l2probe cleanup --run {run}"


def leftovers(api: Api) -> tuple[Leftover, ...]:
    """Find the namespaces that runs made: our label, a run id, and the name that belongs to it."""
    found = []
    for name, marks in api.namespaces(OURS):
        run = marks.get(RUN_LABEL, "")
        if run and name == f"l2probe-{run}":
            expires = _unix(marks.get(EXPIRES_ANNOTATION, ""))
            process = marks.get(PROCESS_ANNOTATION, "")
            found.append(Leftover(namespace=name, run=run, expires=expires, process=process))
    return tuple(found)


def _unix(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def why_dead(leftover: Leftover, *, now: float, alive: Callable[[str], bool | None]) -> str | None:
    """Tell why a leftover may go: expired, or its maker is gone; None when its run may still be under way.

    `alive` tells whether the process of an annotation still runs, None when that cannot be told from here.
    """
    if alive(leftover.process) is False:
        return "the process that made it is gone"
    if leftover.expires is not None and leftover.expires <= now:
        return "it expired"
    return None


def removable(
    found: tuple[Leftover, ...], *, now: float, alive: Callable[[str], bool | None], everything: bool, run: str | None
) -> Mapping[str, str]:
    """Return what may go, run id to reason: the dead and expired ones; with `run` that one; with `everything` all."""
    reasons: dict[str, str] = {}
    for leftover in found:
        dead = why_dead(leftover, now=now, alive=alive)
        asked = "asked for" if everything or leftover.run == run else None
        reason = asked or (dead if run is None else None)
        if reason:
            reasons[leftover.run] = reason
    return reasons
