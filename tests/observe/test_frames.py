"""What recorded frames tell: who has an address, who answered or refused a flow."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    ICMPv6PacketTooBig,
    IPv6,
)
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet as Layers

from l2probe.model import Exchange, Ip, Mac, NeighbourReply, Outcome, Protocol
from l2probe.observe.capture import Frame
from l2probe.observe.frames import IcmpMessage, Packet, Question, Refusal, Told, annotate, refusals, replies
from l2probe.observe.quoting import quoted_flow
from l2probe.observe.wire import concerns, dissect
from tests.observe import captures
from tests.observe.segment import Json

VIP = Ip("10.99.0.200")
CLIENT = Ip("10.99.0.100")
N1, N2 = "02:99:00:00:00:11", "02:99:00:00:00:12"
A, B = "02:00:00:00:00:0a", "02:00:00:00:00:0b"


def heard(layers: Layers, *, at: float = 1.0, outgoing: bool = False) -> Json:
    """Dissect a frame made of scapy layers."""
    return dissect(Frame(at=at, outgoing=outgoing, data=bytes(layers)))


def exchange(packets: Sequence[Packet], port: int, outcome: Outcome) -> Exchange:
    """Return the exchange whose first packet had this source port."""
    first = next(packet for packet in packets if packet.outgoing and packet.flow[2] == port)
    return Exchange(
        at=first.at - 0.0001,
        protocol=Protocol.TCP,
        vip=VIP,
        port=80,
        outcome=outcome,
        payload_bytes=100,
        source=CLIENT,
        source_port=port,
    )


def test_gratuitous_arp_counts_as_request_and_as_reply() -> None:
    """MetalLB announces five times with both operations; all are kept, none is solicited."""
    found = replies(captures.told("announce-first"), [VIP])

    assert [reply.op for reply in found] == ["request", "reply"] * 5
    assert {(reply.mac, reply.frame_mac, reply.solicited, reply.asked) for reply in found} == {(N2, N2, False, None)}


def test_an_answer_to_our_broadcast_is_solicited() -> None:
    """Our question, the answer; the node's own question then tells its own address, not the VIP."""
    told = captures.told("arp-resolve")
    (answer,) = replies(told, [VIP])

    assert (answer.mac, answer.op, answer.solicited, answer.asked) == (N2, "reply", True, "broadcast")
    (node,) = replies(told, [Ip("10.99.0.12")])
    assert (node.mac, node.op, node.solicited) == (N2, "request", False)


def test_two_answers_to_one_question_are_both_kept() -> None:
    """During a handover both speakers answer: both MACs are there, solicited."""
    found = replies(captures.told("failover-delete"), [VIP])

    assert {reply.mac for reply in found if reply.solicited} == {N1, N2}
    assert [reply.at for reply in found] == sorted(reply.at for reply in found)


def test_only_wanted_addresses_are_told() -> None:
    """Frames about others are not mixed in."""
    assert replies(captures.told("announce-first"), [Ip("10.99.0.201")]) == ()


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        (Ether(src=A, dst=Mac("ff:ff:ff:ff:ff:ff")) / ARP(op=1, hwsrc=A, psrc="0.0.0.0", pdst=VIP), None),
        (
            Ether(src=A, dst=Mac("ff:ff:ff:ff:ff:ff")) / ARP(op=1, hwsrc=A, psrc=VIP, pdst="10.99.0.1"),
            (VIP, A, "request", False),
        ),
        (Ether(src=A, dst=B) / ARP(op=2, hwsrc=B, psrc=VIP, pdst=CLIENT), (VIP, B, "reply", True)),
        (Ether(src=A, dst=B) / ARP(op=3, hwsrc=B, psrc=VIP, pdst=CLIENT), None),
        (Ether(src=A, dst=B) / ARP(op=2, hwtype=6, hwsrc=B, psrc=VIP), None),
        (Ether(src=A, dst=B) / Dot1Q(vlan=7) / ARP(op=2, hwsrc=B, psrc=VIP, pdst=CLIENT), None),
    ],
    ids=["probe", "request from the VIP", "reply", "reverse ARP", "not Ethernet", "another VLAN"],
)
def test_arp(layers: Layers, says: tuple[str, str, str, bool] | None) -> None:
    """A probe (RFC 5227) claims nothing; a request whose sender is the VIP announces it."""
    told = heard(layers)

    assert (None if told is None else (told.ip, told.mac, told.op, told.to_us)) == says


