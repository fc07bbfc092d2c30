"""What a run needs of the world, as small protocols: `observe` implements them, tests stand in for them.

Declared beside the consumer, so that the flow imports no foreign library and no edge; only `cli` wires them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from l2probe.errors import L2ProbeError
from l2probe.model import Claim, Cluster, Exchange, Ip, Mac, NeighbourReply, Node, Pod, Right, Service, Vantage
from l2probe.observe.pull_secret import RegistryLogin
from l2probe.observe.traffic import Request
from l2probe.workload.manifests import Workload

T = TypeVar("T")


class InterruptedRunError(L2ProbeError):
    """The user asked us to clean up and leave (SIGINT or SIGTERM)."""


class Snapshot(Protocol):
    """One namespace at one moment; `claims` is each Service's history, oldest first."""

    @property
    def services(self) -> tuple[Service, ...]:
        """Our Services with their backends."""
        ...

    @property
    def pods(self) -> tuple[Pod, ...]:
        """Our Pods."""
        ...

    @property
    def claims(self) -> Mapping[str, tuple[Claim, ...]]:
        """What the control plane said about each Service's announcer."""
        ...


class Live(Protocol):
    """A namespace, followed by watches."""

    def snapshot(self) -> Snapshot:
        """Return what is known now."""
        ...

    def until(
        self, ready: Callable[[Snapshot], T | None], *, timeout: float, interrupted: threading.Event | None = None
    ) -> T | None:
        """Wait for watch events until `ready` returns something; None after `timeout` seconds or when interrupted."""
        ...


class Api(Protocol):
    """The Kubernetes API; every method raises ClusterError or NotAllowedError."""

    def version(self) -> str:
        """Return the server's gitVersion."""
        ...

    def missing_rights(self, rights: Sequence[Right]) -> tuple[Right, ...]:
        """Return those of the rights that the server would deny."""
        ...

    def cluster(self) -> Cluster:
        """Return what the cluster says it is."""
        ...

    def create(self, manifest: Mapping[str, object]) -> None:
        """Create one object."""
        ...

    def select(self, namespace: str, service: str, selector: Mapping[str, str]) -> None:
        """Replace a Service's selector."""
        ...

    def delete_namespace(self, name: str, *, timeout: float) -> bool:
        """Delete a namespace and wait; True when it is gone."""
        ...

    def why_namespace_stays(self, name: str) -> str:
        """Return why a deleted namespace is still there, in the server's words."""
        ...

    def namespaces(self, selector: str) -> tuple[tuple[str, Mapping[str, str]], ...]:
        """Return names with labels and annotations merged."""
        ...

    def live(self, namespace: str) -> AbstractContextManager[Live]:
        """Follow a namespace."""
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
        """Ask who has these addresses and return every reply."""
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


class Traffic(Protocol):
    """TCP and UDP exchanges that carry the run's secret."""

    def exchange(self, requests: Sequence[Request], *, parallel: int = 32) -> tuple[Exchange, ...]:
        """Put each request once."""
        ...

    def knock(
        self,
        requests: Sequence[Request],
        *,
        seconds: float,
        gap: float = 0.25,
        stop: Callable[[Sequence[Exchange]], bool],
    ) -> tuple[Exchange, ...]:
        """Put each request again and again until `stop`, which sees all that came back so far, or for `seconds`."""
        ...


class Say(Protocol):
    """Progress, one line, to whoever watches."""

    def __call__(self, text: str, topic: str = "") -> None:
        """Say a step; of several in a row on one topic a log needs the first only (empty: a topic of its own)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """The world of one run.

    `vantage`: route lookup for addresses (empty: by the nodes). `open_wire` and `solicit` raise WireError. `map_nodes`:
    replies with nodes filled in from the nodes' own replies. `pull_secret`: the login in a Secret, by namespace and
    name. `traffic`: exchanges in the voice of what runs in the Pods. `now`: Unix seconds. `pause`: sleep for so many
    seconds.
    """

    api: Api
    pull_secret: Callable[[str, str], RegistryLogin]
    vantage: Callable[[Sequence[Ip], Sequence[Node]], Vantage]
    open_wire: Callable[[str], AbstractContextManager[Wire]]
    solicit: Callable[[str], AbstractContextManager[Solicitor]]
    map_nodes: Callable[
        [Sequence[NeighbourReply], Sequence[NeighbourReply], Sequence[Node]], tuple[NeighbourReply, ...]
    ]
    traffic: Callable[[Workload], Traffic]
    now: Callable[[], float]
    pause: Callable[[float], object]
    say: Say
    interrupted: threading.Event

    def check(self) -> None:
        """Raise InterruptedRunError when the user asked us to leave."""
        if self.interrupted.is_set():
            raise InterruptedRunError("The run was interrupted before it could tell.")
