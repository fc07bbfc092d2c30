"""What an audit needs of the world, as small protocols: `observe` implements them, tests stand in for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from l2probe.diagnose.edges import Knocker, Name
from l2probe.model import Claim, Cluster, Condition, Exchange, Ip, Mac, NeighbourReply, Node, Vantage


class Api(Protocol):
    """The Kubernetes API, read only; every method raises ClusterError or NotAllowedError."""

    def survey(self, within: str = "") -> Cluster:
        """Return what the cluster says it is, with all its LoadBalancer Services.

        Where all may not be listed: with those of the namespace `within`, which it names then.
        """
        ...

    def announced(self, services: Collection[Name]) -> tuple[Mapping[Name, tuple[Claim, ...]], tuple[Claim, ...]]:
        """Return what is claimed now about who announces these Services, and the claims about others."""
        ...

    def addresses(self, services: Collection[Name]) -> Mapping[Name, tuple[Ip, ...]]:
        """Return the ingress addresses that these Services have now; () of one that is gone, nothing of one untold."""
        ...

    def warnings(self) -> Mapping[Name, Condition]:
        """Return the newest warning event about each Service that has one; nothing when denied."""
        ...


class Wire(Protocol):
    """One Ethernet interface, listened to from the moment it was opened."""

    def watch(self, addresses: Collection[Ip]) -> None:
        """Keep the packets to and from these addresses."""
        ...

    def annotate(self, exchanges: Sequence[Exchange]) -> tuple[Exchange, ...]:
        """Add to exchanges what their frames showed."""
        ...


class Sweeper(Protocol):
    """Asks everybody who has many addresses."""

    def __call__(
        self, interface: str, addresses: Sequence[Ip], *, linger: float, whole: bool = False
    ) -> tuple[NeighbourReply, ...]:
        """Ask once for each; return all that was told until `linger` seconds after the last question.

        Unless it is wanted `whole`, it ends when each was told of once.
        """
        ...


class Questioner(Protocol):
    """Asks machines alone: some hear only what is sent to them."""

    def __call__(self, interface: str, pairs: Sequence[tuple[Ip, Mac]], *, linger: float) -> tuple[NeighbourReply, ...]:
        """Ask each machine for the address beside it; return all that was told until `linger` seconds after."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """The world of one audit.

    `vantage`: route lookup for addresses. `sweep`, `ask_alone` and `open_wire` raise WireError. `map_nodes`: replies
    with nodes filled in from the nodes' own replies. `now`: Unix seconds. `pause`: wait for so many seconds. `say`: one
    line of progress.
    """

    api: Api
    vantage: Callable[[Sequence[Ip], Sequence[Node]], Vantage]
    sweep: Sweeper
    open_wire: Callable[[str], AbstractContextManager[Wire]]
    ask_alone: Questioner
    map_nodes: Callable[
        [Sequence[NeighbourReply], Sequence[NeighbourReply], Sequence[Node]], tuple[NeighbourReply, ...]
    ]
    knock: Knocker
    now: Callable[[], float]
    pause: Callable[[float], object]
    say: Callable[[str], None]