def test_ndp() -> None:
    """An advertisement tells its target's address; its option beats the frame's source; a forwarded one is no NDP."""
    ours, vip = "2001:db8::100", "2001:db8::40"
    packet = IPv6(src="fe80::1", dst=ours, hlim=255) / ICMPv6ND_NA(tgt=vip, S=1) / ICMPv6NDOptDstLLAddr(lladdr=B)
    assert heard(Ether(src=A, dst="02:00:00:00:00:64") / packet) == Told(
        at=1.0, ip=Ip(vip), mac=Mac(B), op="advertisement", frame_mac=Mac(A), to_us=True
    )
    bare = IPv6(src=vip, dst="ff02::1", hlim=255) / ICMPv6ND_NA(tgt=vip, S=0)
    told = heard(Ether(src=A, dst="33:33:00:00:00:01") / bare)
    assert (told.mac, told.to_us) == (A, False)
    assert heard(Ether(src=A, dst=B) / IPv6(src=vip, dst=ours, hlim=64) / ICMPv6ND_NA(tgt=vip)) is None


def test_solicitations() -> None:
    """Duplicate address detection claims nothing; a question from the VIP itself does; ours is a question."""
    vip, group = "2001:db8::40", "33:33:ff:00:00:01"
    dad = IPv6(src="::", dst="ff02::1:ff00:40", hlim=255) / ICMPv6ND_NS(tgt=vip)
    assert heard(Ether(src=A, dst=group) / dad) is None
    asks = (
        IPv6(src=vip, dst="ff02::1:ff00:1", hlim=255) / ICMPv6ND_NS(tgt="2001:db8::1") / ICMPv6NDOptSrcLLAddr(lladdr=B)
    )
    told = heard(Ether(src=A, dst=group) / asks)
    assert (told.ip, told.mac, told.op) == (vip, B, "request")
    assert heard(Ether(src=A, dst=group) / asks, outgoing=True) == Question(
        at=1.0, ip=Ip("2001:db8::1"), asked="multicast"
    )


def test_a_reply_long_after_the_question_is_unsolicited() -> None:
    """Three seconds after a question nobody answers it any more."""
    question = Question(at=10.0, ip=VIP, asked="broadcast")
    told = [Told(at=at, ip=VIP, mac=Mac(A), op="reply", frame_mac=Mac(A), to_us=True) for at in (10.5, 14.0)]

    found = replies([*told, question], [VIP])

    assert [(reply.solicited, reply.asked) for reply in found] == [(True, "broadcast"), (False, None)]


def test_a_kernel_question_by_unicast_is_told_apart() -> None:
    """Linux asks a known neighbour directly: such an answer shows nothing about other owners."""
    ours = heard(Ether(src=A, dst=B) / ARP(op=1, hwsrc=A, psrc=CLIENT, pdst=VIP), outgoing=True)
    answer = Told(at=1.1, ip=VIP, mac=Mac(B), op="reply", frame_mac=Mac(B), to_us=True)

    assert replies([ours, answer], [VIP])[0].asked == "unicast"


def test_macs_of_a_connection() -> None:
    """Recorded: our SYN went to node 2, whose SYN-ACK came back (SNAT)."""
    packets, messages = captures.traffic("cluster-snat-client")

    (seen,) = annotate([exchange(packets, 40996, Outcome.ANSWERED)], packets, messages)

    assert (seen.sent_mac, seen.reply_mac, seen.outcome, seen.icmp) == (N2, N2, Outcome.ANSWERED, None)


def test_recorded_rejections_belong_to_their_own_syns() -> None:
    """The kernel rejects some SYNs by ICMP and is silent about others: each attempt says what happened to it."""
    packets, messages = captures.traffic("wire-local-no-endpoints-rc-n1")
    ports = list(dict.fromkeys(packet.flow[2] for packet in packets if packet.outgoing))

    seen = annotate([exchange(packets, port, Outcome.TIMEOUT) for port in ports], packets, messages)

    refused = {each.source_port for each in seen if each.outcome is Outcome.REFUSED_ICMP}
    assert refused == {message.flow[2] for message in messages}
    assert {47898, 47910} <= refused
    assert 47878 not in refused
    assert {(each.icmp, each.reply_mac) for each in seen if each.source_port in refused} == {((3, 3), N1)}


