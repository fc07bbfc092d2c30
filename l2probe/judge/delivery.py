"""Family D, delivery: somebody answers for the address, and traffic to it fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from l2probe.judge.admission import refused
from l2probe.judge.case import (
    Case,
    answered,
    by_name,
    cases,
    exchanges,
    has_ready_backend,
    has_usable_backend,
    node_of,
    serving_trials,
    vips,
)
from l2probe.judge.finding import about, finding, seen_of
from l2probe.judge.loss import intermittent
from l2probe.judge.owners import is_accused, last_owner, silent, strangers
from l2probe.judge.patterns import Explained, Try, explain, tries
from l2probe.judge.words import count, listing, outcomes, per_flow
from l2probe.model import Backend, Evidence, Exchange, Finding, Mac, NodeName, Outcome, Protocol, Subject, Verdict


def spoken_for(evidence: Evidence) -> tuple[Case, ...]:
    """Return the Services whose addresses are not silent and that have a backend: where traffic has a chance."""
    return tuple(
        case
        for case in cases(evidence)
        if has_ready_backend(case) is not False and not all(silent(case, vip) for vip in vips(case))
    )


def no_ready_backend(evidence: Evidence) -> Iterator[Finding]:
    """D02: no backend is ready anywhere."""
    for case in cases(evidence):
        tried = [exchange for _, exchange in exchanges(case.trials)]
        looked = bool(tried) or (bool(vips(case)) and not case.trials[-1].own and not has_usable_backend(case))
        if has_ready_backend(case) is not False or not looked or any(map(answered, tried)):
            continue
        backends = case.service.backends or ()
        yield finding(
            "D02",
            Verdict.FAIL,
            says=f"{case.name} had no ready backend: {outcomes(tried) or 'nothing could answer'}.",
            because=(
                f"EndpointSlices listed {count(len(backends), 'backend')}, 0 ready{ending(backends)}.",
                f"Answers: {per_flow(tried)}." if tried else "",
            ),
            remedy="Make its Pods ready: compare the Service's selector with their labels and look at their "
            "readiness probes.",
            subject=about(case),
        )


def ending(backends: Sequence[Backend]) -> str:
    """Return how many of unready backends still served while they ended, in words; "" for none."""
    serving = sum(backend.usable for backend in backends)
    return f", {serving} still serving while ending" if serving else ""


def wrong_answer(evidence: Evidence) -> Iterator[Finding]:
    """D10: something answered that does not know the run's secret."""
    for case in cases(evidence):
        wrong = [e for _, e in exchanges(case.trials) if e.outcome is Outcome.WRONG_ANSWER]
        if not wrong:
            continue
        macs = listing(
            f"{exchange.reply_mac} ({node_of(case, exchange.reply_mac) or 'no known node'})"
            for exchange in wrong
            if exchange.reply_mac
        )
        yield finding(
            "D10",
            Verdict.FAIL,
            says=f"Something other than our Pod answered at {listing(e.vip for e in wrong)}: "
            f"{count(len(wrong), 'answer')} without proof.",
            because=(
                f"The answers came from {macs}." if macs else "",
                f"By flow: {listing(dict.fromkeys(e.flow.value for e in wrong))}.",
                *dict.fromkeys(exchange.detail for exchange in wrong[:3]),
            ),
            remedy="Find the machine behind that MAC; if it is a node, look for a hostPort or proxy that "
            "takes the port.",
            subject=about(case, (e.vip for e in wrong)),
        )


def refused_by_application(evidence: Evidence) -> Iterator[Finding]:
    """D11: a RST where a ready backend should have answered."""
    for case in cases(evidence):
        tried = [(t, e) for t, e in exchanges(serving_trials(case)) if e.protocol is Protocol.TCP]
        refused = [(t, e) for t, e in tried if e.outcome is Outcome.REFUSED_RST]
        if len(refused) < 2 or has_ready_backend(case) is False:  # noqa: PLR2004 - one may be a moment
            continue
        targets = listing(f"{t.target.pod or t.target.address} on {t.target.node}" for t, _ in refused if t.target)
        senders = listing(node_of(case, e.reply_mac) or str(e.reply_mac) for _, e in refused if e.reply_mac)
        yield finding(
            "D11",
            Verdict.FAIL,
            says=f"{len(refused)} of {len(tried)} TCP connections to {case.name} were refused by RST"
            + (" although a backend was ready." if has_ready_backend(case) else "."),
            because=(
                f"Backend: {targets}." if targets else "",
                f"The RST came from {senders}." if senders else "",
            ),
            remedy="Compare the Service's targetPort with the port on which the container listens, on all "
            f"addresses and not only loopback.{unknown_refuser(case, [e for _, e in refused])}",
            subject=about(case, (e.vip for _, e in refused)),
        )


