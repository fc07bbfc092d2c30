"""The least rights each command needs, as RBAC objects. Pure: prints nothing, asks nobody.

The tables are those that the commands themselves ask the API server about, so that what is printed is what is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from l2probe.announcers import cilium, kubevip, metallb
from l2probe.model import Dialect, Right
from l2probe.run.preflight import CLAIMS, NEEDED, WANTED, login_right, needed

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
    ("list", "bgpadvertisements", metallb.GROUP),
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """How a command will be called, as far as it needs less, or more, by that.

    `namespace`: that of `audit --namespace`, then without a right to Services elsewhere. `echo` and `login`: those of
    `run`, with the namespace and the name of the registry's Secret.
    """

    namespace: str = ""
    echo: Dialect = Dialect.SCRIPT
    login: tuple[str, str] | None = None

    @property
    def name(self) -> str:
        """What tells its roles from those of other calls: to grant one must not take from another."""
        login = ".".join(self.login) if self.login else ""
        return "-".join(filter(None, (self.namespace, "" if self.echo is Dialect.SCRIPT else self.echo.value, login)))


EVERYTHING = Scope()
"""A command as it is called without options."""


def manifests(command: str, holder: Holder, scope: Scope = EVERYTHING) -> tuple[dict[str, object], ...]:
    """Return the objects that let the holder run the command, and nothing more. KeyError: no such command."""
    name = "-".join(filter(None, (NAME, command, scope.name)))
    made = [*_account(holder)]
    for place, granted in _granted(command, scope).items():
        kind = "Role" if place else "ClusterRole"
        made += [_role(kind, name, place, granted), _binding(kind, name, place, holder)]
    return tuple(made)


def _granted(command: str, scope: Scope) -> Mapping[str, Sequence[Right]]:
    """Return what is granted in each namespace; "" is everywhere."""
    granted: dict[str, list[Right]] = {"": []}
    for verb, resource, group in _anywhere(command, scope):
        place = scope.namespace if resource in NARROWED else ""
        granted.setdefault(place, []).append(Right(verb=verb, resource=resource, group=group))
    within = WITHIN if command in _READS_NAMESPACES else ()
    for right in (*within, *((LEASES,) if scope.namespace else ())):
        granted.setdefault(right.namespace, []).append(right)
    if scope.login:
        granted.setdefault(scope.login[0], []).append(login_right(*scope.login))
    return granted


def _anywhere(command: str, scope: Scope) -> Sequence[Triple]:
    """Return a command's table without what this call does not do."""
    spared = set(NEEDED) - set(needed(scope.echo, login=scope.login is not None)) if command == "run" else set()
    return [right for right in COMMANDS[command] if right not in spared]


def _account(holder: Holder) -> list[dict[str, object]]:
    if holder.user:
        return []
    namespace, name = holder.service_account
    return [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}]


def _role(kind: str, name: str, namespace: str, rights: Iterable[Right]) -> dict[str, object]:
    verbs: dict[tuple[str, str, str], list[str]] = {}
    for right in dict.fromkeys(rights):
        verbs.setdefault((right.group, right.resource, right.name), []).append(right.verb)
    rules = [
        {
            "apiGroups": [group],
            "resources": [resource],
            **({"resourceNames": [one]} if one else {}),
            "verbs": sorted(each),
        }
        for (group, resource, one), each in verbs.items()
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