def test_recorded_resets() -> None:
    """A RST corrects what the socket may have called something else."""
    packets, messages = captures.traffic("wire-wrong-target-port")

    (seen,) = annotate([exchange(packets, 57290, Outcome.REFUSED_ICMP)], packets, messages)

    assert (seen.outcome, seen.reply_mac) == (Outcome.REFUSED_RST, N2)


def test_recorded_silence() -> None:
    """SYNs went to the wrong node and nothing came back."""
    packets, messages = captures.traffic("wire-local-wrong-node")
    port = packets[0].flow[2]

    (seen,) = annotate([exchange(packets, port, Outcome.TIMEOUT)], packets, messages)

    assert (seen.outcome, seen.sent_mac, seen.reply_mac) == (Outcome.TIMEOUT, N2, None)


def test_a_source_port_used_twice_keeps_its_frames_apart() -> None:
    """The second exchange's RST does not change the first one's timeout."""
    flow = (Protocol.TCP, CLIENT, 4000, VIP, 80)
    back = (Protocol.TCP, VIP, 80, CLIENT, 4000)
    packets = [
        Packet(at=1.0, outgoing=True, source_mac=Mac(A), target_mac=Mac(B), flow=flow, flags="S"),
        Packet(at=5.0, outgoing=True, source_mac=Mac(A), target_mac=Mac(N1), flow=flow, flags="S"),
        Packet(at=5.1, outgoing=False, source_mac=Mac(N1), target_mac=Mac(A), flow=back, flags="RA"),
    ]
    first = exchange(packets, 4000, Outcome.TIMEOUT)
    second = Exchange(**{**{name: getattr(first, name) for name in first.__slots__}, "at": 4.999})

    seen = annotate([first, second], packets, [])

    assert [(each.outcome, each.sent_mac) for each in seen] == [(Outcome.TIMEOUT, B), (Outcome.REFUSED_RST, N1)]


def test_a_reset_after_the_connection_stood_is_no_refusal() -> None:
    """A timeout while connected stays a timeout although a RST came at last."""
    flow, back = (Protocol.TCP, CLIENT, 4000, VIP, 80), (Protocol.TCP, VIP, 80, CLIENT, 4000)
    packets = [
        Packet(at=1.0, outgoing=True, source_mac=Mac(A), target_mac=Mac(B), flow=flow, flags="S"),
        Packet(at=1.1, outgoing=False, source_mac=Mac(N1), target_mac=Mac(A), flow=back, flags="SA"),
        Packet(at=2.5, outgoing=False, source_mac=Mac(N2), target_mac=Mac(A), flow=back, flags="R"),
    ]

    (seen,) = annotate([exchange(packets, 4000, Outcome.TIMEOUT)], packets, [])

    assert (seen.outcome, seen.reply_mac) == (Outcome.TIMEOUT, N1)


def test_too_big_is_no_refusal() -> None:
    """A "fragmentation needed" is kept, but the flow was not refused."""
    flow = (Protocol.UDP, CLIENT, 4000, VIP, 80)
    sent = Packet(at=1.0, outgoing=True, source_mac=Mac(A), target_mac=Mac(B), flow=flow)
    message = IcmpMessage(at=1.1, source_mac=Mac(B), sender=Ip("10.99.0.1"), kind=(3, 4), flow=flow)
    asked = Exchange(
        at=1.0,
        protocol=Protocol.UDP,
        vip=VIP,
        port=80,
        outcome=Outcome.TIMEOUT,
        payload_bytes=1400,
        source=CLIENT,
        source_port=4000,
    )

    (seen,) = annotate([asked], [sent], [message])

    assert (seen.outcome, seen.icmp) == (Outcome.TIMEOUT, (3, 4))


def test_refusals_are_listed_by_address() -> None:
    """Resets and ICMP errors about the wanted addresses, with who sent them."""
    resets = refusals(*captures.traffic("wire-wrong-target-port"), [VIP])
    rejects = refusals(*captures.traffic("wire-local-no-endpoints-rc-n1"), [VIP])

    assert {(each.mac, each.icmp, each.port) for each in resets} == {(N2, None, 80)}
    assert {(each.mac, each.icmp, each.port) for each in rejects} == {(N1, (3, 3), 80)}
    assert isinstance(resets[0], Refusal)
    assert refusals(*captures.traffic("wire-wrong-target-port"), [CLIENT]) == ()