def unknown_refuser(case: Case, refused: list[Exchange]) -> str:
    """Return whose refusals may not be the cluster's: MACs that no node owned; "" when all were nodes'."""
    strange = listing(str(e.reply_mac) for e in refused if e.reply_mac and not node_of(case, e.reply_mac))
    return f" First find whose MAC {strange} is: what is no node's may have the address too." if strange else ""


def reply_from_other_nic(evidence: Evidence) -> Iterator[Finding]:
    """D08: the answer comes from another MAC of the same node."""
    for case in cases(evidence):
        split = [
            e
            for _, e in exchanges(case.trials)
            if e.sent_mac != e.reply_mac and (node := node_of(case, e.sent_mac)) and node == node_of(case, e.reply_mac)
        ]
        if not split:
            continue
        first = split[0]
        yield finding(
            "D08",
            Verdict.WARN,
            says=f"{node_of(case, first.sent_mac)} answered through another NIC than the one asked, in "
            f"{len(split)} exchanges.",
            because=(
                f"We sent to {first.sent_mac}; the answer came from {first.reply_mac}.",
                outcomes(split).capitalize() + ".",
            ),
            remedy="Give the node one interface on this segment, or source routing for the VIP: strict "
            "rp_filter and firewalls drop this.",
            subject=about(case, (e.vip for e in split)),
        )


def lost_traffic(evidence: Evidence) -> Iterator[Finding]:
    """D03, D04, D05, D06 where the losses have a pattern; D12 where they have none.

    What a rule of the Service or of its Pods refuses was not lost on the way (D13).
    """
    seen, meant = tries(spoken_for(evidence)), {one for case in cases(evidence) for one in refused(case)}
    strange = foreign_macs(evidence)
    heard = tuple(
        one
        for one in seen
        if one.exchange not in meant and not unheard(evidence, one) and one.exchange.sent_mac not in strange
    )
    found, rest = explain(heard)
    for explained in found:
        told = PATTERNS[explained.pattern.code](evidence, explained)
        yield seen_of(told, (one.service for one in explained.inside if one.lost))
    yield from intermittent(evidence, rest)


def foreign_macs(evidence: Evidence) -> frozenset[Mac]:
    """Return the MACs of machines that are called foreign: what went to them says nothing about the cluster."""
    every = ((case, vip, owner) for case in cases(evidence) for vip in vips(case) for owner in strangers(case, vip))
    return frozenset(mac for case, vip, owner in every if is_accused(case, vip, owner) for mac in owner.macs)


def unheard(evidence: Evidence, one: Try) -> bool:
    """Whether the address itself was silent: then family B speaks."""
    return bool(silent(by_name(evidence)[one.service], one.exchange.vip))


def split(explained: Explained) -> tuple[str, ...]:
    """Return what was lost inside the pattern and what was answered outside, in words."""
    inside, outside = tried(explained.inside), tried(explained.outside)
    return (
        f"{explained.pattern.where[0].upper()}{explained.pattern.where[1:]}: {outcomes(inside)}.",
        f"Everything else: {outcomes(outside)}." if outside else "",
        f"Lost kinds: {listing(exchange.flow.value for exchange in inside)}.",
    )


def concerned(evidence: Evidence, explained: Explained) -> list[Case]:
    """Return the Services inside the pattern."""
    return [by_name(evidence)[name] for name in dict.fromkeys(one.service for one in explained.inside)]


def share(explained: Explained) -> str:
    """Return "All" or "Nearly all"."""
    return "All" if all(one.lost for one in explained.inside) else "Nearly all"


