"""B03, B05, B09, B10: a node that should answer cannot, or no node may. Devices are seen only through claims."""

from __future__ import annotations

from collections.abc import Iterator

from l2probe.judge.announcement import (
    announceable,
    idle_holder,
    is_explained,
    silence,
)
from l2probe.judge.case import Case, cases, claims
from l2probe.judge.devices import devices, matches_one, patterns, selecting
from l2probe.judge.finding import about, finding
from l2probe.judge.leases import claimed
from l2probe.judge.selection import eligible_nodes, selects
from l2probe.judge.versions import CILIUM, FOLLOWS_LOCAL, METALLB, is_cilium_before, names, setting, version
from l2probe.judge.words import listing
from l2probe.model import Backend, Cluster, Evidence, Finding, Ip, NodeName, Verdict

EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"
"""Kubernetes' well-known label; MetalLB honours it since 0.14 (metallb/metallb#2274)."""
ACCELERATED = ("native", "best-effort")
"""Values of bpf-lb-acceleration that load an XDP program."""


def held_in_silence(case: Case) -> tuple[Ip, ...]:
    """Return the addresses that nobody answers for although a node holds a live claim and no configuration is why."""
    return () if idle_holder(case) is None else announceable(case, proven=True)


def interface_not_matched(evidence: Evidence) -> Iterator[Finding]:
    """B03: the policy's interfaces match none of the devices that the agents use, so the holder answers on none."""
    known = devices(evidence.cluster) if evidence.cluster.implementation == CILIUM else None
    for case in cases(evidence) if known else ():
        wanted = patterns(case)
        if not wanted or any(matches_one(pattern, known or ()) is not False for pattern in wanted):
            continue
        addresses = held_in_silence(case)
        if not addresses:
            continue
        holder = (claims(case) or ())[-1].holder
        yield finding(
            "B03",
            Verdict.FAIL,
            says=f"{holder} held the lease and nobody answered for {listing(addresses)}: the policy announces on "
            f"interfaces {listing(wanted)}, and the agents use {listing(known or ())}.",
            because=(
                f"All policies that select it name interfaces: {listing(policy.name for policy in selecting(case))}.",
                f"cilium-config: devices={setting(evidence.cluster, 'devices')}.",
                "Which devices a node really has cannot be seen from outside.",
                claimed(case),
                *silence(case, addresses),
            ),
            remedy="Correct spec.interfaces of the policy (Go regular expressions, unanchored), or remove it to "
            "announce on all devices of the agents. `cilium-dbg shell -- db/show devices` in the holder's agent Pod "
            "lists them.",
            subject=about(case, addresses),
        )


def nobody_eligible(evidence: Evidence) -> Iterator[Finding]:
    """B05: policy Local, and no ready backend says on which node it is: no node may hold the lease."""
    for case in cases(evidence):
        ready = [backend for backend in case.service.backends or () if backend.ready]
        if not case.local or not ready or any(backend.node for backend in ready):
            continue
        history = claims(case)
        unheld = history is not None and not (history and history[-1].holder)
        if not unheld or is_explained(case) or may_ignore_backends(evidence.cluster):
            continue
        addresses = announceable(case, proven=True)
        predicted = not addresses and not was_looked_at(case) and version(evidence.cluster) is not None
        if addresses or predicted:
            yield homeless(case, addresses, ready)


def may_ignore_backends(cluster: Cluster) -> bool:
    """Whether this is a Cilium that elects without looking at backends, or one whose version is not known."""
    return cluster.implementation == CILIUM and (version(cluster) is None or is_cilium_before(cluster, FOLLOWS_LOCAL))


def was_looked_at(case: Case) -> bool:
    """Whether anybody listened or knocked."""
    return any(trial.replies is not None or trial.exchanges is not None for trial in case.trials)


