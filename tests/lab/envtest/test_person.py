"""The role of the person on a server with RBAC allows all but what a fault took away."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from l2probe.lab.controllers.client import Resource
from l2probe.lab.controllers.objects import Obj
from l2probe.lab.envtest.person import has, review, role
from l2probe.lab.rights import Right, rights_of


def resource(plural: str, group: str = "", *subresources: str) -> Resource:
    """Return a resource as discovery lists it."""
    return Resource(
        group=group,
        version="v1",
        plural=plural,
        kind=plural.title(),
        namespaced=True,
        verbs=("get", "list"),
        subresources=subresources,
    )


SERVED = (
    resource("pods", "", "log", "status"),
    resource("services", "", "status"),
    resource("leases", "coordination.k8s.io"),
    resource("ciliumloadbalancerippools", "cilium.io"),
)
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "escalate")


def allows(rules: list[Obj], verb: str, group: str, name: str) -> bool:
    """Apply the rules as the RBAC authorizer does: one that covers all three is enough."""
    return any(
        {verb, "*"} & set(rule["verbs"])
        and {group, "*"} & set(rule["apiGroups"])
        and {name, "*"} & set(rule["resources"])
        for rule in rules
        if "resources" in rule
    )


def asked() -> Iterator[Right]:
    """Yield every verb on everything that is served."""
    for each, verb in product(SERVED, VERBS):
        for name in (each.plural, *(f"{each.plural}/{below}" for below in each.subresources)):
            yield verb, each.group, name


@pytest.mark.parametrize(
    "faults",
    [
        (),
        ("denied:list:leases",),
        ("denied:get:pods/log",),
        ("denied:*:ciliumloadbalancerippools",),
        ("denied:create:*", "denied:list:pods"),
        ("denied:*:*",),
    ],
)
def test_exactly_what_was_denied_is_missing(faults: tuple[str, ...]) -> None:
    """Each verb on each resource and subresource is allowed unless a fault names it."""
    denied = frozenset(right for fault in faults for right in rights_of(fault))
    rules = role(SERVED, denied)["rules"]

    assert {right: allows(rules, *right) for right in asked()} == {right: has(right, denied) for right in asked()}


def test_who_lost_a_right_may_still_impersonate() -> None:
    """A fault about Pods does not end `--as`."""
    rules = role(SERVED, frozenset(rights_of("denied:list:pods")))["rules"]

    assert allows(rules, "impersonate", "", "users")


def test_a_right_about_everything_is_asked_about_one_thing() -> None:
    """A review has no wildcards: one of those meant stands for all, and it must then be denied."""
    (right,) = rights_of("denied:create:*")

    attributes = review(right)["spec"]["resourceAttributes"]

    assert attributes == {"verb": "create", "group": "", "resource": "pods", "subresource": ""}
    assert not has(right, frozenset({right}))
