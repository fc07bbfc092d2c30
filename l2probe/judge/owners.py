"""Who answered for an address, whether at the same time, and whether silence means anything here.

Two nodes that answer one after the other are a handover; two that answer at the same time are a split brain, unless the
control plane itself handed the address over at that moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from l2probe.judge.case import (
    Case,
    answered,
    cases,
    claims,
    exchanges,
    family,
    has_ready_backend,
    mac_owners,
    node_of,
    once,
    promised_trials,
    ready_nodes,
    replies,
    tells,
    vips,
)
from l2probe.model import Evidence, Exchange, Ip, Mac, NeighbourReply, NodeName, Outcome, Trial

GRACE_SECONDS = 3.0
"""How far a frame may lie from its sender's time as holder. MetalLB repeats gratuitous ARP 1.1 s apart, Cilium's new
holder may announce before the old one has withdrawn (retry period 2 s)."""

OVERLAP_SECONDS = 1.0
"""How long both nodes of a handover without a lease may answer: MetalLB's speakers each hear by themselves that a
Service changed, and neither waits for the other. Measured on a real one: 2 ms."""
RELIEVED_SECONDS = 0.5
"""How long who took over must have answered on alone: a question is repeated several times in it."""

SEVERAL = 3
"""Tries without an answer that say that a MAC delivers nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Someone who answered for an address: a node (perhaps with several MACs), or a MAC that no node owned."""

    node: NodeName | None
    replies: tuple[NeighbourReply, ...]

    @property
    def macs(self) -> tuple[Mac, ...]:
        """Its MACs, in order of appearance."""
        return tuple(dict.fromkeys(reply.mac for reply in self.replies))

    @property
    def label(self) -> str:
        """The node's name, or the MAC."""
        return self.node or self.macs[0]


def owners(case: Case, vip: Ip) -> tuple[Owner, ...]:
    """Everyone who answered for this VIP, first come first."""
    found: dict[str, list[NeighbourReply]] = {}
    for reply in replies(case, vip) or ():
        found.setdefault(node_of(case, reply.mac) or reply.mac, []).append(reply)
    return tuple(Owner(node=node_of(case, frames[0].mac), replies=tuple(frames)) for frames in found.values())


def licensed(case: Case, owner: Owner, frame: NeighbourReply) -> bool:
    """Whether the control plane named the sender as holder at about the time of the frame."""
    history = claims(case) or ()
    for index, claim in enumerate(history):
        until = history[index + 1].read_at if index + 1 < len(history) else float("inf")
        if claim.holder == owner.node and claim.read_at - GRACE_SECONDS <= frame.at <= until + GRACE_SECONDS:
            return owner.node is not None
    return False


def contend(case: Case, one: Owner, other: Owner) -> bool:
    """Whether two answered at the same time without a handover that explains it."""
    start = max(one.replies[0].at, other.replies[0].at)
    end = min(one.replies[-1].at, other.replies[-1].at)
    if end < start or is_relief(*in_order(one, other)):
        return False
    handed_over = len({claim.holder for claim in claims(case) or ()} & {one.node, other.node} - {None}) > 1
    within = [(owner, frame) for owner in (one, other) for frame in owner.replies if start <= frame.at <= end]
    return not (handed_over and all(licensed(case, owner, frame) for owner, frame in within))


def in_order(one: Owner, other: Owner) -> tuple[Owner, Owner]:
    """Return the two in the order in which they answered first."""
    return (one, other) if one.replies[0].at <= other.replies[0].at else (other, one)


def is_relief(before: Owner, after: Owner) -> bool:
    """Whether one node took over from another: both answered for a moment, then the first never again."""
    return before.node is not None and after.node is not None and was_brief(before, after)


def was_brief(before: Owner, after: Owner) -> bool:
    """Whether two answered for a moment, then the first never again.

    Only what was asked later shows it: the second answered that several times, and the first kept silent.
    """
    ended = before.replies[-1].at
    alone = [frame for frame in after.replies if frame.at > ended and frame.solicited]
    overlapped = ended - after.replies[0].at
    return overlapped <= OVERLAP_SECONDS and len(alone) > 1 and alone[-1].at - ended >= RELIEVED_SECONDS


def contending(case: Case, some: Sequence[Owner]) -> tuple[Owner, ...]:
    """Those among some who answered at the same time as another of them."""
    pairs = [pair for pair in combinations(some, 2) if contend(case, *pair)]
    return tuple(owner for owner in some if any(owner in pair for pair in pairs))


def contenders(case: Case, vip: Ip) -> tuple[Owner, ...]:
    """Those who answered for this VIP at the same time as somebody else."""
    return contending(case, owners(case, vip))


