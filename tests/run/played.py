"""A played cluster for the flow's tests: fakes at the edges only (API, wire, traffic, clock).

Plays Cilium with DSR: three nodes, node-1 holds every lease and renews it every two seconds.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from l2probe.errors import ClusterError
from l2probe.model import (
    Backend,
    Claim,
    Cluster,
    Condition,
    Exchange,
    Ip,
    Mac,
    NeighbourReply,
    Node,
    NodeName,
    Outcome,
    Placement,
    Pod,
    Pool,
    Right,
    Service,
    TrafficPolicy,
    Vantage,
)
from l2probe.observe.pull_secret import RegistryLogin
from l2probe.observe.traffic import Request
from l2probe.run.edges import Edges, Snapshot
from l2probe.run.plan import Plan
from l2probe.suites import Question, Suite
from l2probe.workload.manifests import Workload

T = TypeVar("T")
CLIENT = Ip("198.51.100.100")
STRANGER = Mac("02:00:00:00:00:c8")
NODES = tuple(
    Node(name=NodeName(f"node-{n}"), addresses=(Ip(f"198.51.100.1{n}"), Ip(f"2001:db8:1::1{n}")), ready=True)
    for n in (1, 2, 3)
)
POD_SECONDS = 1.0
RENEW_SECONDS = 2.0


@dataclass(frozen=True)
class Seen:
    """A snapshot."""

    services: tuple[Service, ...]
    pods: tuple[Pod, ...]
    claims: Mapping[str, tuple[Claim, ...]]


@dataclass
class World:
    """The played cluster, its network and its clock. The flags break it in one way each."""

    local: str = "rejected"
    announcing_node: int = 1
    holding_node: int | None = None
    silent: bool = False
    hard_of_hearing: bool = False
    waking: bool = False
    dead: bool = False
    refuses: Collection[int] = ()
    remembered: bool = False
    deaf: bool = False
    snat: bool = False
    raw_socket: bool = True
    pools: tuple[Pool, ...] | None = (Pool(name="pool", blocks=("198.51.100.40-198.51.100.79",)),)
    refusal: str = ""
    pod_waiting: str | None = None
    cluster_node: NodeName | None = None
    implementation: str | None = "cilium"
    denied: frozenset[str] = frozenset()
    on_link: bool = True
    stuck: bool = False
    slow_datapath: float = 0.0
    slow_endpoints: float = 0.0
    mixed: bool = False
    hijacked: int = 0
    nodes: tuple[Node, ...] = NODES
    fail: tuple[str, int] | None = None
    error: BaseException = field(default_factory=lambda: ClusterError("The API server answered 500.", "Try again."))
    interrupt: tuple[str, int] | None = None

    clock: float = 1000.0
    calls: Counter[str] = field(default_factory=Counter)
    namespaces: set[str] = field(default_factory=set)
    objects: list[Mapping[str, Any]] = field(default_factory=list)
    selected: dict[str, tuple[str | None, float]] = field(default_factory=dict)
    created: dict[str, float] = field(default_factory=dict)
    first_met: dict[Ip, float] = field(default_factory=dict)
    hijacks: list[Ip] = field(default_factory=list)
    frames: list[NeighbourReply] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    interrupted: threading.Event = field(default_factory=threading.Event)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def call(self, name: str) -> None:
        """Count a call of an edge; fail or interrupt where the test wants it."""
        with self.lock:
            self.calls[name] += 1
            count = self.calls[name]
        if self.interrupt == (name, count):
            self.interrupted.set()
        if self.fail == (name, count):
            raise self.error

    def now(self) -> float:
        """Return the time."""
        return self.clock

    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        with self.lock:
            self.clock += seconds

    def edges(self) -> Edges:
        """Return the world as a run sees it."""
        return Edges(
            api=FakeApi(self),
            pull_secret=self.pull_secret,
            vantage=self.vantage,
            open_wire=self.open_wire,
            solicit=self.solicit,
            map_nodes=map_nodes,
            traffic=lambda _: FakeTraffic(self),
            now=self.now,
            pause=self.pass_time,
            say=self.say,
            interrupted=self.interrupted,
        )

    def pull_secret(self, namespace: str, name: str) -> RegistryLogin:
        """Return the login in the one Secret that there is."""
        self.call("pull_secret")
        if (namespace, name) != ("default", "registry"):
            raise ClusterError(f"Secret {namespace}/{name} was not found.")
        return RegistryLogin(type="kubernetes.io/dockerconfigjson", key=".dockerconfigjson", value="e30=")

    def say(self, text: str, topic: str = "") -> None:
        """Hear the progress."""
        self.said.append(text)

    def vantage(self, vips: Sequence[Ip], nodes: Sequence[Node]) -> Vantage:
        """Return where we stand."""
        self.call("vantage")
        return Vantage(
            interface="eth0",
            addresses=(CLIENT,),
            on_link=self.on_link,
            raw_socket=self.raw_socket,
            cluster_node=self.cluster_node,
        )

    @contextmanager
    def open_wire(self, interface: str) -> Iterator[FakeWire]:
        """Open the wire."""
        self.call("open_wire")
        yield FakeWire(self)

    def told(self, address: Ip, number: int, asked: str) -> NeighbourReply:
        """Return the answer of a node."""
        mac = Mac(f"02:00:00:00:00:0{number}")
        return NeighbourReply(at=self.clock, ip=address, mac=mac, op="reply", solicited=True, asked=asked)

    @contextmanager
    def solicit(self, interface: str) -> Iterator[FakeSolicitor]:
        """Open what asks one machine."""
        self.call("solicit")
        yield FakeSolicitor(self)

    def announcer(self, service: str) -> int | None:
        """Return the number of the node that announces a Service now."""
        if self.silent:
            return None
        pod, since = self.selected.get(service, (None, 0.0))
        if pod is None or "local" not in service or self.local in {"rejected", "dropped", "served"}:
            return self.announcing_node
        if self.local == "unannounced":
            return None
        return self.node_number(pod) if self.clock >= since + RENEW_SECONDS else None

    def node_number(self, pod: str) -> int:
        """Return the number of the node that a Pod runs on."""
        return next(number for number, name in enumerate(self.pods(), 1) if name == pod)

    def pods(self) -> list[str]:
        """Return the names of the Pods, in the order of their nodes."""
        made = [each["metadata"]["name"] for each in self.objects if each["kind"] == "Pod"]
        return sorted(made)

    def vips(self, service: str) -> tuple[Ip, ...]:
        """Return a Service's addresses."""
        if self.refusal or self.pools == ():
            return ()
        number = 40 + sorted(self.created).index(service)
        return (Ip(f"198.51.100.{number}"), Ip(f"2001:db8:1::{number}"))

    def service_of(self, vip: Ip) -> str:
        """Return whose address this is."""
        return next(service for service in self.created if vip in self.vips(service))

    def snapshot(self) -> Seen:
        """Return all objects as the API shows them now."""
        with self.lock:
            ready = self.pod_waiting is None
            pods = tuple(
                Pod(
                    name=name,
                    node=self.nodes[number].name,
                    addresses=(Ip(f"10.244.{number + 1}.9"),),
                    ready=ready and self.clock >= self.created["namespace"] + POD_SECONDS,
                    phase="Running" if ready else "Pending",
                    waiting=self.pod_waiting,
                )
                for number, name in enumerate(self.pods())
            )
            made = [each for each in self.objects if each["kind"] == "Service"]
            names = [each["metadata"]["name"] for each in made]
            return Seen(
                services=tuple(self.service(each, pods) for each in made),
                pods=pods,
                claims={} if "list leases" in self.denied else {name: self.claims(name) for name in names},
            )

    def service(self, made: Mapping[str, Any], pods: tuple[Pod, ...]) -> Service:
        """Return one Service with the backends that its selector means."""
        name = made["metadata"]["name"]
        chosen, since = self.selected.get(name, (None, 0.0))
        if self.clock < since + self.slow_endpoints:
            chosen = None
        conditions = (
            (Condition(type="cilium.io/IPAMRequestSatisfied", status="False", reason=self.refusal),)
            if self.refusal
            else ()
        )
        return Service(
            namespace=made["metadata"]["namespace"],
            name=name,
            vips=self.vips(name),
            policy=TrafficPolicy(made["spec"]["externalTrafficPolicy"]),
            conditions=conditions,
            backends=tuple(
                Backend(address=pod.addresses[0], node=pod.node, ready=pod.ready, pod=pod.name)
                for pod in pods
                if chosen in {None, pod.name}
            ),
        )

    def claims(self, service: str) -> tuple[Claim, ...]:
        """Return the history of a Service's lease: a renewal every two seconds; it moves only where Local moves it."""
        first = self.created[service]
        moved = (
            self.selected[service][1]
            if self.local == "moved" and "local" in service and service in self.selected
            else None
        )
        history = []
        at = first
        while at <= self.clock:
            holder = (
                NodeName(f"node-{self.holding_node or self.announcing_node}")
                if moved is None or at < moved
                else self.holder_after(service, at)
            )
            history.append(Claim(implementation="cilium", source="Lease", holder=holder, read_at=at, renewed=at))
            at += RENEW_SECONDS
        return tuple(history)

    def holder_after(self, service: str, at: float) -> NodeName | None:
        """Return who holds a moved lease."""
        pod, since = self.selected[service]
        return NodeName(f"node-{self.node_number(pod or '')}") if at >= since + RENEW_SECONDS else None


