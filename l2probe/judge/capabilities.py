"""What this cluster does, from what was seen: each answer is proven or it is None / unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from l2probe.judge.case import (
    Case,
    answered,
    cases,
    exchanges,
    node_of,
    promised_trials,
    serving_trials,
    tells,
    vips,
)
from l2probe.judge.local import local_policy
from l2probe.judge.loss import steady
from l2probe.judge.owners import contenders, is_foreign, owners, rivals
from l2probe.model import (
    Capabilities,
    Evidence,
    Exchange,
    Flow,
    Ip,
    NodeName,
    PerFlow,
    Placement,
    Protocol,
    Source,
    Trial,
)

T = TypeVar("T")
REQUIRABLE: tuple[str, ...] = ("announced", "exclusive", "reachable", "source", "local", "payload")
"""What `--require` and a suite's `require` may name."""
TELLING = 3
"""Tries without an answer that make a place unreachable."""

FULL_BYTES = {Flow.UDP4: 1472, Flow.UDP6: 1452}
"""UDP payload that fills a frame of 1500 bytes."""


def capabilities(evidence: Evidence) -> Capabilities:
    """Return what the evidence proves. A host that is a cluster node proves nothing about a VIP."""
    every = () if evidence.vantage.cluster_node is not None else cases(evidence)
    seen = tuple(case for case in every if any(trial.replies or trial.exchanges for trial in case.trials))
    reachable = per_flow(lambda flow: is_reachable(seen, flow))
    return Capabilities(
        announced_by=announced_by(seen),
        exclusive=exclusive(seen),
        reachable=reachable,
        source=per_flow(lambda flow: source(seen, flow)),
        local_policy=per_flow(lambda flow: local_policy(seen, flow)),
        largest_payload_bytes=largest_payload(seen),
    )


def per_flow(ask: Callable[[Flow], T]) -> PerFlow[T]:
    """Ask the same of each flow kind."""
    return PerFlow(tcp4=ask(Flow.TCP4), udp4=ask(Flow.UDP4), tcp6=ask(Flow.TCP6), udp6=ask(Flow.UDP6))


def announced_by(seen: tuple[Case, ...]) -> NodeName | None:
    """Return the node that answered first for the first address; each Service has an election of its own."""
    return next((owner.node for case in seen for vip in vips(case) for owner in owners(case, vip) if owner.node), None)


def exclusive(seen: tuple[Case, ...]) -> bool | None:
    """Whether each address that was answered for had one answerer at a time; None: nobody answered, or undecidable.

    A handover keeps it true; a stranger beside a node decides it only when the stranger is proven foreign.
    """
    verdicts = [at_once(case, vip) for case in seen for vip in vips(case) if owners(case, vip)]
    if False in verdicts:
        return False
    return None if None in verdicts or not verdicts else True


def at_once(case: Case, vip: Ip) -> bool | None:
    """Whether nobody else answered for this VIP at the same time."""
    at_a_time = contenders(case, vip)
    if not at_a_time:
        return True
    foreign = any(is_foreign(case, owner) for owner in at_a_time if owner.node is None)
    return False if foreign or rivals(case, vip) else None


def is_reachable(seen: tuple[Case, ...], flow: Flow) -> bool | None:
    """Whether our Pod answered wherever it stood, all but for what chance loses on a sound segment.

    False when it never did, or never from one place, or when far more was lost; None when nobody tried, or when more
    was lost than chance explains and too little to call it broken. A place with fewer than TELLING tries decides
    nothing alone: one lost packet is no unreachable node. Larger payloads are another question where small ones pass.
    """
    places = [told(trial, flow) for case in seen for trial in promised_trials(case)]
    tried = [one for place in places for one in place]
    if not tried:
        return None
    if not any(map(answered, tried)) or any(len(p) >= TELLING and not any(map(answered, p)) for p in places):
        return False
    smallest = min(one.payload_bytes for one in tried)
    return steady([one for one in tried if one.payload_bytes == smallest])


