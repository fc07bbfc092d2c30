"""What the person of the kubeconfig may do on a server with RBAC: everything but what a fault took away.

RBAC can only allow (https://kubernetes.io/docs/reference/access-authn-authz/rbac/), so what is left is written out.
"""

from __future__ import annotations

from collections.abc import Iterable

from l2probe.lab.controllers.client import Resource
from l2probe.lab.controllers.objects import Obj
from l2probe.lab.envtest.commands import PERSON
from l2probe.lab.rights import VERBS, Right

NAME = "l2probe-lab:person"
GROUP = "rbac.authorization.k8s.io"
_ALL = ("*",)
_KNOWN = (*(verb for verb in VERBS if verb != "*"), "approve", "bind", "escalate", "sign", "use")
_EVERYTHING: Obj = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
_PAGES: Obj = {"nonResourceURLs": ["*"], "verbs": ["*"]}
_IMPERSONATION: tuple[Obj, ...] = (
    {"apiGroups": [""], "resources": ["groups", "serviceaccounts", "users"], "verbs": ["impersonate"]},
    {"apiGroups": ["authentication.k8s.io"], "resources": ["*"], "verbs": ["impersonate"]},
)
_SAMPLE: Right = ("get", "", "pods")
"""What is asked about where a right says `*`."""


def role(resources: Iterable[Resource], denied: frozenset[Right]) -> Obj:
    """Return the person's ClusterRole; without anything denied it is cluster-admin's."""
    listed = [_EVERYTHING] if not denied else [*_rules(resources, denied), *_IMPERSONATION]
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": NAME},
        "rules": [*listed, _PAGES],
    }


def binding() -> Obj:
    """Return the ClusterRoleBinding that gives the role to the person's group."""
    subject = {"kind": "Group", "apiGroup": GROUP, "name": PERSON[1]}
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": NAME},
        "subjects": [subject],
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": NAME},
    }


def _rules(resources: Iterable[Resource], denied: frozenset[Right]) -> list[Obj]:
    """Return one rule for each API group and set of verbs that is left."""
    left: dict[tuple[str, tuple[str, ...]], dict[str, None]] = {}
    for each in resources:
        for name in (each.plural, *(f"{each.plural}/{below}" for below in each.subresources)):
            if verbs := _verbs(each.group, name, denied):
                left.setdefault((each.group, verbs), {})[name] = None
    return [
        {"apiGroups": [group], "resources": list(names), "verbs": list(verbs)} for (group, verbs), names in left.items()
    ]


def _verbs(group: str, resource: str, denied: frozenset[Right]) -> tuple[str, ...]:
    about = [right[0] for right in denied if _covers(right[1], group) and _covers(right[2], resource)]
    return tuple(verb for verb in _KNOWN if verb not in about and "*" not in about) if about else _ALL


def _covers(pattern: str, value: str) -> bool:
    return pattern in ("*", value)


def review(right: Right) -> Obj:
    """Return the SubjectAccessReview that asks whether the person has a right; with a `*` one of those meant."""
    values = _meant(right)
    resource, _, below = values[2].partition("/")
    attributes = {"verb": values[0], "group": values[1], "resource": resource, "subresource": below}
    spec = {"user": PERSON[0], "groups": [PERSON[1], "system:authenticated"], "resourceAttributes": attributes}
    return {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}


def has(right: Right, denied: frozenset[Right]) -> bool:
    """Say what `review` must answer."""
    values = _meant(right)
    return not any(all(map(_covers, each, values)) for each in denied)


def _meant(right: Right) -> tuple[str, ...]:
    return tuple(sample if asked == "*" else asked for asked, sample in zip(right, _SAMPLE, strict=True))
