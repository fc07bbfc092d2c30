"""The running world: everything below Kubernetes. `build` makes the kernel's part, `World.start` brings it to life.

Implements the driver's `World`. Knows nothing of the API and the controllers; `live` puts those on top.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from l2probe.errors import LabError
from l2probe.lab import beyond, datapath, interpreter, kernel, links, mounts, path, switch
from l2probe.lab.addresses import PYTHON, SPARE_ROOT
from l2probe.lab.client import ClientHost
from l2probe.lab.driver import ClientDriver, NodeDriver, PathDriver, SwitchDriver
from l2probe.lab.netns import Namespace
from l2probe.lab.node import Node
from l2probe.lab.programs import Programs, nft_path
from l2probe.lab.topology import CLIENT, FOREIGN, NODES, REMOTE


class World:
    """The driver's `World`, the client's place in it, and what starts programs."""

    def __init__(self, segment: links.Segment, programs: Programs, *, rootless: bool) -> None:
        self.programs = programs
        python = interpreter.for_pods(rootless=rootless, spare=PYTHON)
        machines = segment.machines
        self.own = segment.switch
        self.client = machines[CLIENT.name]
        self._segment = segment
        self._remote: Namespace | None = None
        self._nodes = tuple(Node(site, segment, self.programs, python) for site in NODES)
        self._switch = switch.Switch(segment.switch, machines[FOREIGN.name], self.programs)
        self.nodes: tuple[NodeDriver, ...] = self._nodes
        self.switch: SwitchDriver = self._switch
        self._path = path.Path(segment.switch, machines[CLIENT.name], self.programs)
        self.path: PathDriver = self._path
        self.client_host: ClientDriver = ClientHost(self.client, segment.switch, self.programs)

    async def start(self) -> None:
        """Answer, serve and start programs from now on; to be called once, on the loop that everything else uses."""
        self.programs.listen(asyncio.get_running_loop())
        for node in self._nodes:
            node.start()
        await self._switch.start()
        self._path.start()

    def place(self, machine: str) -> Namespace:
        """Return a machine by its name; the one behind the router is built when it is first asked for."""
        if machine != REMOTE.name:
            return self._segment.machines[machine]
        if self._remote is None:
            self._remote = beyond.build(self._segment, (node.namespace for node in self._nodes))
        return self._remote


def _nothing() -> None:
    """Do nothing meanwhile."""


def build(*, rootless: bool, settled: Callable[[], None] = _nothing, meanwhile: Callable[[], None] = _nothing) -> World:
    """Make namespaces, links and empty datapaths around the calling process, which `kernel.isolate` has prepared.

    Blocking, before asyncio runs. Calls `settled` when the lab's own directory exists, then forks, then calls
    `meanwhile`, which may start threads. LabError when the kernel or nft refuses.
    """
    try:
        _home()
        settled()
        programs = Programs()
        meanwhile()
        segment = links.build_segment(kernel.open_network())
        _load(segment)
        return World(segment, programs, rootless=rootless)
    except OSError as problem:
        hint = "Run it as root to see whether rights are missing."
        raise LabError(f"The lab's network could not be built: {problem}.", hint) from problem


def _home() -> None:
    """Give the lab a /proc of its own processes and a private /run with its home in it."""
    # A container may forbid a fresh proc; the old one serves, it only shows other numbers.
    with contextlib.suppress(PermissionError):
        kernel.mount("proc", "/proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    mounts.overlay("/run")
    Path(SPARE_ROOT).mkdir(parents=True)


def _load(segment: links.Segment) -> None:
    """Load every namespace's first rules, side by side."""
    first = [
        (segment.switch, switch.skeleton() + path.skeleton()),
        (segment.machines[FOREIGN.name], switch.foreign_skeleton()),
        *((segment.machines[site.name], datapath.skeleton(site)) for site in NODES),
    ]
    started = [(_start_nft(namespace), rules) for namespace, rules in first]
    for running, rules in started:
        _, words = running.communicate(rules)
        if running.returncode:
            needs = "The lab needs nft 1.0 and Linux 5.16 or newer."
            raise LabError(f"nft refused the lab's first rules: {words.strip()}", needs)


def _start_nft(namespace: Namespace) -> subprocess.Popen[str]:
    argv = (nft_path(), "-f", "-")
    with namespace.entered():
        return subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603 - our rules


def reap() -> None:
    """Collect orphans that Pods and shells left to us, the first process of our PID namespace."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
