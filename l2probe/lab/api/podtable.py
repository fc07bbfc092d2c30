"""The cells of a Pod: what `READY STATUS RESTARTS` say about its containers (printers.go, printPod)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from l2probe.lab.api.objects import Json, Obj, dig, meta, moment

NONE: Final = "<none>"
TERMINAL: Final = frozenset({"Succeeded", "Failed"})


def _ended(state: Obj, prefix: str = "") -> str:
    if state.get("reason"):
        return prefix + str(state["reason"])
    if state.get("signal"):
        return f"{prefix}Signal:{state['signal']}"
    return f"{prefix}ExitCode:{state.get('exitCode', 0)}"


def _init_reason(pod: Obj) -> str | None:
    statuses = dig(pod, "status", "initContainerStatuses") or ()
    for index, container in enumerate(statuses):
        ended, waiting = dig(container, "state", "terminated"), dig(container, "state", "waiting", "reason")
        if ended is not None and ended.get("exitCode") == 0:
            continue
        if ended is not None:
            return _ended(ended, "Init:")
        if waiting and waiting != "PodInitializing":
            return f"Init:{waiting}"
        return f"Init:{index}/{len(dig(pod, 'spec', 'initContainers') or ())}"
    return None


def _container_reason(container: Obj) -> str | None:
    waiting, ended = dig(container, "state", "waiting", "reason"), dig(container, "state", "terminated")
    if waiting:
        return str(waiting)
    return None if ended is None else _ended(ended)


def _condition(pod: Obj, kind: str) -> str:
    for each in dig(pod, "status", "conditions") or ():
        if each.get("type") == kind:
            return str(each.get("status") or "")
    return ""


def pod_status(pod: Obj) -> str:
    """Return the STATUS cell."""
    phase = str(dig(pod, "status", "phase") or "")
    deleting = meta(pod).get("deletionTimestamp")
    if deleting and dig(pod, "status", "reason") == "NodeLost":
        return "Unknown"
    if deleting and phase not in TERMINAL:
        return "Terminating"
    initial = _init_reason(pod)
    if initial and _condition(pod, "Initialized") != "True":
        return initial
    reason = str(dig(pod, "status", "reason") or phase)
    containers = dig(pod, "status", "containerStatuses") or []
    for container in reversed(containers):
        reason = _container_reason(container) or reason
    if reason == "Completed" and any(is_running(container) for container in containers):
        return "Running" if _condition(pod, "Ready") == "True" else "NotReady"
    return reason


def is_running(container: Obj) -> bool:
    """Say whether a container runs and is ready."""
    return bool(container.get("ready")) and dig(container, "state", "running") is not None


def _restarts(pod: Obj, age: Callable[[datetime | None], str]) -> str:
    containers = dig(pod, "status", "containerStatuses") or []
    count = sum(int(container.get("restartCount") or 0) for container in containers)
    ends = [moment(dig(container, "lastState", "terminated", "finishedAt")) for container in containers]
    last = max((end for end in ends if end is not None), default=None)
    return f"{count} ({age(last)} ago)" if count and last else str(count)


def _gates(pod: Obj) -> str:
    gates = [gate.get("conditionType") for gate in dig(pod, "spec", "readinessGates") or ()]
    return f"{sum(_condition(pod, gate) == 'True' for gate in gates)}/{len(gates)}" if gates else NONE


def pod_cells(pod: Obj, age: Callable[[datetime | None], str]) -> list[Json]:
    """Return all cells of a Pod; `age` writes a moment as an age."""
    ready = sum(is_running(container) for container in dig(pod, "status", "containerStatuses") or ())
    return [
        meta(pod).get("name"),
        f"{ready}/{len(dig(pod, 'spec', 'containers') or ())}",
        pod_status(pod),
        _restarts(pod, age),
        age(moment(meta(pod).get("creationTimestamp"))),
        dig(pod, "status", "podIPs", 0, "ip") or dig(pod, "status", "podIP") or NONE,
        dig(pod, "spec", "nodeName") or NONE,
        dig(pod, "status", "nominatedNodeName") or NONE,
        _gates(pod),
    ]