class FakeApi:
    """The API server."""

    def __init__(self, world: World) -> None:
        self.world = world

    def version(self) -> str:
        """Answer."""
        self.world.call("version")
        return "v1.34.0"

    def missing_rights(self, rights: Sequence[Right]) -> tuple[Right, ...]:
        """Deny what the test denies, written `verb resource`."""
        self.world.call("missing_rights")
        return tuple(right for right in rights if f"{right.verb} {right.resource}" in self.world.denied)

    def cluster(self) -> Cluster:
        """Describe the cluster."""
        self.world.call("cluster")
        return Cluster(
            context="lab",
            implementation=self.world.implementation,
            announcing=True,
            nodes=self.world.nodes,
            pools=self.world.pools,
        )

    def create(self, manifest: Mapping[str, Any]) -> None:
        """Create an object; also a failed creation may have arrived."""
        name, kind = manifest["metadata"]["name"], manifest["kind"]
        with self.world.lock:
            if kind == "Namespace":
                self.world.namespaces.add(name)
                self.world.created["namespace"] = self.world.clock
            else:
                self.world.objects.append(manifest)
            if kind == "Service":
                self.world.created[name] = self.world.clock
        self.world.call("create")

    def select(self, namespace: str, service: str, selector: Mapping[str, str]) -> None:
        """Switch a selector."""
        self.world.call("select")
        self.world.selected[service] = (selector.get("l2probe/pod"), self.world.clock)

    def delete_namespace(self, name: str, *, timeout: float) -> bool:
        """Delete a namespace."""
        self.world.call("delete_namespace")
        if self.world.stuck:
            self.world.pass_time(timeout)
            return False
        self.world.namespaces.discard(name)
        return True

    def why_namespace_stays(self, name: str) -> str:
        """Say what holds a stuck namespace."""
        return "Some content has finalizers."

    def namespaces(self, selector: str) -> tuple[tuple[str, Mapping[str, str]], ...]:
        """List namespaces."""
        return tuple((name, {}) for name in self.world.namespaces)

    @contextmanager
    def live(self, namespace: str) -> Iterator[FakeLive]:
        """Follow the namespace."""
        self.world.call("live")
        yield FakeLive(self.world)


