"""What the tests do on the segment; each function runs inside it and returns JSON values."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from l2probe.errors import WireError
from l2probe.model import Ip, Mac, Node, NodeName, Protocol
from l2probe.observe.sweep import ask_alone, sweep
from l2probe.observe.traffic import Request, Traffic
from l2probe.observe.vantage import vantage
from l2probe.observe.voices import Script
from l2probe.observe.wire import open_wire
from tests.observe import segment
from tests.observe.segment import SECRET, Json, plain


def ask() -> Json:
    """Ask for every kind of address."""
    names = ("NODE", "NODE_V6", "SERVED", "SERVED_V6", "TWO_OWNERS", "TWO_OWNERS_V6", "NOBODY")
    with open_wire("near0") as wire:
        return plain(wire.ask([Ip(getattr(segment, name)) for name in names], times=2, gap=0.1, linger=0.2))


def ask_until_told() -> Json:
    """Ask with stop_early, and say how long it took against asking to the end."""
    with open_wire("near0") as wire:
        began = time.monotonic()
        found = wire.ask([Ip(segment.NODE)], times=50, gap=1.0, stop_early=True)
        return {"replies": plain(found), "seconds": time.monotonic() - began}


def sweeps() -> Json:
    """Sweep for addresses that all answer, then with one beside them that nobody has; say what each took."""
    names = ("NODE", "NODE_V6", "SERVED", "SERVED_V6", "TWO_OWNERS", "TWO_OWNERS_V6")
    addresses = tuple(Ip(getattr(segment, name)) for name in names)
    linger = 3.0
    both = sweep("near0", addresses, linger=0.3, whole=True)
    began = time.monotonic()
    sweep("near0", addresses, linger=linger)
    told = time.monotonic()
    found = sweep("near0", (*addresses, Ip(segment.NOBODY)), linger=linger)
    return {
        "replies": plain((*both, *found)),
        "linger": linger,
        "all_told_seconds": told - began,
        "one_silent_seconds": time.monotonic() - told,
    }


def alone() -> Json:
    """Ask one machine for what it has and for what nobody has, as often as an audit may; say what that took."""
    wanted = [Ip(getattr(segment, name)) for name in ("SERVED", "SERVED_V6", "TWO_OWNERS", "NOBODY")]
    found = ask_alone("near0", [(address, Mac(segment.FAR_MAC)) for address in wanted], linger=0.3)
    began = time.monotonic()
    ask_alone("near0", [(Ip(segment.NOBODY), Mac(segment.OTHER_MAC))] * 32_768, linger=0.0)
    return {"replies": plain(found), "seconds": time.monotonic() - began}


def exchanges() -> Json:
    """Exchange with each kind of VIP, listening; return what was seen and what tcpdump can read of it."""
    wanted = (
        (Protocol.TCP, segment.SERVED, 80, 600),
        (Protocol.UDP, segment.NODE, 80, 1300),
        (Protocol.TCP, segment.SERVED_V6, 80, 4000),
        (Protocol.UDP, segment.SERVED_V6, 80, 600),
        (Protocol.TCP, segment.SERVED, 81, 600),
        (Protocol.UDP, segment.SERVED, 81, 600),
        (Protocol.UDP, segment.SERVED_V6, 81, 600),
        (Protocol.TCP, segment.REFUSED_BY_ICMP, 80, 600),
        (Protocol.TCP, segment.SILENT, 80, 600),
        (Protocol.UDP, segment.SILENT, 80, 600),
        (Protocol.TCP, segment.NOBODY, 80, 600),
        (Protocol.UDP, segment.SERVED, 80, 1600),
    )
    requests = [
        Request(protocol=protocol, vip=Ip(vip), port=port, payload_bytes=size, timeout=0.5)
        for protocol, vip, port, size in wanted
    ]
    addresses = [Ip(vip) for _, vip, _, _ in wanted]
    with open_wire("near0") as wire, tempfile.TemporaryDirectory() as directory:
        wire.watch(addresses)
        plain_exchanges = Traffic(Script(secret=SECRET)).exchange(requests)
        annotated = wire.annotate(plain_exchanges)
        path = Path(directory) / "kept.pcap"
        count = wire.save(path, [Ip(segment.SERVED)])
        return {
            "sockets": plain(plain_exchanges),
            "annotated": plain(annotated),
            "refusals": plain(wire.refusals(addresses)),
            "saved": count,
            "pcap": path.read_bytes().hex(),
            "left": sorted(each.name for each in Path(directory).iterdir()),
        }


def save_nowhere() -> Json:
    """Save where nothing can be written; nothing is left behind."""
    with open_wire("near0") as wire, tempfile.TemporaryDirectory() as directory:
        wire.ask([Ip(segment.NODE)], times=1, linger=0.1)
        says = error_of(lambda: wire.save(Path(directory) / "absent" / "x.pcap", [Ip(segment.NODE)]))
        return {"says": says, "left": [each.name for each in Path(directory).iterdir()]}


def refused_to_open() -> Json:
    """Open what cannot be opened: a name that is none, the loopback, and, without CAP_NET_RAW, the real one."""
    says = [error_of(lambda name=name: open_wire(name)) for name in ("none0", "lo")]  # type: ignore[misc]
    segment.drop_raw_capability()
    return [*says, error_of(lambda: open_wire("near0"))]


def error_of(action: Callable[[], object]) -> str:
    """Return the message of the WireError that an action raises."""
    try:
        action()
    except WireError as error:
        return str(error)
    return "no error"


def announced() -> Json:
    """Hear what the far host announces unasked, and keep frames of both directions in their order."""
    with open_wire("near0") as wire:
        before = plain(wire.neighbours([Ip(segment.ANNOUNCED)]))
        segment.knock_to_announce()
        wire.ask([Ip(segment.NODE)], times=1, linger=0.3)
        return {"before": before, "after": plain(wire.neighbours([Ip(segment.ANNOUNCED)]))}


def interface_down() -> Json:
    """Ask while the interface is down, then when it is up again."""
    with open_wire("near0") as wire:
        segment.set_state("near0", "down")
        down = error_of(lambda: wire.ask([Ip(segment.NODE)], times=1))
        segment.set_state("near0", "up")
        segment.wait_for_carrier("near0")
        return {"down": down, "up": plain(wire.ask([Ip(segment.NODE)], times=20, gap=0.1, stop_early=True))}


def without_addresses() -> Json:
    """Ask with no address of our own: probes, which claim nothing."""
    segment.remove_addresses("near0")
    with open_wire("near0") as wire:
        return plain(wire.ask([Ip(segment.NODE), Ip(segment.TWO_OWNERS)], times=1, linger=0.3))


def stands() -> Json:
    """Where we stand: towards VIPs of both families, nodes, a foreign network, and as a node ourselves."""
    node = Node(name=NodeName("node-1"), addresses=(Ip(segment.NODE), Ip(segment.NODE_V6)), ready=True)
    here = Node(name=NodeName("here"), addresses=(Ip(segment.NEAR_V4),), ready=True)
    far = Ip("203.0.113.7")
    seen = {
        "vips": vantage([Ip(segment.SERVED), Ip(segment.SERVED_V6)], [node]),
        "nodes": vantage([], [node]),
        "nowhere": vantage([far], [node]),
        "forced": vantage([far], [node], interface="near0"),
        "on a node": vantage([Ip(segment.SERVED)], [node, here]),
    }
    segment.add_gateway(segment.NODE)
    seen["routed"] = vantage([far], [node])
    seen["mixed"] = vantage([Ip(segment.SERVED), far], [node])
    segment.drop_raw_capability()
    seen["unprivileged"] = vantage([Ip(segment.SERVED)], [node])
    wrong = [error_of(lambda name=name: vantage([], [node], interface=name)) for name in ("none0", "lo")]  # type: ignore[misc]
    return {**{name: dataclasses.asdict(each) for name, each in seen.items()}, "wrong": wrong}