@pytest.mark.parametrize("cut", [28, 60], ids=["eight bytes of TCP", "all of it"])
def test_the_flow_that_an_icmp_error_quotes(cut: int) -> None:
    """Even when a router quotes only eight bytes beyond the IP header (RFC 792)."""
    quoted = bytes(IP(src=CLIENT, dst=VIP) / TCP(sport=4000, dport=80))[:cut]
    message = heard(Ether(src=A, dst=B) / IP(src="10.99.0.1", dst=CLIENT) / ICMP(type=3, code=13) / quoted)

    assert message.flow == (Protocol.TCP, CLIENT, 4000, VIP, 80)
    assert (message.kind, message.sender, message.source_mac) == ((3, 13), "10.99.0.1", A)


@pytest.mark.parametrize("error", [ICMPv6DestUnreach(code=4), ICMPv6PacketTooBig(mtu=1280)])
def test_icmpv6_errors(error: Layers) -> None:
    """Unreachable and packet too big, with the quoted UDP flow."""
    quoted = bytes(IPv6(src="2001:db8::100", dst="2001:db8::40") / UDP(sport=4000, dport=80))
    message = heard(Ether(src=A, dst=B) / IPv6(src="2001:db8::1", dst="2001:db8::100") / error / quoted)

    assert message.flow == (Protocol.UDP, "2001:db8::100", 4000, "2001:db8::40", 80)
    assert message.kind == (int(error.type), int(error.code))


def test_an_ip_option_does_not_hide_the_ports() -> None:
    """DSR by option: the header is longer, the flow the same."""
    options = b"\x9a\x08" + bytes(6)
    packet = heard(
        Ether(src=A, dst=B) / IP(src=VIP, dst=CLIENT, options=options) / TCP(sport=80, dport=4000, flags="SA")
    )

    assert (packet.flow, packet.flags) == ((Protocol.TCP, VIP, 80, CLIENT, 4000), "SA")


@pytest.mark.parametrize(("name", "kept"), [("arp-resolve", 2), ("announce-first", 10), ("wire-wrong-target-port", 6)])
def test_frames_that_concern_an_address(name: str, kept: int) -> None:
    """Questions for it, answers about it, flows to it and from it; not the node's question for the client."""
    assert sum(concerns(frame, {VIP}) for frame in captures.frames(name)) == kept


def test_a_fragment_concerns_its_addresses() -> None:
    """A later fragment has no ports and tells nothing, but belongs into the capture."""
    fragment = Ether(src=A, dst=B) / IP(src=VIP, dst=CLIENT, frag=185, proto=17) / (b"x" * 100)

    assert concerns(Frame(at=0.0, outgoing=False, data=bytes(fragment)), {VIP})


RECORDED = [frame for name in ("arp-resolve", "wire-local-no-endpoints-rc-n1") for frame in captures.frames(name)][:20]
NOT_DISSECTED = (Question, Told, Packet, IcmpMessage, type(None))


@settings(deadline=None)
@given(st.builds(Frame, at=st.just(0.0), outgoing=st.booleans(), data=st.binary(max_size=200)))
def test_no_bytes_break_the_dissection(frame: Frame) -> None:
    """Any bytes: a frame that tells something, or nothing, never an error."""
    assert isinstance(dissect(frame), NOT_DISSECTED)
    assert concerns(frame, {VIP}) in {True, False}


@settings(deadline=None)
@given(st.sampled_from(RECORDED), st.integers(0, 120), st.integers(0, 120), st.binary(min_size=1, max_size=4))
def test_no_damage_breaks_the_dissection(frame: Frame, cut: int, at: int, damage: bytes) -> None:
    """Recorded frames of both directions, cut short and overwritten somewhere."""
    data = bytearray(frame.data[: max(0, len(frame.data) - cut)])
    data[at : at + len(damage)] = damage
    told = dissect(Frame(at=0.0, outgoing=frame.outgoing, data=bytes(data)))

    assert isinstance(told, NOT_DISSECTED)
    if isinstance(told, Told):
        assert str(ipaddress.ip_address(told.ip)) == told.ip
        assert len(told.mac.split(":")) == 6


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_no_bytes_break_the_quotation(data: bytes) -> None:
    """Any quoted bytes give a flow or none."""
    flow = quoted_flow(data)

    assert flow is None or (0 <= flow[2] < 65536 and flow[0] in set(Protocol))


def test_replies_are_of_the_model() -> None:
    """What the wire tells is what the judge reads."""
    assert all(isinstance(reply, NeighbourReply) for reply in replies(captures.told("announce-first"), [VIP]))
