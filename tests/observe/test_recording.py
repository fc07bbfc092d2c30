"""What is kept of the wire: within bounds, evidence before bulk, and nobody who waits burns the processor."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether

from l2probe.errors import WireError
from l2probe.observe import recording
from l2probe.observe.capture import Frame
from l2probe.observe.frames import Packet
from l2probe.observe.recording import Recording, Store, is_bulk, is_neighbour
from l2probe.observe.wire import dissect
from tests.observe import captures

HEAD = Ether(src="02:00:00:00:00:0a", dst="02:00:00:00:00:0b")


class Arriving:
    """Stands for the raw socket: frames that have arrived, once, or an error."""

    def __init__(self, *frames: Frame, error: WireError | None = None) -> None:
        self._frames = list(frames)
        self._error = error
        self._reader, self._writer = os.pipe()

    def fileno(self) -> int:
        """Return a descriptor that never becomes readable."""
        return self._reader

    def frames(self) -> Iterator[Frame]:
        """Yield what has arrived."""
        if self._error is not None:
            raise self._error
        arrived, self._frames = self._frames, []
        yield from arrived

    def close(self) -> None:
        """Close the descriptors."""
        os.close(self._reader)
        os.close(self._writer)


@pytest.fixture
def arriving() -> Iterator[list[Arriving]]:
    """Return a list whose members are closed after the test."""
    made: list[Arriving] = []
    yield made
    for each in made:
        each.close()


def frame(layers: Ether, at: float = 1.0) -> Frame:
    """Return a frame that came in."""
    return Frame(at=at, outgoing=False, data=bytes(layers))


def test_the_newest_frames_are_kept_within_both_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go first, by number and by bytes."""
    monkeypatch.setattr(recording, "MAX_FRAMES", 5)
    monkeypatch.setattr(recording, "MAX_BYTES", 1000)
    many, large = Store(), Store()
    for number in range(20):
        many.add(Frame(at=float(number), outgoing=False, data=b"x"))
        large.add(Frame(at=float(number), outgoing=False, data=b"x" * 400))

    assert [each.at for each in many.frames] == [15.0, 16.0, 17.0, 18.0, 19.0]
    assert [each.at for each in large.frames] == [18.0, 19.0]


def test_bulk_does_not_push_out_evidence(monkeypatch: pytest.MonkeyPatch, arriving: list[Arriving]) -> None:
    """A long download leaves the SYN-ACK where it was."""
    monkeypatch.setattr(recording, "MAX_FRAMES", 10)
    synack = frame(HEAD / IP(src="198.51.100.40", dst="198.51.100.100") / TCP(flags="SA"), 0.0)
    bulk = [frame(HEAD / IP(src="198.51.100.40", dst="198.51.100.100") / TCP(flags="A"), float(n)) for n in range(99)]
    arriving.append(Arriving(synack, *bulk))
    kept = Recording(arriving[0], dissect)

    (packet,) = kept.traffic()

    assert isinstance(packet, Packet)
    assert packet.flags == "SA"
    assert len(kept.frames()) == 11


def test_nothing_inside_a_connection_is_bulk_but_its_segments() -> None:
    """SYN, RST, datagrams, ARP and short frames are not."""
    ip = IP(src="198.51.100.40", dst="198.51.100.100")
    assert [is_bulk(bytes(HEAD / ip / TCP(flags=flags))) for flags in ("A", "PA", "FA", "S", "SA", "R", "RA")] == [
        True,
        True,
        True,
        False,
        False,
        False,
        False,
    ]
    with_options = IP(src="198.51.100.40", dst="198.51.100.100", options=b"\x01" * 8)
    assert is_bulk(bytes(HEAD / with_options / TCP(flags="A")))
    assert not any(is_bulk(data) for data in (bytes(HEAD / ip / UDP()), bytes(HEAD / ARP()), b"", b"\x08\x00" * 7))


def test_recorded_neighbours_are_told_from_the_rest() -> None:
    """ARP is; IP is not; nonsense is not."""
    kinds = {is_neighbour(each.data) for each in captures.frames("announce-first")}
    assert (kinds, is_neighbour(b""), is_neighbour(bytes(HEAD / IP() / UDP()))) == ({True}, False, False)


def test_those_who_wait_do_not_wake_each_other(arriving: list[Arriving]) -> None:
    """Two who wait for what never comes look a few times, not thousands of times."""
    arriving.append(Arriving())
    kept = Recording(arriving[0], dissect)
    looked: list[float] = []

    def ready() -> bool:
        looked.append(time.monotonic())
        return bool(kept.told())

    waiting = [threading.Thread(target=kept.wait, args=(ready, 0.3)) for _ in range(3)]
    for thread in waiting:
        thread.start()
    for thread in waiting:
        thread.join()

    assert len(looked) < 30


def test_the_end_of_listening_is_told_to_whoever_reads(arriving: list[Arriving]) -> None:
    """An interface that vanished is an error, not silence."""
    arriving.append(Arriving(error=WireError("Listening on eth9 ended: No such device.")))
    kept = Recording(arriving[0], dissect)

    with pytest.raises(WireError, match="eth9 ended"):
        kept.told()
    with pytest.raises(WireError, match="eth9 ended"):
        kept.traffic()
