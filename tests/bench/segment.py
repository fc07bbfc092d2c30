"""Two hosts on one segment, of which one has thousands of addresses: where sweeps are timed.

`python -m tests.bench.segment ANSWERING SILENT` runs in fresh user and network namespaces, asks for so many addresses
with arp-scan and with our sweep, in turn, and prints the seconds of each as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from itertools import islice

from pyroute2 import IPRoute

from l2probe.model import Ip
from l2probe.observe.sweep import sweep
from tests.observe.segment import is_up, isolate_network

ROUNDS = 7
NEAR, FAR = "10.200.255.254", "10.200.255.253"
LINGER = 0.25
ARP_SCAN = ("arp-scan", "-B100M", "-I", "near0", "-q", "-x", "-f", "-")


def configure(name: str, address: str) -> None:
    """Bring up an interface of the segment."""
    with IPRoute() as route:
        index = route.link_lookup(ifname=name)[0]
        route.link("set", index=1, state="up")
        route.link("set", index=index, state="up")
        route.addr("add", index=index, address=address, prefixlen=16)


def far_host(ready: int, go: int, answering: int) -> None:
    """Have the addresses: a local route each, so that the kernel answers for all of them."""
    isolate_network()
    os.write(ready, b"1")
    os.read(go, 1)
    configure("far0", FAR)
    with IPRoute() as route:
        lo = route.link_lookup(ifname="lo")[0]
        for address in answered(answering):
            route.route("add", dst=f"{address}/32", oif=lo, type="local", scope="host", table=255)
    os.write(ready, b"1")
    signal.pause()


def numbered(first: int) -> str:
    """Return an address of the segment by its number."""
    return f"10.200.{first // 250}.{first % 250 + 1}"


def answered(number: int) -> list[str]:
    """Return the addresses that the far host has."""
    return [numbered(each) for each in range(number)]


def silent(number: int) -> list[str]:
    """Return addresses that nobody has."""
    return list(islice((numbered(each) for each in range(40_000, 50_000)), number))


def build(answering: int) -> int:
    """Return the pid of the far host, connected and ready."""
    ready, ready_far = os.pipe()
    go_far, go = os.pipe()
    pid = os.fork()
    if pid == 0:
        far_host(ready_far, go_far, answering)
    os.read(ready, 1)
    with IPRoute() as route:
        route.link("add", ifname="near0", kind="veth", peer={"ifname": "far0", "net_ns_fd": f"/proc/{pid}/ns/net"})
    configure("near0", NEAR)
    os.write(go, b"1")
    os.read(ready, 1)
    while not is_up("near0"):
        time.sleep(0.01)
    return pid


def peer(addresses: list[str], expected: int) -> float:
    """Return the seconds of arp-scan."""
    began = time.perf_counter()
    done = subprocess.run(ARP_SCAN, input="\n".join(addresses), capture_output=True, text=True, check=True)
    took = time.perf_counter() - began
    assert len(set(done.stdout.split("\n")) - {""}) >= expected, done.stderr
    return took


def ours(addresses: list[str], expected: int) -> float:
    """Return the seconds of our sweep, socket and all."""
    began = time.perf_counter()
    found = sweep("near0", tuple(map(Ip, addresses)), linger=LINGER)
    took = time.perf_counter() - began
    assert len({reply.ip for reply in found}) == expected, len(found)
    return took


def main(answering: int, silence: int) -> None:
    """Time both in turn and print what they took."""
    addresses = [*answered(answering), *silent(silence)]
    pid = build(answering)
    try:
        pairs = [(ours(addresses, answering), peer(addresses, answering)) for _ in range(ROUNDS)]
    finally:
        os.kill(pid, signal.SIGKILL)
    print(json.dumps({"sweep": [one for one, _ in pairs], "arp_scan": [other for _, other in pairs]}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