def homeless(case: Case, addresses: tuple[Ip, ...], ready: list[Backend]) -> Finding:
    """B05, proven by silence, or predicted from the objects."""
    cluster = case.evidence.cluster
    title = f"{names(cluster).title} {cluster.implementation_version or ''}".strip()
    what = f"Nobody announced {listing(addresses)}" if addresses else f"Nobody will announce {case.name}"
    return finding(
        "B05",
        Verdict.FAIL if addresses else Verdict.WARN,
        says=f"{what}: {case.name} has policy Local, and none of its ready backends ({len(ready)}) stands on a "
        "known node, so no node may hold its lease.",
        because=(
            f"EndpointSlices: {listing(backend.address for backend in ready)} without nodeName.",
            "That is the synthetic endpoint of a Cilium Gateway or Ingress." if is_synthetic(ready) else "",
            f"{title} gives the lease of a Service with policy Local only to nodes with a backend.",
            claimed(case),
            *(silence(case, addresses) if addresses else ()),
        ),
        remedy="Set externalTrafficPolicy: Cluster (of a Gateway: by its GatewayClass parameters or annotation); "
        "Envoy sees the client either way in the forwarded header (cilium/cilium#48799).",
        subject=about(case, addresses),
    )


def is_synthetic(ready: list[Backend]) -> bool:
    """Whether the backends are what Cilium's Gateway API and Ingress put where Envoy listens."""
    return {backend.address for backend in ready} == {"192.192.192.192"}


def node_excluded(evidence: Evidence) -> Iterator[Finding]:
    """B09: every node that may announce is excluded from external load balancers by its label."""
    cluster = evidence.cluster
    barred = {node.name for node in cluster.nodes or () if node.ready and EXCLUDED in dict(node.labels)}
    if cluster.implementation != METALLB or not barred or not cluster.policies:
        return
    may = {policy: {node.name for node in eligible_nodes(policy, cluster)} for policy in cluster.policies}
    for case in cases(evidence):
        eligible = {name for policy, nodes in may.items() if selects(policy, case.service, cluster) for name in nodes}
        history = claims(case)
        if not eligible or not eligible <= barred or (history and history[-1].holder):
            continue
        addresses = announceable(case, proven=True)
        if addresses or (history is not None and not was_looked_at(case) and case.service.vips):
            yield excluded(case, addresses, sorted(eligible))


def excluded(case: Case, addresses: tuple[Ip, ...], nodes: list[NodeName]) -> Finding:
    """B09, proven by silence, or predicted from the labels."""
    what = f"Nobody announced {listing(addresses)}" if addresses else f"Nobody will announce {case.name}"
    return finding(
        "B09",
        Verdict.FAIL if addresses else Verdict.WARN,
        says=f"{what}: every node that may, {listing(nodes)}, carries the label {EXCLUDED}.",
        because=(
            f"Ready nodes that an L2Advertisement selects: {listing(nodes)}; all of them are excluded.",
            claimed(case),
            *(silence(case, addresses) if addresses else ()),
        ),
        remedy=f"kubectl label node NODE {EXCLUDED}- on a node that shall announce (kubeadm sets it on control-plane "
        "nodes), or start the speakers with --ignore-exclude-lb.",
        subject=about(case, addresses),
    )


def acceleration_eats_arp(evidence: Evidence) -> Iterator[Finding]:
    """B10: XDP acceleration is on where a live holder is silent; a suspicion, and it says so."""
    mode = setting(evidence.cluster, "bpf-lb-acceleration")
    for case in cases(evidence) if mode in ACCELERATED else ():
        addresses = held_in_silence(case)
        if addresses:
            yield finding(
                "B10",
                Verdict.WARN,
                says=f"XDP acceleration is on ({mode}) and the holder did not answer for {listing(addresses)}: the XDP "
                "program may eat the questions or the answers. A suspicion, nothing here proves it.",
                because=(
                    f"cilium-config: bpf-lb-acceleration={mode}.",
                    claimed(case),
                    "One cluster with the same symptom was healed by switching it off (cilium/cilium#40396).",
                ),
                remedy="Set loadBalancer.acceleration=disabled in Cilium's Helm values, restart the agents and ask "
                "again: an answer then proves it.",
                subject=about(case, addresses),
            )
