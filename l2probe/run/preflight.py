"""What must hold before anything is created: reachable, allowed, an announcer, nodes to stand on, a place to look from.

Reads only. Says what is missing in one sentence; whatever is merely worse than ideal is left to the judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from l2probe.announcers import cilium, kubevip, metallb
from l2probe.errors import ClusterError, NotAllowedError
from l2probe.model import Cluster, Dialect, Ip, Node, Right, Vantage
from l2probe.observe.pull_secret import RegistryLogin
from l2probe.run.edges import Edges
from l2probe.run.plan import Plan

NEEDED = (
    ("create", "namespaces", ""),
    ("delete", "namespaces", ""),
    ("list", "namespaces", ""),
    ("watch", "namespaces", ""),
    ("list", "nodes", ""),
    ("create", "serviceaccounts", ""),
    ("create", "configmaps", ""),
    ("create", "secrets", ""),
    ("create", "pods", ""),
    ("list", "pods", ""),
    ("watch", "pods", ""),
    ("create", "services", ""),
    ("get", "services", ""),
    ("patch", "services", ""),
    ("list", "services", ""),
    ("watch", "services", ""),
    ("list", "endpointslices", "discovery.k8s.io"),
    ("watch", "endpointslices", "discovery.k8s.io"),
)
"""Every verb that `run` cannot do without: verb, resource, API group."""
SCRIPT_ONLY = frozenset({("create", "configmaps", ""), ("create", "secrets", "")})
"""Those for the source and the secret of our own script; other images are given neither."""
COPY = ("create", "secrets", "")
"""Of a registry's login a copy is made beside the Pods, whatever runs in them."""
WANTED = (
    ("list", "events", ""),
    ("watch", "events", ""),
)
"""Verbs without which reasons stay unknown; the run goes on."""
_LEASES = (("list", "leases", "coordination.k8s.io"), ("watch", "leases", "coordination.k8s.io"))
CLAIMS = {
    cilium.NAME: _LEASES,
    kubevip.NAME: _LEASES,
    metallb.NAME: (("list", "servicel2statuses", metallb.GROUP), ("watch", "servicel2statuses", metallb.GROUP)),
}
"""Verbs without which claims stay unknown, by implementation."""
_CLUSTER_SCOPED = frozenset({"namespaces", "nodes"})
_ANYWHERE = frozenset({"leases", "servicel2statuses"})
"""Kinds read outside our own namespace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a run stands on: the cluster's claims about itself, the place that we look from, and the registry login."""

    cluster: Cluster
    vantage: Vantage
    login: RegistryLogin | None = field(default=None, repr=False)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The cluster's nodes."""
        return self.cluster.nodes or ()

    @property
    def node_addresses(self) -> tuple[Ip, ...]:
        """All addresses of all nodes."""
        return tuple(address for node in self.nodes for address in node.addresses)


def needed(dialect: Dialect, *, login: bool) -> tuple[tuple[str, str, str], ...]:
    """Return the verbs that a run with these echo Pods cannot do without; `login`: with a Secret for their registry."""
    spared = frozenset() if dialect is Dialect.SCRIPT else SCRIPT_ONLY - ({COPY} if login else set())
    return tuple(right for right in NEEDED if right not in spared)


def rights(table: Sequence[tuple[str, str, str]], namespace: str) -> tuple[Right, ...]:
    """Return the table's rights as questions about the namespace of the run."""
    outside = _CLUSTER_SCOPED | _ANYWHERE
    return tuple(
        Right(verb=verb, resource=resource, group=group, namespace="" if resource in outside else namespace)
        for verb, resource, group in table
    )