class FakeLive:
    """Watches."""

    def __init__(self, world: World) -> None:
        self.world = world

    def snapshot(self) -> Seen:
        """Return what is."""
        self.world.call("snapshot")
        return self.world.snapshot()

    def until(
        self, ready: Callable[[Snapshot], T | None], *, timeout: float, interrupted: threading.Event | None = None
    ) -> T | None:
        """Let time pass until it is so."""
        self.world.call("until")
        end = self.world.now() + timeout
        while True:
            found = ready(self.world.snapshot())
            if found is not None or self.world.now() >= end or (interrupted and interrupted.is_set()):
                return found
            self.world.pass_time(0.1)


class FakeWire:
    """The segment: node-N has MAC 02:…:0N."""

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
        """Ask; whoever has an address answers."""
        self.world.call("ask")
        replies = tuple(reply for address in addresses for reply in self._reply(address))
        self.world.pass_time(0.01 if stop_early and replies else times * gap + linger)
        with self.world.lock:
            self.world.frames.extend(replies)
        return replies

    def _reply(self, address: Ip) -> list[NeighbourReply]:
        number = next((n for n, node in enumerate(NODES, 1) if address in node.addresses), None)
        if number is None and not self.world.hard_of_hearing:
            number = self.world.announcer(self.world.service_of(address))
        if number is None or self.world.deaf:
            return []
        told = self.world.told(address, number, "multicast" if ":" in address else "broadcast")
        is_service = not any(address in node.addresses for node in NODES)
        return [told, replace(told, mac=STRANGER)] if self.world.hijacked and is_service else [told]

    def neighbours(self, addresses: Collection[Ip]) -> tuple[NeighbourReply, ...]:
        """Return what was heard."""
        self.world.call("neighbours")
        with self.world.lock:
            return tuple(reply for reply in self.world.frames if reply.ip in addresses)

    def annotate(self, exchanges: Sequence[Exchange]) -> tuple[Exchange, ...]:
        """Add the announcer's MAC."""
        self.world.call("annotate")
        return tuple(replace(one, sent_mac=Mac("02:00:00:00:00:01")) for one in exchanges)

    def save(self, path: Path, addresses: Collection[Ip]) -> int:
        """Save."""
        self.world.call("save")
        path.write_bytes(b"pcap")
        return 1


