"""Each capability with its result and its proof in words: what the report's first table says. Judges nothing anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from l2probe.judge.capabilities import kept, sightings, through_another
from l2probe.judge.case import Case, answered, cases, exchanges, replies, serving_trials, vips
from l2probe.judge.local import attempts, off_trials
from l2probe.judge.owners import contenders, owners
from l2probe.judge.words import count, listing, outcomes, per_flow, seconds
from l2probe.model import Evidence, Flow, PerFlow, Placement, Report

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the capability table."""

    capability: str
    result: str
    proof: str


def rows(report: Report) -> Iterator[Row]:
    """Yield the capabilities in the order in which a packet meets them."""
    evidence, able = report.evidence, report.capabilities
    seen = cases(evidence)
    yield Row(capability="announced by", result=able.announced_by or "unknown", proof=announcers(seen))
    yield Row(capability="exclusive", result=yes_or_no(able.exclusive), proof=questions(seen))
    for flows, value in grouped(evidence, able.reachable):
        yield Row(capability="reachable", result=mixed(evidence, flows, yes_or_no(value)), proof=arrivals(seen, flows))
    for flows, kept_for in grouped(evidence, able.source):
        yield Row(capability="client address", result=mixed(evidence, flows, kept_for), proof=sources(seen, flows))
    if any(map(off_trials, seen)):
        for flows, fate in grouped(evidence, able.local_policy):
            yield Row(capability="policy Local", result=mixed(evidence, flows, fate), proof=locals_(seen, flows))
    size = able.largest_payload_bytes
    result = "unknown" if size is None else f"{size} bytes"
    yield Row(capability="largest payload", result=result, proof=payloads(seen))


def yes_or_no(value: object) -> str:
    """Return yes, no or unknown."""
    return {True: "yes", False: "no"}.get(value if isinstance(value, bool) else None, "unknown")  # type: ignore[arg-type]


def grouped(evidence: Evidence, values: PerFlow[T]) -> list[tuple[tuple[Flow, ...], T]]:
    """Return the flow kinds that were asked for, grouped by their value."""
    found: dict[T, list[Flow]] = {}
    for flow in evidence.flows:
        found.setdefault(getattr(values, flow), []).append(flow)
    return [(tuple(flows), value) for value, flows in found.items()]


def mixed(evidence: Evidence, flows: tuple[Flow, ...], result: str) -> str:
    """Return the result, with its flow kinds when others have another one."""
    return result if len(flows) == len(evidence.flows) else f"{result} ({', '.join(flows)})"


def announcers(seen: tuple[Case, ...]) -> str:
    """Return who answered for which Service."""
    lines = []
    for case in seen:
        found = [owner for vip in vips(case) for owner in owners(case, vip)]
        if found:
            who = listing(f"{owner.label}{f' ({owner.macs[0]})' if owner.node else ''}" for owner in found)
            lines.append(f"{case.service.name} by {who}")
    return "; ".join(lines) or "nobody was heard"


def questions(seen: tuple[Case, ...]) -> str:
    """Return how many answers the uniqueness rests on, or who answered at the same time."""
    rivals = {vip: contenders(case, vip) for case in seen for vip in vips(case)}
    if any(rivals.values()):
        return "at once: " + "; ".join(
            f"{vip} by {listing(o.label for o in who)}" for vip, who in rivals.items() if who
        )
    heard = {vip: len(replies(case, vip) or ()) for case in seen for vip in vips(case)}
    silent = [vip for vip, number in heard.items() if not number]
    if len(silent) == len(heard):
        return "no answer to count"
    said = f"one answerer for {count(len(heard) - len(silent), 'address')} in {count(sum(heard.values()), 'frame')}"
    return f"{said}; none for {listing(silent)}" if silent else said


def arrivals(seen: tuple[Case, ...], flows: tuple[Flow, ...]) -> str:
    """Return how many exchanges were answered; of larger payloads apart, where some were lost."""
    tried = [e for case in seen for _, e in exchanges(serving_trials(case)) if e.flow in flows]
    if not tried:
        return "nothing was tried"
    smallest = {flow: min(e.payload_bytes for e in tried if e.flow is flow) for flow in {e.flow for e in tried}}
    small = [e for e in tried if e.payload_bytes == smallest[e.flow]]
    large = [e for e in tried if e.payload_bytes > smallest[e.flow]]
    if all(map(answered, large)) or not any(map(answered, small)):
        return f"answered: {per_flow(tried)}"
    return f"answered: {per_flow(small)}; larger payloads: {per_flow(large)}"


def sources(seen: tuple[Case, ...], flows: tuple[Flow, ...]) -> str:
    """Return what Pods off the announcer saw, and from whose MAC the answer came."""
    off = [
        (case, exchange)
        for flow in flows
        for case, _, exchange in sightings(seen, flow)
        if through_another(case, exchange) is True
    ]
    if not off:
        return by_claim(seen, flows) or "no answer came from a Pod off the announcer"
    kept_there = sum(kept(case, exchange) is True for case, exchange in off)
    said = f"off the announcer: seen in {kept_there} of {len(off)}"
    framed = [(case, e) for case, e in off if e.reply_mac is not None]
    direct = sum(case.macs.get(e.reply_mac) == e.node for case, e in framed if e.reply_mac is not None)
    return f"{said}, answered by the Pod's own node in {direct}" if framed else f"{said}; no frames were read"


def by_claim(seen: tuple[Case, ...], flows: tuple[Flow, ...]) -> str:
    """Return what Pods saw that stood off the node which the claim names, where no frame shows the way; "" for nothing.

    No proof: were the claim wrong, such a Pod might stand on the announcer, where it sees the client in any case.
    """
    told = [
        kept(case, exchange)
        for flow in flows
        for case, trial, exchange in sightings(seen, flow)
        if trial.placement is Placement.OFF_ANNOUNCER and exchange.sent_mac is None
    ]
    if not told:
        return ""
    return f"off the claimed announcer: seen in {sum(map(bool, told))} of {len(told)}; no frame proves who announces"


def locals_(seen: tuple[Case, ...], flows: tuple[Flow, ...]) -> str:
    """Return what became of traffic when the only Pod was elsewhere."""
    lines = []
    for trial in (trial for case in seen for trial in off_trials(case)):
        tried = [exchange for flow in flows for exchange in attempts(trial, flow)]
        if tried:
            place = (
                f"Pod on {trial.target.node}, announcer {trial.announcer or 'not seen'}" if trial.target else "no Pod"
            )
            lines.append(f"{place}: {outcomes(tried)} in {seconds(trial.observed_seconds)}")
        elif trial.obstacle:
            lines.append(trial.obstacle)
    return "; ".join(lines) or "nothing was tried"


def payloads(seen: tuple[Case, ...]) -> str:
    """Return which UDP sizes were tried."""
    sizes = {e.payload_bytes for case in seen for _, e in exchanges(serving_trials(case)) if e.flow.startswith("udp")}
    return f"UDP tried with {listing(map(str, sorted(sizes)))} bytes, not fragmented" if sizes else "no UDP was tried"
