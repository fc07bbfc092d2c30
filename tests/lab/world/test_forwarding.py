"""What becomes of traffic to the VIP: who answers, what source address the Pod sees, whose MAC the answer carries."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import ANY

import pytest

from l2probe.lab.driver import Forwarding, NoBackend
from tests.lab.world.stage import CLIENT4, CLIENT6, KINDS, VIPS, Stage, hears, play, syn_acks

pytestmark = pytest.mark.lab

NODE1, NODE2 = "02:00:00:00:00:01", "02:00:00:00:00:02"
CLIENT = {"tcp4": CLIENT4, "udp4": CLIENT4, "tcp6": CLIENT6, "udp6": CLIENT6}
ANNOUNCER = {"tcp4": "198.51.100.11", "udp4": "198.51.100.11", "tcp6": "2001:db8:1::11", "udp6": "2001:db8:1::11"}


async def two_pods(stage: Stage) -> None:
    """Announce from node-1, with an echo Pod there and one on node-2."""
    await stage.pod("node-1")
    await stage.pod("node-2")
    stage.nodes["node-1"].announce(VIPS)


async def _snat(stage: Stage) -> dict[str, Any]:
    await two_pods(stage)
    await stage.program("node-1", forwarding=Forwarding.SNAT)
    here = await stage.ask_all()
    await stage.program("node-2", forwarding=Forwarding.SNAT)
    wire = stage.listen()
    there = await stage.ask_all()
    macs = sorted(syn_acks(await hears(wire)))
    await stage.program("node-1", "node-2", forwarding=Forwarding.SNAT)
    return {"here": here, "there": there, "macs": macs, "both": await stage.ask_all(times=12)}


def test_snat_hides_the_client_from_remote_pods_only() -> None:
    """With SNAT a Pod on the announcer sees the client, one elsewhere the announcer, from which all answers come."""
    seen = play(_snat)

    assert seen["here"] == {kind: [f"{CLIENT[kind]} node-1"] for kind in KINDS}
    assert seen["there"] == {kind: [f"{ANNOUNCER[kind]} node-2"] for kind in KINDS}
    assert seen["macs"] == [NODE1]
    for kind in KINDS:
        assert set(seen["both"][kind]) == {f"{CLIENT[kind]} node-1", f"{ANNOUNCER[kind]} node-2"}


async def _dsr(stage: Stage) -> dict[str, Any]:
    await two_pods(stage)
    await stage.program("node-2")
    wire = stage.listen()
    there = await stage.ask_all()
    macs = sorted(syn_acks(await hears(wire)))
    large = await stage.ask_all(data=b"x" * 1400)
    await stage.program("node-1", "node-2")
    both = await stage.ask_all(times=16)
    return {"there": there, "macs": macs, "large": large, "both": both}


def test_dsr_shows_every_pod_the_client_and_answers_from_its_node() -> None:
    """With DSR a remote Pod sees the client, and the SYN-ACK carries its own node's MAC; large packets pass too."""
    seen = play(_dsr)

    remote = {kind: [f"{CLIENT[kind]} node-2"] for kind in KINDS}
    assert seen["there"] == seen["large"] == remote
    assert seen["macs"] == [NODE2]
    for kind in KINDS:
        assert set(seen["both"][kind]) == {f"{CLIENT[kind]} node-1", f"{CLIENT[kind]} node-2"}


async def _hybrid(stage: Stage) -> dict[str, Any]:
    await two_pods(stage)
    await stage.program("node-2", forwarding=Forwarding.SNAT)
    await stage.program("node-1", forwarding=Forwarding.DSR)
    after = await stage.ask_all(times=3)
    return {"after": after}


def test_programming_again_replaces_everything() -> None:
    """New flows follow the last programming: nothing of the one before is left."""
    seen = play(_hybrid)

    assert seen["after"] == {kind: [f"{CLIENT[kind]} node-1"] * 3 for kind in KINDS}


async def _steady(stage: Stage) -> dict[str, Any]:
    await two_pods(stage)
    steady = stage.frontends(("node-1", "node-2"))
    await asyncio.gather(*(node.program(steady) for node in stage.world.nodes))
    asking = {kind: asyncio.create_task(_until_told(stage, kind)) for kind in KINDS}
    for others in (("node-1",), ("node-2",), (), ("node-1", "node-2")) * 5:
        changed = [*steady, *stage.frontends(others, port=81)]
        await asyncio.gather(*(node.program(changed) for node in stage.world.nodes))
    return {kind: await _told(task) for kind, task in asking.items()}


