"""The controllers that live inside the server: garbage of vanished owners, contents of dying namespaces, custom kinds.

What is due runs right after the request that caused it, never within it: the caller sees `Terminating` first, as in a
real cluster.
"""

from __future__ import annotations

from asyncio import get_running_loop
from typing import Final

from l2probe.lab.api.deletion import CLEANUP, DEFINITIONS, FOREGROUND, NAMESPACES, ORPHAN, DeleteOptions, Deletion
from l2probe.lab.api.kinds import Kind, Kinds, Storage
from l2probe.lab.api.objects import Obj, copied, meta, name_of, namespace_of, now
from l2probe.lab.api.reading import Options
from l2probe.lab.api.registry import Registry
from l2probe.lab.api.status import ApiError

ACCOUNTS: Final = ("", "serviceaccounts")
CONFIG_MAPS: Final = ("", "configmaps")
ROOT_CA: Final = "kube-root-ca.crt"


class Collector:
    """Follows every change and does what follows from it."""

    def __init__(self, registry: Registry, deletion: Deletion, kinds: Kinds, ca_pem: str) -> None:
        self._registry, self._deletion, self._kinds = registry, deletion, kinds
        self._store = registry.store
        self._ca_pem = ca_pem
        self._due: dict[tuple[str, str], None] = {}
        registry.hooks.stored, registry.hooks.removed = self._stored, self._removed

    def _stored(self, kind: Kind, obj: Obj) -> None:
        if kind.storage == DEFINITIONS:
            self._kinds.define(obj)
        if self._deletion.settle(kind, obj):
            return
        if kind.storage == NAMESPACES and not meta(obj).get("deletionTimestamp"):
            self._furnish(name_of(obj))
        if meta(obj).get("deletionTimestamp") or meta(obj).get("ownerReferences"):
            self._soon("object", meta(obj)["uid"])

    def _removed(self, kind: Kind, obj: Obj) -> None:
        if kind.storage == DEFINITIONS:
            self._kinds.undefine(name_of(obj))
        self._soon("owner", meta(obj)["uid"])
        for reference in meta(obj).get("ownerReferences") or ():
            self._soon("object", str(reference.get("uid")))
        if namespace_of(obj):
            self._soon("namespace", namespace_of(obj))
        if kind.custom:
            self._soon("definition", f"{kind.plural}.{kind.group}")

    def _soon(self, what: str, name: str) -> None:
        if not self._due:
            get_running_loop().call_soon(self._work)
        self._due[what, name] = None

    def _work(self) -> None:
        while self._due:
            what, name = next(iter(self._due))
            del self._due[what, name]
            if what == "owner":
                self._collect_dependents(name)
            elif what == "namespace":
                self._sweep_namespace(self._store.get(NAMESPACES, "", name))
            elif what == "definition":
                self._sweep_definition(self._store.get(DEFINITIONS, "", name))
            else:
                self._look_at(name)

    def _look_at(self, uid: str) -> None:
        found = self._store.by_uid(uid)
        if found is None:
            return
        storage, obj = found
        if not meta(obj).get("deletionTimestamp"):
            self._collect(storage, obj)
        elif storage == NAMESPACES:
            self._sweep_namespace(obj)
        elif CLEANUP in (meta(obj).get("finalizers") or ()):
            self._sweep_definition(obj)
        elif FOREGROUND in (meta(obj).get("finalizers") or ()):
            self._foreground(storage, obj)
        elif ORPHAN in (meta(obj).get("finalizers") or ()):
            self._orphan(storage, obj)

    def _kind(self, storage: Storage) -> Kind | None:
        return next((kind for kind in self._kinds.stored() if kind.storage == storage), None)

    def _delete(self, storage: Storage, obj: Obj, policy: str = "Background") -> None:
        kind = self._kind(storage)
        if kind is not None:
            self._deletion.delete(kind, obj, DeleteOptions(policy=policy))

    def _dependents(self, uid: str) -> list[tuple[Storage, Obj]]:
        return self._store.dependents(uid)

    def _collect_dependents(self, uid: str) -> None:
        for storage, obj in self._dependents(uid):
            self._collect(storage, obj)

    def _collect(self, storage: Storage, obj: Obj) -> None:
        """Delete an object all of whose owners are gone."""
        references = meta(obj).get("ownerReferences") or ()
        alive = any(self._store.by_uid(str(reference.get("uid"))) for reference in references)
        if references and not alive and not meta(obj).get("deletionTimestamp"):
            self._delete(storage, obj)

    def _release(self, storage: Storage, obj: Obj, finalizer: str) -> None:
        kind, freed = self._kind(storage), copied(obj)
        freed["metadata"]["finalizers"] = [each for each in freed["metadata"]["finalizers"] if each != finalizer]
        if kind is not None:
            self._stored(kind, self._store.put(storage, freed))

    def _foreground(self, storage: Storage, obj: Obj) -> None:
        for place, dependent in self._dependents(meta(obj)["uid"]):
            if not meta(dependent).get("deletionTimestamp"):
                self._delete(place, dependent, "Foreground")
        if not self._dependents(meta(obj)["uid"]):
            self._release(storage, obj, FOREGROUND)

    def _orphan(self, storage: Storage, obj: Obj) -> None:
        uid = meta(obj)["uid"]
        for place, dependent in self._dependents(uid):
            freed = copied(dependent)
            freed["metadata"]["ownerReferences"] = [
                reference for reference in freed["metadata"]["ownerReferences"] if reference.get("uid") != uid
            ]
            self._store.put(place, freed)
        self._release(storage, obj, ORPHAN)

    def _sweep_namespace(self, namespace: Obj | None) -> None:
        """Delete what a dying namespace holds; remove the namespace when nothing is left."""
        if namespace is None or not meta(namespace).get("deletionTimestamp"):
            return
        name = name_of(namespace)
        left: dict[str, int] = {}
        held: dict[str, int] = {}
        for kind in self._kinds.stored():
            for obj in self._store.objects(kind.storage, name) if kind.namespaced else ():
                if not meta(obj).get("deletionTimestamp"):
                    self._deletion.delete(kind, obj, DeleteOptions())
            for obj in self._store.objects(kind.storage, name) if kind.namespaced else ():
                resource = f"{kind.plural}.{kind.group}"
                left[resource] = left.get(resource, 0) + 1
                for finalizer in meta(obj).get("finalizers") or ():
                    held[finalizer] = held.get(finalizer, 0) + 1
        self._settle_namespace(namespace, left, held)

    def _settle_namespace(self, namespace: Obj, left: dict[str, int], held: dict[str, int]) -> None:
        kind = self._kind(NAMESPACES)
        if kind is None:
            return
        obj: Obj = copied(namespace)
        if left:
            obj["status"]["conditions"] = namespace_conditions(namespace, left, held)
        else:
            obj["spec"].pop("finalizers", None)
        if obj != namespace:
            obj = self._store.put(NAMESPACES, obj)
        self._deletion.settle(kind, obj)

    def _sweep_definition(self, crd: Obj | None) -> None:
        """Delete the objects of a custom kind that is to vanish; let the definition go when none is left."""
        if crd is None or not meta(crd).get("deletionTimestamp"):
            return
        storage = (crd["spec"]["group"], crd["spec"]["names"]["plural"])
        for obj in self._store.objects(storage):
            if not meta(obj).get("deletionTimestamp"):
                self._delete(storage, obj)
        if not self._store.objects(storage) and CLEANUP in (meta(crd).get("finalizers") or ()):
            self._release(DEFINITIONS, crd, CLEANUP)

    def _furnish(self, namespace: str) -> None:
        """Give a namespace what the controller manager would: the default account and the CA's certificate."""
        wanted = (
            (ACCOUNTS, {"metadata": {"name": "default"}}),
            (CONFIG_MAPS, {"metadata": {"name": ROOT_CA}, "data": {"ca.crt": self._ca_pem}}),
        )
        for storage, value in wanted:
            kind = self._kind(storage)
            if kind is not None and self._store.get(storage, namespace, value["metadata"]["name"]) is None:
                try:
                    self._registry.create(kind, namespace, value, Options(manager="kube-controller-manager"))
                except ApiError:
                    return


