"""What the machines below Kubernetes can do wrong: drop, lose, cut, and claim what is not theirs."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from l2probe.lab.driver import HARMLESS, Meddling, Severed
from tests.lab.world.stage import (
    KINDS,
    VIP4,
    VIPS,
    Stage,
    advertisements,
    arp_replies,
    ask,
    hears,
    play,
    solicit,
    syn_acks,
    who_has,
)
from tests.lab.world.stage import VIP6 as VIP6_ADDRESS
from tests.lab.world.test_forwarding import CLIENT, two_pods

pytestmark = pytest.mark.lab

FOREIGN, NODE1, NODE2 = "02:00:00:00:00:c8", "02:00:00:00:00:01", "02:00:00:00:00:02"


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


async def _unheard(stage: Stage) -> dict[str, Any]:
    await two_pods(stage)
    questions = (who_has(VIP4), who_has(VIP4, to=NODE1), solicit(VIP6_ADDRESS), solicit(VIP6_ADDRESS, to=NODE1))
    facts = {}
    for name, heeds in {"arp": (False, True), "ndp": (True, False), "both": (True, True)}.items():
        stage.nodes["node-1"].heed(broadcast=heeds[0], multicast=heeds[1])
        caught = []
        for question in questions:
            wire = stage.listen()
            stage.send(question)
            caught.append(await hears(wire))
        facts[name] = [len(arp_replies(part, VIP4)) + len(advertisements(part, VIP6_ADDRESS)) for part in caught]
    return facts


def test_what_is_asked_of_everybody_may_stay_unheard() -> None:
    """heed: broadcast who-has and multicast solicitations can be lost on the announcer while unicast ones arrive."""
    seen = play(_unheard)

    assert {name: seen[name] for name in ("arp", "ndp", "both")} == {
        "arp": [0, 1, 1, 1],
        "ndp": [1, 1, 0, 1],
        "both": [1, 1, 1, 1],
    }


SECOND1 = "02:00:00:00:01:01"


async def _second(stage: Stage) -> dict[str, Any]:
    await two_pods(stage)
    await stage.program("node-1")
    node = stage.nodes["node-1"]
    facts: dict[str, Any] = {}
    for name, shy in (("plain", False), ("shy", True)):
        await node.second_nic(present=True, shy=shy)
        node.announce(frozenset())
        node.announce(VIPS, device="eth1")
        stage.forget()
        wire = stage.listen()
        stage.send(who_has(VIP4))
        stage.send(solicit(VIP6_ADDRESS))
        stage.send(who_has("198.51.100.11"))
        answers = await stage.ask_all()
        caught = await hears(wire)
        facts[name] = {
            "vip": sorted({reply["from"] for reply in arp_replies(caught, VIP4)}),
            "vip6": sorted({str(each["mac"]) for each in advertisements(caught, VIP6_ADDRESS)}),
            "node": sorted({reply["from"] for reply in arp_replies(caught, "198.51.100.11")}),
            "answers": answers,
            "syn_acks": sorted(syn_acks(caught)),
        }
    await node.drop_traffic(VIPS)
    facts["dropped"] = await stage.ask("tcp4", seconds=0.3)
    await node.drop_traffic(frozenset())
    await node.second_nic(present=False)
    await node.second_nic(present=False)
    node.announce(VIPS)
    stage.forget()
    return {**facts, "after": await stage.ask_all(), "interfaces": node.interfaces}


def test_a_second_nic_serves_and_answers_as_linux_does() -> None:
    """What comes in by eth1 is served, and leaves by eth0; eth1 answers for the node's own address unless it is shy."""
    seen = play(_second)

    for name, answering in (("plain", [NODE1, SECOND1]), ("shy", [NODE1])):
        assert seen[name]["vip"] == seen[name]["vip6"] == [SECOND1]
        assert seen[name]["node"] == answering
        assert seen[name]["answers"] == {kind: [f"{CLIENT[kind]} node-1"] for kind in KINDS}
        assert seen[name]["syn_acks"] == [NODE1]
    assert seen["dropped"] == ["timeout"]
    assert seen["after"] == {kind: [f"{CLIENT[kind]} node-1"] for kind in KINDS}
    assert seen["interfaces"] == ["eth0"]


async def _meddled(stage: Stage) -> dict[str, Any]:
    await two_pods(stage)
    await stage.program("node-2")
    facts: dict[str, Any] = {}
    page = b"GET / HTTP/1.0\r\n\r\n" + bytes(500)
    for name, meddling in MEDDLED.items():
        stage.forget()
        await stage.world.path.meddle(meddling)
        facts[name] = await stage.ask_all(seconds=0.4, data=page if name == "intercepting" else b"?")
    return facts


MEDDLED = {
    "nothing": HARMLESS,
    "all": Meddling(severed=Severed.ALL),
    "udp": Meddling(severed=Severed.UDP),
    "intercepting": Meddling(intercepting=True),
    "isolating": Meddling(isolating=True),
    "translating": Meddling(translating=True),
    "after": HARMLESS,
}


