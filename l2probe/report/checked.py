"""What a diagnosis looked at and found good, one line for each Service: what a reader may rule out."""

from __future__ import annotations

from collections.abc import Iterator

from l2probe.judge.case import Case, answered, claims, mac_owners, node_of, ready_nodes, vips
from l2probe.judge.existing import connects, existing, ways
from l2probe.judge.owners import contenders, owners
from l2probe.judge.source import promised
from l2probe.judge.versions import names
from l2probe.judge.words import count, listing
from l2probe.model import Evidence, Protocol, Report, Subject, Trial

LATE = ("D07",)
"""Findings about answers that began well and went wrong: a connection that was opened proves nothing there."""


def summary(report: Report) -> str:
    """Return the good news in one sentence."""
    seen = existing(report.evidence)
    if len(seen) == 1:
        return f"{seen[0][0].name} is announced by one node, and its traffic arrives."
    return f"{count(len(seen), 'Service')} are announced by one node each, and their traffic arrives."


def checked(report: Report) -> Iterator[str]:
    """Yield what was found good: the segment, then each Service."""
    if nodes := listing(sorted(set(mac_owners(report.evidence).values())), limit=3):
        total = len(ready_nodes(report.evidence))
        yield f"{nodes} answered for their own addresses ({count(total, 'node')} Ready): this interface hears them."
    doubted = doubtful(report)
    for case, trial in existing(report.evidence):
        known = (case.service.namespace, case.service.name) not in doubted
        arrived = (delivered(trial), returned(report.evidence, case, trial)) if known else ()
        good = tuple(filter(None, (announced(case), *arrived)))
        if good:
            yield f"{case.name}: {'; '.join(good)}."


def announced(case: Case) -> str:
    """Return who announces, when it is one node and the claim agrees; else ""."""
    found = {vip: owners(case, vip) for vip in vips(case)}
    heard = [vip for vip, who in found.items() if len(who) == 1 and who[0].node and not contenders(case, vip)]
    nodes = tuple(dict.fromkeys(found[vip][0].node or "" for vip in heard))
    if not heard or len(nodes) > 1:
        return ""
    frames = sum(len(found[vip][0].replies) for vip in heard)
    holder = (claims(case) or (None,))[-1]
    agrees = f", as its {names(case.evidence.cluster).claim} says" if holder and holder.holder == nodes[0] else ""
    return f"{nodes[0]} alone answered for {listing(heard)}{agrees} ({count(frames, 'answer')})"


def doubtful(report: Report) -> frozenset[tuple[str, str]]:
    """Return the Services, by namespace and name, whose answers are not known to be good.

    A MAC of no node gave them although nodes' are known, or a finding says that they went wrong later.
    """
    late = [one for found in report.findings if found.code in LATE for one in (found.subject, *found.subjects)]
    strange = [
        Subject(namespace=case.service.namespace, name=case.service.name)
        for case, trial in existing(report.evidence)
        if case.macs and report.evidence.vantage.on_link
        if any(answered(one) and one.reply_mac and not node_of(case, one.reply_mac) for one in connects(trial))
    ]
    return frozenset((one.namespace, one.name) for one in (*late, *strange))


def delivered(trial: Trial) -> str:
    """Return what traffic arrived; "" when some did not."""
    tried = connects(trial)
    good = [one for one in tried if answered(one)]
    others = [one for one in trial.exchanges or () if one.payload_bytes and answered(one)]
    ports = listing(dict.fromkeys(f"{one.port}" for one in good))
    said = []
    if good and len(good) == len(tried):
        said.append(f"{count(len(good), 'TCP connection')} to port {ports} arrived")
    for protocol, what in ((Protocol.TCP, "GET"), (Protocol.UDP, "UDP")):
        answers = dict.fromkeys(one.detail for one in others if one.protocol is protocol)
        if answers:
            said.append(f"{what} was answered ({listing(answers, limit=3)})")
    return "; ".join(said)


def returned(evidence: Evidence, case: Case, trial: Trial) -> str:
    """Return by which way the answers came back, and what that says of the client address; "" for nothing."""
    seen = ways(case, trial)
    if seen.direct and not seen.through:
        return "answers came from a backend's own node (DSR), so the Pod most likely sees the client"
    promised_here = any(one.flow in promised(evidence) for one in seen.through)
    if seen.through and not seen.direct and not promised_here:
        return "answers came back through the announcer, so the Pod most likely sees the node (SNAT, as configured)"
    return ""
