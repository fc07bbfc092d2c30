"""Family A, the address: why a Service has none. All of it is read from the API."""

from __future__ import annotations

from collections.abc import Iterator

from l2probe.judge import allocators
from l2probe.judge.case import Case, cases, vips
from l2probe.judge.finding import about, finding
from l2probe.judge.versions import NAMES, names, wants_node_addresses
from l2probe.judge.words import a, listing
from l2probe.model import Cluster, Condition, Evidence, Finding, Pool, Service, Verdict

CONDITIONS = ("cilium.io/IPAMRequestSatisfied", "io.cilium/lb-ipam-request-satisfied")
"""LB IPAM's Service condition, today's and the older name."""
TAKEN = ("already_allocated", "already_allocated_incompatible_service")
STARVED = ("no_pool", "out_of_ips", "")
"""Reasons that a conflicting pool can cause; "" is no condition at all."""


_UNSELECTED = ("no pool selects it", "Compare the pool's serviceSelector with the Service's labels and namespace.")
_TAKEN = ("the one it asked for belongs to another Service", "Ask for a free address.")
SAID = {
    "out_of_ips": (
        "the matching pools are used up",
        "Widen a pool, or delete Services that no longer need an address.",
    ),
    "no_pool": _UNSELECTED,
    "pool_selector_mismatch": _UNSELECTED,
    **dict.fromkeys(TAKEN, _TAKEN),
}
"""What a condition's reason means, and what helps."""


def pending(evidence: Evidence) -> Iterator[Case]:
    """Yield each Service that never got an address, nor a name in its place."""
    return (case for case in cases(evidence) if not vips(case) and not case.service.hostnames)


def refusal(service: Service) -> Condition | None:
    """Return the condition in which the address management says why not, or None when it said nothing.

    MetalLB sets no condition; its warning event stands here with status "Warning".
    """
    refusals = [
        c for c in service.conditions if (c.type in CONDITIONS and c.status == "False") or c.status == "Warning"
    ]
    return refusals[0] if refusals else None


def reason(service: Service) -> str:
    """Return the condition's reason, or ""."""
    said = refusal(service)
    return said.reason if said else ""


def observed(case: Case) -> tuple[str, ...]:
    """Return what the API showed of a pending Service, in words."""
    said = refusal(case.service)
    obstacles = tuple(trial.obstacle for trial in case.trials if trial.obstacle)
    if said is None:
        return (f"{case.name} had no ingress address and no condition that says why.", *obstacles)
    return (f'{case.name}: {said.type} was {said.status}, reason {said.reason or "none"}: "{said.message}".',)


def pools_seen(cluster: Cluster) -> str:
    """Return what pools there were, in words; "" when they were not read."""
    if cluster.pools is None:
        return ""
    if not cluster.pools:
        return f"The cluster had no {names(cluster).pool}."
    return f"Pools: {listing((pool_words(pool) for pool in cluster.pools), limit=10)}."


def pool_words(pool: Pool) -> str:
    """One pool: its blocks, what is left, and what is wrong with it."""
    flags = [word for word, true in (("disabled", pool.disabled), ("conflicting", pool.conflicting)) if true]
    left = [] if pool.available is None else [f"{pool.available} left"]
    return f"{pool.name} ({', '.join([*pool.blocks, *left, *flags])})"


def is_foreign_class(cluster: Cluster, service: Service) -> bool:
    """Whether a Service asks for a class that the installed implementation is known not to serve."""
    known = NAMES.get(cluster.implementation or "")
    return known is not None and bool(known.serves) and service.load_balancer_class not in {None, *known.serves}


def foreign_class(evidence: Evidence) -> Iterator[Finding]:
    """A04: the class is served by no installed implementation, so nobody says anything at all."""
    known = names(evidence.cluster)
    for case in pending(evidence):
        wanted = case.service.load_balancer_class
        if not is_foreign_class(evidence.cluster, case.service) or refusal(case.service):
            continue
        yield finding(
            "A04",
            Verdict.FAIL,
            says=f'{case.name} asked for load balancer class "{wanted}", which {known.title} does not serve, '
            "and got no address.",
            because=observed(case),
            remedy="Recreate the Service without spec.loadBalancerClass (the field cannot be changed), or with "
            f"{known.serves[0]}.",
            subject=about(case),
        )


