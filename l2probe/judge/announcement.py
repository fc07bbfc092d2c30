"""Family B, nobody answers: the address exists, and who-has for it stays without an answer."""

from __future__ import annotations

from collections.abc import Iterator

from l2probe.judge.case import (
    Case,
    answered,
    cases,
    claims,
    exchanges,
    family,
    has_ready_backend,
    has_usable_backend,
    ready_nodes,
    replies,
    vips,
)
from l2probe.judge.devices import interface_doubt
from l2probe.judge.finding import about, finding
from l2probe.judge.leases import LEASED, Life, claimed, expired, last_claim, life, lifetime, over, skew
from l2probe.judge.owners import hears, silent
from l2probe.judge.routes import besides, routed
from l2probe.judge.routes import is_unread as is_bgp_unread
from l2probe.judge.selection import correction, unmet_terms
from l2probe.judge.versions import ANNOUNCES_IPV6, CILIUM, METALLB, is_cilium_before, names, setting
from l2probe.judge.words import a, count, listing, outcomes
from l2probe.model import Evidence, Finding, Ip, NeighbourReply, NodeName, Outcome, Verdict


def mute(case: Case, *, proven: bool = False) -> tuple[Ip, ...]:
    """Return the addresses for which nobody answers although somebody should.

    Without a raw socket a failed neighbour resolution of the kernel counts too, unless it must be `proven` by our own
    questions.
    """
    return () if routed(case) or not is_backed(case) else unanswered(case, proven=proven)


def is_backed(case: Case) -> bool:
    """Whether somebody should announce, as far as it depends on backends; also where they were not read.

    MetalLB counts those that serve while they end. Whether kube-vip and Cilium's leases of policy Local do is not
    documented, so their silence then accuses nobody.
    """
    implementation = case.evidence.cluster.implementation
    counts_ending = implementation == METALLB or (implementation == CILIUM and not case.local)
    return (has_usable_backend(case) if counts_ending else has_ready_backend(case)) is not False


def unanswered(case: Case, *, proven: bool = False) -> tuple[Ip, ...]:
    """Return the addresses for which nobody answers, whether or not anybody should; as `mute` otherwise."""
    return tuple(
        vip
        for vip in vips(case)
        if silent(case, vip) or (not proven and hears(case.evidence, family(vip)) is None and unresolved(case, vip))
    )


def unresolved(case: Case, vip: Ip) -> bool:
    """Whether every exchange with this VIP ended because its neighbour could not be resolved."""
    vantage = case.evidence.vantage
    if vantage.on_link is False or vantage.interface is None:
        return False  # then it is the router that did not answer, or there is no route
    tried = [exchange.outcome for _, exchange in exchanges(case.trials) if exchange.vip == vip]
    return bool(tried) and set(tried) == {Outcome.NO_NEIGHBOUR}


def announceable(case: Case, *, proven: bool = False) -> tuple[Ip, ...]:
    """Return the mute addresses whose family this version can announce at all."""
    old = is_cilium_before(case.evidence.cluster, ANNOUNCES_IPV6)
    return tuple(vip for vip in mute(case, proven=proven) if not (old and family(vip) == 6))  # noqa: PLR2004 - IPv6


def silence(case: Case, addresses: tuple[Ip, ...]) -> tuple[str, ...]:
    """Return what silence was observed, and why it means something."""
    evidence = case.evidence
    tried = [exchange for _, exchange in exchanges(case.trials) if exchange.vip in addresses]
    heard = {reply.ip for reply in evidence.node_replies or ()}
    said = f"Nobody answered for {listing(addresses)} on {evidence.vantage.interface}"
    witness = (
        f", where {count(len(heard), 'node address')[: -1 if len(heard) == 1 else None]} answered" if heard else ""
    )
    return (
        f"{said}{witness}.",
        f"Traffic to {listing(addresses)}: {outcomes(tried)}." if tried else "",
        "What was answered went to a neighbour that this host remembered." if any(map(answered, tried)) else "",
    )