def test_devices_between_the_machines_meddle_with_frames() -> None:
    """Severed nodes lose what crosses, a proxy answers itself, isolation mutes neighbours, a translator changes whom
    the Pod sees; each alone, and nothing of it stays.
    """  # noqa: D205 - one law
    seen = play(_meddled)

    healthy = {kind: [f"{CLIENT[kind]} node-2"] for kind in KINDS}
    assert seen["nothing"] == seen["after"] == healthy
    assert seen["all"] == {kind: ["timeout"] for kind in KINDS}
    assert seen["udp"] == healthy | {"udp4": ["timeout"], "udp6": ["timeout"]}
    assert all("printer" in seen["intercepting"][kind][0] for kind in KINDS)
    assert seen["isolating"] == {kind: ["timeout"] for kind in KINDS}
    other = {"4": "198.51.100.254", "6": "2001:db8:1::fe"}
    assert seen["translating"] == {kind: [f"{other[kind[-1]]} node-2"] for kind in KINDS}


async def _masqueraded(stage: Stage) -> dict[str, Any]:
    await two_pods(stage)
    await stage.program("node-1", masquerade=True)
    seen = await stage.ask_all()
    await stage.program("node-1")
    return {"seen": seen, "after": await stage.ask_all()}


def test_a_masquerading_datapath_hides_the_client_from_its_own_pods() -> None:
    """With `masquerade` a backend on the announcer sees the announcer; without it the client again."""
    seen = play(_masqueraded)

    own = {"4": "198.51.100.11", "6": "2001:db8:1::11"}
    assert seen["seen"] == {kind: [f"{own[kind[-1]]} node-1"] for kind in KINDS}
    assert seen["after"] == {kind: [f"{CLIENT[kind]} node-1"] for kind in KINDS}


async def _beyond(stage: Stage) -> dict[str, Any]:
    await two_pods(stage)
    await stage.program("node-2")
    remote = stage.world.place("remote")
    answers = {}
    for kind in KINDS:
        answers[kind] = await asyncio.to_thread(ask, stage.connect_from(remote, kind), kind, 2, b"?", 80)
    return {"answers": answers, "same": stage.world.place("remote") is remote}


def test_a_machine_behind_a_router_reaches_the_addresses() -> None:
    """Packets from the second segment are routed both ways, and the Pod sees the machine that sent them."""
    seen = play(_beyond)

    far = {"4": "203.0.113.100", "6": "2001:db8:2::100"}
    assert seen["answers"] == {kind: f"{far[kind[-1]]} node-2" for kind in KINDS}
    assert seen["same"]


async def _detour(stage: Stage) -> dict[str, Any]:
    await two_pods(stage)
    await stage.program("node-2")
    ways = {}
    for name, detour in (("before", False), ("through", True), ("after", False), ("again", True)):
        await stage.world.client_host.detour(detour=detour)
        stage.forget()
        ways[name] = await stage.ask_all(seconds=0.5)
    return ways


def test_a_detour_leads_through_a_stateful_firewall() -> None:
    """Datagrams pass, of TCP only the SYN and what answers it directly; it ends and begins as often as asked."""
    seen = play(_detour)

    well = {kind: [f"{CLIENT[kind]} node-2"] for kind in KINDS}
    cut = {kind: ["timeout"] if kind.startswith("tcp") else well[kind] for kind in KINDS}
    assert [seen[when] for when in ("before", "through", "after", "again")] == [well, cut, well, cut]


async def _astray(stage: Stage) -> dict[str, Any]:
    await two_pods(stage)
    remote, here = stage.frontends(["node-2"]), stage.frontends(["node-1"])
    ways = {}
    for name, served, reversing in (("remote", remote, False), ("here", here, False), ("mended", remote, True)):
        broken = [replace(one, reversing=reversing) for one in served]
        for node in stage.nodes.values():
            await node.program(broken)
        ways[name] = await stage.ask_all(seconds=0.5)
    return ways


def test_answers_go_astray_only_across_nodes() -> None:
    """TCP is lost where a peer handed the question over, and nowhere else; translating back mends it."""
    seen = play(_astray)

    well = {kind: [f"{CLIENT[kind]} node-2"] for kind in KINDS}
    assert {*seen["remote"]["tcp4"], *seen["remote"]["tcp6"]} <= {"timeout", "reset"}
    assert [seen["remote"][kind] for kind in ("udp4", "udp6")] == [well[kind] for kind in ("udp4", "udp6")]
    assert seen["here"] == {kind: [f"{CLIENT[kind]} node-1"] for kind in KINDS}
    assert seen["mended"] == well


async def _kept(stage: Stage) -> dict[str, Any]:
    await two_pods(stage)
    await stage.program("node-2")
    found = {}
    for name, keep in (("kept", True), ("mended", False)):
        stage.world.client_host.keep_neighbours(keep=keep)
        stage.nodes["node-2"].announce(frozenset())
        stage.nodes["node-1"].announce(VIPS)
        stage.forget()
        await stage.ask("udp4")
        await asyncio.sleep(1.2)
        stage.nodes["node-1"].announce(frozenset())
        wire = stage.listen()
        stage.nodes["node-2"].announce(VIPS)
        await stage.nodes["node-1"].drop_traffic(VIPS)
        found[name] = await stage.ask("udp4", seconds=0.4)
        found[f"{name} told"] = [each["from"] for each in arp_replies(await hears(wire), VIP4)]
        await stage.nodes["node-1"].drop_traffic(frozenset())
    return found


def test_a_kept_neighbour_outlasts_an_announcement() -> None:
    """A gratuitous ARP after more than a second moves the client to the new node, unless it keeps what it has."""
    seen = play(_kept)

    assert seen["kept"] == ["timeout"]
    assert seen["mended"] == [f"{CLIENT['udp4']} node-2"]
    assert seen["kept told"] == seen["mended told"] == [NODE2]
