"""The wire on a real segment of two network namespaces; skipped where the kernel allows none."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from scapy.layers.inet import IP
from scapy.layers.l2 import ARP
from scapy.utils import rdpcap

from tests.observe import segment
from tests.observe.segment import Json

pytestmark = pytest.mark.lab
UNSHARE = ("unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")


def play(scene: str) -> Json:
    """Return what a scene returns that was played in namespaces of its own."""
    if subprocess.run((*UNSHARE, "true"), capture_output=True, check=False).returncode:
        pytest.skip("this kernel gives us no user namespaces")
    command = (*UNSHARE, sys.executable, str(Path(segment.__file__)), scene)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_owner_of_every_address_is_heard_in_every_round() -> None:
    """Broadcast ARP and multicast NDP: kernel and responder answer, two owners both, nobody for nobody."""
    found = play("ask")

    counted = Counter((each["ip"], each["mac"]) for each in found)
    both = {
        (ip, mac): 2
        for ip in segment.PLAYED_V6 | {segment.TWO_OWNERS: ()}
        for mac in segment.PLAYED[segment.TWO_OWNERS]
    }
    alone = {(getattr(segment, name), segment.FAR_MAC): 2 for name in ("NODE", "NODE_V6", "SERVED", "SERVED_V6")}
    assert counted == both | alone
    assert {(each["solicited"], each["asked"], each["op"]) for each in found} == {
        (True, "broadcast", "reply"),
        (True, "multicast", "advertisement"),
    }


def test_asking_ends_when_all_were_told_of() -> None:
    """With stop_early nobody waits for rounds that cannot tell more."""
    seen = play("ask_until_told")

    assert [each["mac"] for each in seen["replies"]] == [segment.FAR_MAC]
    assert seen["seconds"] < 0.9


def test_exchanges_and_their_frames() -> None:
    """Sockets and frames agree about every kind of end; frames add the MACs; the capture holds what it should."""
    seen = play("exchanges")

    rows = [
        (
            each["protocol"],
            each["vip"],
            each["port"],
            each["outcome"],
            each["icmp"],
            each["sent_mac"],
            each["reply_mac"],
        )
        for each in seen["annotated"]
    ]
    far, other = segment.FAR_MAC, segment.OTHER_MAC
    assert rows == [
        ("TCP", segment.SERVED, 80, "answered", None, far, far),
        ("UDP", segment.NODE, 80, "answered", None, far, far),
        ("TCP", segment.SERVED_V6, 80, "answered", None, far, far),
        ("UDP", segment.SERVED_V6, 80, "answered", None, far, far),
        ("TCP", segment.SERVED, 81, "refused-rst", None, far, far),
        ("UDP", segment.SERVED, 81, "refused-icmp", [3, 3], far, far),
        ("UDP", segment.SERVED_V6, 81, "refused-icmp", [1, 4], far, far),
        ("TCP", segment.REFUSED_BY_ICMP, 80, "refused-icmp", [3, 3], other, other),
        ("TCP", segment.SILENT, 80, "timeout", None, far, None),
        ("UDP", segment.SILENT, 80, "timeout", None, far, None),
        ("TCP", segment.NOBODY, 80, "no-neighbour", None, None, None),
        ("UDP", segment.SERVED, 80, "timeout", None, None, None),
    ]
    assert [each["outcome"] for each in seen["sockets"]] == [row[3] for row in rows]
    assert {each["seen"] for each in seen["annotated"] if each["seen"]} == {segment.NEAR_V4, segment.NEAR_V6}
    assert [(each["vip"], each["icmp"]) for each in seen["refusals"]] == [
        (segment.SERVED, None),
        (segment.SERVED, [3, 3]),
        (segment.SERVED_V6, [1, 4]),
        (segment.REFUSED_BY_ICMP, [3, 3]),
    ]


def test_the_capture_opens_elsewhere(tmp_path: Path) -> None:
    """It holds the frames of the wanted address alone, in their order, whole and readable; nothing else is left."""
    seen = play("exchanges")
    path = tmp_path / "x.pcap"
    path.write_bytes(bytes.fromhex(seen["pcap"]))

    packets = rdpcap(str(path))

    assert len(packets) == seen["saved"] > 10
    assert [float(packet.time) for packet in packets] == sorted(float(packet.time) for packet in packets)
    about = [{packet.payload.src, packet.payload.dst} for packet in packets if IP in packet]
    about += [{packet.payload.psrc, packet.payload.pdst} for packet in packets if ARP in packet]
    assert len(about) == len(packets)
    assert all(segment.SERVED in each for each in about)
    assert seen["left"] == ["kept.pcap"]
    assert path.read_bytes()[20:24] == b"\x01\x00\x00\x00"


def test_a_capture_that_cannot_be_written_is_an_error() -> None:
    """It says where and why, and leaves nothing."""
    seen = play("save_nowhere")

    assert seen["left"] == []
    assert "absent/x.pcap could not be written: No such file or directory" in seen["says"]


def test_what_cannot_be_opened_says_why() -> None:
    """No such interface, not Ethernet, not permitted."""
    absent, loopback, forbidden = play("refused_to_open")

    assert absent.startswith("The interface none0 does not exist.")
    assert loopback.startswith("The interface lo is not Ethernet.")
    assert forbidden.startswith("A raw socket on near0 was not permitted. It needs CAP_NET_RAW")


def test_unasked_announcements_are_heard() -> None:
    """Gratuitous ARP as request and as reply, unsolicited."""
    seen = play("announced")

    assert seen["before"] == []
    assert [(each["op"], each["mac"], each["solicited"]) for each in seen["after"]] == [
        ("request", segment.OTHER_MAC, False),
        ("reply", segment.OTHER_MAC, False),
    ]


def test_an_interface_that_goes_down_and_comes_back() -> None:
    """Asking while it is down is an error; listening survives it."""
    seen = play("interface_down")

    assert seen["down"].startswith("A frame could not be sent on near0: Network is down")
    assert {each["mac"] for each in seen["up"]} == {segment.FAR_MAC}


def test_without_an_address_we_probe() -> None:
    """Without an IPv4 address of our own the question claims none, and is answered all the same."""
    found = play("without_addresses")

    assert {(each["ip"], each["mac"]) for each in found} == {
        (segment.NODE, segment.FAR_MAC),
        (segment.TWO_OWNERS, segment.FAR_MAC),
        (segment.TWO_OWNERS, segment.OTHER_MAC),
    }


def test_where_we_stand() -> None:
    """On the segment, behind a gateway, on a node, without privileges: from routes and addresses alone."""
    seen = play("stands")

    assert seen["vips"] == {
        "interface": "near0",
        "mac": segment.NEAR_MAC,
        "addresses": (found := seen["vips"]["addresses"]),
        "on_link": True,
        "gateway": None,
        "raw_socket": True,
        "cluster_node": None,
        "subnets": ["198.51.100.0/24", "2001:db8:1::/64"],
        "routers": [],
    }
    assert found == [segment.NEAR_V4, segment.NEAR_V6]
    assert (seen["nodes"]["interface"], seen["nodes"]["on_link"]) == ("near0", True)
    assert (seen["nowhere"]["interface"], seen["nowhere"]["on_link"]) == (None, None)
    assert (seen["forced"]["interface"], seen["forced"]["on_link"]) == ("near0", None)
    assert seen["on a node"]["cluster_node"] == "here"
    assert (seen["routed"]["on_link"], seen["routed"]["gateway"]) == (False, segment.NODE)
    assert seen["routed"]["routers"] == [segment.NODE]
    assert seen["mixed"]["on_link"] is False
    assert (seen["unprivileged"]["raw_socket"], seen["unprivileged"]["interface"]) == (False, "near0")
    absent, deaf = seen["wrong"]
    assert absent.startswith("The interface none0 does not exist. There are: lo, near0")
    assert deaf.startswith("The interface lo has no neighbours that ARP or NDP find")
    assert deaf.endswith("or name an Ethernet interface: near0.")
