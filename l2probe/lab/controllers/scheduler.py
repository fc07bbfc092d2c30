"""The scheduler: gives each Pod a node, oldest first, and says why when it cannot. `placement` decides."""

from __future__ import annotations

import time

from l2probe.lab.controllers.events import WARNING, Happened, Recorder
from l2probe.lab.controllers.kinds import POD
from l2probe.lab.controllers.objects import Obj, age_order, dig, key_of, labels_of, timestamp, uid_of, with_condition
from l2probe.lab.controllers.placement import Placement, Site, place
from l2probe.lab.controllers.plane import Plane

SCHEDULER = "default-scheduler"


def _waits(pod: Obj) -> bool:
    ours = pod["spec"].get("schedulerName", SCHEDULER) == SCHEDULER
    gated = pod["spec"].get("schedulingGates")
    return ours and not gated and not pod["spec"].get("nodeName") and not pod["metadata"].get("deletionTimestamp")


def _occupies(pod: Obj) -> bool:
    return bool(pod["spec"].get("nodeName")) and dig(pod, "status", "phase") not in ("Succeeded", "Failed")


class Scheduler:
    """Looks at all waiting Pods whenever a Pod or a node changed; one binding at a time, so that each sees the last."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._recorder = Recorder(plane, SCHEDULER)
        self._queue = plane.queue(self._schedule)
        plane.pods.subscribe(self._pod_changed)
        plane.nodes.subscribe(self._node_changed)

    def _pod_changed(self, _before: Obj | None, after: Obj | None) -> None:
        if after is None or _waits(after):
            self._queue.add("all")

    def _node_changed(self, before: Obj | None, after: Obj | None) -> None:
        if before is None or after is None or (before["spec"], labels_of(before)) != (after["spec"], labels_of(after)):
            self._queue.add("all")

    async def _schedule(self, _key: str) -> None:
        for pod in sorted(filter(_waits, self._plane.pods), key=age_order):
            placement = place(pod, self._sites())
            if placement.node is None:
                await self._refuse(pod, placement)
            else:
                await self._bind(pod, placement.node)

    def _sites(self) -> list[Site]:
        pods = [pod for pod in self._plane.pods if _occupies(pod)]
        return [
            Site(node=node, pods=tuple(pod for pod in pods if pod["spec"]["nodeName"] == node["metadata"]["name"]))
            for node in self._plane.nodes
        ]

    async def _bind(self, pod: Obj, node: str) -> None:
        key = key_of(pod)
        await self._plane.client.bind(key, uid_of(pod), node)
        self._plane.pods.store(await self._plane.client.get(POD, key))
        self._recorder.say(pod, Happened(reason="Scheduled", message=f"Successfully assigned {key} to {node}"))

    async def _refuse(self, pod: Obj, placement: Placement) -> None:
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": placement.message,
            "lastProbeTime": None,
        }
        old = dig(pod, "status", "conditions") or []
        conditions = with_condition(old, condition, timestamp(time.time()))
        if [found.get("message") for found in old] == [found.get("message") for found in conditions]:
            return
        status = {"status": {"conditions": conditions}}
        self._plane.pods.store(await self._plane.client.merge(POD, key_of(pod), status, subresource="status"))
        failed = Happened(reason="FailedScheduling", message=placement.message, kind=WARNING)
        self._recorder.say(pod, failed)