def rivals(case: Case, vip: Ip) -> tuple[Owner, ...]:
    """Return the nodes that answered for this VIP at the same time as another node; strangers do not count."""
    return contending(case, [owner for owner in owners(case, vip) if owner.node is not None])


def last_owner(case: Case, vip: Ip) -> Owner | None:
    """Who answered last."""
    return max(owners(case, vip), key=lambda owner: owner.replies[-1].at, default=None)


def owner_after(case: Case, trial: Trial, vip: Ip) -> NodeName | None:
    """Return the node that the last frame of this trial showed; the trial's announcer when no frame came."""
    frames = sorted((reply for reply in trial.replies or () if reply.ip == vip), key=lambda reply: reply.at)
    return node_of(case, frames[-1].mac) if frames else trial.announcer


def changed_unheard(trial: Trial, vip: Ip) -> bool:
    """Whether the claim changed hands in this trial, and no frame showed who answered for the address.

    This host may have sent to the old announcer on: Linux ignores a gratuitous ARP within the neighbour's locktime, and
    without frames nobody asks anew.
    """
    history = trial.claims or ()
    before = [claim.holder for claim in history if claim.read_at <= trial.started][-1:]
    after = [claim.holder for claim in history if claim.read_at > trial.started]
    return len({*before, *after}) > 1 and not any(reply.ip == vip for reply in trial.replies or ())


@once
def hears(evidence: Evidence, version: int) -> bool | None:
    """Whether this interface demonstrably hears neighbours of the family (4 or 6); None when nobody listened."""
    heard = [reply for trial in evidence.trials for reply in trial.replies or ()]
    if evidence.node_replies is None and all(trial.replies is None for trial in evidence.trials):
        return None
    return any(family(reply.ip) == version for reply in (*(evidence.node_replies or ()), *heard))


def silent(case: Case, vip: Ip) -> bool | None:
    """Whether nobody answered for this VIP while a backend was ready and neighbours were heard; None: cannot tell.

    Only the trials in which the address must be announced count. A gratuitous announcement whose sender then answers no
    question is silence too, when traffic found no neighbour. An answer to traffic does not end the silence: this host
    may remember a neighbour that answers nobody who asks.
    """
    if not hears(case.evidence, family(vip)) or is_elsewhere(case.evidence, vip):
        return None
    frames = replies(case, vip)
    if frames is None:
        return None
    tried = [exchange for _, exchange in exchanges(case.trials) if exchange.vip == vip]
    if any(frame.solicited for frame in frames):
        return False
    if any(map(answered, tried)):
        return not frames and remembered(tried)
    return not frames or (bool(tried) and all(exchange.outcome is Outcome.NO_NEIGHBOUR for exchange in tried))


def is_elsewhere(evidence: Evidence, vip: Ip) -> bool:
    """Whether the address lies on no subnet of this interface: it may be announced on another segment."""
    return evidence.off_link is not None and vip in evidence.off_link.asked


def remembered(tried: Sequence[Exchange]) -> bool:
    """Whether what was answered went to a MAC that this host only remembered: frames were read, and none told it."""
    return all(exchange.sent_mac is not None for exchange in tried if answered(exchange))


def silent_vips(case: Case) -> tuple[Ip, ...]:
    """Return the Service's addresses that were proven to be silent."""
    return tuple(vip for vip in vips(case) if silent(case, vip))


@once
def unmapped_nodes(evidence: Evidence) -> tuple[NodeName, ...]:
    """Ready nodes whose own MAC is not known: an unknown MAC may be theirs."""
    mapped = set(mac_owners(evidence).values())
    return tuple(node.name for node in ready_nodes(evidence) if node.name not in mapped)


def strangers(case: Case, vip: Ip) -> tuple[Owner, ...]:
    """Those who answered with a MAC that no node owns."""
    return tuple(owner for owner in owners(case, vip) if owner.node is None)


def is_foreign(case: Case, owner: Owner) -> bool:
    """Whether a stranger is proven to be no part of the cluster.

    Traffic decides: a MAC through which our Pod answered belongs to the cluster (a node's second NIC, a bond, a virtual
    MAC), one that gave a wrong answer does not. One that delivers nothing is foreign only when every Ready node's own
    MAC is known and is another one. That alone proves nothing: a node may have several.
    """
    if is_ours(case.evidence, owner):
        return False
    return lies(case.evidence, owner) or (all_mapped(case.evidence) and delivers_nothing(case.evidence, owner))


def lies(evidence: Evidence, owner: Owner) -> bool:
    """Whether something that is not our Pod answered through this MAC."""
    return not wrong_macs(evidence).isdisjoint(owner.macs)


@once
def wrong_macs(evidence: Evidence) -> frozenset[Mac | None]:
    """Return the MACs that wrong answers went to or came from."""
    wrong = [exchange for _, exchange in exchanges(evidence.trials) if exchange.outcome is Outcome.WRONG_ANSWER]
    return frozenset(mac for exchange in wrong for mac in (exchange.sent_mac, exchange.reply_mac))


