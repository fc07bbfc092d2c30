"""Evidence as `l2probe run` delivers it, made by hand: healthy clusters, and the small changes that break them.

Times begin at T0. node-1 announces the Cluster Service, node-2 the Local one; addresses and MACs are the lab's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from l2probe.model import (
    AnnouncementPolicy,
    Backend,
    Claim,
    Cluster,
    Datapath,
    Evidence,
    Exchange,
    Flow,
    Ip,
    Mac,
    NeighbourReply,
    Node,
    NodeName,
    Outcome,
    Placement,
    Pool,
    Port,
    Protocol,
    Service,
    TrafficPolicy,
    Trial,
    Vantage,
)

T0 = 1_790_000_000.0
NAMESPACE = "l2probe-0badcafe"
NODES = tuple(NodeName(f"node-{number}") for number in (1, 2, 3))
CLIENT = (Ip("198.51.100.100"), Ip("2001:db8:1::100"))
FOREIGN = Mac("02:00:00:00:00:c8")
VIP4, VIP6 = Ip("198.51.100.40"), Ip("2001:db8:1::40")
LOCAL4, LOCAL6 = Ip("198.51.100.41"), Ip("2001:db8:1::41")
V4 = (Flow.TCP4, Flow.UDP4)
FULL = {Flow.TCP4: 4096, Flow.TCP6: 4096, Flow.UDP4: 1472, Flow.UDP6: 1452}
SMALL = 512


def mac(node: NodeName) -> Mac:
    """Return the lab's MAC of a node."""
    return Mac(f"02:00:00:00:00:0{node[-1]}")


def node_address(node: NodeName, version: int) -> Ip:
    """Return the lab's address of a node."""
    return Ip(f"198.51.100.1{node[-1]}" if version == 4 else f"2001:db8:1::1{node[-1]}")


def family(address: Ip) -> int:
    """4 or 6."""
    return 6 if ":" in address else 4


def node(name: NodeName, *, ready: bool = True) -> Node:
    """Return a node of the lab."""
    return Node(
        name=name,
        addresses=(node_address(name, 4), node_address(name, 6)),
        ready=ready,
        labels=(("kubernetes.io/hostname", name),),
    )


def backend(name: NodeName) -> Backend:
    """Return the echo Pod on a node."""
    return Backend(address=Ip(f"10.244.{name[-1]}.10"), node=name, ready=True, pod=f"echo-{name[-1]}")


def service(name: str, vips: tuple[Ip, ...], policy: TrafficPolicy, on: Iterable[NodeName]) -> Service:
    """One of our Services."""
    return Service(
        namespace=NAMESPACE,
        name=name,
        vips=vips,
        policy=policy,
        ports=(Port(protocol=Protocol.TCP, port=80), Port(protocol=Protocol.UDP, port=80)),
        backends=tuple(map(backend, on)),
        labels=(("app.kubernetes.io/managed-by", "l2probe"),),
    )


def cluster(version: str = "v1.19.4", datapath: Datapath = Datapath.DSR) -> Cluster:
    """Return a Cilium cluster in which everything is as it should be."""
    return Cluster(
        context="lab",
        server_version="v1.33.1",
        implementation="cilium",
        implementation_version=version,
        announcing=True,
        datapath=datapath,
        settings=(
            ("enable-l2-announcements", "true"),
            ("kube-proxy-replacement", "true"),
            ("bpf-lb-mode", datapath.value),
            ("bpf-lb-dsr-dispatch", "opt"),
        ),
        pools=(
            Pool(name="lan", blocks=("198.51.100.40-198.51.100.79", "2001:db8:1::40-2001:db8:1::7f"), available=60),
        ),
        policies=(AnnouncementPolicy(name="all", load_balancer_ips=True),),
        nodes=tuple(map(node, NODES)),
        services=(),
    )


def vantage() -> Vantage:
    """Return the lab's client."""
    return Vantage(
        interface="eth0", mac=Mac("02:00:00:00:00:64"), addresses=CLIENT, on_link=True, gateway=None, raw_socket=True
    )


def reply(ip: Ip, owner: Mac, at: float, asked: str | None = None, *, solicited: bool = True) -> NeighbourReply:
    """Return an answer to a who-has or to a multicast solicitation."""
    return NeighbourReply(
        at=at,
        ip=ip,
        mac=owner,
        op="reply" if family(ip) == 4 else "advertisement",
        solicited=solicited,
        asked=asked or ("broadcast" if family(ip) == 4 else "multicast"),
    )


def gratuitous(ip: Ip, owner: NodeName, at: float) -> NeighbourReply:
    """Return what a new announcer tells everybody unasked: a gratuitous ARP or unsolicited advertisement."""
    return replace(reply(ip, mac(owner), at, solicited=False), asked=None)


