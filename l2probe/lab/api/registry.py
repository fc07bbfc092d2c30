"""Create, read, update and patch of any kind: the rules that all objects share, applied in the real server's order.

Deletion is in deletion.py. Nothing here awaits: every operation is atomic.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from l2probe.lab.api.admission import admit_account, admit_namespace, admit_security
from l2probe.lab.api.allocation import Allocator
from l2probe.lab.api.apply import apply
from l2probe.lab.api.defaults import fill_defaults, prepare
from l2probe.lab.api.kinds import CRD_GROUP, Kind
from l2probe.lab.api.managed import owners_of, record_update
from l2probe.lab.api.objects import Json, Obj, copied, decoded, dig, meta, name_of, namespace_of, new_uid, now
from l2probe.lab.api.patch import json_patch, merge_patch, strategic_merge
from l2probe.lab.api.reading import Options, check_type, read, refuse
from l2probe.lab.api.rules import judge
from l2probe.lab.api.schema import resolved
from l2probe.lab.api.status import (
    STALE,
    Cause,
    already_exists,
    bad_request,
    conflict,
    not_found,
    unsupported_media,
)
from l2probe.lab.api.store import Store

ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
LONGEST_PREFIX: Final = 58
APPLY_PATCH: Final = "application/apply-patch+yaml"
PATCHES: Final = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    APPLY_PATCH: "apply",
}
IDENTITY: Final = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "generateName",
)
NODES: Final = ("", "nodes")
SERVICES: Final = ("", "services")


@dataclass(slots=True)
class Hooks:
    """What happens after a change; set by those who care."""

    stored: Callable[[Kind, Obj], None] = lambda _kind, _obj: None
    removed: Callable[[Kind, Obj], None] = lambda _kind, _obj: None


class Registry:
    """All objects, guarded by the rules of their kinds."""

    def __init__(self, store: Store, allocator: Allocator) -> None:
        self.store = store
        self.hooks = Hooks()
        self._allocator = allocator

    def get(self, kind: Kind, namespace: str, name: str) -> Obj:
        """Return an object; 404 when there is none."""
        found = self.store.get(kind.storage, namespace, name)
        if found is None:
            raise not_found(kind.resource, name)
        return found

    def create(self, kind: Kind, namespace: str, value: Json, options: Options) -> Obj:
        """Create an object and return it as stored."""
        obj, causes = read(kind, check_type(kind, value), options)
        place(kind, namespace, obj)
        metadata = obj["metadata"]
        for key in ("deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion", "selfLink", "managedFields"):
            metadata.pop(key, None)
        self._name(kind, obj)
        metadata |= {"uid": new_uid(), "creationTimestamp": now()}
        if kind.generation:
            metadata["generation"] = 1
        if kind.status and kind.storage != NODES:
            obj.pop("status", None)
        admit_namespace(kind, obj, None, self.store)
        refuse(kind, obj, causes)
        fill_defaults(kind, obj)
        record_update(None, obj, kind, options.manager, "")
        prepare(kind, obj, None)
        admit_account(kind, obj, self.store)
        refuse(kind, obj, judge(kind, obj, None))
        admit_security(kind, obj, self.store, options)
        if self.store.get(kind.storage, namespace_of(obj), name_of(obj)) is not None:
            raise already_exists(kind.resource, name_of(obj))
        self._complete(kind, obj, None)
        return self._keep(kind, obj, options)

    def update(
        self, kind: Kind, namespace: str, name: str, value: Json, options: Options, *, subresource: str = ""
    ) -> tuple[Obj, bool]:
        """Replace an object; return it and whether it was created (kinds that allow that)."""
        obj, causes = read(kind, check_type(kind, value), options)
        check_place(kind, namespace, name, obj)
        live = self.store.get(kind.storage, namespace, name)
        if live is None:
            if not kind.upsert or subresource:
                raise not_found(kind.resource, name)
            return self.create(kind, namespace, {**obj, "metadata": {**meta(obj), "name": name}}, options), True
        version = meta(obj).get("resourceVersion")
        if not version and kind.strict_version:
            text = "Invalid value: 0x0: must be specified for an update"
            causes.insert(0, Cause("FieldValueInvalid", "metadata.resourceVersion", text))
        return self.replace(kind, live, obj, causes, options, subresource=subresource), False

    def replace(
        self,
        kind: Kind,
        live: Obj,
        obj: Obj,
        causes: list[Cause],
        options: Options,
        *,
        subresource: str = "",
        applied: bool = False,
    ) -> Obj:
        """Store `obj`, a copy, in place of `live`; 409 when it was made from an older one; no change, no event."""
        check_version(kind, live, obj)
        obj = carried(kind, live, obj, subresource)
        admit_namespace(kind, obj, live, self.store)
        refuse(kind, obj, causes)
        fill_defaults(kind, obj)
        if not applied:
            if not subresource and "managedFields" not in meta(obj):
                obj["metadata"]["managedFields"] = copied(meta(live).get("managedFields") or [])
            record_update(live, obj, kind, options.manager, subresource)
        prepare(kind, obj, live)
        refuse(kind, obj, judge(kind, obj, live))
        self._complete(kind, obj, live)
        if kind.generation and changed(obj, live):
            obj["metadata"]["generation"] = int(meta(live).get("generation") or 0) + 1
        if same(obj, live):
            return live
        return self._keep(kind, obj, options)

    def patch(
        self, kind: Kind, namespace: str, name: str, body: bytes, *, media: str, options: Options, subresource: str = ""
    ) -> tuple[Obj, bool]:
        """Change an object by a patch of one of PATCHES; return it and whether apply created it."""
        form = PATCHES.get(media)
        if form is None or (kind.custom and form == "strategic"):
            allowed = ", ".join(media for media, form in PATCHES.items() if not (kind.custom and form == "strategic"))
            why = f"the body of the request was in an unknown format - accepted media types include: {allowed}"
            raise unsupported_media(why)
        patch = parsed(body)
        if form == "apply":
            return self._apply(kind, namespace, name, patch, options=options, subresource=subresource)
        live = self.get(kind, namespace, name)
        value = check_type(kind, patched(kind, live, patch, form))
        obj, causes = read(kind, value, options, patch=body.decode(errors="replace"))
        check_place(kind, namespace, name, obj)
        return self.replace(kind, live, obj, causes, options, subresource=subresource), False

    def _apply(
        self, kind: Kind, namespace: str, name: str, value: Json, *, options: Options, subresource: str
    ) -> tuple[Obj, bool]:
        config = check_type(kind, value)
        if not isinstance(value, dict) or not value.get("apiVersion") or not value.get("kind"):
            raise bad_request("apiVersion and kind must be specified in an apply patch")
        if dig(config, "metadata", "managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        applied, _ = read(kind, config, options)
        check_place(kind, namespace, name, applied)
        applied["metadata"] |= {"name": name, **({"namespace": namespace} if namespace else {})}
        live = self.store.get(kind.storage, namespace, name)
        if live is None and subresource:
            raise not_found(kind.resource, name)
        start = live or {}
        result = apply(start, applied, kind, manager=options.manager, subresource=subresource, force=options.force)
        if live is None:
            return self._create_applied(kind, namespace, result, options), True
        result, causes = read(kind, result, options)
        return self.replace(kind, live, result, causes, options, subresource=subresource, applied=True), False

    def _create_applied(self, kind: Kind, namespace: str, result: Obj, options: Options) -> Obj:
        owners = copied(meta(result).get("managedFields") or [])
        quiet = Options(dry_run=True, validation=options.validation, manager=options.manager, warnings=options.warnings)
        obj = copied(self.create(kind, namespace, result, quiet))
        obj["metadata"]["managedFields"] = owners
        return self._keep(kind, obj, options)

    def _name(self, kind: Kind, obj: Obj) -> None:
        metadata = obj["metadata"]
        prefix = metadata.get("generateName")
        while prefix and not metadata.get("name"):
            name = prefix[:LONGEST_PREFIX] + "".join(secrets.choice(ALPHABET) for _ in range(5))
            if self.store.get(kind.storage, namespace_of(obj), name) is None:
                metadata["name"] = name

    def _complete(self, kind: Kind, obj: Obj, live: Obj | None) -> None:
        if not kind.custom and kind.storage == SERVICES:
            self._allocator.allocate(obj, live, self.store.objects(SERVICES))
        if (kind.group, kind.kind) == (CRD_GROUP, "CustomResourceDefinition"):
            establish(obj)

    def _keep(self, kind: Kind, obj: Obj, options: Options) -> Obj:
        if options.dry_run:
            return obj
        stored = self.store.put(kind.storage, obj)
        self.hooks.stored(kind, stored)
        return stored


def place(kind: Kind, namespace: str, obj: Obj) -> None:
    """Put a new object into the namespace of its URL; 400 when it names another."""
    own = namespace_of(obj)
    if not kind.namespaced:
        obj["metadata"].pop("namespace", None)
    elif own and own != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    else:
        obj["metadata"]["namespace"] = namespace


def check_place(kind: Kind, namespace: str, name: str, obj: Obj) -> None:
    """Raise 400 when the object names another place than its URL; complete it otherwise."""
    if name_of(obj) not in {"", name}:
        raise bad_request(f"the name of the object ({name_of(obj)}) does not match the name on the URL ({name})")
    obj["metadata"]["name"] = name
    place(kind, namespace, obj)


def check_version(kind: Kind, live: Obj, obj: Obj) -> None:
    """Raise 409 when the object was made from another version, or is another object of the same name."""
    version, uid = meta(obj).get("resourceVersion"), meta(obj).get("uid")
    if uid and uid != meta(live)["uid"]:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {meta(live)['uid']}"
        raise conflict(kind.resource, name_of(live), why)
    if version and version != meta(live)["resourceVersion"]:
        raise conflict(kind.resource, name_of(live), STALE)


def carried(kind: Kind, live: Obj, obj: Obj, subresource: str) -> Obj:
    """Return `obj` with what a client cannot change taken from `live`: identity, and status or everything else."""
    metadata = obj["metadata"]
    for key in IDENTITY:
        metadata.pop(key, None)
        if key in meta(live):
            metadata[key] = meta(live)[key]
    metadata["resourceVersion"] = meta(live)["resourceVersion"]
    if not kind.status:
        return obj
    if subresource == "status":
        kept = copied({key: value for key, value in live.items() if key not in {"status", "metadata"}})
        held: Obj = copied(meta(live)) if kind.custom else metadata
        owners = metadata.get("managedFields", meta(live).get("managedFields"))
        held |= {"managedFields": copied(owners)} if owners else {}
        return {**kept, "metadata": held, **({"status": obj["status"]} if "status" in obj else {})}
    obj.pop("status", None)
    return {**obj, **({"status": copied(live["status"])} if "status" in live else {})}


def changed(obj: Obj, live: Obj) -> bool:
    """Say whether something besides metadata and status differs: what a generation counts."""
    aside = {"metadata", "status"}
    return {key: value for key, value in obj.items() if key not in aside} != {
        key: value for key, value in live.items() if key not in aside
    }


def same(obj: Obj, live: Obj) -> bool:
    """Say whether storing would change nothing; times of managedFields do not count."""

    def essence(each: Obj) -> Obj:
        owners = [(owner.manager, owner.operation, owner.subresource, owner.fields) for owner in owners_of(each)]
        rest = {key: value for key, value in meta(each).items() if key != "managedFields"}
        return {**each, "metadata": {**rest, "owners": owners}}

    return essence(obj) == essence(live)


def parsed(body: bytes) -> Json:
    """Read JSON; 400 when it is none."""
    try:
        return decoded(body)
    except ValueError as error:
        raise bad_request(f"couldn't get version/kind; json parse error: {error}") from error


def patched(kind: Kind, live: Obj, patch: Json, form: str) -> Json:
    """Return `live` as this version shows it, changed by the patch."""
    shown = kind.shown(live)
    if form == "json":
        return json_patch(shown, patch)
    if not isinstance(patch, dict):
        raise bad_request(
            "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"
        )
    return strategic_merge(shown, patch, resolved(kind.schema)) if form == "strategic" else merge_patch(shown, patch)


def establish(crd: Obj) -> None:
    """Give a CustomResourceDefinition the status that its controllers would."""
    names, versions = crd["spec"]["names"], crd["spec"]["versions"]
    known = {each["type"]: each for each in dig(crd, "status", "conditions") or ()}
    conditions = [
        {"type": "NamesAccepted", "status": "True", "reason": "NoConflicts", "message": "no conflicts found"},
        {
            "type": "Established",
            "status": "True",
            "reason": "InitialNamesAccepted",
            "message": "the initial names have been accepted",
        },
    ]
    stored = [version["name"] for version in versions if version.get("storage")]
    crd["status"] = {
        "conditions": [known.get(each["type"]) or {**each, "lastTransitionTime": now()} for each in conditions],
        "acceptedNames": copied(names),
        "storedVersions": list(dict.fromkeys([*(dig(crd, "status", "storedVersions") or ()), *stored])),
    }
