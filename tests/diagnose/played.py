"""A played cluster for the diagnosis: fakes at the edges only. Two Services of a shop, three nodes, Cilium 1.20.2."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from l2probe.diagnose.edges import Edges, Name
from l2probe.diagnose.knocking import Knock
from l2probe.errors import NotAllowedError
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
    NodeName,
    Outcome,
    Ping,
    Right,
    Service,
    Vantage,
)
from l2probe.observe.mapping import map_nodes
from tests.judge.diagnosed import API, WEB, lease
from tests.judge.evidence import NODES, cluster, mac, node, node_address, vantage

HOLDERS = {"api": NODES[0], "web": NODES[1]}


@dataclass
class World:
    """The played cluster; the flags break it in one way each. `served`: from when on knocks are answered.

    `tenant`: the only namespace in which the user may list Services.
    """

    services: tuple[Service, ...] | None = (API, WEB)
    others: Mapping[Name, Mapping[str, object]] = field(default_factory=dict)
    holders: Mapping[str, NodeName] = field(default_factory=lambda: dict(HOLDERS))
    silent: bool = False
    renewing: bool = True
    behind: float = 0.0
    restless: bool = False
    unicast_only: bool = False
    outcome: Outcome = Outcome.ANSWERED
    served: float = float("inf")
    claims_denied: bool = False
    tenant: str = ""
    warning: Condition | None = None
    addresses: list[Mapping[Name, tuple[Ip, ...]]] = field(default_factory=list)
    policies: tuple[NetworkPolicy, ...] | None = ()
    policies_denied: tuple[Right, ...] = ()
    namespaces: list[str] = field(default_factory=list)
    place: Vantage = field(default_factory=vantage)
    places: Mapping[Ip, Vantage] = field(default_factory=dict)

    clock: float = 1000.0
    frames: list[NeighbourReply] = field(default_factory=list)
    knocked: list[Knock] = field(default_factory=list)
    asked: list[tuple[str, Ip]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    saved: list[Path] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def edges(self) -> Edges:
        """Return the world as a diagnosis sees it."""
        return Edges(
            api=FakeApi(self),
            vantage=self.look,
            open_wire=self.wire,
            solicit=self.solicitor,
            map_nodes=map_nodes,
            knock=self.knock,
            ping=self.ping,
            now=lambda: self.clock,
            pause=self.pass_time,
            say=self.said.append,
        )

    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        with self.lock:
            self.clock += seconds

    def look(self, vips: Sequence[Ip], nodes: Sequence[Node]) -> Vantage:
        """Return where we stand towards these addresses."""
        return self.places.get(vips[0], self.place) if len(vips) == 1 else self.place

    @contextmanager
    def wire(self, interface: str) -> Iterator[FakeWire]:
        """Open the wire."""
        self.opened.append(interface)
        yield FakeWire(self)

    @contextmanager
    def solicitor(self, interface: str) -> Iterator[FakeSolicitor]:
        """Open the other socket."""
        yield FakeSolicitor(self)

    def knock(self, rounds: Sequence[Sequence[Knock]]) -> tuple[Exchange, ...]:
        """Let every knock end as the test wants."""
        self.knocked += [one for knocks in rounds for one in knocks]
        return tuple(
            Exchange(
                at=self.clock + 0.01 * number,
                protocol=one.protocol,
                vip=one.vip,
                port=one.port,
                outcome=self.outcome if self.clock < self.served else Outcome.ANSWERED,
                payload_bytes=len(one.payload),
            )
            for number, one in enumerate(one for knocks in rounds for one in knocks)
        )

    def ping(self, vips: Sequence[Ip]) -> tuple[Ping, ...]:
        """Answer no ping, as a load balancer does."""
        return tuple(Ping(at=self.clock, vip=vip, answered=False) for vip in vips)

    def holder_of(self, vip: Ip) -> NodeName | None:
        """Return who answers for an address."""
        own = {address: each.name for each in map(node, NODES) for address in each.addresses}
        if vip in own:
            return own[vip]
        found = next((s for s in self.services or () if vip in s.vips), None)
        return None if self.silent or found is None else self.holders[found.name]

    def answer(self, address: Ip, asked: str) -> None:
        """Hear the answer to one question, where there is one."""
        with self.lock:
            self.clock += 0.001
            self.asked.append((asked, address))
            holder = self.holder_of(address)
            deaf = self.unicast_only and asked != "unicast" and address not in {node_address(n, 4) for n in NODES}
            if holder is not None and not deaf:
                self.frames.append(
                    NeighbourReply(at=self.clock, ip=address, mac=mac(holder), op="reply", solicited=True, asked=asked)
                )


class FakeApi:
    """The API server."""

    namespace = "default"

    def __init__(self, world: World) -> None:
        self.world = world

    def survey(self, within: str = "") -> Cluster:
        """Describe the cluster; who may not list all Services sees those of the namespace `within`, if any."""
        seen, every = cluster("v1.20.2"), self.world.services
        if not self.world.tenant:
            return replace(seen, services=every)
        if within != self.world.tenant:
            return replace(seen, services=None)
        return replace(seen, services=tuple(one for one in every or () if one.namespace == within), within=within)

    def claims(self, services: Collection[Name]) -> Mapping[Name, tuple[Claim, ...]]:
        """Return the leases, renewed every two seconds where somebody lives."""
        if self.world.claims_denied:
            raise NotAllowedError("leases is forbidden.")
        renewed = self.world.clock // 2 * 2 - self.world.behind if self.world.renewing else 0.0
        return {
            (namespace, name): (self._lease(name, renewed),) if name in self.world.holders else ()
            for namespace, name in services
        }

    def _lease(self, name: str, renewed: float) -> Claim:
        """Return a lease; where the world is restless another holder has it every half second."""
        clock, turn = self.world.clock, int(self.world.clock * 2)
        if not self.world.restless:
            return replace(lease(name, self.world.holders[name], clock), renewed=renewed)
        taken = replace(lease(name, NODES[turn % 2], clock), transitions=turn)
        return replace(taken, acquired=renewed, renewed=renewed)

    def document(self, name: Name) -> Mapping[str, object] | None:
        """Return a Service of any type."""
        return self.world.others.get(name)

    def service(self, name: Name) -> Service | None:
        """Return a LoadBalancer Service that no list showed."""
        return next((each for each in (API, WEB) if (each.namespace, each.name) == name), None)

    def addresses(self, services: Collection[Name]) -> Mapping[Name, tuple[Ip, ...]]:
        """Return the addresses now: the next of those that the test wants, else those of before."""
        if self.world.addresses:
            return self.world.addresses.pop(0)
        return {(s.namespace, s.name): s.vips for s in self.world.services or () if (s.namespace, s.name) in services}

    def network_policies(self, namespace: str) -> tuple[tuple[NetworkPolicy, ...] | None, tuple[Right, ...]]:
        """Return the policies of the namespace."""
        self.world.namespaces.append(namespace)
        return self.world.policies, self.world.policies_denied

    def warning(self, name: Name) -> Condition | None:
        """Return the newest warning."""
        return self.world.warning


class FakeWire:
    """The interface."""

    def __init__(self, world: World) -> None:
        self.world = world

    def watch(self, addresses: Collection[Ip], besides: Sequence[Ip] = ()) -> None:
        """Listen."""

    def ask(
        self,
        addresses: Sequence[Ip],
        *,
        times: int = 3,
        gap: float = 0.15,
        linger: float = 0.4,
        stop_early: bool = False,
    ) -> tuple[NeighbourReply, ...]:
        """Ask everybody."""
        began = self.world.clock
        for _ in range(times):
            for address in addresses:
                self.world.answer(address, "multicast" if ":" in address else "broadcast")
            self.world.pass_time(gap)
        return tuple(reply for reply in self.neighbours(addresses) if reply.at >= began)

    def neighbours(self, addresses: Collection[Ip]) -> tuple[NeighbourReply, ...]:
        """Return what was heard."""
        with self.world.lock:
            return tuple(reply for reply in self.world.frames if reply.ip in addresses)

    def annotate(self, exchanges: Sequence[Exchange]) -> tuple[Exchange, ...]:
        """Fill in where frames went."""
        return tuple(
            replace(one, sent_mac=mac(holder)) if (holder := self.world.holder_of(one.vip)) else one
            for one in exchanges
        )

    def save(self, path: Path, addresses: Collection[Ip]) -> int:
        """Save frames."""
        self.world.saved.append(path)
        return 0


class FakeSolicitor:
    """The socket for unicast questions."""

    def __init__(self, world: World) -> None:
        self.world = world

    def ask(self, address: Ip, to: Mac) -> None:
        """Ask one machine."""
        holder = self.world.holder_of(address)
        if holder is not None and mac(holder) == to:
            self.world.answer(address, "unicast")
        else:
            self.world.asked.append(("unicast", address))