def told(trial: Trial, flow: Flow) -> list[Exchange]:
    """Return the exchanges of a flow kind that say whether traffic arrives."""
    return [one for _, one in exchanges((trial,), flow) if tells(trial, one)]


def kept(case: Case, exchange: Exchange) -> bool | None:
    """Whether the Pod saw this host's own address; None when it did not say, or when we do not know our own."""
    own = {exchange.source, *case.evidence.vantage.addresses} - {None}
    return exchange.seen in own if own and exchange.seen is not None else None


def sightings(seen: tuple[Case, ...], flow: Flow | None = None) -> Iterator[tuple[Case, Trial, Exchange]]:
    """Every answer to policy Cluster that shows which address the Pod saw.

    Policy Local proves nothing about the source.
    """
    for case in seen:
        for trial, exchange in exchanges(() if case.local else case.trials, flow):
            if answered(exchange) and kept(case, exchange) is not None:
                yield case, trial, exchange


def through_another(case: Case, exchange: Exchange) -> bool | None:
    """Whether the frame went to another node than the backend's; None when not known.

    By the frame's own MAC; where frames were not read, by the address that the Pod saw: a node's address in place of
    the client's names the node that translated, whatever the control plane claims.
    """
    entered = node_of(case, exchange.sent_mac) or translator(case, exchange)
    return None if entered is None or exchange.node is None else entered != exchange.node


def translator(case: Case, exchange: Exchange) -> NodeName | None:
    """Return the node whose address the Pod saw in place of the client's; None when it is no single node's."""
    if exchange.sent_mac is not None or exchange.seen is None or kept(case, exchange) is not False:
        return None
    nodes = [node.name for node in case.evidence.cluster.nodes or () if exchange.seen in node.addresses]
    return nodes[0] if len(nodes) == 1 else None


def source(seen: tuple[Case, ...], flow: Flow) -> Source:
    """Return what becomes of the client address.

    Only answers from a node other than the one we sent to prove anything.
    """
    off = {kept(case, e) for case, _, e in sightings(seen, flow) if through_another(case, e) is True}
    on = {kept(case, e) for case, t, e in sightings(seen, flow) if is_on(case, t, e)}
    table: dict[tuple[frozenset[bool | None], frozenset[bool | None]], Source] = {
        (frozenset({True}), frozenset()): Source.ALWAYS,
        (frozenset({True}), frozenset({True})): Source.ALWAYS,
        (frozenset({False}), frozenset({True})): Source.ON_ANNOUNCER_ONLY,
        (frozenset({False}), frozenset({False})): Source.NEVER,
    }
    return table.get((frozenset(off), frozenset(on)), Source.UNKNOWN)


def is_on(case: Case, trial: Trial, exchange: Exchange) -> bool:
    """Whether the Pod stood on the node we sent to: by the frame, else where the claim put the Pod of this trial."""
    crossed = through_another(case, exchange)
    unread = crossed is None and exchange.sent_mac is None
    return crossed is False or (unread and trial.placement is Placement.ON_ANNOUNCER)


def passed_full_size(seen: tuple[Case, ...], flow: Flow) -> bool:
    """Whether a datagram that fills an Ethernet frame was answered; smaller ones prove nothing about it."""
    tried = [one for case in seen for _, one in exchanges(serving_trials(case), flow)]
    return any(answered(one) and one.payload_bytes >= FULL_BYTES[flow] for one in tried)


def largest_payload(seen: tuple[Case, ...]) -> int | None:
    """Return the largest UDP payload in bytes that each answered UDP flow kind passed; None when none answered."""
    best: dict[Flow, int] = {}
    for case in seen:
        for _, exchange in exchanges(serving_trials(case)):
            if exchange.protocol is Protocol.UDP and answered(exchange):
                best[exchange.flow] = max(best.get(exchange.flow, 0), exchange.payload_bytes)
    return min(best.values(), default=None)
