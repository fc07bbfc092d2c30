"""Who may do what: everything is allowed except what was switched off, and only for the person of the kubeconfig."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from l2probe.lab.api.call import Call
from l2probe.lab.api.objects import Json, Obj
from l2probe.lab.api.status import ApiError, forbidden

REVIEWS: Final = frozenset({"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"})


@dataclass(frozen=True, slots=True)
class User:
    """Who a token belongs to. `restricted`: switched-off rights and injected faults apply."""

    name: str
    groups: tuple[str, ...]
    restricted: bool

    def info(self) -> Obj:
        """Return the UserInfo of a SelfSubjectReview."""
        return {"username": self.name, "groups": list(self.groups)}


PERSON: Final = User("kubernetes-admin", ("kubeadm:cluster-admins", "system:authenticated"), restricted=True)
SYSTEM: Final = User("system:kube-controller-manager", ("system:masters", "system:authenticated"), restricted=False)

Right = tuple[str, str, str]
"""Verb, API group, resource (with `/subresource`); `*` matches everything."""


def _matches(pattern: str, value: str) -> bool:
    return pattern in {"*", value}


class Rights:
    """The rights that are switched off."""

    def __init__(self) -> None:
        self._denied: set[Right] = set()

    def restrict(self, right: Right, *, allowed: bool) -> None:
        """Switch a right off, or on again."""
        if allowed:
            self._denied.discard(right)
        else:
            self._denied.add(right)

    def unlimited(self, user: User) -> bool:
        """Say whether nothing is switched off for a user."""
        return not user.restricted or not self._denied

    def allows(self, user: User, verb: str, group: str, resource: str) -> bool:
        """Say whether a user has a right."""
        asked = (verb, group, resource)
        return not user.restricted or not any(
            all(_matches(pattern, value) for pattern, value in zip(denied, asked, strict=True))
            for denied in self._denied
        )

    def check(self, user: User, call: Call) -> None:
        """Raise 403 when the user may not do this; reviews of one's own rights are always allowed."""
        if call.resource in REVIEWS or self.allows(user, call.verb, call.kind.group, call.resource):
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
        return {"allowed": self.allows(user, str(wanted.get("verb") or ""), str(wanted.get("group") or ""), resource)}


def denied(user: User, call: Call) -> ApiError:
    """Return 403 as the RBAC authorizer words it."""
    namespace = call.name if call.kind.plural == "namespaces" else call.namespace
    scope = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    why = f'User "{user.name}" cannot {call.verb} resource "{call.resource}" in API group "{call.kind.group}" {scope}'
    return forbidden(call.kind.resource, call.name, why)