def replies(vips: Iterable[Ip], owner: NodeName, at: float, times: int = 3) -> tuple[NeighbourReply, ...]:
    """Answers to several questions for each VIP."""
    return tuple(reply(vip, mac(owner), at + 0.1 * number) for number in range(times) for vip in vips)


def node_replies(names: Iterable[NodeName] = NODES) -> tuple[NeighbourReply, ...]:
    """Answers of nodes for their own addresses."""
    return tuple(reply(node_address(name, version), mac(name), T0) for name in names for version in (4, 6))


def claim(name: str, holder: NodeName | None, at: float, renewed: float | None = None) -> Claim:
    """Return a Cilium lease as it was read."""
    return Claim(
        implementation="cilium",
        source=f"Lease kube-system/cilium-l2announce-{NAMESPACE}-{name}",
        holder=holder,
        read_at=at,
        acquired=T0 - 1,
        renewed=at if renewed is None else renewed,
        duration_seconds=15.0,
        transitions=0,
    )


def exchange(
    flow: Flow,
    vip: Ip,
    at: float,
    *,
    entered: NodeName,
    on: NodeName,
    payload: int = SMALL,
    outcome: Outcome = Outcome.ANSWERED,
    keeps: bool = True,
) -> Exchange:
    """One exchange through `entered` with the Pod on `on`; `keeps`: DSR, else the announcer translated."""
    good = outcome is Outcome.ANSWERED
    own = CLIENT[0] if family(vip) == 4 else CLIENT[1]
    direct = keeps or entered == on
    return Exchange(
        at=at,
        protocol=Protocol(flow[:3].upper()),
        vip=vip,
        port=80,
        outcome=outcome,
        payload_bytes=payload,
        source=own,
        source_port=40_000,
        seen=(own if direct else node_address(entered, family(vip))) if good else None,
        pod=f"echo-{on[-1]}" if good else None,
        node=on if good else None,
        sent_mac=mac(entered),
        reply_mac=mac(on if direct else entered) if good else None,
        latency_seconds=0.001 if good else None,
    )


Keeps = Callable[[Flow], bool]


def talk(  # noqa: PLR0917 - the parts of a path, in its order
    vips: tuple[Ip, ...], flows: Iterable[Flow], at: float, entered: NodeName, on: NodeName, keeps: Keeps
) -> tuple[Exchange, ...]:
    """Eight small exchanges and four full-size ones for each flow kind."""
    sizes = [(number, None) for number in range(8)] + [(8 + number, FULL) for number in range(4)]
    return tuple(
        exchange(
            flow,
            vip,
            at + 0.01 * number,
            entered=entered,
            on=on,
            payload=full[flow] if full else SMALL,
            keeps=keeps(flow),
        )
        for number, full in sizes
        for flow in flows
        for vip in vips
        if family(vip) == int(flow[-1])
    )


def source_trials(flows: tuple[Flow, ...], keeps: Keeps) -> tuple[Trial, ...]:
    """Return the Cluster Service: all Pods, then the one on the announcer node-1, then the one on node-2."""
    one, two, _ = NODES
    vips = tuple(vip for vip in (VIP4, VIP6) if any(int(flow[-1]) == family(vip) for flow in flows))
    name, policy = "smoke-source", TrafficPolicy.CLUSTER
    spots = (
        (Placement.ANY, None, NODES),
        (Placement.ON_ANNOUNCER, one, (one,)),
        (Placement.OFF_ANNOUNCER, two, (two,)),
    )
    return tuple(
        Trial(
            name=name,
            service=service(name, vips, policy, behind),
            placement=placement,
            target=backend(on) if on else None,
            announcer=one,
            claims=tuple(claim(name, one, T0 + step) for step in range(number + 1)),
            replies=replies(vips, one, T0 + number),
            exchanges=talk(vips, flows, T0 + number + 0.1, one, on or two, keeps),
            started=T0 + number,
            observed_seconds=0.9,
            settled=True,
        )
        for number, (placement, on, behind) in enumerate(spots)
    )


def knocks(  # noqa: PLR0917 - likewise
    vips: tuple[Ip, ...], flows: Iterable[Flow], at: float, outcome: Outcome, entered: NodeName, on: NodeName
) -> tuple[Exchange, ...]:
    """Twenty attempts of each flow kind over nine seconds."""
    icmp = {4: (3, 3), 6: (1, 4)}
    return tuple(
        replace(
            exchange(flow, vip, at + 0.45 * number, entered=entered, on=on, outcome=outcome),
            icmp=icmp[family(vip)] if outcome is Outcome.REFUSED_ICMP else None,
            reply_mac=None if outcome is Outcome.TIMEOUT else mac(entered),
        )
        for number in range(21)
        for flow in flows
        for vip in vips
        if family(vip) == int(flow[-1])
    )


