"""B08: the agents may ask the API server less often than their leases need."""

from __future__ import annotations

from collections.abc import Iterator

from l2probe.judge.case import Case, cases, claims
from l2probe.judge.finding import finding
from l2probe.judge.flapping import caused
from l2probe.judge.selection import selects
from l2probe.judge.takeover import parsed
from l2probe.judge.versions import CILIUM, setting, version
from l2probe.judge.words import count, listing, seconds
from l2probe.model import Cluster, Evidence, Finding, Verdict

DEFAULT_QPS = 10.0
"""The agent's --k8s-client-qps where the chart does not write it: from 1.17 on (values.yaml, k8sClientRateLimit)."""
WRITES_NO_QPS = (1, 17, 0)
DEFAULT_DEADLINE = "5s"
"""l2-announcements-renew-deadline (pkg/option/config.go)."""


def allowed_qps(cluster: Cluster) -> float | None:
    """Return how many requests a second an agent may make; None where that is not known."""
    said = setting(cluster, "k8s-client-qps")
    if said is None:
        known = version(cluster)
        return DEFAULT_QPS if cluster.settings and known is not None and known >= WRITES_NO_QPS else None
    try:
        allowed = float(said) or DEFAULT_QPS
    except ValueError:
        return None
    return allowed if allowed > 0 else None


def announced(cluster: Cluster) -> int:
    """Return how many Services have an address that some policy announces."""
    services = [service for service in cluster.services or () if service.vips]
    if cluster.policies is None:
        return len(services)
    return sum(any(selects(policy, service, cluster) for policy in cluster.policies) for service in services)


def client_throttled(evidence: Evidence) -> Iterator[Finding]:
    """B08: by Cilium's own sizing rule, Services / renew deadline, the client rate limit is too low."""
    cluster = evidence.cluster
    allowed = allowed_qps(cluster) if cluster.implementation == CILIUM and cluster.announcing else None
    deadline = parsed(setting(cluster, "l2-announcements-renew-deadline") or DEFAULT_DEADLINE)
    if allowed is None or deadline is None:
        return
    number = announced(cluster)
    need = number / deadline
    if need <= allowed:
        return
    restless = [case for case in cases(evidence) if (times := climbed(case)) and times > caused(case)]
    told = "k8s-client-qps" if setting(cluster, "k8s-client-qps") else "k8s-client-qps, its default"
    yield finding(
        "B08",
        Verdict.FAIL if restless else Verdict.WARN,
        says=f"{count(number, 'announced Service')} need {need:.0f} requests a second of an agent that "
        f"holds them, which may make {allowed:.0f} ({told}): "
        + (
            f"leases of {listing(case.name for case in restless)} changed hands while they were watched."
            if restless
            else "leases may expire and move without a cause. A prediction."
        ),
        because=(
            f"Cilium's sizing rule: Services / renew deadline = {number} / {seconds(deadline)} = {need:.1f} a second.",
            *(climb(case) for case in restless[:5]),
        ),
        remedy=f"Raise k8sClientRateLimit.qps above {need:.0f} and burst to twice that in Cilium's Helm "
        "values, or lengthen l2announcements.leaseRenewDeadline with leaseDuration, and restart the agents.",
    )


def climbed(case: Case) -> int:
    """Return how often the lease changed hands while it was watched, by its own count."""
    if len(claims(case) or ()) < 2:  # noqa: PLR2004 - one moment is no watching
        return 0
    known = [claim.transitions for claim in claims(case) or () if claim.transitions is not None]
    return known[-1] - known[0] if known else 0


def climb(case: Case) -> str:
    """Return by how much, in words."""
    known = [claim.transitions for claim in claims(case) or () if claim.transitions is not None]
    return f"{case.name}: leaseTransitions went from {known[0]} to {known[-1]}."
