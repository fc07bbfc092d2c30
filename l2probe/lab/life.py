"""Process 1 of the lab: builds the world, brings it to life, answers the control socket, collects orphans."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
from pathlib import Path

from l2probe.lab import serving, world
from l2probe.lab.addresses import KUBECONFIG, LOG, SHELL_RC
from l2probe.lab.cluster import Cluster, live
from l2probe.lab.holder import Channel, News, Plan

_PROMPT = '[ -f ~/.bashrc ] && . ~/.bashrc\nPS1="(l2probe lab) $PS1"\n'


def run(plan: Plan, line: Channel, who: News, *, rootless: bool) -> None:
    """Live until told to end or the holder is gone. `who`: this process's and the holder's pid on the host."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What boot makes stays: looking through it for garbage would cost a tenth of the boot.
    gc.disable()
    place = world.build(rootless=rootless, settled=_furnish, meanwhile=_load)
    asyncio.run(_live(plan, line, who, place))


def _load() -> None:
    """Import the heavy half in a thread while the kernel builds links."""
    threading.Thread(target=_import, name="imports", daemon=True).start()


def _import() -> None:
    # Importing aiohttp reads the machine's CA bundle (40 ms); the lab trusts its own authority only.
    os.environ["SSL_CERT_FILE"] = os.devnull
    import l2probe.lab.api  # noqa: PLC0415 - heavy
    import l2probe.lab.controllers  # noqa: F401, PLC0415 - for the next importer


def _furnish() -> None:
    """Write to the lab's log instead of the terminal, and leave a prompt for the lab's shells."""
    Path(SHELL_RC).write_text(_PROMPT)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    log = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for standard in (1, 2):
        os.dup2(log, standard)
    os.close(log)


async def _live(plan: Plan, line: Channel, who: News, place: world.World) -> None:
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    loop.add_signal_handler(signal.SIGCHLD, world.reap)
    # The holder says nothing more: readable means that it is gone.
    loop.add_reader(line.socket, over.set)
    await place.start()
    cluster = await live(place, host=plan.host, profile=plan.profile, faults=plan.faults, assets=plan.assets)
    who = {**who, "control_plane": "envtest" if plan.assets else "embedded"}
    if plan.control is not None:
        await serving.serve(plan.control, _handlers(cluster, who, over))
    gc.freeze()
    gc.enable()
    line.tell({"ready": _status(cluster, who)}, cluster.place.descriptor)
    await over.wait()
    sys.stdout.flush()
    os._exit(0)


def _status(cluster: Cluster, who: News) -> News:
    return {
        **who,
        "client": cluster.place.descriptor,
        "raw": cluster.standing.raw,
        "profile": cluster.profile,
        "faults": cluster.faults,
        "server": cluster.url,
        "kubeconfig": KUBECONFIG,
    }


def _handlers(cluster: Cluster, who: News, over: asyncio.Event) -> dict[str, serving.Handler]:
    async def say(_: str) -> News:
        return _status(cluster, who)

    async def down(_: str) -> News:
        asyncio.get_running_loop().call_soon(over.set)
        return _status(cluster, who)

    async def fault(name: str) -> News:
        await cluster.fault(name)
        return _status(cluster, who)

    async def heal(_: str) -> News:
        await cluster.heal()
        return _status(cluster, who)

    return {"status": say, "down": down, "fault": fault, "heal": heal}
