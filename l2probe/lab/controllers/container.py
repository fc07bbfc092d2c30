"""One container's life on a node: image, start, readiness, end, restart. Writes nothing to the API but Events."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from l2probe.errors import LabError
from l2probe.lab.controllers import images
from l2probe.lab.controllers.client import UNREACHABLE, ApiError, Client
from l2probe.lab.controllers.events import WARNING, Happened
from l2probe.lab.controllers.logs import Log
from l2probe.lab.controllers.objects import Obj, key_of, uid_of
from l2probe.lab.controllers.pod_status import ContainerState, Ended
from l2probe.lab.controllers.probes import Subject, probe, run_beside
from l2probe.lab.controllers.volumes import Blocked, Launch, hostname_of, prepare
from l2probe.lab.driver import NodeDriver, PodLink, Process

BACKOFF_SECONDS = 10.0
LONGEST_BACKOFF_SECONDS = 300.0
"""Of restarts and image pulls alike (kubelet: 10 s, doubled up to 5 minutes)."""
PULL_ERROR_SECONDS = 1.0
"""How long the first pull error is shown before the kubelet says that it backs off."""
CONFIG_RETRY_SECONDS = 0.5
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
FIRST_LOOKS_SECONDS = (0.01, 0.02, 0.03, 0.05, 0.08, 0.13, 0.2, 0.3)
"""Pauses between the first probes of a fresh container: a kubelet waits a whole period, a user of the lab need not.
Failures among these are not counted."""
_START_ERROR = 128
"""The exit status that containerd reports for a command that could not be started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a container runs and whom it tells. `say` records an Event, `changed` is called with each new state."""

    client: Client
    node: NodeDriver
    link: PodLink
    room: Path
    say: Callable[[Happened], None]
    changed: Callable[[ContainerState], None]


async def _whole(starting: asyncio.Future[Process]) -> Process:
    """Return the started process; when cancelled, let the start come to its end and kill what came of it."""
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        with contextlib.suppress(LabError, OSError):
            (await starting).signal(signal.SIGKILL)
        raise


class Container:
    """Runs until `stop`, or until its restart policy says that it is over."""

    def __init__(self, pod: Obj, spec: Obj, place: Place) -> None:
        self.logs: list[Log] = []
        self.settled = asyncio.Event()
        self._pod = pod
        self._spec = spec
        self._place = place
        self._process: Process | None = None
        self.state = ContainerState(name=spec["name"], image=spec["image"])

    def _become(self, state: ContainerState) -> None:
        if state != self.state:
            self.state = state
            self._place.changed(state)
        if state.waiting is None or state.waiting[0] != "ContainerCreating":
            self._settle()

    def _settle(self) -> None:
        probe = self._spec.get("readinessProbe")
        probed = self.state.running is not None and probe is not None and not probe.get("initialDelaySeconds")
        if not probed or self.state.ready:
            self.settled.set()

    def _say(self, reason: str, message: str, kind: str = "Normal") -> None:
        self._place.say(Happened(reason=reason, message=message, kind=kind, container=self._spec["name"]))

    async def run(self) -> None:
        """Live: wait for the image, start, and start again as the restartPolicy says."""
        await self._image()
        pause = 0.0
        while True:
            ended = await self._once()
            policy = self._pod["spec"].get("restartPolicy", "Always")
            self._become(self.state.end(ended))
            if policy == "Never" or (policy == "OnFailure" and ended.status == 0):
                return
            if pause:
                self._back_off(pause)
                await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_BACKOFF_SECONDS) or BACKOFF_SECONDS
            self.state = replace(self.state, restarts=self.state.restarts + 1)

    def _back_off(self, pause: float) -> None:
        name, pod = self._spec["name"], key_of(self._pod)
        where = f"{pod.name}_{pod.namespace}({uid_of(self._pod)})"
        message = f"back-off {pause:.0f}s restarting failed container={name} pod={where}"
        self._become(self.state.wait("CrashLoopBackOff", message))
        self._say("BackOff", f"Back-off restarting failed container {name} in pod {where}", WARNING)

    async def _image(self) -> None:
        image, pause = self._spec["image"], BACKOFF_SECONDS
        while (missing := images.missing(self._spec)) is not None:
            self._say("Pulling", f'Pulling image "{image}"')
            self._say("Failed", f'Failed to pull image "{image}": {missing.detail}', WARNING)
            self._say("Failed", f"Error: {missing.error}", WARNING)
            self._become(self.state.wait(missing.error, missing.detail))
            await asyncio.sleep(PULL_ERROR_SECONDS)
            self._say("BackOff", f'Back-off pulling image "{image}"')
            self._say("Failed", f"Error: {missing.again}", WARNING)
            self._become(self.state.wait(missing.again, missing.again_detail))
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_BACKOFF_SECONDS)
        self._say("Pulled", f'Container image "{image}" already present on machine')

    async def _prepared(self) -> Launch:
        while True:
            place = self._place
            try:
                found = await prepare(place.client, self._pod, self._spec, place.link.addresses, place.room)
            except (ApiError, *UNREACHABLE):
                await asyncio.sleep(CONFIG_RETRY_SECONDS)
                continue
            if isinstance(found, Launch):
                return found
            self._blocked(found)
            await asyncio.sleep(CONFIG_RETRY_SECONDS)

    def _blocked(self, why: Blocked) -> None:
        self._become(self.state.wait(why.reason, "" if why.event == "FailedMount" else why.message))
        self._say(why.event, why.message if why.event == "FailedMount" else f"Error: {why.message}", WARNING)
        self.settled.set()

    async def _once(self) -> Ended:
        """Start once and wait for the end."""
        identity = uuid.uuid4().hex * 2
        if images.is_played(self._spec["image"]):
            self._become(replace(self.state.run(time.time(), identity), ready=True))
            await asyncio.get_running_loop().create_future()
        launch = await self._prepared()
        self._say("Created", f"Created container: {self._spec['name']}")
        started = time.time()
        try:
            self._process = await self._spawn(launch)
        except (LabError, OSError) as refused:
            self._say("Failed", f"Error: {refused}", WARNING)
            return self._ended(_START_ERROR, "StartError", started, identity, str(refused))
        self._say("Started", f"Started container {self._spec['name']}")
        status = await self._watched(self._process, launch, identity)
        self._process = None
        return self._ended(status, "Completed" if status == 0 else "Error", started, identity)

    def _ended(self, status: int, reason: str, started: float, identity: str, message: str = "") -> Ended:
        code = status if status >= 0 else 128 - status
        now = time.time()
        return Ended(status=code, reason=reason, started=started, finished=now, identity=identity, message=message)

    async def _spawn(self, launch: Launch) -> Process:
        log = Log()
        self.logs = [*self.logs[-1:], log]
        writer = log.open()
        try:
            env = {"PATH": PATH, **launch.env}
            place, argv = self._place, launch.argv
            name = hostname_of(self._pod)
            spawned = place.node.spawn(
                argv, netns=place.link.netns, env=env, binds=launch.binds, hostname=name, output=writer
            )
            return await _whole(asyncio.ensure_future(spawned))
        finally:
            os.close(writer)

    async def _watched(self, process: Process, launch: Launch, identity: str) -> int:
        probes = self._spec.get("readinessProbe")
        self._become(replace(self.state.run(time.time(), identity), ready=probes is None))
        looking = asyncio.create_task(self._look(probes, launch)) if probes else None
        try:
            return await process.wait()
        finally:
            if looking is not None:
                looking.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await looking

    async def _look(self, spec: Obj, launch: Launch) -> None:
        """Probe until cancelled: often while the container is fresh, then every periodSeconds."""
        place = self._place

        async def run(argv: tuple[str, ...]) -> tuple[int, str]:
            return await run_beside(place.node, place.link, argv, {"PATH": PATH, **launch.env})

        subject = Subject(link=place.link, container=self._spec, run=run)
        await asyncio.sleep(float(spec.get("initialDelaySeconds") or 0))
        pauses = iter(FIRST_LOOKS_SECONDS)
        failures = successes = 0
        while True:
            failed = await probe(subject, spec)
            early = None if self.state.ready or failed is None else next(pauses, None)
            if early is not None:
                await asyncio.sleep(early)
                continue
            failures, successes = (failures + 1, 0) if failed else (0, successes + 1)
            self._judge(spec, failed, failures, successes)
            await asyncio.sleep(float(spec.get("periodSeconds") or 10))

    def _judge(self, spec: Obj, failed: str | None, failures: int, successes: int) -> None:
        if failed is not None:
            self._say("Unhealthy", f"Readiness probe failed: {failed}", WARNING)
            self.settled.set()
            if failures >= int(spec.get("failureThreshold") or 3):
                self._become(replace(self.state, ready=False))
        elif successes >= int(spec.get("successThreshold") or 1):
            self._become(replace(self.state, ready=True))

    async def stop(self, running: asyncio.Task[None], grace: float) -> None:
        """End the container: SIGTERM, after `grace` seconds SIGKILL; `running` is the task that runs it."""
        process = self._process
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        if process is not None:
            self._say("Killing", f"Stopping container {self._spec['name']}")
            process.signal(signal.SIGTERM if grace > 0 else signal.SIGKILL)
            try:
                async with asyncio.timeout(grace or None):
                    await process.wait()
            except TimeoutError:
                process.signal(signal.SIGKILL)
                await process.wait()
        for log in self.logs:
            log.close()
        self.settled.set()
