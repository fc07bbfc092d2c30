"""The least rights each command needs, as RBAC objects. Pure: prints nothing, asks nobody.

The tables are those that the commands themselves ask the API server about, so that what is printed is what is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from l2probe.announcers import cilium, kubevip, metallb
from l2probe.model import Right
from l2probe.run.preflight import CLAIMS, NEEDED, WANTED

API_VERSION = "rbac.authorization.k8s.io/v1"
NAME = "l2probe"
Triple = tuple[str, str, str]
"""Verb, resource, API group."""

DESCRIBES: tuple[Triple, ...] = (
    ("list", "nodes", ""),
    ("list", "services", ""),
    ("list", "endpointslices", "discovery.k8s.io"),
    ("list", "daemonsets", "apps"),
    ("list", "ciliumloadbalancerippools", "cilium.io"),
    ("list", "ciliuml2announcementpolicies", "cilium.io"),
    ("list", "ipaddresspools", metallb.GROUP),
    ("list", "l2advertisements", metallb.GROUP),
    ("list", "servicel2statuses", metallb.GROUP),
    ("list", "leases", "coordination.k8s.io"),
)
"""What the cluster says of itself: nodes, Services and the announcer's own objects, of whichever there is."""
WITHIN = (
    Right(verb="get", resource="configmaps", namespace=cilium.NAMESPACE),
    Right(verb="list", resource="pods", namespace=kubevip.NAMESPACE),
)
"""What is read in one namespace only: cilium-config, and kube-vip's static Pods."""
GUARDS: tuple[Triple, ...] = (
    ("list", "networkpolicies", "networking.k8s.io"),
    ("list", "ciliumnetworkpolicies", "cilium.io"),
    ("list", "ciliumclusterwidenetworkpolicies", "cilium.io"),
)
"""Whom the Pods admit: only read where connections were lost."""
COMMANDS: Mapping[str, tuple[Triple, ...]] = {
    "run": (*NEEDED, *WANTED, *DESCRIBES, *(right for claims in CLAIMS.values() for right in claims)),
    "diagnose": (*DESCRIBES, *GUARDS, ("get", "services", ""), ("list", "events", "")),
    "audit": (*DESCRIBES, ("list", "events", "")),
    "cleanup": (
        ("list", "namespaces", ""),
        ("get", "namespaces", ""),
        ("watch", "namespaces", ""),
        ("delete", "namespaces", ""),
    ),
}
"""What each command may do anywhere: the namespace of a run has no name before the run."""
_READS_NAMESPACES = frozenset({"run", "diagnose", "audit"})
NARROWED = frozenset({"services", "endpointslices", "events", "leases"})
"""What `audit --namespace` reads of one namespace where it may not read all; nodes, pools and policies have none."""
LEASES = Right(verb="list", resource="leases", group="coordination.k8s.io", namespace=cilium.NAMESPACE)
"""Cilium's leases, and those that kube-vip does not keep beside the Service, lie here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who gets the rights: a user by name, or a ServiceAccount as namespace and name (then it is created too)."""

    user: str = ""
    service_account: tuple[str, str] = ("default", NAME)

    def subject(self) -> dict[str, str]:
        """Return the subject of a binding."""
        if self.user:
            return {"apiGroup": API_VERSION.partition("/")[0], "kind": "User", "name": self.user}
        namespace, name = self.service_account
        return {"kind": "ServiceAccount", "namespace": namespace, "name": name}


def manifests(command: str, holder: Holder, namespace: str = "") -> tuple[dict[str, object], ...]:
    """Return the objects that let the holder run the command, and nothing more. KeyError: no such command.

    `namespace`: as `audit --namespace` needs it, without a right to Services elsewhere.
    """
    name = "-".join(filter(None, (NAME, command, namespace)))
    made = [*_account(holder)]
    for place, granted in _granted(command, namespace).items():
        kind = "Role" if place else "ClusterRole"
        made += [_role(kind, name, place, granted), _binding(kind, name, place, holder)]
    return tuple(made)


def _granted(command: str, namespace: str) -> Mapping[str, Sequence[Right]]:
    """Return what is granted in each namespace; "" is everywhere."""
    anywhere = [Right(verb=verb, resource=resource, group=group) for verb, resource, group in COMMANDS[command]]
    granted: dict[str, list[Right]] = {"": []}
    for right in anywhere:
        granted.setdefault(namespace if right.resource in NARROWED else "", []).append(right)
    within = WITHIN if command in _READS_NAMESPACES else ()
    for right in (*within, *((LEASES,) if namespace else ())):
        granted.setdefault(right.namespace, []).append(replace(right, namespace=""))
    return granted


def _account(holder: Holder) -> list[dict[str, object]]:
    if holder.user:
        return []
    namespace, name = holder.service_account
    return [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}]


def _role(kind: str, name: str, namespace: str, rights: Iterable[Right]) -> dict[str, object]:
    verbs: dict[tuple[str, str], list[str]] = {}
    for right in dict.fromkeys(rights):
        verbs.setdefault((right.group, right.resource), []).append(right.verb)
    rules = [
        {"apiGroups": [group], "resources": [resource], "verbs": sorted(each)}
        for (group, resource), each in verbs.items()
    ]
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": _metadata(name, namespace), "rules": rules}


def _binding(kind: str, name: str, namespace: str, holder: Holder) -> dict[str, object]:
    return {
        "apiVersion": API_VERSION,
        "kind": f"{kind}Binding",
        "metadata": _metadata(name, namespace),
        "roleRef": {"apiGroup": API_VERSION.partition("/")[0], "kind": kind, "name": name},
        "subjects": [holder.subject()],
    }


def _metadata(name: str, namespace: str) -> dict[str, str]:
    return {"name": name, **({"namespace": namespace} if namespace else {})}
