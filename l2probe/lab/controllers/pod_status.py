"""What a kubelet writes into a Pod's status. Pure; forms as kubelet 1.34 writes them (see the tests' fixtures)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from l2probe.lab.controllers.objects import Obj, dig, timestamp, uid_of, with_condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A container's run that is over. `status` is the exit status, 128 + n after signal n; times are Unix seconds."""

    status: int
    reason: str
    started: float
    finished: float
    identity: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerState:
    """What is true of a container now: waiting (reason, message), or running since, or ended."""

    name: str
    image: str
    waiting: tuple[str, str] | None = ("ContainerCreating", "")
    running: float | None = None
    ended: Ended | None = None
    last: Ended | None = None
    ready: bool = False
    restarts: int = 0
    identity: str = ""

    def wait(self, reason: str, message: str) -> ContainerState:
        """Return it waiting for that reason; a run that was over becomes the last one."""
        last = self.ended or self.last
        return replace(self, waiting=(reason, message), running=None, ended=None, last=last, ready=False)

    def run(self, now: float, identity: str) -> ContainerState:
        """Return it running."""
        last = self.ended or self.last
        return replace(self, waiting=None, running=now, ended=None, last=last, identity=identity)

    def end(self, ended: Ended) -> ContainerState:
        """Return it ended."""
        return replace(self, waiting=None, running=None, ended=ended, ready=False)


def _terminated(ended: Ended) -> Obj:
    found: Obj = {
        "exitCode": ended.status,
        "reason": ended.reason,
        "startedAt": timestamp(ended.started),
        "finishedAt": timestamp(ended.finished),
        "containerID": f"containerd://{ended.identity}",
    }
    return {**found, "message": ended.message} if ended.message else found


def _state(state: ContainerState) -> Obj:
    if state.ended is not None:
        return {"terminated": _terminated(state.ended)}
    if state.running is not None:
        return {"running": {"startedAt": timestamp(state.running)}}
    reason, message = state.waiting or ("ContainerCreating", "")
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


def _container(state: ContainerState) -> Obj:
    found: Obj = {
        "name": state.name,
        "state": _state(state),
        "lastState": {"terminated": _terminated(state.last)} if state.last else {},
        "ready": state.ready,
        "restartCount": state.restarts,
        "image": state.image,
        "imageID": f"sha256:{state.identity}" if state.identity else "",
        "started": state.running is not None,
    }
    return {**found, "containerID": f"containerd://{state.identity}"} if state.identity else found


def phase(states: Sequence[ContainerState], policy: str) -> str:
    """Return the Pod's phase from its containers and its restartPolicy (kubelet getPhase)."""
    if any(state.running is None and state.ended is None and state.last is None for state in states):
        return "Pending"
    if any(state.running is not None for state in states) or policy == "Always":
        return "Running"
    last = [ended for state in states if (ended := state.ended or state.last)]
    if any(ended.status for ended in last):
        return "Running" if policy == "OnFailure" else "Failed"
    return "Succeeded"


def _condition(kind: str, *, true: bool, unready: Sequence[str] = ()) -> Obj:
    found: Obj = {"type": kind, "status": "True" if true else "False", "lastProbeTime": None}
    if true or not unready:
        return found
    message = f"containers with unready status: [{' '.join(unready)}]"
    return {**found, "reason": "ContainersNotReady", "message": message}


def _completed(kind: str) -> Obj:
    return {"type": kind, "status": "False", "lastProbeTime": None, "reason": "PodCompleted"}


def conditions(pod: Obj, states: Sequence[ContainerState], *, networked: bool, now: str) -> list[Obj]:
    """Return the five conditions; times of those that did not change are kept."""
    unready = [state.name for state in states if not state.ready]
    over = phase(states, pod["spec"].get("restartPolicy", "Always")) == "Succeeded"
    ready = [
        _completed(kind) if over else _condition(kind, true=not unready, unready=unready)
        for kind in ("Ready", "ContainersReady")
    ]
    found: list[Obj] = list(dig(pod, "status", "conditions") or ())
    for condition in (
        _condition("PodReadyToStartContainers", true=networked),
        _condition("Initialized", true=True),
        *ready,
        _condition("PodScheduled", true=True),
    ):
        found = with_condition(found, condition, now)
    return found


def status(
    pod: Obj, states: Sequence[ContainerState], *, addresses: Sequence[str], host: Sequence[str], now: float
) -> Obj:
    """Return the merge patch of a Pod's status; its uid in it makes a namesake refuse the patch with 409."""
    started = dig(pod, "status", "startTime") or timestamp(now)
    found: Obj = {
        "phase": phase(states, pod["spec"].get("restartPolicy", "Always")),
        "conditions": conditions(pod, states, networked=bool(addresses), now=timestamp(now)),
        "hostIP": host[0],
        "hostIPs": [{"ip": address} for address in host],
        "startTime": started,
        "containerStatuses": [_container(state) for state in states],
    }
    if addresses:
        found |= {"podIP": addresses[0], "podIPs": [{"ip": address} for address in addresses]}
    return {"metadata": {"uid": uid_of(pod)}, "status": found}
