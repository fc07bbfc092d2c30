"""Family E, the client address: which address the Pod saw, by which path, and what the configuration promised."""

from __future__ import annotations

from collections.abc import Iterator

from l2probe.judge.capabilities import kept, per_flow, sightings, source, through_another
from l2probe.judge.case import Case, cases, in_network, node_of
from l2probe.judge.finding import finding
from l2probe.judge.versions import setting
from l2probe.judge.words import count, listing
from l2probe.model import (
    Datapath,
    Evidence,
    Exchange,
    Finding,
    Flow,
    Ip,
    NodeName,
    Source,
    Subject,
    TrafficPolicy,
    Verdict,
)

PROMISED = {
    Datapath.DSR: tuple(Flow),
    Datapath.HYBRID: (Flow.TCP4, Flow.TCP6),
    Datapath.SNAT: (),
}
"""The flow kinds whose client address a datapath mode keeps (Cilium kube-proxy-free documentation)."""


SHOWN = 8
"""Paths that a finding shows."""


def lost_flows(evidence: Evidence) -> tuple[Flow, ...]:
    """Return the flow kinds whose Pods were seen to lose the client address behind another node."""
    seen, outside = usable(evidence), translators(evidence)
    return tuple(
        flow
        for flow in Flow
        if any(kept(c, e) is False and e.seen not in outside for c, _, e in sightings(seen, flow) if counts(c, e))
    )


def translators(evidence: Evidence) -> frozenset[Ip]:
    """Return the addresses that clients got before they reached the cluster: of these its datapath is innocent.

    No node's address, of no Pod network, seen by Pods on several nodes (a node that translates for its own Pods gives
    its own address), and answered straight from a backend's node although another one was asked (who translates on the
    way must see the answer too).
    """
    places: dict[Ip, set[NodeName]] = {}
    direct: set[Ip] = set()
    for case, _, exchange in sightings(usable(evidence)):
        if exchange.seen is None or exchange.node is None or kept(case, exchange):
            continue
        places.setdefault(exchange.seen, set()).add(exchange.node)
        if through_another(case, exchange) and node_of(case, exchange.reply_mac) == exchange.node:
            direct.add(exchange.seen)
    return frozenset(
        address for address in direct if len(places[address]) > 1 and not belongs_to_cluster(evidence, address)
    )


def belongs_to_cluster(evidence: Evidence, address: Ip) -> bool:
    """Whether an address is a node's, or of a Pod network."""
    own = any(address in node.addresses for node in evidence.cluster.nodes or ())
    return own or pod_network_owner(evidence, address) is not None


def counts(case: Case, exchange: Exchange) -> bool:
    """Whether a lost address is proof: it is on any path that is known, or when no path is."""
    return through_another(case, exchange) is not None or case.evidence.vantage.on_link is False


def usable(evidence: Evidence) -> tuple[Case, ...]:
    """Return the Services that prove anything: none from a host that is a cluster node."""
    return () if evidence.vantage.cluster_node is not None else cases(evidence)


def promised(evidence: Evidence) -> tuple[Flow, ...]:
    """Return the flow kinds for which the configuration claims to keep the client address."""
    return PROMISED[evidence.cluster.datapath] if evidence.cluster.datapath is not None else ()


def sights(evidence: Evidence, flows: tuple[Flow, ...]) -> tuple[str, ...]:
    """Return what the Pods saw and who answered, one line for each path with its flow kinds."""
    lines: dict[str, dict[Flow, None]] = {}
    for flow in flows:
        for case, _, exchange in sightings(usable(evidence), flow):
            lines.setdefault(sight(case, exchange), {})[flow] = None
    return tuple(f"{', '.join(kinds)}: {line}" for line, kinds in lines.items())[:SHOWN]


def sight(case: Case, exchange: Exchange) -> str:
    """Return one answer in words: path, address seen, and the MAC that answered."""
    entered, replied = node_of(case, exchange.sent_mac), node_of(case, exchange.reply_mac)
    path = f"in through {entered}" if entered else "path not seen"
    back = f", the answer came from {replied}" if replied else ""
    own = "the client's own address" if kept(case, exchange) else whose(case.evidence, exchange.seen)
    return f"{path}, the Pod on {exchange.node} saw {exchange.seen} ({own}){back}."


def whose(evidence: Evidence, address: Ip | None) -> str:
    """Whose address that is: a node's, the gateway's, or nobody's that we know."""
    owner = next((node.name for node in evidence.cluster.nodes or () if address in node.addresses), None)
    if owner is not None:
        return f"{owner}'s address"
    return "the gateway's address" if address == evidence.vantage.gateway else "no node's address"


def affected(evidence: Evidence) -> str:
    """How many existing Services it concerns, as a number."""
    ours = {(case.service.namespace, case.service.name) for case in cases(evidence)}
    if evidence.cluster.services is None:
        return ""
    cluster = [
        service
        for service in evidence.cluster.services
        if service.policy is TrafficPolicy.CLUSTER and (service.namespace, service.name) not in ours and service.vips
    ]
    return f" It concerns {count(len(cluster), 'existing Service')} with policy Cluster." if cluster else ""


def split_by_promise(evidence: Evidence) -> tuple[tuple[Flow, ...], tuple[Flow, ...]]:
    """Return the lost flow kinds that were promised, and those that were not."""
    lost, kept_by_claim = lost_flows(evidence), promised(evidence)
    return tuple(f for f in lost if f in kept_by_claim), tuple(f for f in lost if f not in kept_by_claim)


