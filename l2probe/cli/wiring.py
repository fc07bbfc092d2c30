"""The real things behind the flows' edges, as far as they are the same for all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypedDict

from l2probe.cli.progress import Progress
from l2probe.cli.wanted import Wanted
from l2probe.diagnose.reading import Reading
from l2probe.model import NeighbourReply, Node, Vantage
from l2probe.observe.login import log_in
from l2probe.observe.mapping import map_nodes
from l2probe.observe.vantage import vantage

Replies = Sequence[NeighbourReply]


class Surroundings(TypedDict):
    """What `Edges` of run, diagnose and audit call the same."""

    vantage: Callable[..., Vantage]
    map_nodes: Callable[[Replies, Replies, Sequence[Node]], tuple[NeighbourReply, ...]]
    now: Callable[[], float]
    pause: Callable[[float], object]
    say: Progress


def surroundings(wanted: Wanted, say: Progress) -> Surroundings:
    """Return where we stand, and the clock."""
    return Surroundings(
        vantage=partial(vantage, interface=wanted.interface),
        map_nodes=map_nodes,
        now=time.time,
        pause=threading.Event().wait,
        say=say,
    )


def reading(wanted: Wanted) -> Reading:
    """Return the cluster's API, read only; raises ClusterError."""
    login = log_in(wanted.access)
    return Reading(login.transport, context=login.context, namespace=login.namespace)