def feature_off(evidence: Evidence) -> Iterator[Finding]:
    """B04: announcing is switched off, or this version cannot announce the family."""
    for case in cases(evidence):
        addresses = mute(case)
        why = switched_off(evidence) if addresses else None
        old = tuple(vip for vip in addresses if vip not in announceable(case))
        if why is not None:
            yield finding(
                "B04",
                Verdict.FAIL,
                says=f"Nobody announced {listing(addresses)}: {why[0]}.",
                because=(*silence(case, addresses), why[1]),
                remedy=why[2],
                subject=about(case, addresses),
            )
        elif old:
            title = f"Cilium {evidence.cluster.implementation_version}"
            yield finding(
                "B04",
                Verdict.WARN,
                says=f"Nobody announced {listing(old)}: {title} does not announce IPv6 addresses.",
                because=silence(case, old),
                remedy="Upgrade Cilium to 1.19, or use IPv4 addresses only (ipFamilyPolicy: SingleStack).",
                subject=about(case, old),
            )


def switched_off(evidence: Evidence) -> tuple[str, str, str] | None:
    """Return what is off: in words, where it was read, and how to switch it on."""
    cluster = evidence.cluster
    if cluster.announcing is not False:
        return None
    replacement, enabled = (setting(cluster, key) for key in ("kube-proxy-replacement", "enable-l2-announcements"))
    if enabled == "true" and cluster.implementation == CILIUM:
        return (
            "L2 announcements need kube-proxy replacement, which is off",
            f"cilium-config: kube-proxy-replacement={replacement or 'absent'}.",
            "Set kubeProxyReplacement=true in Cilium's Helm values and restart the agents.",
        )
    return (
        "L2 announcements are off",
        f"cilium-config: enable-l2-announcements={enabled or 'absent'}." if cluster.implementation == CILIUM else "",
        "Set l2announcements.enabled=true in Cilium's Helm values and restart the agents.",
    )


def no_policy(evidence: Evidence) -> Iterator[Finding]:
    """B01: no policy exists, so nothing may be announced."""
    words = names(evidence.cluster)
    for case in cases(evidence):
        addresses = announceable(case)
        if not addresses or evidence.cluster.policies != ():
            continue
        yield finding(
            "B01",
            unless_routed(evidence),
            says=f"Nobody announced {listing(addresses)}: the cluster has no {words.policy}.",
            because=(
                *silence(case, addresses),
                f"The API listed no {words.policy}.",
                besides(evidence.cluster),
                claimed(case),
            ),
            remedy=f"Create {a(words.policy)} that selects the Service and the nodes"
            + (" and sets loadBalancerIPs: true." if evidence.cluster.implementation == CILIUM else "."),
            subject=about(case, addresses),
        )


def unless_routed(evidence: Evidence) -> Verdict:
    """Return how sure it is that silence without a policy is a fault: not where BGP might announce and was not read."""
    return Verdict.UNKNOWN if is_bgp_unread(evidence.cluster) else Verdict.FAIL


def policy_selects_nothing(evidence: Evidence) -> Iterator[Finding]:
    """B02: policies exist and none selects this Service on any Ready node; says which term failed."""
    words = names(evidence.cluster)
    for case in cases(evidence):
        addresses = announceable(case)
        if not addresses or not evidence.cluster.policies:
            continue
        unmet = {
            policy.name: unmet_terms(policy, case.service, evidence.cluster) for policy in evidence.cluster.policies
        }
        if not all(unmet.values()):
            continue
        yield finding(
            "B02",
            unless_routed(evidence),
            says=f"Nobody announced {listing(addresses)}: no {words.policy} selected {case.name}.",
            because=(
                *(f"{words.policy} {name}: {listing(terms)}." for name, terms in unmet.items()),
                besides(evidence.cluster),
                *silence(case, addresses),
            ),
            remedy=correction(unmet),
            subject=about(case, addresses),
        )


