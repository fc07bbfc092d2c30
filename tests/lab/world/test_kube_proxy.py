"""A node beside MetalLB or kube-vip: kube-proxy's NAT and refusals, addresses on the NIC, gratuitous ARP."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from l2probe.lab.controllers.kubevip.leaders import TELLING as KUBE_VIP
from l2probe.lab.controllers.metallb.speakers import TELLING as METALLB
from l2probe.lab.datapath import render, render_owned
from l2probe.lab.driver import Forwarding, Frontend, NoBackend, Target
from l2probe.lab.responder import ndp_answer
from l2probe.lab.topology import NODES
from tests.lab.world.stage import (
    CLIENT4,
    CLIENT6,
    KINDS,
    VIP4,
    VIP6,
    VIPS,
    Stage,
    advertisements,
    arp_replies,
    hears,
    mac,
    play,
    solicit,
    syn_acks,
    who_has,
)

NODE1, NODE2 = (site.mac for site in NODES[:2])
CLIENT = {"tcp4": CLIENT4, "udp4": CLIENT4, "tcp6": CLIENT6, "udp6": CLIENT6}
ANNOUNCER = {"tcp4": "198.51.100.11", "udp4": "198.51.100.11", "tcp6": "2001:db8:1::11", "udp6": "2001:db8:1::11"}
BRIDGE = {"tcp4": "10.244.1.1", "udp4": "10.244.1.1", "tcp6": "fd00:10:1::1", "udp6": "fd00:10:1::1"}
RECORDED = Path(__file__).with_name("announce-first.pcap")
"""MetalLB v0.15.2 announces a new address (a capture of a real cluster, on the client)."""
WEB = Frontend(
    vip=VIP4,
    port=80,
    protocol="TCP",
    targets=(Target(address="10.244.1.10", port=8080, node="node-1"),),
    forwarding=Forwarding.MASQUERADE,
    no_backend=NoBackend.REJECT,
)
MATCH = f"ip daddr {VIP4} tcp dport 80"


def rules(frontend: Frontend, site: int = 0) -> list[str]:
    """Return the rules of one frontend on one node."""
    return [rule for rule in render(NODES[site], [frontend]).splitlines() if MATCH in rule]


def test_cluster_is_masqueraded_and_local_is_not() -> None:
    """Policy Cluster marks what must be masqueraded, on every node alike; policy Local translates only."""
    translate = f"add rule ip lb frontends {MATCH} %sdnat to 10.244.1.10:8080"

    assert [rules(WEB, site) for site in (0, 1)] == [[translate % "meta mark set 0x4000 "]] * 2
    assert rules(replace(WEB, local_only=True)) == [translate % ""]


def test_local_elsewhere_is_dropped_and_nothing_anywhere_is_rejected() -> None:
    """kube-proxy drops policy Local without a local endpoint, and rejects what has no endpoint at all."""
    refused = f"add rule ip lb refused {MATCH} "

    assert rules(replace(WEB, local_only=True), site=1) == [refused + "drop"]
    for local in (False, True):
        nothing = replace(WEB, targets=(), local_only=local)
        assert rules(nothing) == [refused + "reject with icmp type port-unreachable"]


def test_owned_addresses_are_written_by_family() -> None:
    """The node's own set holds exactly what it owns."""
    assert render_owned(VIPS).splitlines() == [
        "flush set ip lb owned",
        "flush set ip6 lb owned",
        f"add element ip lb owned {{ {VIP4} }}",
        f"add element ip6 lb owned {{ {VIP6} }}",
    ]


async def _masquerade(stage: Stage) -> dict[str, Any]:
    for node in ("node-1", "node-2"):
        await stage.pod(node)
    stage.nodes["node-1"].announce(VIPS)
    await stage.program("node-1", forwarding=Forwarding.MASQUERADE)
    here = await stage.ask_all()
    await stage.program("node-2", forwarding=Forwarding.MASQUERADE)
    wire = stage.listen()
    there = await stage.ask_all()
    macs = sorted(syn_acks(await hears(wire)))
    await stage.program("node-1", forwarding=Forwarding.MASQUERADE, local_only=True)
    local = await stage.ask_all()
    await stage.program("node-2", forwarding=Forwarding.MASQUERADE, local_only=True)
    return {"here": here, "there": there, "macs": macs, "local": local, "off": await stage.ask_all(seconds=0.4)}


