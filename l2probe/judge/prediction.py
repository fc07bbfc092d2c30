"""What an audit foresees from the API alone, of addresses that nobody asked for on the wire.

Every prediction is a warning and says "would": the control plane may be wrong, only frames and traffic prove. What the
API itself shows (a pending address, a holder that is no node) is a fact and not in here. A claim that lives contradicts
every prediction that nobody announces, so none is made against it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from l2probe.judge.announcement import is_explained, switched_off
from l2probe.judge.blackhole import remedy
from l2probe.judge.case import Case, answered, cases, claims, exchanges, family, has_ready_backend, once, vips
from l2probe.judge.existing import backend_nodes, blackhole_next, next_gaps, usable_nodes
from l2probe.judge.finding import about, finding
from l2probe.judge.leases import LEASED, newest_by_holder, outlived
from l2probe.judge.order import PREDICTED
from l2probe.judge.owners import owners, silent
from l2probe.judge.routes import announced_by_bgp, besides, is_bgp_on, routed
from l2probe.judge.selection import correction, unmet_terms
from l2probe.judge.versions import ANNOUNCES_IPV6, CILIUM, FOLLOWS_LOCAL, METALLB, is_cilium_before, names
from l2probe.judge.versions import version as version_of
from l2probe.judge.words import a, count, listing, seconds
from l2probe.model import Claim, Cluster, Evidence, Finding, Ip, Verdict

AUDIT = "audit"
"""The command that looks at every Service of the user's."""


@once
def on_wire(evidence: Evidence) -> bool:
    """Whether anybody looked at the network; an audit does so on request only."""
    tried = any(trial.exchanges is not None for trial in evidence.trials)
    return evidence.command != AUDIT or tried or evidence.vantage.cluster_node is not None


def unseen(case: Case) -> tuple[Ip, ...]:
    """Return the addresses whose fate the wire did not show."""
    arrived = {exchange.vip for _, exchange in exchanges(case.trials) if answered(exchange)}
    return tuple(vip for vip in vips(case) if vip not in arrived and not silent(case, vip) and not owners(case, vip))


@once
def foreseen(evidence: Evidence) -> tuple[tuple[Case, tuple[Ip, ...]], ...]:
    """Return each existing Service with the addresses that only the API tells of."""
    look = unseen if on_wire(evidence) else vips
    existing = (case for case in cases(evidence) if not any(trial.own for trial in case.trials))
    return tuple((case, addresses) for case in existing if (addresses := look(case)))


@once
def unannounced(evidence: Evidence) -> tuple[tuple[Case, tuple[Ip, ...]], ...]:
    """Return those that somebody should announce on layer 2, and of whom no live claim says that somebody does."""
    return tuple(
        (case, addresses)
        for case, addresses in foreseen(evidence)
        if not lives(case) and not routed(case) and has_ready_backend(case) is not False
    )


def basis(evidence: Evidence) -> str:
    """Return what a prediction rests on, in words."""
    return f"{PREDICTED}; {'the wire did not tell' if on_wire(evidence) else 'nobody was asked on the wire'}."


@once
def newest_renewal(evidence: Evidence) -> float | None:
    """Return when any claim was renewed last, by the cluster's clocks."""
    return max(newest_by_holder(evidence).values(), default=None)


def unrenewed(case: Case, claim: Claim) -> str:
    """Return by how much a claim outlived its duration, in words; "" when it lives.

    The holder's own clock decides, by its newest renewal, then the cluster's. Only when all claims are old ours does;
    the last two may be wrong.
    """
    newest = newest_renewal(case.evidence)
    if newest is None or claim.renewed is None or claim.duration_seconds is None:
        return ""
    if (later := outlived(case, claim)) > claim.duration_seconds:
        return f"its last renewal was {seconds(later)} before its newest one of another lease"
    if newest - claim.renewed > claim.duration_seconds:
        return f"its last renewal was {seconds(newest - claim.renewed)} before the cluster's newest one"
    if claim.read_at - newest > claim.duration_seconds:
        return f"no lease of the cluster had been renewed for {seconds(claim.read_at - newest)}, by this host's clock"
    return ""


