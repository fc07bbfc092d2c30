"""D01, policy Local where the announcer has no backend: what traffic proved, and whom it can hurt."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import filterfalse

from l2probe.judge.case import Case, cases, exchanges, once
from l2probe.judge.finding import about, finding
from l2probe.judge.local import flows_by_outcome, local_policy, off_trials
from l2probe.judge.selection import eligible_nodes, unmet_terms
from l2probe.judge.versions import CILIUM, FOLLOWS_LOCAL, is_cilium_before, names, version
from l2probe.judge.words import count, listing, outcomes, seconds
from l2probe.model import (
    AnnouncementPolicy,
    Cluster,
    Evidence,
    Exchange,
    Finding,
    Flow,
    LocalPolicy,
    NodeName,
    Service,
    TrafficPolicy,
    Trial,
    Verdict,
)

LOSSES = {
    LocalPolicy.REJECTED: "rejected",
    LocalPolicy.DROPPED: "dropped",
    LocalPolicy.UNANNOUNCED: "left unannounced",
}


def local_policy_blackhole(evidence: Evidence) -> Iterator[Finding]:
    """D01: proven by traffic; names the existing Services that the same can happen to."""
    if evidence.vantage.cluster_node is not None:
        return
    fates = {fate: flows for fate, flows in flows_by_outcome(evidence).items() if fate in LOSSES}
    if not fates:
        return
    flows = {flow for kinds in fates.values() for flow in kinds}
    case, trial = next((c, t) for c in cases(evidence) for t in off_trials(c) if judged(c, flows))
    vips = listing(e.vip for flow in Flow if flow in flows for _, e in exchanges(off_trials(case), flow))
    losses = listing(f"{LOSSES[fate]} ({listing(kinds)})" for fate, kinds in fates.items())
    yield finding(
        "D01",
        Verdict.WARN,
        says=f"With policy Local and its only ready backend on "
        f"{trial.target.node if trial.target else 'another node'}, {vips} stayed with "
        f"{trial.announcer or 'its announcer'}, and traffic was {losses}. {hurt(evidence)}",
        because=seen_of(case, trial, flows),
        remedy=remedy(evidence.cluster),
        subject=about(case),
    )


def judged(case: Case, flows: set[Flow]) -> bool:
    """Whether this Case showed one of these flow kinds fail."""
    return any(local_policy((case,), flow) in LOSSES for flow in flows)


def seen_of(case: Case, trial: Trial, flows: set[Flow]) -> tuple[str, ...]:
    """Return the attempts in words, one line for the flow kinds that met the same."""
    lines: dict[str, list[Flow]] = {}
    for flow in Flow:
        tried = [exchange for _, exchange in exchanges(off_trials(case), flow)]
        if flow in flows and tried:
            lines.setdefault(attempts(tried), []).append(flow)
    kept = f"{trial.announcer} kept its claim meanwhile." if trial.settled and trial.announcer else ""
    return (*(f"{', '.join(kinds)}: {line}" for line, kinds in lines.items()), kept)


def attempts(tried: list[Exchange]) -> str:
    """Return "21 attempts over 9.0 s: 21 refused by ICMP (type 3 code 3)."."""
    icmp = listing(f"type {e.icmp[0]} code {e.icmp[1]}" for e in tried if e.icmp)
    span = max(e.at for e in tried) - min(e.at for e in tried)
    return f"{count(len(tried), 'attempt')} over {seconds(span)}: {outcomes(tried)}{f' ({icmp})' if icmp else ''}."


def hurt(evidence: Evidence) -> str:
    """Whom of the existing Services it can hurt, by name: a prediction, said as one."""
    ours = {(case.service.namespace, case.service.name) for case in cases(evidence)}
    if evidence.cluster.services is None:
        return "Existing Services were not read, so whom it hurts is not known."
    local = [
        service
        for service in evidence.cluster.services
        if service.policy is TrafficPolicy.LOCAL and (service.namespace, service.name) not in ours and service.vips
    ]
    if not local:
        return "No existing Service with an address uses policy Local."
    risky = {f"{s.namespace}/{s.name}": gaps for s in local if (gaps := uncovered(evidence.cluster, s))}
    if not risky:
        return f"{count(len(local), 'existing Service')} with policy Local had a ready backend on every eligible node."
    named = listing(f"{name} (none ready on {listing(gaps)})" for name, gaps in risky.items())
    total = count(len(local), "existing Service")
    return f"At risk, by their backends: {len(risky)} of {total} with policy Local: {named}."


def uncovered(cluster: Cluster, service: Service) -> tuple[NodeName, ...]:
    """Return the nodes that may announce this Service without a ready backend; () when backends were not read."""
    if service.backends is None:
        return ()
    covered = {backend.node for backend in service.backends if backend.ready}
    return tuple(filterfalse(covered.__contains__, may_announce(cluster, service)))


def may_announce(cluster: Cluster, service: Service) -> tuple[NodeName, ...]:
    """Return the Ready nodes that some policy lets announce this Service; all of them where policies were not read."""
    policies = cluster.policies
    return _allowed(cluster, policies and tuple(p for p in policies if not unmet_terms(p, service, cluster)))


@once
def _allowed(cluster: Cluster, chosen: tuple[AnnouncementPolicy, ...] | None) -> tuple[NodeName, ...]:
    ready = [node.name for node in cluster.nodes or () if node.ready]
    if chosen is None:
        return tuple(ready)
    allowed = {node.name for policy in chosen for node in eligible_nodes(policy, cluster)}
    return tuple(name for name in ready if name in allowed)


def remedy(cluster: Cluster) -> str:
    """Return what helps, for this implementation and version."""
    general = "Set externalTrafficPolicy: Cluster, or run a ready backend on every node that may announce."
    if is_cilium_before(cluster, FOLLOWS_LOCAL):
        return f"{general} From Cilium 1.20.2 on, the lease follows the backends."
    if cluster.implementation == CILIUM and version(cluster) is not None:
        return f"{general} Cilium {cluster.implementation_version} should have moved the lease: report this evidence."
    return f"{general} {names(cluster).title} did not move the address in the time observed."