def local_trials(flows: tuple[Flow, ...], fate: Outcome) -> tuple[Trial, ...]:
    """Return the Local Service: node-2 announces, then the only Pod is on node-1; `fate` ANSWERED: the lease moved."""
    one, two, _ = NODES
    vips = tuple(vip for vip in (LOCAL4, LOCAL6) if any(int(flow[-1]) == family(vip) for flow in flows))
    name, policy = "smoke-local", TrafficPolicy.LOCAL
    moved = fate is Outcome.ANSWERED
    last = one if moved else two
    announced = tuple(gratuitous(vip, one, T0 + 2) for vip in vips if moved)
    first = Trial(
        name=name,
        service=service(name, vips, policy, NODES),
        placement=Placement.ANY,
        announcer=two,
        claims=(claim(name, two, T0),),
        replies=replies(vips, two, T0),
        started=T0,
        observed_seconds=0.5,
        settled=True,
    )
    return (
        first,
        Trial(
            name=name,
            service=service(name, vips, policy, (one,)),
            placement=Placement.OFF_ANNOUNCER,
            target=backend(one),
            announcer=two,
            claims=(claim(name, two, T0), claim(name, last, T0 + 2), claim(name, last, T0 + 4)),
            replies=(*replies(vips, two, T0 + 1), *announced, *replies(vips, last, T0 + 10)),
            exchanges=knocks(vips, flows, T0 + 2.1, fate, last, one),
            started=T0 + 1,
            observed_seconds=9.4,
            settled=True,
        ),
    )


def healthy(
    *,
    version: str = "v1.19.4",
    datapath: Datapath = Datapath.DSR,
    flows: tuple[Flow, ...] = tuple(Flow),
    local: Outcome = Outcome.REFUSED_ICMP,
) -> Evidence:
    """Return what the smoke suite sees on a healthy cluster; `local`: what policy Local does off the announcer."""
    keeps: dict[Datapath, Keeps] = {
        Datapath.DSR: lambda _: True,
        Datapath.SNAT: lambda _: False,
        Datapath.HYBRID: lambda flow: flow.startswith("tcp"),
    }
    return Evidence(
        cluster=cluster(version, datapath),
        vantage=vantage(),
        node_replies=node_replies(),
        trials=(*source_trials(flows, keeps[datapath]), *local_trials(flows, local)),
        flows=flows,
        required=("announced", "exclusive", "reachable"),
        suites=("smoke",),
    )


PROFILES = {
    "cilium-1.19-dsr": healthy(),
    "cilium-1.19-dsr+drop": healthy(local=Outcome.TIMEOUT),
    "cilium-1.19-snat": healthy(datapath=Datapath.SNAT),
    "cilium-1.19-hybrid": healthy(datapath=Datapath.HYBRID),
    "cilium-1.20.2-dsr": healthy(version="v1.20.2", local=Outcome.ANSWERED),
    "cilium-1.20.2-snat": healthy(version="v1.20.2", datapath=Datapath.SNAT, local=Outcome.ANSWERED),
    "cilium-1.17-dsr": healthy(version="v1.17.9", flows=V4),
}


def each_trial(evidence: Evidence, change: Callable[[Trial], Trial]) -> Evidence:
    """Return the evidence with every trial changed."""
    return replace(evidence, trials=tuple(map(change, evidence.trials)))


def each_exchange(evidence: Evidence, change: Callable[[Trial, Exchange], Exchange]) -> Evidence:
    """Return the evidence with every exchange changed."""

    def changed(trial: Trial) -> Trial:
        if trial.exchanges is None:
            return trial
        return replace(trial, exchanges=tuple(change(trial, one) for one in trial.exchanges))

    return each_trial(evidence, changed)


def lost(one: Exchange, outcome: Outcome = Outcome.TIMEOUT) -> Exchange:
    """Return the same exchange without an answer."""
    return replace(one, outcome=outcome, seen=None, pod=None, node=None, reply_mac=None, latency_seconds=None)


def first_trials(evidence: Evidence) -> Evidence:
    """Only the first trial of each Service: where a run stops when nobody answers."""
    return replace(evidence, trials=tuple(t for t in evidence.trials if t.placement is Placement.ANY))


def silent(evidence: Evidence) -> Evidence:
    """Nobody answers for any VIP."""

    def mute(trial: Trial) -> Trial:
        flows = {one.flow: one for one in evidence.trials[0].exchanges or ()}
        return replace(
            trial,
            replies=(),
            announcer=None,
            exchanges=tuple(
                replace(
                    lost(one, Outcome.NO_NEIGHBOUR),
                    vip=next(vip for vip in trial.service.vips if family(vip) == family(one.vip)),
                    sent_mac=None,
                )
                for one in flows.values()
            ),
        )

    return each_trial(first_trials(evidence), mute)
