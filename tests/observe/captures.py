"""Recorded captures as frames: direction told by the client's MAC, as the kernel would tell it."""

from __future__ import annotations

from scapy.utils import RawPcapReader

from l2probe.observe.capture import Frame
from l2probe.observe.frames import IcmpMessage, Packet, Question, Told
from l2probe.observe.wire import dissect
from tests.observe.scripted import FIXTURES

CLIENT = bytes.fromhex("029900000100")


def frames(name: str, own: bytes = CLIENT) -> list[Frame]:
    """Return the frames of a capture file in metallb/; those that `own` sent are outgoing."""
    with RawPcapReader(str(FIXTURES / "metallb" / f"{name}.pcap")) as reader:
        return [
            Frame(at=meta.sec + meta.usec / 1e6, outgoing=data[6:12] == own, data=bytes(data)) for data, meta in reader
        ]


def told(name: str) -> list[Question | Told]:
    """Return what a capture tells about who has which address."""
    heard = (dissect(frame) for frame in frames(name))
    return [item for item in heard if isinstance(item, Question | Told)]


def traffic(name: str) -> tuple[list[Packet], list[IcmpMessage]]:
    """Return packets and ICMP errors of a capture."""
    heard = [dissect(frame) for frame in frames(name)]
    return [item for item in heard if isinstance(item, Packet)], [i for i in heard if isinstance(i, IcmpMessage)]
