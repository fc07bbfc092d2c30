"""A segment of two hosts for tests of the wire: run as a program in fresh user and network namespaces, prints JSON.

Host "near" has 198.51.100.100 and 2001:db8:1::100 on `near0` and is where the tool stands. Host "far" is played by its
kernel (198.51.100.11, 198.51.100.40 and their IPv6 likes, with the echo server on port 80) and by a program that
answers on a raw socket as Cilium's responder does: see PLAYED. It is started as `python segment.py SCENE`.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import importlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from pyroute2 import IPRoute
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether

Json: TypeAlias = Any
"""What json reads and writes."""
ROOT = Path(__file__).parents[2]
CLONE_NEWNET = 0x40000000
SECRET = bytes(range(16))
NEAR_MAC, FAR_MAC = "02:00:00:00:00:64", "02:00:00:00:00:01"
OTHER_MAC = "02:00:00:00:00:02"
BROADCAST = "ff:ff:ff:ff:ff:ff"
NEAR_V4, NEAR_V6 = "198.51.100.100", "2001:db8:1::100"
NODE, NODE_V6 = "198.51.100.11", "2001:db8:1::11"
SERVED, SERVED_V6 = "198.51.100.40", "2001:db8:1::40"
TWO_OWNERS, TWO_OWNERS_V6 = "198.51.100.41", "2001:db8:1::41"
REFUSED_BY_ICMP = "198.51.100.42"
SILENT = "198.51.100.43"
NOBODY = "198.51.100.44"
ANNOUNCED = "198.51.100.45"
PLAYED = {TWO_OWNERS: (FAR_MAC, OTHER_MAC), REFUSED_BY_ICMP: (OTHER_MAC,), SILENT: (FAR_MAC,)}
PLAYED_V6 = {TWO_OWNERS_V6: (FAR_MAC, OTHER_MAC)}


def isolate_network() -> None:
    """Enter a new network namespace."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")


def configure(name: str, mac: str, addresses: tuple[tuple[str, int], ...]) -> None:
    """Bring up the loopback and one interface with addresses (usable at once: no duplicate address detection)."""
    Path(f"/proc/sys/net/ipv6/conf/{name}/accept_dad").write_text("0")
    with IPRoute() as route:
        route.link("set", index=1, state="up")
        index = route.link_lookup(ifname=name)[0]
        route.link("set", index=index, address=mac, state="up")
        for address, length in addresses:
            route.addr("add", index=index, address=address, prefixlen=length)


def far_host(ready: int, go: int) -> None:
    """Play the other host until killed."""
    isolate_network()
    os.write(ready, b"1")
    os.read(go, 1)
    configure("far0", FAR_MAC, ((NODE, 24), (NODE_V6, 64), (SERVED, 32), (SERVED_V6, 128)))
    echo = {"L2PROBE_SECRET": SECRET.hex(), "POD_NAME": "echo-1", "NODE_NAME": "node-1"}
    ports = {"L2PROBE_TCP_PORT": "80", "L2PROBE_UDP_PORT": "80"}
    server = [sys.executable, str(ROOT / "l2probe" / "workload" / "echo.py")]
    with subprocess.Popen(server, env={**os.environ, **echo, **ports}):
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        raw.bind(("far0", 3))
        wait_for_port(80)
        os.write(ready, b"1")
        while True:
            data, address = raw.recvfrom(65535)
            if address[2] != socket.PACKET_OUTGOING:
                for frame in played(data):
                    raw.send(frame)


def wait_for_port(port: int) -> None:
    """Return when something listens."""
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        threading.Event().wait(0.01)


