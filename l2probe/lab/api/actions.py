"""Subresources that are commands (bind, evict, finalize), and reviews of one's own rights."""

from __future__ import annotations

from typing import Final

from l2probe.lab.api.call import Call
from l2probe.lab.api.deletion import Deletion, delete_options
from l2probe.lab.api.kinds import Kind
from l2probe.lab.api.managed import record_update
from l2probe.lab.api.objects import Json, Obj, copied, dig, now
from l2probe.lab.api.rbac import Rights, User
from l2probe.lab.api.reading import Options
from l2probe.lab.api.registry import Registry
from l2probe.lab.api.status import bad_request, conflict

DONE: Final[Obj] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
"""The Status that answers a command."""


def bind(registry: Registry, call: Call, body: Json, options: Options) -> Obj:
    """Assign a Pod to a node, as the scheduler does; 409 when it has one already."""
    node = dig(body, "target", "name")
    if not node:
        raise bad_request("Binding is invalid: target.name: Required value")
    live = registry.get(call.kind, call.namespace, call.name)
    if dig(live, "spec", "nodeName"):
        why = f"pod {call.name} is already assigned to node {dig(live, 'spec', 'nodeName')!r}".replace("'", '"')
        raise conflict(call.kind.resource, call.name, why)
    pod: Obj = copied(live)
    pod["spec"]["nodeName"] = node
    others = [each for each in dig(pod, "status", "conditions") or () if each.get("type") != "PodScheduled"]
    scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": now()}
    pod["status"] = {**(pod.get("status") or {}), "conditions": [*others, scheduled]}
    record_update(live, pod, call.kind, options.manager, "")
    if not options.dry_run:
        registry.hooks.stored(call.kind, registry.store.put(call.kind.storage, pod))
    return DONE


def evict(registry: Registry, deletion: Deletion, call: Call, body: Json, options: Options) -> Obj:
    """Delete a Pod as `kubectl drain` does; there are no disruption budgets here."""
    live = registry.get(call.kind, call.namespace, call.name)
    wanted = delete_options(dig(body, "deleteOptions") or {}, {"dryRun": "All"} if options.dry_run else {})
    deletion.delete(call.kind, live, wanted)
    return DONE


def finalize(registry: Registry, call: Call, body: Json, options: Options) -> Obj:
    """Replace a namespace's spec.finalizers."""
    live = registry.get(call.kind, "", call.name)
    namespace: Obj = copied(live)
    namespace["spec"] = {**(namespace.get("spec") or {}), "finalizers": dig(body, "spec", "finalizers") or []}
    if not options.dry_run:
        namespace = registry.store.put(call.kind.storage, namespace)
        registry.hooks.stored(call.kind, namespace)
    return namespace


def _rules(user: User, rights: Rights, namespace: str) -> Obj:
    own = {
        "verbs": ["create"],
        "apiGroups": ["authorization.k8s.io"],
        "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
    }
    whoami = {"verbs": ["create"], "apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"]}
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    more = rights.given(user, namespace) if user.bound else [everything] if rights.unlimited(user) else []
    paths = [{"verbs": ["*"], "nonResourceURLs": ["*"]}]
    incomplete = not user.bound and not rights.unlimited(user)
    return {"resourceRules": [own, whoami, *more], "nonResourceRules": paths, "incomplete": incomplete}


def review(kind: Kind, user: User, rights: Rights, body: Json) -> Obj:
    """Answer what one may do, or who one is."""
    spec = body.get("spec") if isinstance(body, dict) else None
    status: Obj = {"userInfo": user.info()}
    if kind.plural == "selfsubjectaccessreviews":
        status = rights.access(user, spec)
    elif kind.plural == "selfsubjectrulesreviews":
        status = _rules(user, rights, str(dig(spec, "namespace") or ""))
    return kind.shown({"metadata": {}, "spec": spec or {}, "status": status})
