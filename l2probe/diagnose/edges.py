"""What a diagnosis needs of the world, as small protocols: `observe` implements them, tests stand in for them.

Declared beside the consumer; only `cli` wires them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from l2probe.model import (
    Claim,
    Cluster,
    Condition,
    Exchange,
    Ip,
    Mac,
    NeighbourReply,
    NetworkPolicy,
    Node,
    Ping,
    Right,
    Service,
    Vantage,
)

if TYPE_CHECKING:
    from l2probe.diagnose.knocking import Knock  # sockets and loops, which an audit of the API alone does not need

Name = tuple[str, str]
"""Namespace and name of a Service."""


class Api(Protocol):
    """The Kubernetes API, read only; every method raises ClusterError or NotAllowedError."""

    @property
    def namespace(self) -> str:
        """The namespace of the kubeconfig's context."""
        ...

    def survey(self) -> Cluster:
        """Return what the cluster says it is, with all its LoadBalancer Services."""
        ...

    def claims(self, services: Collection[Name]) -> Mapping[Name, tuple[Claim, ...]]:
        """Return what the control plane says now about who announces these Services."""
        ...

    def document(self, name: Name) -> Mapping[str, object] | None:
        """Return a Service of any type as the API shows it; None when there is none of that name."""
        ...

    def service(self, name: Name) -> Service | None:
        """Return one LoadBalancer Service with its backends; None when there is none."""
        ...

    def addresses(self, services: Collection[Name]) -> Mapping[Name, tuple[Ip, ...]]:
        """Return the ingress addresses that these Services have now; () of one that is gone, nothing of one untold."""
        ...

    def network_policies(self, namespace: str) -> tuple[tuple[NetworkPolicy, ...] | None, tuple[Right, ...]]:
        """Return the policies that may concern a namespace's Pods (None: could not be read), and the rights denied."""
        ...

    def warning(self, name: Name) -> Condition | None:
        """Return the newest warning event about a Service."""
        ...


class Wire(Protocol):
    """One Ethernet interface, listened to from the moment it was opened."""

    def watch(self, addresses: Collection[Ip], besides: Sequence[Ip] = ()) -> None:
        """Keep the packets to and from these addresses, and of those `besides` as many as there is room for."""
        ...

    def ask(
        self,
        addresses: Sequence[Ip],
        *,
        times: int = 3,
        gap: float = 0.15,
        linger: float = 0.4,
        stop_early: bool = False,
    ) -> tuple[NeighbourReply, ...]:
        """Ask everybody who has these addresses and return every reply."""
        ...

    def neighbours(self, addresses: Collection[Ip]) -> tuple[NeighbourReply, ...]:
        """Return all that was heard about these addresses so far."""
        ...

    def annotate(self, exchanges: Sequence[Exchange]) -> tuple[Exchange, ...]:
        """Add to exchanges what their frames showed."""
        ...

    def save(self, path: Path, addresses: Collection[Ip]) -> int:
        """Write the frames that concern these addresses as pcap; return how many."""
        ...


class Solicitor(Protocol):
    """Asks single machines, where `Wire.ask` asks everybody; the wire hears what they answer."""

    def ask(self, address: Ip, mac: Mac) -> None:
        """Ask the machine with this MAC whether it has this address."""
        ...


class Pinger(Protocol):
    """Sends ICMP echo requests."""

    def __call__(self, vips: Sequence[Ip]) -> tuple[Ping, ...]:
        """Ping each address once or more, side by side, and return what came; () where this host may not."""
        ...


class Knocker(Protocol):
    """Puts harmless traffic to Services."""

    def __call__(self, rounds: Sequence[Sequence[Knock]]) -> tuple[Exchange, ...]:
        """Put the knocks of all rounds, and return how each ended."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """The world of one diagnosis.

    `vantage`: route lookup for addresses (empty: by the nodes). `open_wire` and `solicit` raise WireError. `map_nodes`:
    replies with nodes filled in from the nodes' own replies. `now`: Unix seconds. `pause`: wait for so many seconds.
    `say`: one line of progress.
    """

    api: Api
    vantage: Callable[[Sequence[Ip], Sequence[Node]], Vantage]
    open_wire: Callable[[str], AbstractContextManager[Wire]]
    solicit: Callable[[str], AbstractContextManager[Solicitor]]
    map_nodes: Callable[
        [Sequence[NeighbourReply], Sequence[NeighbourReply], Sequence[Node]], tuple[NeighbourReply, ...]
    ]
    knock: Knocker
    ping: Pinger
    now: Callable[[], float]
    pause: Callable[[float], object]
    say: Callable[[str], None]