def clocks(state: str, last: Claim | None) -> str:
    """Return which clock would have to be wrong for the lease to live, in words; "" where none decides."""
    if "this host's clock" in state:
        return "Where this host's clock is ahead the leases live: compare `date -u` with spec.renewTime."
    if last is not None and "the cluster's newest one" in state:
        return f"Where {last.holder}'s clock is behind the lease lives: see whether its spec.renewTime still changes."
    return ""


def lives(case: Case) -> bool:
    """Whether the last claim names a holder and is renewed."""
    return case.name in _living(case.evidence)


@once
def _living(evidence: Evidence) -> frozenset[str]:
    each = ((case, claims(case)) for case in cases(evidence))
    return frozenset(
        case.name for case, history in each if history and history[-1].holder and not unrenewed(case, history[-1])
    )


def feature_off_foreseen(evidence: Evidence) -> Iterator[Finding]:
    """B04: announcing is switched off, or this version cannot announce the family."""
    cluster = evidence.cluster
    off = None if announced_by_bgp(cluster) else switched_off(evidence)
    old = off is None and is_cilium_before(cluster, ANNOUNCES_IPV6)
    for case, addresses in unannounced(evidence) if off else foreseen(evidence) if old else ():
        concerned = addresses if off else tuple(vip for vip in addresses if family(vip) == 6)  # noqa: PLR2004 - IPv6
        if not concerned:
            continue
        why = off[0] if off else f"Cilium {cluster.implementation_version} does not announce IPv6 addresses"
        yield finding(
            "B04",
            Verdict.WARN,
            says=f"Nobody would announce {listing(concerned)}: {why}.",
            because=(off[1] if off else "", basis(evidence)),
            remedy=off[2] if off else "Upgrade Cilium to 1.19, or use IPv4 only (ipFamilyPolicy: SingleStack).",
            subject=about(case, concerned),
        )


def no_policy_foreseen(evidence: Evidence) -> Iterator[Finding]:
    """B01: no policy exists, so nothing may be announced."""
    words = names(evidence.cluster)
    if evidence.cluster.policies != () or switched_off(evidence) or is_bgp_on(evidence.cluster):
        return
    for case, addresses in unannounced(evidence):
        yield finding(
            "B01",
            Verdict.WARN,
            says=f"Nobody would announce {listing(addresses)}: the cluster has no {words.policy}.",
            because=(f"The API listed no {words.policy}.", besides(evidence.cluster), basis(evidence)),
            remedy=f"Create {a(words.policy)} that selects the Service and the nodes"
            + (" and sets loadBalancerIPs: true." if evidence.cluster.implementation == CILIUM else "."),
            subject=about(case, addresses),
        )


def policy_selects_nothing_foreseen(evidence: Evidence) -> Iterator[Finding]:
    """B02: policies exist and none selects this Service on any Ready node; says which term failed."""
    words, policies = names(evidence.cluster), evidence.cluster.policies
    if not policies or switched_off(evidence) or is_bgp_on(evidence.cluster):
        return
    for case, addresses in unannounced(evidence):
        unmet = {policy.name: unmet_terms(policy, case.service, evidence.cluster) for policy in policies}
        if all(unmet.values()):
            yield finding(
                "B02",
                Verdict.WARN,
                says=f"Nobody would announce {listing(addresses)}: no {words.policy} selects {case.name}.",
                because=(
                    *(f"{words.policy} {name}: {listing(terms)}." for name, terms in unmet.items()),
                    besides(evidence.cluster),
                    basis(evidence),
                ),
                remedy=correction(unmet),
                subject=about(case, addresses),
            )


