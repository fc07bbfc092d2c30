"""Family C, the wrong owner or several.

A moment's overlap that the control plane explains is a handover and no finding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import combinations, groupby

from l2probe.judge.case import Case, cases, claims, claims_until, exchanges, node_of, ready_nodes, vips
from l2probe.judge.finding import about, finding
from l2probe.judge.owners import (
    GRACE_SECONDS,
    Owner,
    contend,
    contenders,
    is_accused,
    is_everywhere,
    is_foreign,
    lies,
    owners,
    rivals,
    silent_vips,
    strangers,
    unmapped_nodes,
)
from l2probe.judge.versions import names
from l2probe.judge.words import count, listing, outcomes
from l2probe.model import Claim, Evidence, Finding, Ip, NodeName, Verdict

EVERYONE = 3
"""With fewer nodes than this "all of them" is just two."""


def answers(owner: Owner, vip: Ip) -> str:
    """Return what one answerer sent, in words."""
    who = owner.node or "no known node"
    return f"{listing(owner.macs)} ({who}) answered {count(len(owner.replies), 'time')} for {vip}."


def winner(case: Case, vip: Ip) -> str:
    """Where this host's own traffic went, in words."""
    sent = Counter(e.sent_mac for _, e in exchanges(case.trials) if e.vip == vip and e.sent_mac is not None)
    shares = [f"{number} to {node_of(case, mac) or mac}" for mac, number in sent.most_common()]
    return f"This host sent to {vip}: {listing(shares)}." if shares else ""


def is_everyone(case: Case, nodes: tuple[Owner, ...]) -> bool:
    """Whether all Ready nodes are among them, each at the same time as each other: one that moves is not everywhere."""
    if len(nodes) < EVERYONE or not {n.name for n in ready_nodes(case.evidence)} <= {o.node for o in nodes}:
        return False
    return all(contend(case, *pair) for pair in combinations(nodes, 2))


def duplicate_announcers(evidence: Evidence) -> Iterator[Finding]:
    """C01: two nodes answer for one address; C06: all of them do."""
    found = [(case, shared) for case in cases(evidence) if (shared := shared_addresses(case))]
    remedy = stop_answering([(node, case.name) for case, shared in found for node in unnamed(case, shared[0][1])])
    for case, shared in found:
        _, nodes = shared[0]
        everyone = is_everyone(case, nodes)
        because = [line for v, some in shared for line in (*(answers(owner, v) for owner in some), winner(case, v))]
        yield finding(
            "C06" if everyone else "C01",
            Verdict.FAIL,
            says=f"{listing(owner.label for owner in nodes)} answered for {listing(v for v, _ in shared)} at the same "
            "time.",
            because=(*because, claim_words(case)),
            remedy="With kube-proxy in IPVS mode set strictARP: true; otherwise stop all announcers but one."
            if everyone
            else remedy,
            subject=about(case, (v for v, _ in shared)),
        )


def shared_addresses(case: Case) -> list[tuple[Ip, tuple[Owner, ...]]]:
    """Return the addresses that several nodes answered for at the same time, with these nodes."""
    return [(vip, nodes) for vip in vips(case) if len(nodes := rivals(case, vip)) > 1]


def unnamed(case: Case, nodes: tuple[Owner, ...]) -> tuple[str, ...]:
    """Return those of the answering nodes that no claim ever named; () where no claim names any of them."""
    named = {claim.holder for claim in claims(case) or ()}
    return tuple(node.label for node in nodes if node.node not in named) if named & {o.node for o in nodes} else ()


def stop_answering(found: Iterable[tuple[str, str]]) -> str:
    """Return what to do about nodes that answer for a Service without its claim; about any, when none is known."""
    several = by_node(found)
    answer = f"{several or 'a node'} {'answer' if ' and ' in several else 'answers'} without the claim"
    return f"Find out why {answer} (stale responder, address left on a NIC, partition), and restart the agent there."