def survey(plan: Plan, edges: Edges) -> Ground:
    """Look at cluster, rights and vantage side by side.

    Raises ClusterError when the cluster cannot be read or nothing announces, NotAllowedError when a verb is denied.
    """
    edges.say("Looking at the cluster, our rights and where we stand.")
    api, namespace = edges.api, plan.workload.namespace
    with ThreadPoolExecutor(4, thread_name_prefix="preflight") as pool:
        version = pool.submit(api.version)
        table = needed(plan.workload.dialect, login=plan.workload.pull_secret is not None)
        asked = pool.submit(api.missing_rights, (*rights(table, namespace), *_pull_rights(plan)))
        described = pool.submit(api.cluster)
        server = version.result()
        require(asked.result(), plan)
        cluster = described.result()
        wanted = (*WANTED, *CLAIMS.get(cluster.implementation or "", ()))
        cluster = _with_missing(cluster, api.missing_rights(rights(wanted, namespace)), server)
    ground = Ground(cluster=cluster, vantage=edges.vantage((), cluster.nodes or ()))
    check_announcer(cluster)
    check_nodes(cluster, plan)
    edges.check()
    secret = plan.workload.pull_secret
    return ground if secret is None else replace(ground, login=edges.pull_secret(secret.namespace, secret.name))


def _pull_rights(plan: Plan) -> tuple[Right, ...]:
    """Return what the user's pull Secret needs: without one nobody's Secrets are read."""
    secret = plan.workload.pull_secret
    return (login_right(secret.namespace, secret.name),) if secret else ()


def login_right(namespace: str, name: str) -> Right:
    """Return the right to read one registry login and no other Secret beside it."""
    return Right(verb="get", resource="secrets", namespace=namespace, name=name)


def _with_missing(cluster: Cluster, missing: Sequence[Right], server: str) -> Cluster:
    both = tuple(dict.fromkeys((*cluster.missing_rights, *missing)))
    return replace(cluster, missing_rights=both, server_version=cluster.server_version or server)


def require(missing: Sequence[Right], plan: Plan) -> None:
    """Raise NotAllowedError that names every denied verb, and how to grant what this run needs."""
    if not missing:
        return
    workload = plan.workload
    echo = "" if workload.dialect is Dialect.SCRIPT else f" --echo {workload.dialect}"
    secret = workload.pull_secret
    login = f" --image-pull-secret {secret.namespace}/{secret.name}" if secret else ""
    named = ", ".join(f"{right.verb} {spell(right)}" for right in missing)
    raise NotAllowedError(
        f"The API server does not let this user {named}.",
        f"An administrator can grant exactly what is needed: `l2probe rbac{echo}{login} --user USER | "
        "kubectl apply -f -`.",
    )


def spell(right: Right) -> str:
    """Return a resource as kubectl spells it: `endpointslices.discovery.k8s.io`."""
    return f"{right.resource}.{right.group}" if right.group else right.resource


def check_announcer(cluster: Cluster) -> None:
    """Raise ClusterError when no implementation that announces on layer 2 was found."""
    if cluster.implementation is not None:
        return
    where = f" in context {cluster.context}" if cluster.context else ""
    raise ClusterError(
        f"No implementation that announces LoadBalancer addresses on layer 2 was found{where}.",
        "Install one: Cilium with l2announcements.enabled, MetalLB in layer 2 mode, or kube-vip.",
    )


def check_nodes(cluster: Cluster, plan: Plan) -> None:
    """Raise ClusterError when there is no node that an echo Pod could run on."""
    nodes = cluster.nodes or ()
    if plan.eligible(nodes):
        return
    states = ", ".join(f"{node.name} ({_why_not(node, plan)})" for node in nodes)
    raise ClusterError(
        f"No node could take an echo Pod: {states or 'the cluster has no nodes'}.",
        "Make a node ready, pass --toleration for its taint, or another --node-selector.",
    )


def _why_not(node: Node, plan: Plan) -> str:
    if not node.ready:
        return "not ready"
    if not set(plan.workload.node_selector) <= set(node.labels):
        return "not selected"
    taints = ", ".join(f"{key}={value}:{effect}" for key, value, effect in node.taints)
    return f"taint {taints}" if taints else "cordoned or tainted"
