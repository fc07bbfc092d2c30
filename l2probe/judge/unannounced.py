"""Family B, nobody answers by design: an implementation that announces only what has a ready backend."""

from __future__ import annotations

from collections.abc import Iterator

from l2probe.judge.announcement import is_explained, silence, unanswered
from l2probe.judge.case import Case, cases, claims, has_usable_backend
from l2probe.judge.finding import about, finding
from l2probe.judge.leases import claimed
from l2probe.judge.routes import routed
from l2probe.judge.versions import KUBE_VIP, METALLB, names
from l2probe.judge.words import count, listing
from l2probe.model import Evidence, Finding, Verdict


def unannounced_without_backend(evidence: Evidence) -> Iterator[Finding]:
    """B13: no backend is ready or serves while it ends, and this implementation announces only what has one.

    MetalLB never announces without a serving endpoint; kube-vip lets go of a Service's own lease. Where the control
    plane names a holder all the same, silence has another cause.
    """
    title = names(evidence.cluster).title
    for case in cases(evidence):
        addresses, history = unanswered(case), claims(case)
        unclaimed = not (history and history[-1].holder) and not routed(case)
        if has_usable_backend(case) is not False or not addresses or not unclaimed or not by_endpoint(case):
            continue
        besides = why_not_even_then(case)
        yield finding(
            "B13",
            Verdict.FAIL,
            says=f"{case.name} had no ready backend, so {title} let no node announce {listing(addresses)}.",
            because=(
                f"EndpointSlices listed {count(len(case.service.backends or ()), 'backend')}, 0 ready.",
                *silence(case, addresses),
                claimed(case),
                f"A ready backend alone will not do: {besides}." if besides else "",
            ),
            remedy="Make its Pods ready: compare the Service's selector with their labels and look at their readiness "
            "probes. A Service without selector needs an EndpointSlice of yours.",
            subject=about(case, addresses),
        )


def by_endpoint(case: Case) -> bool:
    """Whether the implementation is known to announce only what has a ready backend."""
    implementation = case.evidence.cluster.implementation
    return implementation == METALLB or (implementation == KUBE_VIP and claims(case) is not None)


def why_not_even_then(case: Case) -> str:
    """Return what would keep the address silent with a ready backend too, in words; "" when nothing is known to."""
    policies, word = case.evidence.cluster.policies, names(case.evidence.cluster).policy
    if policies == ():
        return f"the cluster has no {word}"
    return f"no {word} selects it on a Ready node" if policies and is_explained(case) else ""
