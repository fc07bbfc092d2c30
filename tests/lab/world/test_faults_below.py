"""What the machines below Kubernetes can do wrong: drop, lose, cut, and claim what is not theirs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.world.stage import KINDS, VIP4, VIPS, Stage, advertisements, arp_replies, hears, play, solicit, who_has
from tests.lab.world.stage import VIP6 as VIP6_ADDRESS
from tests.lab.world.test_forwarding import CLIENT, two_pods

pytestmark = pytest.mark.lab

FOREIGN, NODE1 = "02:00:00:00:00:c8", "02:00:00:00:00:01"


async def _dropping(stage: Stage) -> dict[str, Any]:
    await two_pods(stage)
    await stage.program("node-1")
    await stage.nodes["node-1"].drop_traffic(VIPS)
    stage.forget()
    wire = stage.listen()
    stage.send(who_has(VIP4))
    stage.send(solicit(VIP6_ADDRESS))
    caught = await hears(wire)
    dropped = await stage.ask_all(seconds=0.3)
    await stage.nodes["node-1"].drop_traffic(frozenset())
    answers = [len(arp_replies(caught, VIP4)), len(advertisements(caught, VIP6_ADDRESS))]
    return {"answers": answers, "dropped": dropped, "after": await stage.ask_all()}


def test_a_dropping_announcer_still_answers_for_the_address() -> None:
    """drop_traffic eats packets to the address while ARP and NDP work, and ends with the empty set."""
    seen = play(_dropping)

    assert seen["answers"] == [1, 1]
    assert seen["dropped"] == {kind: ["timeout"] for kind in KINDS}
    assert seen["after"] == {kind: [f"{CLIENT[kind]} node-1"] for kind in KINDS}


async def _cut(stage: Stage) -> dict[str, Any]:
    await two_pods(stage)
    await stage.program("node-2")
    await stage.world.switch.limit_frames(None, 1400)
    facts = {
        "small": await stage.ask_all(data=b"x" * 100),
        # 1372 + 8 + 20 and 1352 + 8 + 40 are the longest that fit.
        "fits": [await stage.ask("udp4", data=b"x" * 1372), await stage.ask("udp6", data=b"x" * 1352)],
        "long": [
            await stage.ask("udp4", data=b"x" * 1373, seconds=0.3),
            await stage.ask("udp6", data=b"x" * 1353, seconds=0.3),
        ],
    }
    await stage.world.switch.limit_frames("node-2", None)
    await stage.world.switch.limit_frames("node-1", None)
    return {**facts, "after": [await stage.ask("udp4", data=b"x" * 1373), await stage.ask("udp6", data=b"x" * 1353)]}


def test_long_packets_vanish_at_the_limit_exactly() -> None:
    """limit_frames counts the bytes of the IP packet: the largest allowed passes, one byte more is silently lost."""
    seen = play(_cut)

    assert seen["small"] == {kind: [f"{CLIENT[kind]} node-2"] for kind in KINDS}
    assert seen["fits"] == seen["after"] == [[f"{CLIENT['udp4']} node-2"], [f"{CLIENT['udp6']} node-2"]]
    assert seen["long"] == [["timeout"], ["timeout"]]


async def _losing(stage: Stage) -> dict[str, Any]:
    await two_pods(stage)
    await stage.program("node-1")
    await stage.ask_all()
    await stage.world.switch.lose("node-1", 30)
    some = await stage.ask("udp4", times=60, seconds=0.02) + await stage.ask("udp6", times=60, seconds=0.02)
    wire = stage.listen()
    for _ in range(20):
        stage.send(who_has(VIP4))
        stage.send(solicit(VIP6_ADDRESS))
    caught = await hears(wire)
    await stage.world.switch.lose("node-1", 100)
    nothing = await stage.ask("udp4", times=5, seconds=0.05)
    await stage.world.switch.lose(None, 0)
    return {
        "lost": some.count("timeout"),
        "neighbours": [len(arp_replies(caught, VIP4)), len(advertisements(caught, VIP6_ADDRESS))],
        "nothing": nothing,
        "after": (await stage.ask("udp4", times=30, seconds=0.5)).count("timeout"),
    }


def test_loss_takes_packets_but_no_neighbour_messages() -> None:
    """About its share of IP packets is lost each way (51 % of round trips for 30 %), never ARP or NDP; 0 ends it."""
    seen = play(_losing)

    assert 35 <= seen["lost"] <= 90
    assert seen["neighbours"] == [20, 20]
    assert seen["nothing"] == ["timeout"] * 5
    assert seen["after"] == 0


async def _foreign(stage: Stage) -> dict[str, Any]:
    await two_pods(stage)
    await stage.program("node-1")
    stage.world.switch.foreign(VIPS)
    wire = stage.listen()
    stage.send(who_has(VIP4))
    stage.send(solicit(VIP6_ADDRESS))
    caught = await hears(wire)
    stage.nodes["node-1"].announce(frozenset())
    stage.forget()
    alone = {kind: await stage.ask(kind, data=b"GET / HTTP/1.0\r\n\r\n" + bytes(500)) for kind in KINDS}
    odd = await stage.ask("tcp4", data=b"GET / HTTP/1.0\r\n\r\n", port=31999)
    stage.world.switch.foreign(frozenset())
    stage.nodes["node-1"].announce(VIPS)
    stage.forget()
    return {
        "arp": sorted({reply["from"] for reply in arp_replies(caught, VIP4)}),
        "ndp": sorted({str(each["mac"]) for each in advertisements(caught, VIP6_ADDRESS)}),
        "alone": alone,
        "odd": odd,
        "after": await stage.ask_all(),
    }


def test_a_foreign_host_answers_and_serves_a_page_of_its_own() -> None:
    """The foreign host answers beside the announcer; whoever lands there gets its page on any port, till it lets go."""
    seen = play(_foreign)

    assert seen["arp"] == seen["ndp"] == [NODE1, FOREIGN]
    for kind in KINDS:
        assert "printer" in seen["alone"][kind][0]
    assert "printer" in seen["odd"][0]
    assert seen["after"] == {kind: [f"{CLIENT[kind]} node-1"] for kind in KINDS}
