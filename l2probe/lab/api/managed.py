"""metadata.managedFields: who owns which field, for updates and for server-side apply."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from l2probe.lab.api.fieldsets import Fields, Path, compare, packed, shown, unpacked
from l2probe.lab.api.kinds import Kind
from l2probe.lab.api.objects import Json, Obj, meta, now
from l2probe.lab.api.status import ApiError, Cause, apply_conflict

APPLY: Final = "Apply"
UPDATE: Final = "Update"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """One entry of managedFields."""

    manager: str
    operation: str
    api_version: str
    subresource: str
    fields: Fields
    time: str

    def same(self, other: Owner) -> bool:
        """Say whether both are the same manager doing the same kind of thing."""
        mine = (self.manager, self.operation, self.api_version, self.subresource)
        return mine == (other.manager, other.operation, other.api_version, other.subresource)

    def body(self) -> Obj:
        """Return the managedFields entry."""
        entry: Obj = {
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": self.api_version,
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": packed(self.fields),
        }
        return {**entry, "subresource": self.subresource} if self.subresource else entry


def owners_of(obj: Obj) -> list[Owner]:
    """Read an object's managedFields."""
    entries = meta(obj).get("managedFields") or ()
    return [_owner(entry) for entry in entries if isinstance(entry, dict) and entry.get("manager")]


def _owner(entry: Json) -> Owner:
    return Owner(
        manager=str(entry["manager"]),
        operation=str(entry.get("operation") or UPDATE),
        api_version=str(entry.get("apiVersion") or ""),
        subresource=str(entry.get("subresource") or ""),
        fields=frozenset(unpacked(entry.get("fieldsV1"))),
        time=str(entry.get("time") or ""),
    )


def write_owners(obj: Obj, owners: Iterable[Owner]) -> None:
    """Set an object's managedFields; owners of nothing are left out."""
    entries = [owner.body() for owner in owners if owner.fields]
    if entries:
        obj["metadata"]["managedFields"] = entries
    else:
        obj["metadata"].pop("managedFields", None)


def _disown(owner: Owner, paths: set[Path]) -> Owner:
    return replace(owner, fields=owner.fields - paths) if owner.fields & paths else owner


def record_update(before: Obj | None, after: Obj, kind: Kind, manager: str, subresource: str) -> None:
    """Note in `after` who changed what, compared with `before` (None: it is new)."""
    difference = compare(before or {}, after, kind.schema)
    changed = difference.added | difference.modified
    blank = Owner(
        manager=manager,
        operation=UPDATE,
        api_version=kind.api_version,
        subresource=subresource,
        fields=frozenset(),
        time=now(),
    )
    owners = owners_of(after)
    mine = next((owner for owner in owners if owner.same(blank)), blank)
    kept = [_disown(owner, changed | difference.removed) for owner in owners if not owner.same(blank)]
    own = frozenset((mine.fields - difference.removed) | changed)
    fresh = mine if own == mine.fields else replace(mine, fields=own, time=now())
    write_owners(after, [*kept, fresh])


def check_conflicts(owners: Iterable[Owner], applier: Owner, changed: set[Path]) -> None:
    """Raise 409 when the change touches fields of other managers."""
    taken = [(owner, sorted(owner.fields & changed)) for owner in owners if not owner.same(applier)]
    causes = [
        Cause("FieldManagerConflict", shown(path), f"conflict with {_named(owner)}")
        for owner, paths in taken
        for path in paths
    ]
    if causes:
        raise _conflict(causes)


def _named(owner: Owner) -> str:
    subresource = f' with subresource "{owner.subresource}"' if owner.subresource else ""
    using = f" using {owner.api_version} at {owner.time}" if owner.operation == UPDATE else ""
    return f'"{owner.manager}"{subresource}{using}'


def _conflict(causes: list[Cause]) -> ApiError:
    if len(causes) == 1:
        text = f"Apply failed with 1 conflict: {causes[0].message}: {causes[0].field}"
        return apply_conflict(text, causes)
    groups: dict[str, list[str]] = {}
    for cause in causes:
        groups.setdefault(cause.message.replace("conflict with", "conflicts with", 1), []).append(cause.field)
    blocks = [f"{who}:\n" + "\n".join(f"- {name}" for name in names) for who, names in groups.items()]
    return apply_conflict(f"Apply failed with {len(causes)} conflicts: " + "\n".join(blocks), causes)
