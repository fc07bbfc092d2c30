"""Whether an object may be written: the namespace's life cycle, its accounts, and its Pod Security level."""

from __future__ import annotations

from l2probe.lab.api.kinds import Kind
from l2probe.lab.api.objects import Obj, dig, labels, name_of, namespace_of
from l2probe.lab.api.podsecurity import verdict_of
from l2probe.lab.api.reading import Options
from l2probe.lab.api.status import ApiError, Resource, forbidden, not_found
from l2probe.lab.api.store import Store

NAMESPACES = ("", "namespaces")
PODS = ("", "pods")
ENFORCE = "pod-security.kubernetes.io/enforce"
WARN = "pod-security.kubernetes.io/warn"


def admit_namespace(kind: Kind, obj: Obj, before: Obj | None, store: Store) -> None:
    """Raise 404 when the namespace does not exist, 403 when it takes nothing new."""
    if not kind.namespaced:
        return
    namespace = store.get(NAMESPACES, "", namespace_of(obj))
    if namespace is None:
        raise not_found(Resource(*NAMESPACES), namespace_of(obj))
    if before is None and dig(namespace, "status", "phase") == "Terminating":
        raise terminating(kind, obj)


def admit_account(kind: Kind, obj: Obj, store: Store) -> None:
    """Raise 403 when a new Pod's service account does not exist."""
    if kind.storage != PODS:
        return
    name, namespace = obj["spec"]["serviceAccountName"], namespace_of(obj)
    if store.get(("", "serviceaccounts"), namespace, name) is None:
        why = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
        raise forbidden(kind.resource, name_of(obj), why)


def admit_security(kind: Kind, obj: Obj, store: Store, options: Options) -> None:
    """Raise 403 when a new Pod violates its namespace's Pod Security level; add warnings."""
    namespace = store.get(NAMESPACES, "", namespace_of(obj)) if kind.storage == PODS else None
    if namespace is not None:
        _check_security(kind, obj, namespace, options)


def terminating(kind: Kind, obj: Obj) -> ApiError:
    """Return 403 of a create in a namespace that is being deleted."""
    namespace = namespace_of(obj)
    why = f"unable to create new content in namespace {namespace} because it is being terminated"
    error = forbidden(kind.resource, name_of(obj), why)
    text = f"namespace {namespace} is being terminated"
    cause = {"reason": "NamespaceTerminating", "message": text, "field": "metadata.namespace"}
    error.details = {**(error.details or {}), "causes": [cause]}
    return error


def _check_security(kind: Kind, pod: Obj, namespace: Obj, options: Options) -> None:
    level, version = labels(namespace).get(ENFORCE), labels(namespace).get(f"{ENFORCE}-version") or "latest"
    if found := verdict_of(pod, level or "privileged"):
        raise forbidden(kind.resource, name_of(pod), f'violates PodSecurity "{level}:{version}": {found}')
    level, version = labels(namespace).get(WARN), labels(namespace).get(f"{WARN}-version") or "latest"
    if found := verdict_of(pod, level or "privileged"):
        options.warnings.append(f'would violate PodSecurity "{level}:{version}": {found}')