def by_node(found: Iterable[tuple[str, str]]) -> str:
    """Return the nodes in words, each with its Services where several are named: "node-1 (shop/web) and node-2 (…)"."""
    services: dict[str, list[str]] = {}
    for node, service in found:
        services.setdefault(node, []).append(service)
    if len(services) < 2:  # noqa: PLR2004 - one needs no telling apart
        return "".join(services)
    return listing(f"{node} ({listing(names, limit=2)})" for node, names in services.items())


def claim_words(case: Case) -> str:
    """Whom the control plane named, over the whole observation."""
    history = claims(case) or ()
    holders = [claim.holder for claim in history if claim.holder]
    if not holders:
        return ""
    named = ", then ".join(holder for holder, _ in groupby(holders))
    throughout = " throughout" if len(set(holders)) == 1 else ""
    return f"The {names(case.evidence.cluster).claim} of {case.name} named {named}{throughout}."


def several_nics(evidence: Evidence) -> Iterator[Finding]:
    """C02: one node, two MACs. Not a split brain, but switches see the address move."""
    for case in cases(evidence):
        for vip in vips(case):
            for owner in owners(case, vip):
                if owner.node is None or len(owner.macs) < 2:  # noqa: PLR2004 - several means two
                    continue
                yield finding(
                    "C02",
                    Verdict.WARN,
                    says=f"{owner.node} answered for {vip} with {len(owner.macs)} MACs: {listing(owner.macs)}.",
                    because=(answers(owner, vip), f"All of them answered for {owner.node}'s own address too."),
                    remedy="Name the one interface of this segment in the policy's interfaces.",
                    subject=about(case, (vip,)),
                )


def foreign_owner(evidence: Evidence) -> Iterator[Finding]:
    """C03: a machine outside the cluster answers for the address."""
    for case in cases(evidence):
        found = [(vip, owner) for vip in vips(case) for owner in strangers(case, vip) if is_accused(case, vip, owner)]
        if not found:
            continue
        addresses, macs = listing(vip for vip, _ in found), {mac for _, owner in found for mac in owner.macs}
        wrong = [e for _, e in exchanges(case.trials) if macs & {e.sent_mac, e.reply_mac}]
        yield finding(
            "C03",
            Verdict.FAIL,
            says=f"{listing(sorted(macs))} answered for {addresses} and {stranger(case, [o for _, o in found])}.",
            because=(
                *(answers(owner, vip) for vip, owner in found),
                node_macs(case),
                f"Traffic to or from it: {outcomes(wrong)}." if wrong else "",
                *(answers(owner, vip) for vip, _ in found for owner in owners(case, vip) if owner.node),
            ),
            remedy="Find that machine by its MAC in the switch's table; give it another address, or take the "
            f"address out of the pool and of DHCP.{second_nic(case, [owner for _, owner in found])}",
            subject=about(case, (vip for vip, _ in found)),
        )


def stranger(case: Case, found: list[Owner]) -> str:
    """Return what is known of those who are called foreign."""
    if all(lies(case.evidence, owner) for owner in found):
        return "belongs to no node of the cluster"
    if all(is_foreign(case, owner) for owner in found):
        return "is no node's known MAC, and nothing that was sent to it arrived"
    if all(is_everywhere(case.evidence, owner) for owner in found):
        return "is no node's known MAC, while different nodes answered for different addresses at the same time as it"
    return "is no node's known MAC, and served nothing while a node that answered at the same time served"


def second_nic(case: Case, found: list[Owner]) -> str:
    """Return what would look the same where it is not excluded, and what tells it apart; else ""."""
    if all(lies(case.evidence, owner) for owner in found):
        return ""
    return (
        " A node's second NIC, bond or virtual MAC would look the same: compare the MAC with `ip link` on the nodes, "
        "or let `l2probe run` show whether a Pod answers through it."
    )


