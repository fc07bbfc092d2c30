"""Who may do what: the person of the kubeconfig everything but what was switched off, whom they impersonate by RBAC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from l2probe.lab.api.bindings import Question, covers, groups_of, rules_of
from l2probe.lab.api.call import Call
from l2probe.lab.api.objects import Json, Obj
from l2probe.lab.api.status import ApiError, forbidden
from l2probe.lab.api.store import Store

REVIEWS: Final = frozenset({"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"})


@dataclass(frozen=True, slots=True)
class User:
    """Who asks. `restricted`: switched-off rights and injected faults apply; `bound`: only roles and bindings count."""

    name: str
    groups: tuple[str, ...]
    restricted: bool
    bound: bool = False

    def info(self) -> Obj:
        """Return the UserInfo of a SelfSubjectReview."""
        return {"username": self.name, "groups": list(self.groups)}


PERSON: Final = User("kubernetes-admin", ("kubeadm:cluster-admins", "system:authenticated"), restricted=True)
SYSTEM: Final = User("system:kube-controller-manager", ("system:masters", "system:authenticated"), restricted=False)

Right = tuple[str, str, str]
"""Verb, API group, resource (with `/subresource`); `*` matches everything."""


def impersonated(name: str, groups: tuple[str, ...]) -> User:
    """Return whom somebody with all rights wants to be taken for."""
    return User(name, groups_of(name, groups), restricted=True, bound=True)


def _matches(pattern: str, value: str) -> bool:
    return pattern in {"*", value}


class Rights:
    """The rights that are switched off, and those that roles give."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._denied: set[Right] = set()

    def restrict(self, right: Right, *, allowed: bool) -> None:
        """Switch a right off, or on again."""
        if allowed:
            self._denied.discard(right)
        else:
            self._denied.add(right)

    def unlimited(self, user: User) -> bool:
        """Say whether nothing is switched off for a user."""
        return not user.bound and (not user.restricted or not self._denied)

    def given(self, user: User, namespace: str) -> list[Obj]:
        """Return the rules that roles give a user in a namespace."""
        return list(rules_of(self._store, user.name, user.groups, namespace))

    def allows(self, user: User, question: Question) -> bool:
        """Say whether a user has a right."""
        if user.bound:
            return any(covers(rule, question) for rule in self.given(user, question.namespace))
        asked = (question.verb, question.group, question.resource)
        return not user.restricted or not any(
            all(_matches(pattern, value) for pattern, value in zip(denied, asked, strict=True))
            for denied in self._denied
        )

    def check(self, user: User, call: Call) -> None:
        """Raise 403 when the user may not do this; reviews of one's own rights are always allowed."""
        question = Question(
            verb=call.verb, group=call.kind.group, resource=call.resource, namespace=_scope(call), name=call.name
        )
        if call.resource in REVIEWS or self.allows(user, question):
            return
        raise denied(user, call)

    def access(self, user: User, spec: Json) -> Obj:
        """Return the status of a SelfSubjectAccessReview."""
        wanted = spec.get("resourceAttributes") if isinstance(spec, dict) else None
        if not isinstance(wanted, dict):
            return {"allowed": True}
        resource = str(wanted.get("resource") or "")
        if wanted.get("subresource"):
            resource = f"{resource}/{wanted['subresource']}"
        fields = ("verb", "group", "namespace", "name")
        question = Question(resource=resource, **{field: str(wanted.get(field) or "") for field in fields})
        return {"allowed": self.allows(user, question)}


def _scope(call: Call) -> str:
    """Return the namespace that a request is about; a namespace lies in itself."""
    return call.name if call.kind.plural == "namespaces" else call.namespace


def denied(user: User, call: Call) -> ApiError:
    """Return 403 as the RBAC authorizer words it."""
    namespace = _scope(call)
    scope = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    why = f'User "{user.name}" cannot {call.verb} resource "{call.resource}" in API group "{call.kind.group}" {scope}'
    return forbidden(call.kind.resource, call.name, why)
