"""What the tests do on the segment; each function runs inside it and returns JSON values."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from l2probe.model import Ip, Protocol
from l2probe.observe.traffic import Request, Traffic
from l2probe.observe.wire import open_wire
from tests.observe import segment
from tests.observe.segment import SECRET, plain


def ask() -> Any:
    """Ask for every kind of address."""
    names = ("NODE", "NODE_V6", "SERVED", "SERVED_V6", "TWO_OWNERS", "TWO_OWNERS_V6", "NOBODY")
    with open_wire("near0") as wire:
        return plain(wire.ask([Ip(getattr(segment, name)) for name in names], times=2, gap=0.1, linger=0.2))


def ask_until_told() -> Any:
    """Ask with stop_early, and say how long it took against asking to the end."""
    with open_wire("near0") as wire:
        began = time.monotonic()
        found = wire.ask([Ip(segment.NODE)], times=50, gap=1.0, stop_early=True)
        return {"replies": plain(found), "seconds": time.monotonic() - began}


def exchanges() -> Any:
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
        plain_exchanges = Traffic(SECRET).exchange(requests)
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