def dsr_not_effective(evidence: Evidence) -> Iterator[Finding]:
    """E03: the configuration says DSR, the wire says SNAT."""
    broken, _ = split_by_promise(evidence)
    if not broken or evidence.cluster.datapath is None:
        return
    mode = evidence.cluster.datapath.value
    dispatch = setting(evidence.cluster, "bpf-lb-dsr-dispatch")
    yield finding(
        "E03",
        Verdict.FAIL,
        says=f"The configuration said {mode}, but the Pods did not see the client for "
        f"{listing(broken)}.{affected(evidence)}",
        because=(
            *sights(evidence, broken),
            f"Configuration: bpf-lb-mode={mode}{f', bpf-lb-dsr-dispatch={dispatch}' if dispatch else ''}.",
        ),
        remedy="Restart the agents so that they run what the ConfigMap says (CiliumNodeConfig may override "
        "it), check that kube-proxy is gone, "
        "and that the dispatch fits the routing mode (opt: native routing only; geneve: tunnel-protocol geneve).",
        subject=Subject(),
    )


def source_lost(evidence: Evidence) -> Iterator[Finding]:
    """E01 never kept, E02 kept only on the announcer, E04 hybrid: not promised, so no claim is broken."""
    _, lost = split_by_promise(evidence)
    hybrid = evidence.cluster.datapath is Datapath.HYBRID
    fates = per_flow(lambda flow: source(usable(evidence), flow))
    mixed = tuple(flow for flow in lost if not hybrid and getattr(fates, flow) is Source.ON_ANNOUNCER_ONLY)
    never = tuple(flow for flow in lost if not hybrid and flow not in mixed)
    if hybrid and lost:
        yield lost_udp(evidence, lost)
    if mixed:
        yield lost_off_announcer(evidence, mixed)
    if never:
        yield lost_everywhere(evidence, never)


def lost_udp(evidence: Evidence, flows: tuple[Flow, ...]) -> Finding:
    """E04: hybrid mode translates UDP, as configured."""
    return finding(
        "E04",
        Verdict.WARN,
        says=f"In hybrid mode the Pods did not see the client for {listing(flows)}, as configured; TCP keeps "
        f"it.{affected(evidence)}",
        because=sights(evidence, flows),
        remedy="Set loadBalancer.mode=dsr where UDP Services need the client address, or use policy Local for them.",
    )


def lost_off_announcer(evidence: Evidence, flows: tuple[Flow, ...]) -> Finding:
    """E02: a test with one Pod would have passed."""
    return finding(
        "E02",
        Verdict.WARN,
        says=f"The Pod saw the client only when it stood on the announcer ({listing(flows)}); "
        f"elsewhere it saw {listing(seen_instead(evidence, flows))}.{affected(evidence)}",
        because=sights(evidence, flows),
        remedy="Use DSR (Cilium loadBalancer.mode=dsr) or externalTrafficPolicy: Local where Pods need the "
        "client address.",
    )


def lost_everywhere(evidence: Evidence, flows: tuple[Flow, ...]) -> Finding:
    """E01: the Pod never saw the client."""
    return finding(
        "E01",
        Verdict.WARN,
        says=f"The Pod did not see the client for {listing(flows)}; it saw "
        f"{listing(seen_instead(evidence, flows))}.{affected(evidence)}",
        because=sights(evidence, flows),
        remedy="Use externalTrafficPolicy: Local, or DSR (Cilium loadBalancer.mode=dsr), where Pods need the "
        "client address.",
    )


def seen_instead(evidence: Evidence, flows: tuple[Flow, ...]) -> tuple[str, ...]:
    """Return the addresses that Pods saw instead of the client's."""
    return tuple(
        dict.fromkeys(
            f"{e.seen} ({whose(evidence, e.seen)})"
            for flow in flows
            for case, _, e in sightings(usable(evidence), flow)
            if kept(case, e) is False
        )
    )


def source_is_gateway(evidence: Evidence) -> Iterator[Finding]:
    """E05: the address that the Pod saw is no node's: a router, cilium_host or a Pod range translated."""
    nodes = {address for node in evidence.cluster.nodes or () for address in node.addresses}
    strange = [
        (case, exchange)
        for case, _, exchange in sightings(usable(evidence))
        if kept(case, exchange) is False and nodes and exchange.seen not in nodes
    ]
    if not strange:
        return
    addresses = listing(str(exchange.seen) for _, exchange in strange)
    outside = listing(sorted(translators(evidence)))
    bridges = {pod_network_owner(evidence, exchange.seen) for _, exchange in strange}
    inside = listing(name for name in bridges if name)
    yield finding(
        "E05",
        Verdict.WARN,
        says=f"The Pods saw {addresses}, which is no node's address: something else translated."
        if None in bridges
        else f"The Pods saw {addresses}, of the Pod network of {inside}: its bridge or cilium_host translated.",
        because=(
            f"Pods on several nodes saw {outside}, and their nodes answered this host directly: it was translated "
            "before it reached the cluster."
            if outside
            else "",
            *tuple(dict.fromkeys(sight(case, exchange) for case, exchange in strange))[:5],
        ),
        remedy=f"Find what has {outside} between this host and the nodes (a router, a firewall, the NAT of a "
        "virtual machine's host), or look from a machine without it in between."
        if outside
        else "Look whose it is: cilium_host of the announcer (tunnel mode), a CNI bridge (kube-proxy), or "
        "a router between client and nodes.",
    )


def pod_network_owner(evidence: Evidence, address: Ip | None) -> NodeName | None:
    """Return the node in whose Pod network the address lies, or None."""
    for node in evidence.cluster.nodes or ():
        if address is not None and any(in_network(address, block) for block in node.pod_networks):
            return node.name
    return None