class FakeSolicitor:
    """Asks one node; who is hard of hearing answers only this."""

    def __init__(self, world: World) -> None:
        self.world = world

    def ask(self, address: Ip, mac: Mac) -> None:
        """Ask; the announcer answers when it is the one asked."""
        number = self.world.announcer(self.world.service_of(address))
        if number is not None and mac.endswith(f":0{number}"):
            with self.world.lock:
                self.world.frames.append(self.world.told(address, number, "unicast"))
                self.world.hard_of_hearing &= not self.world.waking


class FakeTraffic:
    """The datapath, seen from the client."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.answers = 0

    def exchange(self, requests: Sequence[Request], *, parallel: int = 32) -> tuple[Exchange, ...]:
        """Put each request once."""
        self.world.call("exchange")
        outcomes = tuple(self._one(request) for request in requests)
        slowest = max(
            (r.timeout if one.outcome is Outcome.TIMEOUT else 0.001 for r, one in zip(requests, outcomes, strict=True)),
            default=0.0,
        )
        self.world.pass_time(slowest)
        return outcomes

    def knock(
        self,
        requests: Sequence[Request],
        *,
        seconds: float,
        gap: float = 0.25,
        stop: Callable[[Sequence[Exchange]], bool],
    ) -> tuple[Exchange, ...]:
        """Knock until told to stop."""
        self.world.call("knock")
        end = self.world.now() + seconds
        attempts: list[Exchange] = []
        while self.world.now() < end and not stop(tuple(attempts)):
            attempts += [self._one(request) for request in requests]
            self.world.pass_time(gap)
        return tuple(attempts)

    def _pod(self, chosen: str | None, since: float) -> str:
        """Return who answers: the chosen Pod or all in turn; a slow datapath answers (or mixes in) as it did before."""
        world, pods = self.world, self.world.pods()
        self.answers += 1
        late = world.now() < (since or world.created["namespace"] + POD_SECONDS) + world.slow_datapath
        if chosen is None:
            return pods[0] if late else pods[self.answers % len(pods)]
        if late and (not world.mixed or self.answers % 7 == 0):
            return next(name for name in pods if name != chosen)
        return chosen

    def _one(self, request: Request) -> Exchange:
        world = self.world
        world.first_met.setdefault(request.vip, world.now())
        service = world.service_of(request.vip)
        chosen, since = world.selected.get(service, (None, 0.0))
        base = Exchange(
            at=world.now(),
            protocol=request.protocol,
            vip=request.vip,
            port=request.port,
            outcome=Outcome.TIMEOUT,
            payload_bytes=request.payload_bytes,
            source=CLIENT,
        )
        if (6 if ":" in request.vip else 4) in world.refuses:
            return replace(base, outcome=Outcome.REFUSED_ICMP, icmp=(3, 3))
        if world.dead or (world.silent and not world.remembered):
            return base
        if world.hijacked > len(world.hijacks):
            world.hijacks.append(request.vip)
            return replace(base, outcome=Outcome.WRONG_ANSWER)
        pod = self._pod(chosen, since)
        number = world.node_number(pod)
        if "local" in service and number != 1 and chosen:
            if world.local == "rejected" or (world.local == "moved" and world.announcer(service) != number):
                return replace(base, outcome=Outcome.REFUSED_ICMP, icmp=(3, 3))
            if world.local in {"dropped", "unannounced"}:
                return base
        seen = Ip("198.51.100.11") if world.snat and number != 1 else CLIENT
        return replace(base, outcome=Outcome.ANSWERED, seen=seen, pod=pod, node=NODES[number - 1].name)


def map_nodes(
    replies: Sequence[NeighbourReply], node_replies: Sequence[NeighbourReply], nodes: Sequence[Node]
) -> tuple[NeighbourReply, ...]:
    """Name the nodes by their MACs."""
    return tuple(
        reply if reply.mac == STRANGER else replace(reply, node=NodeName(f"node-{reply.mac[-1]}")) for reply in replies
    )


SMOKE = Suite(
    name="smoke",
    about="x",
    questions=(
        Question(name="source"),
        Question(name="local", policy=TrafficPolicy.LOCAL, place=(Placement.OFF_ANNOUNCER,)),
    ),
)


def plan(*suites: Suite, **changes: Any) -> Plan:  # noqa: ANN401 - fields of Plan
    """Return a plan for these suites, smoke by default."""
    workload = Workload(run="0badcafe", secret="00" * 32, expires="2030-01-01T00:00:00+00:00")
    return Plan(**{"suites": suites or (SMOKE,), "workload": workload, **changes})


def only(question: Question) -> Plan:
    """Return a plan with one question."""
    return plan(Suite(name="one", about="x", questions=(question,)))
