"""Asking the wire about addresses: everybody first, then those that answered one by one, then the silent ones again.

What is heard stays with the wire; nothing is decided here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from l2probe.diagnose.edges import Solicitor, Wire
from l2probe.model import Ip, Mac, NeighbourReply

MOST_MACS = 16
"""Machines that one silent address is asked for one by one."""
ANSWER_SECONDS = 0.12
"""How long a machine on the same segment may take for its answer."""
PATIENCE = 4
PATIENCE_GAP = 0.4
"""Rounds for addresses that nobody answered for, and seconds between them: all within the time of a dead knock."""

CONTESTED = 4
CONTESTED_GAP = 0.2
"""Rounds for addresses that several machines answered for, and seconds between them: who took over is alone by then."""

Replies = tuple[NeighbourReply, ...]


def ask_nodes(wire: Wire | None, addresses: Sequence[Ip]) -> Replies | None:
    """Ask for the nodes' own addresses: maps MACs to nodes, and shows that this interface hears at all."""
    if wire is None or not addresses:
        return None
    return wire.ask(addresses, times=3, gap=0.12, linger=0.3, stop_early=True)


def ask_beside(wire: Wire, addresses: Sequence[Ip]) -> Replies:
    """Ask for addresses that nobody is expected to answer for from here."""
    return wire.ask(addresses, times=2, gap=0.12, linger=0.3)


def ask_all(
    wire: Wire,
    solicitor: Solicitor,
    vips: Sequence[Ip],
    nodes: Future[Replies | None],
    pause: Callable[[float], object],
) -> None:
    """Ask three times who has these addresses, then the answerers alone; what several or none answered for, on.

    Of silent ones the nodes are asked, and all again.
    """
    heard = wire.ask(vips, times=3, gap=0.1, linger=0.15)
    answered = dict.fromkeys((reply.ip, reply.mac) for reply in heard if reply.solicited)
    for address, mac in answered:
        solicitor.ask(address, mac)
    if answered:
        pause(ANSWER_SECONDS)
    owners = Counter(address for address, _ in answered)
    contested = [vip for vip in vips if owners[vip] > 1]
    if contested:
        wire.ask(contested, times=CONTESTED, gap=CONTESTED_GAP, linger=ANSWER_SECONDS)
    silent = [vip for vip in vips if not owners[vip]]
    if not silent:
        return
    macs = dict.fromkeys(reply.mac for reply in nodes.result() or ())
    _ask_each(solicitor, silent, tuple(macs)[:MOST_MACS])
    pause(ANSWER_SECONDS)
    wire.ask(silent, times=PATIENCE, gap=PATIENCE_GAP, linger=PATIENCE_GAP, stop_early=True)


def _ask_each(solicitor: Solicitor, addresses: Sequence[Ip], macs: Sequence[Mac]) -> None:
    for address in addresses:
        for mac in macs:
            solicitor.ask(address, mac)
