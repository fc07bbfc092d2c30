"""Deletion of one object: preconditions, grace of Pods, finalizers. Dependents are the collector's business."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from l2probe.lab.api.kinds import Kind
from l2probe.lab.api.objects import Json, Obj, copied, dig, meta, name_of
from l2probe.lab.api.registry import Registry
from l2probe.lab.api.status import bad_request, conflict, forbidden

PODS: Final = ("", "pods")
NAMESPACES: Final = ("", "namespaces")
DEFINITIONS: Final = ("apiextensions.k8s.io", "customresourcedefinitions")
IMMORTAL: Final = frozenset({"default", "kube-public", "kube-system"})
FOREGROUND: Final = "foregroundDeletion"
ORPHAN: Final = "orphan"
CLEANUP: Final = "customresourcecleanup.apiextensions.k8s.io"
POLICIES: Final = ("Background", "Foreground", "Orphan")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteOptions:
    """metav1.DeleteOptions. `grace` in seconds, None: the object's own."""

    grace: int | None = None
    uid: str | None = None
    resource_version: str | None = None
    policy: str = "Background"
    dry_run: bool = False


def delete_options(body: Json, query: dict[str, str]) -> DeleteOptions:
    """Read DeleteOptions from a body and, where it is silent, the query; 400 when they are malformed."""
    given = body if isinstance(body, dict) else {}
    grace = given.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
    policy = given.get("propagationPolicy") or query.get("propagationPolicy")
    if given.get("orphanDependents") is True and not policy:
        policy = "Orphan"
    if policy not in {None, "", *POLICIES}:
        raise bad_request(f'invalid propagationPolicy "{policy}": must be one of {", ".join(POLICIES)}')
    try:
        seconds = None if grace is None else max(int(grace), 0)
    except (TypeError, ValueError) as error:
        raise bad_request(f"gracePeriodSeconds is no number: {grace}") from error
    return DeleteOptions(
        grace=seconds,
        uid=dig(given, "preconditions", "uid"),
        resource_version=dig(given, "preconditions", "resourceVersion"),
        policy=policy or "Background",
        dry_run=bool(given.get("dryRun") or query.get("dryRun")),
    )


def check_preconditions(kind: Kind, live: Obj, options: DeleteOptions) -> None:
    """Raise 409 when the object is not the one that was meant, 403 when it may never be deleted."""
    uid, version = meta(live)["uid"], meta(live)["resourceVersion"]
    if options.uid and options.uid != uid:
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({uid}). "
            "The object might have been deleted and then recreated"
        )
        raise conflict(kind.resource, name_of(live), why)
    if options.resource_version and options.resource_version != version:
        why = (
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match "
            f"the ResourceVersion in record ({version}). The object might have been modified"
        )
        raise conflict(kind.resource, name_of(live), why)
    if kind.storage == NAMESPACES and name_of(live) in IMMORTAL:
        raise forbidden(kind.resource, name_of(live), "this namespace may not be deleted")


def grace_of(kind: Kind, live: Obj, options: DeleteOptions) -> int:
    """Return how many seconds a Pod has to end; 0 when nothing needs to be waited for."""
    if kind.storage != PODS or not dig(live, "spec", "nodeName"):
        return 0
    if dig(live, "status", "phase") in {"Succeeded", "Failed"}:
        return 0
    own = int(dig(live, "spec", "terminationGracePeriodSeconds") or 0)
    wanted = own if options.grace is None else options.grace
    pending = meta(live).get("deletionGracePeriodSeconds")
    return wanted if pending is None else min(int(pending), wanted if options.grace is not None else int(pending))


def is_held(kind: Kind, obj: Obj) -> bool:
    """Say whether something must still happen before an object that is being deleted is gone."""
    if meta(obj).get("finalizers"):
        return True
    if kind.storage == NAMESPACES:
        return bool(dig(obj, "spec", "finalizers"))
    return bool(meta(obj).get("deletionGracePeriodSeconds"))


class Deletion:
    """Deletes objects and notices when those that wait may go."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._store = registry.store

    def delete(self, kind: Kind, live: Obj, options: DeleteOptions) -> tuple[Obj, bool]:
        """Delete an object or mark it; return its last state and whether it is gone."""
        check_preconditions(kind, live, options)
        if options.dry_run:
            return live, True
        marked = self._marked(kind, live, options)
        if not is_held(kind, marked):
            return self.remove(kind, live), True
        if marked != live:
            marked = self._store.put(kind.storage, marked)
            self._registry.hooks.stored(kind, marked)
        return marked, False

    def _marked(self, kind: Kind, live: Obj, options: DeleteOptions) -> Obj:
        obj: Obj = copied(live)
        metadata, grace = obj["metadata"], grace_of(kind, live, options)
        if kind.storage == DEFINITIONS and not metadata.get("deletionTimestamp"):
            metadata["finalizers"] = [*(metadata.get("finalizers") or []), CLEANUP]
        policy = {"Foreground": FOREGROUND, "Orphan": ORPHAN}.get(options.policy)
        if policy and policy not in (metadata.get("finalizers") or []):
            metadata["finalizers"] = [*(metadata.get("finalizers") or []), policy]
        shorter = grace != metadata.get("deletionGracePeriodSeconds", grace)
        if not metadata.get("deletionTimestamp") or shorter:
            until = datetime.now(UTC) + timedelta(seconds=grace)
            metadata["deletionTimestamp"] = until.strftime("%Y-%m-%dT%H:%M:%SZ")
            metadata["deletionGracePeriodSeconds"] = grace
            if "generation" in metadata:
                metadata["generation"] += 1
        if kind.storage == NAMESPACES:
            metadata.pop("deletionGracePeriodSeconds", None)
            obj["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}
        return obj

    def remove(self, kind: Kind, obj: Obj) -> Obj:
        """Take an object out of the store now."""
        last = self._store.remove(kind.storage, obj)
        self._registry.hooks.removed(kind, last)
        return last

    def settle(self, kind: Kind, obj: Obj) -> bool:
        """Remove an object that was waiting and has nothing left to wait for; say whether it is gone."""
        if meta(obj).get("deletionTimestamp") and not is_held(kind, obj):
            self.remove(kind, obj)
            return True
        return False
