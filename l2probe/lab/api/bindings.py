"""The RBAC authorizer: what roles and bindings give to somebody whom the person of the kubeconfig impersonates.

Rules of https://kubernetes.io/docs/reference/access-authn-authz/rbac/; nobody else is judged by them here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from l2probe.lab.api.objects import Obj, dig, namespace_of
from l2probe.lab.api.store import Store

GROUP: Final = "rbac.authorization.k8s.io"
MASTERS: Final = "system:masters"
ACCOUNT: Final = "system:serviceaccount:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What somebody wants to do. `resource` may name a subresource, as in pods/log; `name` is empty for all."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""


def groups_of(name: str, groups: tuple[str, ...]) -> tuple[str, ...]:
    """Return the groups of an impersonated user: those named, an account's own ones, and that of everybody."""
    own: tuple[str, ...] = ()
    if name.startswith(ACCOUNT):
        own = ("system:serviceaccounts", f"system:serviceaccounts:{name.removeprefix(ACCOUNT).partition(':')[0]}")
    return tuple(dict.fromkeys((*groups, *own, "system:authenticated")))


def rules_of(store: Store, name: str, groups: tuple[str, ...], namespace: str) -> Iterator[Obj]:
    """Yield the rules that hold for a user in a namespace; with an empty one only what holds everywhere."""
    if MASTERS in groups:
        yield {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    bindings = store.objects((GROUP, "clusterrolebindings"))
    if namespace:
        bindings += store.objects((GROUP, "rolebindings"), namespace)
    for binding in bindings:
        if any(_is(subject, name, groups, namespace_of(binding)) for subject in binding.get("subjects") or ()):
            kind, role = dig(binding, "roleRef", "kind"), dig(binding, "roleRef", "name")
            where = ("clusterroles", "") if kind == "ClusterRole" else ("roles", namespace_of(binding))
            found = store.get((GROUP, where[0]), where[1], str(role))
            yield from (found or {}).get("rules") or ()


def _is(subject: Obj, name: str, groups: tuple[str, ...], home: str) -> bool:
    if subject.get("kind") == "Group":
        return subject.get("name") in groups
    if subject.get("kind") == "ServiceAccount":
        return name == f"{ACCOUNT}{subject.get('namespace') or home}:{subject.get('name')}"
    return subject.get("kind") == "User" and subject.get("name") == name


def covers(rule: Obj, asked: Question) -> bool:
    """Say whether a rule allows what is asked."""
    _, _, below = asked.resource.partition("/")
    names = rule.get("resourceNames") or ()
    return (
        _listed(rule, "verbs", "*", asked.verb)
        and _listed(rule, "apiGroups", "*", asked.group)
        and _listed(rule, "resources", "*", asked.resource, f"*/{below}" if below else asked.resource)
        and (not names or asked.name in names)
    )


def _listed(rule: Obj, field: str, *wanted: str) -> bool:
    return not {*wanted}.isdisjoint(rule.get(field) or ())