async def _until_told(stage: Stage, kind: str) -> None:
    """Ask without a pause; a question that is not answered at the first attempt ends it."""
    while True:
        (answer,) = await stage.ask(kind, seconds=0.9)
        if CLIENT[kind] not in answer:
            raise LookupError(answer)


async def _told(task: asyncio.Task[None]) -> str:
    """Stop asking; say what went wrong, nothing when nothing did."""
    task.cancel()
    try:
        await task
    except LookupError as wrong:
        return str(wrong)
    except asyncio.CancelledError:
        pass
    return ""


def test_programming_other_services_disturbs_nobody() -> None:
    """While frontends beside it come, go and move, no packet of a Service that stays as it is gets lost.

    A TCP segment or datagram lost once is noticed: the limit of a question is below the kernel's first repetition.
    """
    assert play(_steady) == dict.fromkeys(KINDS, "") | {"rootless": ANY, "build_seconds": ANY}


async def _local(stage: Stage) -> dict[str, Any]:
    await two_pods(stage)
    await stage.program("node-1", "node-2", local_only=True)
    on = await stage.ask_all(times=4)
    await stage.program("node-2", local_only=True)
    wire = stage.listen()
    rejected = await stage.ask_all(seconds=2)
    sources = {
        frame[26:30].hex()
        for frame in await hears(wire)
        if frame[12:14] == b"\x08\x00" and frame[23] == 1 and frame[34] == 3
    }
    await stage.program("node-2", local_only=True, no_backend=NoBackend.DROP)
    dropped = await stage.ask_all(seconds=0.3)
    stage.nodes["node-1"].announce(frozenset())
    stage.nodes["node-2"].announce(VIPS)
    return {"on": on, "rejected": rejected, "from": sorted(sources), "dropped": dropped, "moved": await stage.ask_all()}


def test_policy_local_uses_the_announcers_own_pods() -> None:
    """Local serves from the announcer's Pods with the client's address, and has nothing for a node without one.

    What it has is a rejection whose source is the VIP (as Cilium's), or silence; the node with the Pod serves.
    """
    seen = play(_local)

    assert seen["on"] == {kind: [f"{CLIENT[kind]} node-1"] * 4 for kind in KINDS}
    assert seen["rejected"] == {kind: ["refused"] for kind in KINDS}
    assert seen["from"] == [bytes([198, 51, 100, 40]).hex()]
    assert seen["dropped"] == {kind: ["timeout"] for kind in KINDS}
    assert seen["moved"] == {kind: [f"{CLIENT[kind]} node-2"] for kind in KINDS}


async def _ranges(stage: Stage) -> dict[str, Any]:
    await two_pods(stage)
    await stage.program("node-2", source_ranges=("198.51.100.0/25", "198.51.100.64/26", "2001:db8:1::/64"))
    inside = await stage.ask_all()
    await stage.program("node-2", source_ranges=("10.0.0.0/8",))
    return {"inside": inside, "outside": await stage.ask_all(seconds=0.3)}


def test_source_ranges_drop_everyone_else() -> None:
    """Source ranges (overlapping ones too) let the listed clients in and drop the others silently."""
    seen = play(_ranges)

    assert seen["inside"] == {kind: [f"{CLIENT[kind]} node-2"] for kind in KINDS}
    assert seen["outside"] == {kind: ["timeout"] for kind in KINDS}


async def _ping(stage: Stage) -> dict[str, Any]:
    await two_pods(stage)
    await stage.program("node-1")
    wire = stage.listen()
    echo = bytes.fromhex("02000000000102000000006408004500001c0001000040010000c6336464c63364280800f7ff00000000")
    checksum = 0x4500 + 0x1C + 1 + 0x4001 + 0xC633 + 0x6464 + 0xC633 + 0x6428
    checksum = ~((checksum & 0xFFFF) + (checksum >> 16)) & 0xFFFF
    stage.send(echo[:24] + checksum.to_bytes(2, "big") + echo[26:])
    caught = await hears(wire)
    return {
        "answers": len([frame for frame in caught if frame[12:14] == b"\x08\x00" and frame[23] == 1 and frame[34] != 8])
    }


def test_the_vip_answers_no_ping() -> None:
    """An echo request to the VIP gets neither an answer nor an error, like Cilium's before pre-wildcard entries."""
    assert play(_ping)["answers"] == 0