def is_explained(case: Case) -> bool:
    """Whether configuration alone explains the silence."""
    policies = case.evidence.cluster.policies
    nothing_selected = policies is not None and all(
        unmet_terms(policy, case.service, case.evidence.cluster) for policy in policies
    )
    return switched_off(case.evidence) is not None or nothing_selected


def unclaimed(evidence: Evidence) -> Iterator[Finding]:
    """B06: no live lease, and nobody answers."""
    found = [(case, addresses) for case in cases(evidence) if (addresses := announceable(case, proven=True))]
    lost = [(case, addresses) for case, addresses in found if is_unclaimed(case)]
    holders = dict.fromkeys(claim.holder for case, _ in lost for claim in (claims(case) or ())[-1:] if claim.holder)
    agents = (
        f"agents on {listing(holders)}" if len(holders) > 1 else f"agent on {listing(holders) or 'the last holder'}"
    )
    for case, addresses in lost:
        yield finding(
            "B06",
            Verdict.FAIL,
            says=f"Nobody answered for {listing(addresses)}: {expired(case) or 'no node held its lease'}.",
            because=(claimed(case), lifetime(case), over(case), *silence(case, addresses)),
            remedy=f"Restart the {agents}; if leases stop again, raise the agents' API rate (k8s-client-qps), and "
            "upgrade.",
            subject=about(case, addresses),
        )


def is_unclaimed(case: Case) -> bool:
    """Whether nobody held a live lease on a Service whose silence no configuration explains."""
    if claims(case) is None or is_explained(case) or case.evidence.cluster.implementation not in LEASED:
        return False
    return life(case) is Life.OVER


def silent_leader(evidence: Evidence) -> Iterator[Finding]:
    """B07: the control plane says all is well, and the wire is silent."""
    found = [
        (case, addresses, holder)
        for case in cases(evidence)
        if (addresses := announceable(case, proven=True)) and (holder := idle_holder(case))
    ]
    heard = {holder: is_heard(evidence, holder) for _, _, holder in found}
    present, absent = ([holder for holder, is_there in heard.items() if is_there is wanted] for wanted in (True, False))
    for case, addresses, holder in found:
        yield finding(
            "B07",
            Verdict.FAIL,
            says=f"{holder} held the {names(evidence.cluster).claim} and did not answer for "
            f"{listing(addresses)}; nobody else did.",
            because=(
                claimed(case),
                *silence(case, addresses),
                f"{holder} itself answered for its own address."
                if heard[holder]
                else f"{holder} did not answer for its own address either.",
            ),
            remedy=" ".join(filter(None, (restart(present), look(absent), interface_doubt(case)))),
            subject=about(case, addresses),
        )


def idle_holder(case: Case) -> NodeName | None:
    """Return who holds a live claim on a Service whose silence no configuration explains; None where there is none."""
    last = last_claim(case)
    return last.holder if last is not None and life(case) is Life.HELD and not is_explained(case) else None


def is_heard(evidence: Evidence, holder: NodeName) -> bool:
    """Whether a node answered for an address of its own."""
    own = {ip for node in evidence.cluster.nodes or () if node.name == holder for ip in node.addresses}
    return any(reply.ip in own for reply in evidence.node_replies or ())


def restart(holders: list[NodeName]) -> str:
    """Return what to do about holders that are on the segment and silent for their claims; "" for none."""
    if not holders:
        return ""
    pods = "agent Pod" if len(holders) == 1 else "agent Pods"
    return (
        f"Restart the announcer's {pods} on {listing(holders, limit=10)}: another node takes over and programs its "
        "responder anew."
    )


def look(holders: list[NodeName]) -> str:
    """Return what to do about holders that are not heard on the segment at all; "" for none."""
    if not holders:
        return ""
    has, them = ("has", "it") if len(holders) == 1 else ("have", "them")
    return (
        f"Check that {listing(holders, limit=10)} {has} an interface on this segment and that the policy's interfaces "
        f"select {them}."
    )


