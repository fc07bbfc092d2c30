"""Does an announcement policy select this Service on some node? Kubernetes label selector rules, in words when not."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from l2probe.judge.case import in_network, once
from l2probe.judge.versions import METALLB
from l2probe.model import AnnouncementPolicy, Cluster, Node, NodeName, Requirement, Service, TrafficPolicy

OPERATORS: Mapping[str, Callable[[Requirement, Mapping[str, str]], bool]] = {
    "In": lambda term, labels: labels.get(term.key) in term.values,
    "NotIn": lambda term, labels: labels.get(term.key) not in term.values,
    "Exists": lambda term, labels: term.key in labels,
    "DoesNotExist": lambda term, labels: term.key not in labels,
}
"""metav1.LabelSelector operators; NotIn also matches where the key is absent."""
FLAG_OFF = "loadBalancerIPs was false (its default)"
BARE = {"Exists": "", "DoesNotExist": "!"}
"""What stands before the key of an operator that takes no values."""


def matches(term: Requirement, labels: Mapping[str, str]) -> bool:
    """Whether the labels satisfy one term. An operator that we do not know is not held against anybody."""
    rule = OPERATORS.get(term.operator)
    return rule is None or rule(term, labels)


def service_labels(service: Service) -> Mapping[str, str]:
    """Return a Service's labels with the two that Cilium adds for selectors."""
    return {
        **dict(service.labels),
        "io.kubernetes.service.namespace": service.namespace,
        "io.kubernetes.service.name": service.name,
    }


def term_words(term: Requirement) -> str:
    """One term, as kubectl prints selectors: `app=web`, `app in (a,b)`, `app notin (a)`, `app`, `!app`."""
    if term.operator == "In" and len(term.values) == 1:
        return f"{term.key}={term.values[0]}"
    if term.operator in BARE:
        return f"{BARE[term.operator]}{term.key}"
    return f"{term.key} {term.operator.lower()} ({','.join(term.values)})"


def eligible_nodes(policy: AnnouncementPolicy, cluster: Cluster) -> tuple[Node, ...]:
    """Return the Ready nodes that the policy's node selector matches."""
    return _selected(cluster, policy.node_selector)


@once
def _selected(cluster: Cluster, terms: tuple[Requirement, ...] | None) -> tuple[Node, ...]:
    return tuple(
        node
        for node in cluster.nodes or ()
        if node.ready and all(matches(term, dict(node.labels)) for term in terms or ())
    )


def correction(unmet: Mapping[str, tuple[str, ...]]) -> str:
    """Return what makes a policy select the Service, from each policy's `unmet_terms` by its name."""
    almost = [name for name, reasons in unmet.items() if reasons == (FLAG_OFF,)]
    if almost:
        return f"Set loadBalancerIPs: true in {almost[0]}."
    return "Correct the term that is named, or add a policy that selects the Service."


def unmet_terms(policy: AnnouncementPolicy, service: Service, cluster: Cluster) -> tuple[str, ...]:
    """Why this policy does not announce the Service, one reason each; () when nothing speaks against it.

    An empty node list counts as not looked.
    """
    reasons = [f"service selector term {term_words(term)} did not match" for term in _mismatches(policy, service)]
    if not policy.load_balancer_ips:
        reasons.append(FLAG_OFF)
    if cluster.nodes and not eligible_nodes(policy, cluster):
        reasons.append(f"node selector ({_nodes_wanted(policy)}) matched no Ready node")
    elif missed := missed_backends(policy, service, cluster):
        reasons.append(
            f"node selector ({_nodes_wanted(policy)}) did not match {', '.join(missed)}, and with policy Local only "
            "nodes with a ready backend may announce"
        )
    reasons += [f"status said {error.type} ({error.message or error.reason})" for error in policy.errors]
    return (*reasons, *unmet_pools(policy, service, cluster))


def _nodes_wanted(policy: AnnouncementPolicy) -> str:
    return ", ".join(map(term_words, policy.node_selector or ()))


def missed_backends(policy: AnnouncementPolicy, service: Service, cluster: Cluster) -> tuple[NodeName, ...]:
    """Return the nodes of all ready backends when the policy selects none of them and MetalLB would need one.

    With policy Local its speakers announce only from nodes with a ready backend
    (https://metallb.io/usage/#traffic-policies); () as well when a backend's node is not known.
    """
    if cluster.implementation != METALLB or service.policy is not TrafficPolicy.LOCAL or not cluster.nodes:
        return ()
    backends = [backend for backend in service.backends or () if backend.usable]
    may = {node.name for node in eligible_nodes(policy, cluster)}
    nodes = dict.fromkeys(backend.node for backend in backends)
    return () if None in nodes or may & set(nodes) else tuple(node for node in nodes if node is not None)


def selects(policy: AnnouncementPolicy, service: Service, cluster: Cluster) -> bool:
    """Whether the policy announces addresses of this Service, on whatever node."""
    return policy.load_balancer_ips and not _mismatches(policy, service) and not unmet_pools(policy, service, cluster)


def _mismatches(policy: AnnouncementPolicy, service: Service) -> list[Requirement]:
    """Return the terms of the service selector that the Service does not match."""
    if not policy.service_selector:
        return []
    labels = service_labels(service)
    return [term for term in policy.service_selector if not matches(term, labels)]


def unmet_pools(policy: AnnouncementPolicy, service: Service, cluster: Cluster) -> tuple[str, ...]:
    """Return a MetalLB L2Advertisement may name pools: none of them holds the Service's address."""
    if not policy.pools or cluster.pools is None:
        return ()
    blocks = [block for pool in cluster.pools if pool.name in policy.pools for block in pool.blocks]
    if not service.vips or any(in_network(vip, block) for vip in service.vips for block in blocks):
        return ()
    return (f"pools {', '.join(policy.pools)} do not hold {', '.join(service.vips)}",)
