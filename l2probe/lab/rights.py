"""The fault `denied:VERB:RESOURCE[.GROUP]`: which rights it takes away. Standard library only; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from l2probe.errors import UsageError

DENIED = "denied:"
Right = tuple[str, str, str]
"""Verb, API group (empty: core), resource, which may name a subresource as in pods/log; `*` stands for all."""

VERBS = ("*", "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")

GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "": (
            "configmaps",
            "endpoints",
            "events",
            "namespaces",
            "nodes",
            "pods",
            "secrets",
            "serviceaccounts",
            "services",
        ),
        "apiextensions.k8s.io": ("customresourcedefinitions",),
        "apps": ("daemonsets", "deployments"),
        "cilium.io": ("ciliuml2announcementpolicies", "ciliumloadbalancerippools"),
        "coordination.k8s.io": ("leases",),
        "discovery.k8s.io": ("endpointslices",),
        "metallb.io": (
            "bfdprofiles",
            "bgpadvertisements",
            "bgppeers",
            "communities",
            "ipaddresspools",
            "l2advertisements",
            "servicebgpstatuses",
            "servicel2statuses",
        ),
        "rbac.authorization.k8s.io": ("clusterrolebindings", "clusterroles", "rolebindings", "roles"),
    }
)
"""What the lab's API serves and RBAC guards; reviews of one's own rights are always allowed."""


def rights_of(fault: str) -> tuple[Right, ...]:
    """Return what a fault denies: `denied:list:leases` gives (("list", "coordination.k8s.io", "leases"),).

    Without a group it is the resource in whatever group has it. UsageError when the form, the verb or the resource
    is none.
    """
    _, verb, what = fault.split(":") if fault.count(":") == 2 else ("", "", "")  # noqa: PLR2004 - denied:VERB:RESOURCE
    if verb not in VERBS:
        raise UsageError(
            f"The lab has no fault {fault!r}.", f"Write {DENIED}VERB:RESOURCE with one of the verbs {', '.join(VERBS)}."
        )
    if what == "*":
        return ((verb, "*", "*"),)
    resource, _, group = what.partition(".")
    plural = resource.partition("/")[0]
    found = tuple(
        (verb, name, resource) for name, plurals in GROUPS.items() if plural in plurals and group in {"", name}
    )
    if not found:
        raise UsageError(f"The lab's API has no resource {what!r}.", f"It has {', '.join(sorted(resources()))}.")
    return found


def resources() -> tuple[str, ...]:
    """Return every resource as a fault names it, with its group where that is not the core group."""
    return tuple(f"{plural}.{group}".rstrip(".") for group, plurals in GROUPS.items() for plural in plurals)
