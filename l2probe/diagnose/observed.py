"""What the network showed of the Services that a diagnosis or an audit is about. Data only."""

from __future__ import annotations

from dataclasses import dataclass, field

from l2probe.diagnose.surroundings import Guards
from l2probe.model import Exchange, Ip, NeighbourReply, OffLink, Ping


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What the network showed; times are Unix seconds. None: not looked."""

    started: float
    ended: float
    replies: tuple[NeighbourReply, ...] | None = None
    node_replies: tuple[NeighbourReply, ...] | None = None
    exchanges: tuple[Exchange, ...] | None = None
    pool_replies: tuple[NeighbourReply, ...] | None = None
    off_link: OffLink | None = None
    pings: tuple[Ping, ...] | None = None
    partly_asked: tuple[Ip, ...] = ()
    guards: Guards = field(default_factory=dict)
