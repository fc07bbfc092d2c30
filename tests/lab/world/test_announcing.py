"""Who answers for an address on the wire, seen from the client's interface."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.world.stage import (
    VIP4,
    VIP6,
    VIPS,
    Stage,
    advertisements,
    arp_replies,
    hears,
    play,
    solicit,
    who_has,
)

pytestmark = pytest.mark.lab

NODE1, NODE2, CLIENT = "02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:64"
SOLICITED_OVERRIDE, OVERRIDE = 0b011, 0b001


async def asked(stage: Stage, *frames: bytes) -> dict[str, Any]:
    """Send these frames and return who answered for the VIPs."""
    wire = stage.listen()
    for frame in frames:
        stage.send(frame)
    caught = await hears(wire)
    return {"arp": arp_replies(caught, VIP4), "ndp": advertisements(caught, VIP6)}


async def _broadcast(stage: Stage) -> dict[str, Any]:
    stage.nodes["node-1"].announce(VIPS)
    return await asked(stage, who_has(VIP4), solicit(VIP6))


def test_the_announcer_alone_answers_unicast() -> None:
    """Broadcast who-has and multicast solicitation get one unicast answer, from and with the announcer's MAC."""
    answers = play(_broadcast)

    assert answers["arp"] == [{"from": NODE1, "to": CLIENT, "sender": NODE1, "target": "198.51.100.100"}]
    assert answers["ndp"] == [{"from": NODE1, "to": CLIENT, "mac": NODE1, "flags": SOLICITED_OVERRIDE}]


async def _unicast(stage: Stage) -> dict[str, Any]:
    stage.nodes["node-1"].announce(VIPS)
    return {
        "owner": await asked(stage, who_has(VIP4, to=NODE1), solicit(VIP6, to=NODE1)),
        "other": await asked(stage, who_has(VIP4, to=NODE2), solicit(VIP6, to=NODE2)),
    }


def test_unicast_questions_are_answered_by_the_owner_only() -> None:
    """A question sent to the announcer's MAC is answered, one sent to another node's is not."""
    answers = play(_unicast)

    assert [reply["from"] for reply in answers["owner"]["arp"] + answers["owner"]["ndp"]] == [NODE1, NODE1]
    assert answers["other"] == {"arp": [], "ndp": []}


async def _taken_over(stage: Stage) -> dict[str, Any]:
    stage.nodes["node-1"].announce(VIPS)
    wire = stage.listen()
    stage.nodes["node-1"].announce(frozenset())
    stage.nodes["node-2"].announce(VIPS)
    stage.nodes["node-2"].announce(VIPS)
    told = await hears(wire)
    quiet = stage.listen()
    stage.nodes["node-3"].announce(VIPS, gratuitous=False)
    silent = await hears(quiet)
    return {
        "arp": arp_replies(told, VIP4),
        "ndp": advertisements(told, VIP6),
        "quiet": [len(arp_replies(silent, VIP4)), len(advertisements(silent, VIP6))],
    }


def test_a_new_announcer_tells_everyone_once() -> None:
    """A takeover is one broadcast ARP reply and one unsolicited advertisement, as from Cilium; repeating sends none."""
    told = play(_taken_over)

    assert told["arp"] == [{"from": NODE2, "to": "ff:ff:ff:ff:ff:ff", "sender": NODE2, "target": VIP4}]
    assert told["ndp"] == [{"from": NODE2, "to": "33:33:00:00:00:01", "mac": NODE2, "flags": OVERRIDE}]
    assert told["quiet"] == [0, 0], "without gratuitous nothing is told"


async def _twice(stage: Stage) -> dict[str, Any]:
    for name in ("node-1", "node-2"):
        stage.nodes[name].announce(VIPS)
    return await asked(stage, who_has(VIP4), solicit(VIP6))


def test_two_announcers_both_answer() -> None:
    """A split brain shows as two answers to one question, in both families."""
    answers = play(_twice)

    assert {reply["from"] for reply in answers["arp"]} == {NODE1, NODE2}
    assert {reply["from"] for reply in answers["ndp"]} == {NODE1, NODE2}


async def _nobody(stage: Stage) -> dict[str, Any]:
    stage.nodes["node-1"].announce(VIPS)
    stage.nodes["node-1"].announce(frozenset())
    nodes = stage.listen()
    stage.send(who_has("198.51.100.12"))
    return {
        **await asked(stage, who_has(VIP4), solicit(VIP6)),
        "node": arp_replies(await hears(nodes), "198.51.100.12"),
        "tcp4": await stage.ask("tcp4", seconds=5),
    }


def test_a_silent_address_has_no_neighbour() -> None:
    """Nobody answers for a withdrawn address although the wire works, and connecting fails with host unreachable."""
    answers = play(_nobody)

    assert answers["arp"] == answers["ndp"] == []
    assert [reply["from"] for reply in answers["node"]] == [NODE2]
    assert answers["tcp4"] == ["unreachable"]


async def _no_leak(stage: Stage) -> dict[str, Any]:
    await stage.pod("node-2")
    stage.nodes["node-1"].announce(VIPS)
    await stage.program("node-2")
    wire = stage.listen()
    ports = [await stage.ask("tcp4", port=81, seconds=0.3), await stage.ask("udp6", port=81, seconds=0.3)]
    caught = await hears(wire)
    asked_for = [
        frame for frame in caught if frame[12:14] == b"\x08\x06" and frame[6:12] != bytes.fromhex("020000000064")
    ]
    return {
        "ports": ports,
        "questions": len([frame for frame in asked_for if frame[38:42] == bytes([198, 51, 100, 40])]),
    }


def test_a_port_that_nobody_serves_is_dropped_without_a_trace() -> None:
    """A packet to an unserved port vanishes; the node never asks the segment who has the VIP."""
    seen = play(_no_leak)

    assert seen["ports"] == [["timeout"], ["timeout"]]
    assert seen["questions"] == 0