def address_taken(evidence: Evidence) -> Iterator[Finding]:
    """A03: the requested address belongs to another Service."""
    for case in pending(evidence):
        said = refusal(case.service)
        named = allocators.owners(said)
        if said is None or (said.reason not in TAKEN and not named):
            continue
        holders = [s for s in evidence.cluster.services or () if any(f"'{vip}'" in said.message for vip in s.vips)]
        owner = listing(named or (f"{service.namespace}/{service.name}" for service in holders)) or "another Service"
        yield finding(
            "A03",
            Verdict.FAIL,
            says=f"{case.name} got no address: the one it asked for belonged to {owner}.",
            because=observed(case),
            remedy="Ask for a free address, or let both Services share it: the same metallb.io/allow-shared-ip on "
            "both, and no port in common."
            if named
            else "Ask for a free address. A sharing key is no way out: with L2 announcements each Service elects its "
            "own announcer (cilium/cilium#48419).",
            subject=about(case),
        )


def pool_conflict(evidence: Evidence) -> Iterator[Finding]:
    """A02: a pool overlaps another and hands out nothing.

    It explains a pending Service when no other pool was usable.
    """
    pools = evidence.cluster.pools or ()
    clashing = [pool for pool in pools if pool.conflicting]
    if not clashing:
        return
    starved = [case for case in pending(evidence) if reason(case.service) in STARVED]
    explains = bool(starved) and all(pool.conflicting or pool.disabled for pool in pools)
    effect = f" {listing(case.name for case in starved)} got no address." if explains else ""
    yield finding(
        "A02",
        Verdict.FAIL if explains else Verdict.WARN,
        says=f"Pool {listing(pool.name for pool in clashing)} overlapped another pool and handed out no "
        f"address.{effect}",
        because=(pools_seen(evidence.cluster), *(line for case in starved for line in observed(case))),
        remedy="Remove the overlap: the younger pool stays out of use until its blocks are its own.",
        subject=about(starved[0]) if explains else None,
    )


def why_pending(evidence: Evidence, service: Service) -> tuple[str, str]:
    """Return the likeliest reason in words, and its remedy."""
    return without_pools(evidence.cluster) or told(evidence.cluster, service)


def without_pools(cluster: Cluster) -> tuple[str, str] | None:
    """Return the same where nobody could have given an address; None where somebody could."""
    word = names(cluster).pool
    if cluster.implementation is None:
        return ("no load balancer implementation was found", "Install one (Cilium LB IPAM, MetalLB, kube-vip).")
    if cluster.pools == ():
        return (f"there is no {word}", f"Create {a(word)} with addresses of this segment.")
    if cluster.pools is not None and all(pool.disabled for pool in cluster.pools):
        return (f"every {word} is disabled", "Set spec.disabled: false on a pool.")
    return None


def told(cluster: Cluster, service: Service) -> tuple[str, str]:
    """Return the same by what the controller that gives addresses said about the Service."""
    word, said = names(cluster).pool, refusal(service)
    if is_foreign_class(cluster, service) and said is None:
        return (
            "nobody serves its load balancer class",
            "Recreate the Service without spec.loadBalancerClass, or install what serves it.",
        )
    if said is not None and said.status == "Warning":
        known = allocators.meaning(said)
        return known or ("its controller said why", f"See the event's own words, and the {word} objects.")
    unsaid = ("nobody said why", f"Look at the {word} objects and at the controller that hands out addresses.")
    return SAID.get(reason(service), unsaid)


def class_unserved(evidence: Evidence, service: Service) -> tuple[str, str] | None:
    """Return the same of a class that an implementation serves only if it was told to; None without such a class."""
    wanted, known = service.load_balancer_class, NAMES.get(evidence.cluster.implementation or "")
    if not wanted or known is None or known.serves:
        return None
    remedy = f"See whether {known.title} was told to serve that class (MetalLB: --lb-class); else remove "
    return (
        f'it asked for load balancer class "{wanted}", and nobody served that',
        f"{remedy}spec.loadBalancerClass, which cannot be changed in place.",
    )


def unchosen(evidence: Evidence, service: Service) -> tuple[str, str] | None:
    """Return the same of a Service that shall have nodes' own addresses; None for others."""
    if not wants_node_addresses(evidence.cluster, service):
        return None
    return (
        "no node gave it its own",
        "Set nodeIPAM.enabled=true in Cilium's Helm values; io.cilium.nodeipam/match-node-labels must match a node.",
    )


def address_pending(evidence: Evidence) -> Iterator[Finding]:
    """A01: no address, and why."""
    for case in pending(evidence):
        why, remedy = (
            unchosen(evidence, case.service)
            or class_unserved(evidence, case.service)
            or why_pending(evidence, case.service)
        )
        yield finding(
            "A01",
            Verdict.FAIL,
            says=f"{case.name} got no address: {why}.",
            because=(*observed(case), pools_seen(evidence.cluster)),
            remedy=remedy,
            subject=about(case),
        )