def all_mapped(evidence: Evidence) -> bool:
    """Whether every Ready node's own MAC is known."""
    return bool(ready_nodes(evidence)) and not unmapped_nodes(evidence)


def delivers_nothing(evidence: Evidence, owner: Owner) -> bool:
    """Whether traffic that had to arrive went to this MAC, several times, and nothing came back.

    A refusal does come back: it may be the application's, or the cluster's for want of a backend.
    """
    went = [outcome for mac in owner.macs for outcome in ends_at(evidence).get(mac, ())]
    return len(went) >= SEVERAL and all(outcome is Outcome.TIMEOUT for outcome in went)


@once
def ends_at(evidence: Evidence) -> Mapping[Mac | None, tuple[Outcome, ...]]:
    """Return how traffic that had to arrive ended, by the MAC that it went to."""
    found: dict[Mac | None, list[Outcome]] = {}
    for case in cases(evidence):
        if has_ready_backend(case) is not False:
            for trial, exchange in exchanges(promised_trials(case)):
                if tells(trial, exchange):
                    found.setdefault(exchange.sent_mac, []).append(exchange.outcome)
    return {mac: tuple(ends) for mac, ends in found.items()}


def is_second_owner(case: Case, vip: Ip, owner: Owner) -> bool:
    """Whether a stranger has a Service of the user's at the same time as a node, and cannot be that node's other NIC.

    Who answered such a Service is not proven, so beside one node a second NIC of it (arp_ignore=1) looks the same. It
    is no NIC of several nodes, and none that does its work when it turns away what the node itself answered.
    """
    if any(trial.own for trial in case.trials) or owner.node is not None or not all_mapped(case.evidence):
        return False
    return bool(companions(case, vip, owner)) and (is_everywhere(case.evidence, owner) or turns_away(case, owner))


def companions(case: Case, vip: Ip, owner: Owner) -> tuple[NodeName, ...]:
    """Return the nodes that answered for this VIP at the same time as a stranger, and that it did not relieve."""
    others = [other for other in owners(case, vip) if other.node is not None and contend(case, owner, other)]
    return tuple(other.node for other in others if other.node and not was_brief(*in_order(owner, other)))


def is_everywhere(evidence: Evidence, owner: Owner) -> bool:
    """Whether a stranger answered beside several nodes: then it is no NIC of one of them at least.

    A MAC that answered for nodes' own addresses stands before nodes (a router's proxy ARP, a hypervisor).
    """
    beside = {node for mac in owner.macs for node in nodes_beside(evidence).get(mac, ())}
    return len(beside) > 1 and not {reply.mac for reply in evidence.node_replies or ()} & set(owner.macs)


@once
def nodes_beside(evidence: Evidence) -> Mapping[Mac, frozenset[NodeName]]:
    """Return for each MAC that no node owns the nodes that answered for the same address at the same time, anywhere.

    Where several did for one address it may have been handed over, and the MAC with it: such an address tells nothing.
    """
    found: dict[Mac, set[NodeName]] = {}
    for case in cases(evidence):
        for vip in vips(case):
            for owner in strangers(case, vip):
                if len(beside := companions(case, vip, owner)) == 1:
                    found.setdefault(owner.macs[0], set()).update(beside)
    return {mac: frozenset(nodes) for mac, nodes in found.items()}


def turns_away(case: Case, owner: Owner) -> bool:
    """Whether a MAC answered none of several exchanges with a Service, while a node answered what went to it."""
    tried = [(e.sent_mac, answered(e)) for t, e in exchanges(promised_trials(case)) if tells(t, e)]
    ends = [good for mac, good in tried if mac in owner.macs]
    return len(ends) >= SEVERAL and not any(ends) and any(good and node_of(case, mac) for mac, good in tried)


def is_accused(case: Case, vip: Ip, owner: Owner) -> bool:
    """Whether a stranger is called foreign: proven, or beside a node and not its other NIC; never a proven part.

    A MAC through which our own Pod answered elsewhere is part of the cluster.
    """
    return is_foreign(case, owner) or (is_second_owner(case, vip, owner) and not is_ours(case.evidence, owner))


def is_ours(evidence: Evidence, owner: Owner) -> bool:
    """Whether our own Pod answered through this MAC."""
    return not own_macs(evidence).isdisjoint(owner.macs)


@once
def own_macs(evidence: Evidence) -> frozenset[Mac | None]:
    """Return the MACs through which our own Pods answered."""
    own = exchanges(tuple(trial for trial in evidence.trials if trial.own))
    return frozenset(exchange.sent_mac for _, exchange in own if answered(exchange))