def node_macs(case: Case) -> str:
    """Whose MACs were known, in words."""
    known = listing(sorted(f"{node} {mac}" for mac, node in case.macs.items()))
    missing = listing(unmapped_nodes(case.evidence))
    return f"Nodes answered for their own addresses: {known or 'none'}{f'; not {missing}' if missing else ''}."


def final_claim(case: Case) -> Claim | None:
    """Return the last claim that names a holder, when it had stood for long enough to be in effect."""
    history = claims(case) or ()
    return history[-1] if history and history[-1].holder else None


def holder_mismatch(evidence: Evidence) -> Iterator[Finding]:
    """C04: the wire shows one node, the claim names another."""
    found = [
        (case, claim, wrong)
        for case in cases(evidence)
        if (claim := final_claim(case)) and (wrong := usurpers(case, claim))
    ]
    restart = by_node((wrong[0][1].label, case.name) for case, _, wrong in found)
    for case, claim, wrong in found:
        _, owner = wrong[0]
        yield finding(
            "C04",
            Verdict.FAIL,
            says=f"{owner.label} answered for {listing(v for v, _ in wrong)}, but the "
            f"{names(evidence.cluster).claim} named {claim.holder}.",
            because=(
                *(answers(o, v) for v, o in wrong),
                f"{claim.source} named {claim.holder}, transitions {claim.transitions}.",
            ),
            remedy=f"Restart the agent on {restart}; if the answer stays, another controller announces the address "
            "too.",
            subject=about(case, (v for v, _ in wrong)),
        )


def usurpers(case: Case, claim: Claim) -> list[tuple[Ip, Owner]]:
    """Return each address that another node than the claim's holder answers for, with that node."""
    return [(vip, owner) for vip in vips(case) if (owner := usurper(case, vip, claim))]


def usurper(case: Case, vip: Ip, claim: Claim) -> Owner | None:
    """Return the node that answered last although another had been named well before; None when the two agree.

    Frames after the claims were last looked at are not compared: the claim may have changed with them.
    """
    if len(contenders(case, vip)) > 1:
        return None
    compared = [(owner, f.at) for owner in owners(case, vip) for f in owner.replies if f.at <= claims_until(case)]
    owner, at = max(compared, key=lambda pair: pair[1], default=(None, 0.0))
    if owner is None or owner.node in {None, claim.holder}:
        return None
    return owner if at > held_since(case, claim) + GRACE_SECONDS else None


def held_since(case: Case, claim: Claim) -> float:
    """Return since when, on our clock, the holder has demonstrably held the claim.

    When it was first read as the holder, or earlier by as much as it had renewed by then: `acquired` and `renewed` are
    both on the holder's clock, which may differ from ours, so only their difference counts.
    """
    since = claim.read_at
    for one in reversed(claims(case) or ()):
        if one.holder != claim.holder:
            break
        since = min(since, one.read_at)
        if one.acquired is not None and one.renewed is not None:
            since = min(since, one.read_at - max(0.0, one.renewed - one.acquired))
    return since


def holder_gone(evidence: Evidence) -> Iterator[Finding]:
    """C05: the holder is no Ready node."""
    ready = {node.name for node in ready_nodes(evidence)}
    known: set[NodeName] = {node.name for node in evidence.cluster.nodes or ()}
    for case in cases(evidence) if ready else ():
        claim = final_claim(case)
        if claim is None or claim.holder is None or claim.holder in ready:
            continue
        dead = silent_vips(case)
        state = "is not Ready" if claim.holder in known else "does not exist"
        yield finding(
            "C05",
            Verdict.FAIL if dead else Verdict.WARN,
            says=f"The {names(evidence.cluster).claim} of {case.name} was held by {claim.holder}, a node that {state}.",
            because=(
                f"{claim.source} named {claim.holder}.",
                f"Ready nodes: {listing(sorted(ready))}.",
                f"Nobody answered for {listing(dead)}." if dead else "",
            ),
            remedy=f"Delete each {names(evidence.cluster).claim} named above; a living node then takes over.",
            subject=about(case, dead),
        )