def tried(some: tuple[Try, ...]) -> list[Exchange]:
    """Return the exchanges."""
    return [one.exchange for one in some]


def subject(explained: Explained) -> Subject:
    """Return the Service, when it is one."""
    services = {one.service for one in explained.inside}
    addresses = {one.exchange.vip for one in explained.inside}
    if len(services) != 1:
        return Subject()
    namespace, _, name = services.pop().partition("/")
    return Subject(namespace=namespace, name=name, address=addresses.pop() if len(addresses) == 1 else "")


def announcer_drops(evidence: Evidence, explained: Explained) -> Finding:
    """D03: the address is answered for, and all its traffic is lost."""
    addresses = listing(one.exchange.vip for one in explained.inside)
    nodes = listing(owner for one in explained.inside if (owner := announcer_of(evidence, one)))
    if not nodes and evidence.vantage.on_link is False:
        return lost_beyond_router(evidence, explained, addresses)
    if absent := absent_backends(evidence, explained):
        return backends_unreachable(explained, addresses, nodes, absent)
    return finding(
        "D03",
        Verdict.FAIL,
        says=f"{nodes or 'An announcer'} answered for {addresses} and delivered no {explained.pattern.where} "
        f"({outcomes(tried(explained.inside))}), {readiness(evidence, explained)}.",
        because=split(explained),
        remedy=port_remedy(explained, nodes)
        or f"Look on {nodes or 'that node'} for what drops it: rp_filter, a firewall, a NIC without an "
        f"address, an agent that is not ready.{alternatives(evidence, explained)}",
        subject=subject(explained),
    )


def absent_backends(evidence: Evidence, explained: Explained) -> tuple[NodeName, ...]:
    """Return the nodes of all ready backends when none of them answered for its own address, where others did.

    Then the announcer had nobody to deliver to. () as soon as one of them answered, or cannot be known.
    """
    concerned = {one.service for one in explained.inside}
    backends = [b for case in cases(evidence) if case.name in concerned for b in case.service.backends or () if b.ready]
    heard = {reply.ip for reply in evidence.node_replies or ()}
    present = {node.name for node in evidence.cluster.nodes or () if heard & set(node.addresses)}
    nodes = dict.fromkeys(backend.node for backend in backends)
    known = {node.name for node in evidence.cluster.nodes or ()}
    if not present or not nodes or not set(nodes) <= known or present & set(nodes):
        return ()
    return tuple(node for node in nodes if node is not None)


def backends_unreachable(explained: Explained, addresses: str, nodes: str, absent: tuple[NodeName, ...]) -> Finding:
    """D04: the announcer is there, and every ready backend stands on nodes that are not."""
    where = listing(absent)
    return finding(
        "D04",
        Verdict.FAIL,
        says=f"Every ready backend behind {addresses} stood on {where}, which did not answer for its own address; "
        f"nothing arrived ({outcomes(tried(explained.inside))}).",
        because=(
            f"{nodes or 'An announcer'} answered for {addresses}, and other nodes for their own addresses.",
            *split(explained),
        ),
        remedy=f"See whether {where} is up; until its Pods run elsewhere the Service has no backend. If it is well and "
        f"only not on this segment, look at the path to it from {nodes or 'the announcer'}, and there for what drops "
        "the traffic.",
        subject=subject(explained),
    )


def port_remedy(explained: Explained, nodes: str) -> str:
    """Return where to look when one port of a Service is lost and others are not; "" when it is not about a port."""
    port = explained.pattern.port
    return port and (
        f"Look for what filters {port} alone, as the other ports arrive: a NetworkPolicy on the Pods, the Service's "
        f"spec.loadBalancerSourceRanges, or a host firewall on {nodes or 'the announcer'} or the Pods' nodes."
    )


def readiness(evidence: Evidence, explained: Explained) -> str:
    """Return that a backend was ready, or that nobody could read it."""
    known = [has_ready_backend(case) for case in concerned(evidence, explained)]
    if not any(known) and any(case.service.beyond for case in concerned(evidence, explained)):
        return "and of its backends, which may stand in other clusters too, none of this cluster was ready"
    return "although a backend was ready" if any(known) else "and whether a backend was ready could not be read"