def lease_lost_foreseen(evidence: Evidence) -> Iterator[Finding]:
    """B06: no live lease, so nobody may answer."""
    if evidence.cluster.implementation not in LEASED:
        return
    for case, addresses in unannounced(evidence):
        history = claims(case)
        if history is None or is_explained(case) or waits_for_a_node(case):
            continue
        last = history[-1] if history else None
        state = lost(case, last)
        yield finding(
            "B06",
            Verdict.WARN,
            says=f"Nobody would answer for {listing(addresses)}: {state}.",
            because=(
                f"{last.source} named {last.holder or 'no holder'}, transitions {last.transitions}." if last else "",
                clocks(state, last),
                basis(evidence),
            ),
            remedy="Restart the agent of the last holder; if leases stop again, raise the agents' API rate "
            "(k8s-client-qps) and upgrade.",
            subject=about(case, addresses),
        )


def lost(case: Case, last: Claim | None) -> str:
    """Return in words why nobody holds a live lease."""
    if last is None:
        return f"no node held a lease for {case.name}"
    if not last.holder:
        return f"its lease names no holder{f' ({last.why_nobody})' if last.why_nobody else ''}"
    return f"{last.holder} stopped renewing its lease, {unrenewed(case, last)}"


def waits_for_a_node(case: Case) -> bool:
    """Whether policy Local alone leaves nobody to announce: no ready backend stands on a known node (B05)."""
    nodes = {backend.node for backend in case.service.backends or () if backend.ready}
    return case.local and case.service.backends is not None and not nodes - {None}


def no_ready_backend_foreseen(evidence: Evidence) -> Iterator[Finding]:
    """D02: no backend is ready, nor serving while it ends."""
    for case, addresses in foreseen(evidence):
        backends = case.service.backends
        if backends is None or case.service.beyond or any(backend.usable for backend in backends):
            continue
        yield finding(
            "D02",
            Verdict.WARN,
            says=f"{case.name} has no ready backend: traffic to {listing(addresses)} would not be served.",
            because=(f"EndpointSlices listed {count(len(backends), 'backend')}, 0 ready.", basis(evidence)),
            remedy="Make its Pods ready: compare the Service's selector with their labels and look at their "
            "readiness probes.",
            subject=about(case),
        )


def local_blackhole_foreseen(evidence: Evidence) -> Iterator[Finding]:
    """D01: with policy Local the holder has no ready backend now, or the next one would have none."""
    if on_wire(evidence):
        return
    for case, addresses in foreseen(evidence):
        if not case.local or not has_ready_backend(case):
            continue
        holder = case.trials[-1].announcer if lives(case) else None
        if holder is not None and holder not in usable_nodes(case.trials[-1]) and not follows(evidence.cluster):
            yield blackhole_foreseen(case, addresses, holder)
        elif gaps := next_gaps(case):
            risk = blackhole_next(case, case.trials[-1], gaps)
            yield replace(risk, because=(*risk.because, basis(evidence)))


def follows(cluster: Cluster) -> bool:
    """Whether the announcer follows the backends, so that a difference is a moment between two reads."""
    known = cluster.implementation == CILIUM and version_of(cluster) is not None
    return cluster.implementation == METALLB or (known and not is_cilium_before(cluster, FOLLOWS_LOCAL))


def blackhole_foreseen(case: Case, addresses: tuple[Ip, ...], holder: str) -> Finding:
    """Return D01 of a holder without a ready backend."""
    stood = listing(sorted(node for node in backend_nodes(case.trials[-1]) if node))
    return finding(
        "D01",
        Verdict.WARN,
        says=f"With policy Local, {holder} holds the {names(case.evidence.cluster).claim} of {case.name} and has no "
        f"ready backend of it: traffic to {listing(addresses)} would not arrive.",
        because=(f"Ready backends stood on {stood or 'no known node'}.", basis(case.evidence)),
        remedy=remedy(case.evidence.cluster),
        subject=about(case),
    )


PREDICTIONS = (
    feature_off_foreseen,
    no_policy_foreseen,
    policy_selects_nothing_foreseen,
    lease_lost_foreseen,
    no_ready_backend_foreseen,
    local_blackhole_foreseen,
)
"""What an audit adds to the other rules; on its own it runs no rule that needs the wire."""