def played(data: bytes) -> Iterator[bytes]:
    """Yield the frames that the played addresses answer with."""
    frame = Ether(data)
    if ARP in frame and frame[ARP].op == 1:
        for mac in PLAYED.get(frame[ARP].pdst, ()):
            arp = ARP(op=2, hwsrc=mac, psrc=frame[ARP].pdst, hwdst=frame.src, pdst=frame[ARP].psrc)
            yield bytes(Ether(src=mac, dst=frame.src) / arp)
    if ICMPv6ND_NS in frame:
        target = frame[ICMPv6ND_NS].tgt
        for mac in PLAYED_V6.get(target, ()):
            answer = IPv6(src=target, dst=frame[IPv6].src, hlim=255) / ICMPv6ND_NA(tgt=target, R=0, S=1, O=1)
            yield bytes(Ether(src=mac, dst=frame.src) / answer / ICMPv6NDOptDstLLAddr(lladdr=mac))
    if UDP in frame and frame[UDP].dport == 7:
        for op in (1, 2):
            arp = ARP(op=op, hwsrc=OTHER_MAC, psrc=ANNOUNCED, hwdst=BROADCAST, pdst=ANNOUNCED)
            yield bytes(Ether(src=OTHER_MAC, dst=BROADCAST) / arp)
    if TCP in frame and IP in frame and frame[IP].dst == REFUSED_BY_ICMP:
        quoted = data[14 : 14 + 28]
        reject = IP(src=REFUSED_BY_ICMP, dst=frame[IP].src) / ICMP(type=3, code=3) / quoted
        yield bytes(Ether(src=OTHER_MAC, dst=frame.src) / reject)


def drop_raw_capability() -> None:
    """Give up CAP_NET_RAW (capset(2), version 3 of its structures)."""
    net_raw = 13
    libc = ctypes.CDLL(None, use_errno=True)
    header = struct.pack("=Ii", 0x20080522, 0)
    data = ctypes.create_string_buffer(24)
    libc.capget(header, data)
    words = list(struct.unpack("=6I", data.raw))
    words[0] &= ~(1 << net_raw)
    if libc.capset(header, struct.pack("=6I", *words)):
        raise OSError(ctypes.get_errno(), "capset")
    importlib.import_module("l2probe.observe.capture").permitted.cache_clear()  # no program of ours does this to itself


def set_state(name: str, state: str) -> None:
    """Set an interface up or down."""
    with IPRoute() as route:
        route.link("set", index=route.link_lookup(ifname=name)[0], state=state)


def wait_for_carrier(name: str) -> None:
    """Return when the interface can carry frames."""
    while Path(f"/sys/class/net/{name}/operstate").exists() and not is_up(name):
        threading.Event().wait(0.01)


def is_up(name: str) -> bool:
    """Tell whether the kernel says that the interface is up."""
    with IPRoute() as route:
        return bool(route.get_links(ifname=name)[0].get_attr("IFLA_OPERSTATE") == "UP")


def remove_addresses(name: str) -> None:
    """Take all IPv4 addresses away."""
    with IPRoute() as route:
        route.flush_addr(index=route.link_lookup(ifname=name)[0], family=socket.AF_INET)


def add_gateway(address: str) -> None:
    """Route everything else through a neighbour."""
    with IPRoute() as route:
        route.route("add", dst="0.0.0.0/0", gateway=address)


def knock_to_announce() -> None:
    """Make the far host announce: a datagram to its port 7 (see `played`)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"now", (NODE, 7))


def build() -> int:
    """Return the pid of the far host, connected and ready."""
    ready, ready_far = os.pipe()
    go_far, go = os.pipe()
    pid = os.fork()
    if pid == 0:
        far_host(ready_far, go_far)
    os.read(ready, 1)
    with IPRoute() as route:
        route.link("add", ifname="near0", kind="veth", peer={"ifname": "far0", "net_ns_fd": f"/proc/{pid}/ns/net"})
    configure("near0", NEAR_MAC, ((NEAR_V4, 24), (NEAR_V6, 64)))
    os.write(go, b"1")
    os.read(ready, 1)
    return pid


def plain(values: Iterable[Any]) -> Json:
    """Return observations as JSON values."""
    return [dataclasses.asdict(item) for item in values]


def main(scene: str) -> None:
    """Build the segment, play one scene of `scenes.py`, and print what it returns."""
    sys.path[:0] = [str(ROOT)]
    pid = build()
    try:
        play = getattr(importlib.import_module("tests.observe.scenes"), scene)
        print(json.dumps(play()))
    finally:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1])