def address_silent(evidence: Evidence) -> Iterator[Finding]:
    """B14: nobody answers, and who should could not be read, or only clocks say whether its claim lives."""
    for case in cases(evidence):
        addresses = announceable(case, proven=True)
        if not addresses or is_explained(case) or not (is_unread(case) or life(case) is Life.UNSURE):
            continue
        last = None if is_unread(case) else last_claim(case)
        holder = last.holder if last is not None else None
        yield finding(
            "B14",
            Verdict.FAIL,
            says=f"Nobody answered for {listing(addresses)}, and "
            + (f"whether {holder} still renewed its lease" if holder else "which node should")
            + " was not known.",
            because=(*silence(case, addresses), claimed(case), skew(case)),
            remedy=which_lives(holder)
            if holder
            else f"Look which node {names(evidence.cluster).title} chose (its leases, status objects or "
            f"events) and at the log there.",
            subject=about(case, addresses),
        )


def is_unread(case: Case) -> bool:
    """Whether no claim says who should answer, where one would not be proof that nobody does."""
    history = claims(case)
    return history is None or (not history and case.evidence.cluster.implementation not in LEASED)


def which_lives(holder: NodeName) -> str:
    """Return what tells a holder that is silent from one that is dead, where the clocks do not."""
    return (
        f"Restart the announcer's agent Pod on {holder}: that heals both a silent leader (B07) and a lease that nobody "
        f"renews (B06). Which of them it is: whether spec.renewTime still changes. Compare `date -u` on {holder} too."
    )


def questions(case: Case, vip: Ip, asked: str) -> list[NeighbourReply]:
    """Return the answers to questions that were sent this way: broadcast, unicast, multicast."""
    return [reply for reply in replies(case, vip) or () if reply.solicited and reply.asked == asked]


def unicast_only(evidence: Evidence, version: int, asked: str) -> Iterator[tuple[Case, Ip]]:
    """Yield each address that answered unicast questions and no other, where nodes did answer the other kind."""
    node_answers = [r for r in evidence.node_replies or () if family(r.ip) == version and r.asked == asked]
    for case in cases(evidence) if node_answers else ():
        for vip in vips(case):
            if family(vip) == version and questions(case, vip, "unicast") and not questions(case, vip, asked):
                yield case, vip


def multicast_unanswered(evidence: Evidence) -> Iterator[Finding]:
    """B11: unicast neighbour solicitations are answered, multicast ones are not: no new client finds the address."""
    for case, vip in unicast_only(evidence, 6, "multicast"):
        yield finding(
            "B11",
            Verdict.FAIL,
            says=f"{vip} answered unicast neighbour solicitations and no multicast one: clients that do not "
            f"know it cannot find it.",
            because=(
                f"Answers to unicast solicitations: {len(questions(case, vip, 'unicast'))}; to multicast ones: 0.",
                f"Nodes: {count(len(ready_nodes(evidence)), 'node')} Ready; their own addresses answered multicasts.",
            ),
            remedy="Upgrade Cilium: the announcing node did not join the solicited-node group (cilium/cilium#44311).",
            subject=about(case, (vip,)),
        )


def broadcast_unanswered(evidence: Evidence) -> Iterator[Finding]:
    """B12: unicast who-has is answered, broadcast is not: no new client finds the address."""
    for case, vip in unicast_only(evidence, 4, "broadcast"):
        yield finding(
            "B12",
            Verdict.FAIL,
            says=f"{vip} answered unicast who-has and no broadcast one: clients that do not know it cannot find it.",
            because=(
                f"Answers to unicast who-has: {len(questions(case, vip, 'unicast'))}; to broadcast ones: 0.",
                f"Nodes: {count(len(ready_nodes(evidence)), 'node')} Ready; their own addresses answered broadcasts.",
            ),
            remedy="The announcer's NIC or access point drops broadcasts (Wi-Fi, some VMs): announce from "
            "another node or NIC.",
            subject=about(case, (vip,)),
        )