def namespace_conditions(namespace: Obj, left: dict[str, int], held: dict[str, int]) -> list[Obj]:
    """Return the conditions that say what keeps a namespace (namespace controller, status_condition_utils.go)."""
    remaining = ", ".join(f"{resource} has {count} resource instances" for resource, count in sorted(left.items()))
    finalizers = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(held.items()))
    rows = [
        ("NamespaceDeletionDiscoveryFailure", False, "ResourcesDiscovered", "All resources successfully discovered"),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            False,
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        (
            "NamespaceDeletionContentFailure",
            False,
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        (
            "NamespaceContentRemaining",
            bool(left),
            "SomeResourcesRemain" if left else "ContentRemoved",
            f"Some resources are remaining: {remaining}" if left else "All content successfully removed",
        ),
        (
            "NamespaceFinalizersRemaining",
            bool(held),
            "SomeFinalizersRemain" if held else "ContentHasNoFinalizers",
            f"Some content in the namespace has finalizers remaining: {finalizers}"
            if held
            else "All content-preserving finalizers finished",
        ),
    ]
    before = {each.get("type"): each for each in (namespace.get("status") or {}).get("conditions") or ()}
    return [
        _condition(before.get(kind), kind, status=status, reason=reason, message=text)
        for kind, status, reason, text in rows
    ]


def _condition(before: Obj | None, kind: str, *, status: bool, reason: str, message: str) -> Obj:
    made = {"type": kind, "status": str(status), "reason": reason, "message": message}
    same = before is not None and before.get("status") == made["status"]
    return {**made, "lastTransitionTime": before["lastTransitionTime"] if before is not None and same else now()}
