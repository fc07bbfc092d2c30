"""Writes Events (core/v1) about objects and counts repeated ones as client-go's recorder does. Losing one is fine."""

from __future__ import annotations

import time
from dataclasses import dataclass

from l2probe.lab.controllers.client import CONFLICT, ApiError
from l2probe.lab.controllers.kinds import EVENT
from l2probe.lab.controllers.objects import Key, Obj, timestamp, uid_of
from l2probe.lab.controllers.plane import Plane

MAX_REMEMBERED = 4096
NORMAL = "Normal"
WARNING = "Warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """What an Event says. `container` names the container it is about, empty when it is about the whole Pod."""

    reason: str
    message: str
    kind: str = NORMAL
    container: str = ""


_Known = tuple[str, Happened]


class Recorder:
    """Records what one component says about objects; `host` is the node it runs on, empty where it does not say."""

    def __init__(self, plane: Plane, component: str, host: str = "") -> None:
        self._plane = plane
        self._component = component
        self._host = host
        self._counts: dict[_Known, int] = {}
        self._names: dict[_Known, Key] = {}
        self._about: dict[_Known, Obj] = {}
        self._queue = plane.queue(self._write)

    def say(self, subject: Obj, happened: Happened) -> None:
        """Record it; one that was recorded before is counted."""
        known = (uid_of(subject), happened)
        if len(self._counts) >= MAX_REMEMBERED:
            self._counts.clear()
            self._names.clear()
            self._about.clear()
        self._counts[known] = self._counts.get(known, 0) + 1
        self._about[known] = subject
        self._queue.add(known)

    async def _write(self, known: _Known) -> None:
        subject = self._about.get(known)
        if subject is None:
            return
        name = self._names.get(known)
        now = time.time()
        if name is None:
            event = self._event(subject, known[1], self._counts[known], now)
            await self._create(known, event)
            return
        patch = {"count": self._counts[known], "lastTimestamp": timestamp(now)}
        await self._plane.client.merge(EVENT, name, patch)

    async def _create(self, known: _Known, event: Obj) -> None:
        try:
            await self._plane.client.create(EVENT, event)
        except ApiError as refusal:
            # A terminating namespace takes no Events (403), and that is no trouble of ours.
            if refusal.passing and refusal.code != CONFLICT:
                raise
            return
        self._names[known] = Key(event["metadata"]["namespace"], event["metadata"]["name"])

    def _event(self, subject: Obj, happened: Happened, count: int, now: float) -> Obj:
        metadata = subject["metadata"]
        about = {
            "apiVersion": subject["apiVersion"],
            "kind": subject["kind"],
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": uid_of(subject),
            "resourceVersion": metadata.get("resourceVersion", ""),
        }
        if happened.container:
            about["fieldPath"] = f"spec.containers{{{happened.container}}}"
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"namespace": metadata["namespace"], "name": f"{metadata['name']}.{time.time_ns():x}"},
            "involvedObject": about,
            "reason": happened.reason,
            "message": happened.message,
            "type": happened.kind,
            "count": count,
            "firstTimestamp": timestamp(now),
            "lastTimestamp": timestamp(now),
            "source": {"component": self._component, **({"host": self._host} if self._host else {})},
            "reportingComponent": self._component,
            "reportingInstance": self._host,
        }
