"""Probes as the kubelet's loop meets them: ended by an answer, by time, or by the end of the Pod."""

from __future__ import annotations

import asyncio

from l2probe.lab.controllers.probes import Subject, probe
from l2probe.lab.driver import PodLink

LINK = PodLink(name="default/web", netns=-1, addresses=("127.0.0.1",))
ASK = {"exec": {"command": ["true"]}, "timeoutSeconds": 5}


def test_the_end_of_a_pod_is_not_lost_when_a_probe_answers_just_then() -> None:
    """A probing loop that is cancelled in the very moment of an answer ends: the Pod would stay Terminating else."""

    async def law() -> None:
        async def run(_argv: tuple[str, ...]) -> tuple[int, str]:
            # Runs right after this probe has its answer, before the one who asked goes on.
            asyncio.get_running_loop().call_soon(looking.cancel)
            return 0, ""

        async def look() -> None:
            while True:
                await probe(Subject(link=LINK, container={}, run=run), ASK)
                await asyncio.sleep(60)

        looking = asyncio.create_task(look())
        await asyncio.wait((looking,), timeout=2)

        assert looking.cancelled()

    asyncio.run(law())


def test_a_probe_without_an_answer_fails_in_its_time() -> None:
    """After timeoutSeconds the probe has failed, in the kubelet's words."""

    async def law() -> None:
        async def run(_argv: tuple[str, ...]) -> tuple[int, str]:
            await asyncio.Event().wait()
            return 0, ""

        failed = await probe(Subject(link=LINK, container={}, run=run), {**ASK, "timeoutSeconds": 0.05})

        assert failed == "command timed out"

    asyncio.run(law())