@pytest.mark.lab
def test_kube_proxy_hides_the_client_even_from_pods_on_the_announcer() -> None:
    """A Pod on the announcer sees its bridge, one elsewhere its node address; with Local the client, or nothing."""
    seen = play(_masquerade)

    assert seen["here"] == {kind: [f"{BRIDGE[kind]} node-1"] for kind in KINDS}
    assert seen["there"] == {kind: [f"{ANNOUNCER[kind]} node-2"] for kind in KINDS}
    assert seen["macs"] == [NODE1]
    assert seen["local"] == {kind: [f"{CLIENT[kind]} node-1"] for kind in KINDS}
    assert seen["off"] == {kind: ["timeout"] for kind in KINDS}


def unreachables(frames: Iterable[bytes]) -> list[str]:
    """Return who sent ICMP port unreachable (type 3 code 3)."""
    return [
        socket.inet_ntoa(frame[26:30])
        for frame in frames
        if frame[12:14] == b"\x08\x00" and frame[23] == 1 and frame[34:36] == b"\x03\x03"
    ]


async def _nothing_there(stage: Stage) -> dict[str, Any]:
    stage.nodes["node-1"].announce(VIPS)
    await stage.program(forwarding=Forwarding.MASQUERADE)
    wire = stage.listen()
    tried = [await stage.ask("tcp4", seconds=0.15) for _ in range(10)]
    frames = await hears(wire)
    syns = [frame for frame in frames if frame[12:14] == b"\x08\x00" and frame[23] == 6]
    return {"from": unreachables(frames), "syns": len(syns), "tried": [one for (one,) in tried]}


@pytest.mark.lab
def test_the_kernel_rejects_what_has_no_endpoint_and_limits_how_often() -> None:
    """Refusals come from the node's own address, and not for every SYN (net.ipv4.icmp_ratelimit)."""
    seen = play(_nothing_there)

    assert set(seen["from"]) <= {"198.51.100.11"}
    assert len(seen["from"]) < seen["syns"]
    assert set(seen["tried"]) <= {"refused", "timeout"}


async def _owned(stage: Stage) -> dict[str, Any]:
    await stage.pod("node-1")
    await stage.program("node-1", forwarding=Forwarding.MASQUERADE)
    first, second = stage.nodes["node-1"], stage.nodes["node-2"]
    await first.own(VIPS)
    wire = stage.listen()
    stage.send(who_has(VIP4))
    stage.send(solicit(VIP6))
    caught = await hears(wire)
    asked = await stage.ask_all()
    other = await stage.ask("tcp4", port=81)
    await second.own(VIPS)
    wire = stage.listen()
    stage.send(who_has(VIP4))
    both = arp_replies(await hears(wire), VIP4)
    for node in (first, second):
        await node.own(frozenset())
    wire = stage.listen()
    stage.send(who_has(VIP4))
    stage.send(solicit(VIP6))
    gone = await hears(wire)
    return {
        "arp": arp_replies(caught, VIP4),
        "ndp": advertisements(caught, VIP6),
        "asked": asked,
        "other": other,
        "both": sorted(one["from"] for one in both),
        "gone": [arp_replies(gone, VIP4), advertisements(gone, VIP6)],
    }


@pytest.mark.lab
def test_an_address_on_the_nic_is_the_kernels() -> None:
    """The node's kernel answers for what is on its NIC, its closed ports refuse; two such nodes both answer."""
    seen = play(_owned)

    assert seen["arp"] == [{"from": NODE1, "to": ANY, "sender": NODE1, "target": CLIENT4}]
    assert [(one["from"], one["mac"]) for one in seen["ndp"]] == [(NODE1, NODE1)]
    assert seen["asked"] == {kind: [f"{BRIDGE[kind]} node-1"] for kind in KINDS}
    assert seen["other"] == ["refused"]
    assert seen["both"] == [NODE1, NODE2]
    assert seen["gone"] == [[], []]