def lost_beyond_router(evidence: Evidence, explained: Explained, addresses: str) -> Finding:
    """D03 from behind a router: all was lost, and whether anybody answers for the address was not seen.

    UNKNOWN, for the path to the segment may be what fails, and that accuses nobody's cluster.
    """
    gateway = evidence.vantage.gateway or "the router"
    return finding(
        "D03",
        Verdict.UNKNOWN,
        says=f"Of {explained.pattern.where} at {addresses} nothing arrived ({outcomes(tried(explained.inside))}), "
        f"{readiness(evidence, explained)}; whether any node answered for it was not seen from behind a router.",
        because=(*split(explained), f"All of it went through {gateway}."),
        remedy="Look from a machine in the address's own subnet: nobody announces it, the announcer drops, or the path "
        f"through {gateway} does.",
        subject=subject(explained),
    )


def alternatives(evidence: Evidence, explained: Explained) -> str:
    """Return what would look the same from outside of a Service of the user's, and what tells it apart; else ""."""
    trials = [trial for case in concerned(evidence, explained) for trial in case.trials if not trial.own]
    if not trials:
        return ""
    nodes = listing(b.node for trial in trials for b in trial.service.backends or () if b.ready and b.node)
    behind = f" to {nodes}" if nodes else ""
    if not nodes and any(trial.service.beyond for trial in trials):
        return (
            " A global Service without a ready backend in any cluster, or a broken path to those that have one, would "
            "look the same: look at its EndpointSlices there, and at `cilium-dbg service list` on that node."
        )
    return (
        f" A broken path from there{behind}, a NetworkPolicy or spec.loadBalancerSourceRanges would look the same: "
        "`l2probe run` tells them apart with Pods of its own."
    )


def announcer_of(evidence: Evidence, one: Try) -> str | None:
    """Who answered for the address of this try."""
    if one.entered:
        return one.entered
    owner = last_owner(by_name(evidence)[one.service], one.exchange.vip)
    return owner.label if owner else None


def unreachable_backends(_: Evidence, explained: Explained) -> Finding:
    """D04: failures follow the backend or the path between nodes."""
    return finding(
        "D04",
        Verdict.FAIL,
        says=f"{share(explained)} {explained.pattern.where} was lost ({outcomes(tried(explained.inside))}); "
        "the rest arrived.",
        because=split(explained),
        remedy="Check the path between the nodes: overlay port (UDP 8472 or 6081), firewall, routes to the "
        "Pod network.",
        subject=subject(explained),
    )


def udp_across_nodes(_: Evidence, explained: Explained) -> Finding:
    """D05: UDP is lost when the backend is not on the announcer."""
    return finding(
        "D05",
        Verdict.FAIL,
        says=f"{share(explained)} {explained.pattern.where} was lost ({outcomes(tried(explained.inside))}); the rest, "
        f"TCP too, arrived.",
        because=split(explained),
        remedy="Check how UDP travels between nodes: DSR dispatch (IP options are dropped by some fabrics), "
        "checksum offload, firewall.",
        subject=subject(explained),
    )


def large_lost(_: Evidence, explained: Explained) -> Finding:
    """D06: full-size packets are lost; names the largest size that passed."""
    limit = explained.pattern.threshold or 0
    kinds = {one.exchange.flow for one in explained.inside}
    passed = [o.exchange for o in explained.outside if not o.lost and o.exchange.flow in kinds]
    largest = max((exchange.payload_bytes for exchange in passed), default=None)
    return finding(
        "D06",
        Verdict.FAIL,
        says=f"{share(explained)} {explained.pattern.where} were lost ({outcomes(tried(explained.inside))}); "
        f"{f'{largest} bytes passed' if largest is not None else f'none of {limit} bytes passed'}.",
        because=split(explained),
        remedy="Lower the Pods' MTU by what the path adds (DSR option 8 bytes, IPv6 24, Geneve 50), or raise "
        "the MTU of the network; "
        "let ICMP fragmentation-needed through.",
        subject=subject(explained),
    )


PATTERNS = {"D03": announcer_drops, "D04": unreachable_backends, "D05": udp_across_nodes, "D06": large_lost}
