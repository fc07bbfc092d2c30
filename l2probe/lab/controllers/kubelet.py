"""The kubelets of all nodes: run the Pods that are assigned to them, report status, end them in grace."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from l2probe.errors import LabError
from l2probe.lab.controllers.cache import Cache
from l2probe.lab.controllers.client import NOT_FOUND, UNREACHABLE, ApiError
from l2probe.lab.controllers.events import WARNING, Happened, Recorder
from l2probe.lab.controllers.kinds import LEASE, POD
from l2probe.lab.controllers.logs import Log
from l2probe.lab.controllers.objects import Key, Obj, dig, key_of, micro_timestamp, uid_of
from l2probe.lab.controllers.plane import Plane
from l2probe.lab.controllers.pod_runner import PodRunner
from l2probe.lab.controllers.pod_status import status
from l2probe.lab.driver import NodeDriver

NODE_LEASE_NAMESPACE = "kube-node-lease"
HEARTBEAT_SECONDS = 10.0
"""How often a kubelet renews its node's Lease."""


SANDBOX_RETRY_SECONDS = 1.0


class Kubelet:
    """One node's kubelet. `room` is a directory for its Pods' files."""

    def __init__(self, plane: Plane, node: NodeDriver, room: Path) -> None:
        self._plane = plane
        self._node = node
        self._room = room
        self._pods: Cache = plane.pods
        self._recorder = Recorder(plane, "kubelet", node.name)
        self._runners: dict[str, PodRunner] = {}
        self._closing = False
        self._queue = plane.queue(self._reconcile)
        self._reports = plane.queue(self._report)
        plane.pods.subscribe(self._pod_changed)
        plane.tasks.start(self._beat())

    def _pod_changed(self, before: Obj | None, after: Obj | None) -> None:
        for pod in (before, after):
            if pod is not None and pod["spec"].get("nodeName") == self._node.name:
                self._queue.add((key_of(pod), uid_of(pod)))

    async def _reconcile(self, which: tuple[Key, str]) -> None:
        key, uid = which
        pod = self._pods.get(key)
        runner = self._runners.get(uid)
        if pod is None or uid_of(pod) != uid:
            # Removed without asking us (force): its processes go at once.
            await self._end(runner, grace=0)
        elif pod["metadata"].get("deletionTimestamp"):
            await self._end(runner, grace=float(pod["metadata"].get("deletionGracePeriodSeconds") or 0))
            await self._plane.client.delete(POD, key, uid=uid, grace=0)
        elif self._closing:
            return
        elif runner is None and dig(pod, "status", "phase") not in ("Succeeded", "Failed"):
            self._start(pod)
        elif runner is not None:
            runner.pod = pod

    def _start(self, pod: Obj) -> None:
        uid = uid_of(pod)
        try:
            self._runners[uid] = PodRunner(
                self._plane,
                self._node,
                pod,
                recorder=self._recorder,
                room=self._room / uid,
                changed=lambda: self._reports.add(uid),
            )
        except LabError as refused:
            message = f"Failed to create pod sandbox: {refused}"
            self._recorder.say(pod, Happened(reason="FailedCreatePodSandBox", message=message, kind=WARNING))
            self._queue.add_after((key_of(pod), uid), SANDBOX_RETRY_SECONDS)

    async def _end(self, runner: PodRunner | None, *, grace: float) -> None:
        if runner is not None:
            await runner.end(grace)
            self._runners.pop(runner.uid, None)

    async def _report(self, uid: str) -> None:
        runner = self._runners.get(uid)
        if runner is None:
            return
        pod = self._pods.get(key_of(runner.pod)) or runner.pod
        addresses = self._plane.own(self._node.addresses)
        patch = status(pod, runner.states, addresses=runner.link.addresses, host=addresses, now=time.time())
        try:
            written = await self._plane.client.merge(POD, key_of(pod), patch, subresource="status")
        except ApiError as refusal:
            if refusal.code != NOT_FOUND:
                raise
            return
        self._pods.store(written)

    def logs(self, pod: Key, container: str, *, previous: bool) -> Log | None:
        """Return the output of a container's current or previous run; None when there is none here."""
        found = (runner for runner in self._runners.values() if key_of(runner.pod) == pod)
        runner = next(found, None)
        made = runner.containers.get(container) if runner is not None else None
        kept = made.logs if made is not None else []
        place = 2 if previous else 1
        return kept[-place] if len(kept) >= place else None

    async def _beat(self) -> None:
        key = Key(NODE_LEASE_NAMESPACE, self._node.name)
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            try:
                await self._plane.client.merge(LEASE, key, {"spec": {"renewTime": micro_timestamp(time.time())}})
            except (ApiError, *UNREACHABLE):
                continue

    async def close(self) -> None:
        """Kill all Pods of the node, and start none from now on."""
        self._closing = True
        for runner in tuple(self._runners.values()):
            await self._end(runner, grace=0)