def arp_frames(frames: Iterable[bytes], address: str) -> list[bytes]:
    """Return the ARP frames whose sender is this address."""
    packed = socket.inet_aton(address)
    return [frame for frame in frames if frame[12:14] == b"\x08\x06" and frame[28:32] == packed]


async def _announced(stage: Stage) -> dict[str, Any]:
    wire = stage.listen()
    stage.nodes["node-1"].announce(frozenset({VIP4}), telling=replace(METALLB, pause=0.1))
    await asyncio.sleep(1)
    metallb = [frame.hex() for frame in arp_frames(await hears(wire), VIP4)]
    wire = stage.listen()
    stage.nodes["node-2"].tell(frozenset({VIP4}), replace(KUBE_VIP, pause=0.1))
    await asyncio.sleep(1)
    stage.nodes["node-2"].tell(frozenset(), KUBE_VIP)
    in_turn = [frame.hex() for frame in arp_frames(await hears(wire), VIP4)]
    await asyncio.sleep(0.3)
    return {"metallb": metallb, "kube-vip": in_turn, "after": len(await hears(wire))}


def recorded() -> list[tuple[float, bytes]]:
    """Return time and bytes of the captured frames (libpcap file, little endian, microseconds)."""
    data, at, found = RECORDED.read_bytes(), 24, []
    while at < len(data):
        seconds, micro, length, _ = struct.unpack_from("<IIII", data, at)
        found.append((seconds + micro / 1e6, data[at + 16 : at + 16 + length]))
        at += 16 + length
    return found


def as_recorded(frame: bytes) -> bytes:
    """Return our frame with the recorded cluster's node and address in it."""
    node, vip = bytes.fromhex("029900000012"), socket.inet_aton("10.99.0.200")
    return frame.replace(bytes.fromhex(NODE1.replace(":", "")), node).replace(socket.inet_aton(VIP4), vip)


@pytest.mark.lab
def test_gratuitous_arp_is_what_was_recorded() -> None:
    """Frame for frame MetalLB's, request and reply, five times; kube-vip sends them in turn until the address goes."""
    seen = play(_announced)

    ours = [as_recorded(bytes.fromhex(one)) for one in seen["metallb"]]
    assert ours == [frame for _, frame in recorded()]
    assert seen["after"] == 0
    turns = [bytes.fromhex(one) for one in seen["kube-vip"]]
    assert [frame[21] for frame in turns][:3] == [2, 1, 2]
    assert {mac(frame[6:12]) for frame in turns} == {NODE2}


def test_the_recorded_rhythm_is_the_labs() -> None:
    """Five rounds, 1.1 s apart, each a request and a reply."""
    times = [at for at, _ in recorded()]
    starts = times[::2]

    assert len(starts) == METALLB.rounds
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    assert gaps == pytest.approx([METALLB.pause] * 4, abs=0.01)
    assert [frame[21] for _, frame in recorded()] == list(METALLB.operations[0]) * 5


def test_a_speaker_answers_neighbour_solicitations_from_its_own_address_without_override() -> None:
    """MetalLB (internal/layer2/ndp.go): solicited, no Override, from the link-local address; Cilium the other way."""
    own = bytes.fromhex(NODE1.replace(":", ""))
    owned = {socket.inet_pton(socket.AF_INET6, VIP6)}

    theirs = ndp_answer(solicit(VIP6), own, owned, overrides=METALLB.overrides) or b""
    ciliums = ndp_answer(solicit(VIP6), own, owned) or b""

    assert [one["flags"] for one in advertisements([theirs, ciliums], VIP6)] == [0b010, 0b011]
    assert socket.inet_ntop(socket.AF_INET6, theirs[22:38]) == "fe80::ff:fe00:1"
