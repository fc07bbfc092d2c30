"""Turns a submitted JSON value into an object of a kind, or refuses its type, version or fields (400, 422)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from l2probe.lab.api.kinds import Kind
from l2probe.lab.api.objects import Json, Obj, name_of
from l2probe.lab.api.status import ApiError, Cause, bad_request, invalid
from l2probe.lab.api.validation import Notes, read_object, type_name

STRICT: Final = "Strict"
WARN: Final = "Warn"


@dataclass(slots=True, kw_only=True)
class Options:
    """How a write is to be done (metav1.CreateOptions and its like). `warnings` is filled on the way."""

    dry_run: bool = False
    validation: str = WARN
    manager: str = "unknown"
    force: bool = False
    warnings: list[str] = field(default_factory=list)


def check_type(kind: Kind, value: Json) -> Obj:
    """Return the value when it claims to be of this kind, or claims nothing; 400 otherwise."""
    if not isinstance(value, dict):
        what = f"json: cannot unmarshal {type_name(value)} into Go value of type v1.{kind.kind}"
        raise bad_request(f"the object provided is unrecognized (must be of type {kind.kind}): {what}")
    claimed, version = value.get("kind") or kind.kind, value.get("apiVersion") or kind.api_version
    if version != kind.api_version:
        text = f"the API version in the data ({version}) does not match the expected API version ({kind.api_version})"
        raise bad_request(text)
    if claimed != kind.kind:
        text = f"{claimed} in version {kind.version!r} cannot be handled as a {kind.kind}: expected kind {kind.kind}"
        raise bad_request(text.replace("'", '"'))
    if not isinstance(value.get("metadata", {}), (dict, type(None))):
        raise cannot_handle(kind, "json: cannot unmarshal string into Go struct field .metadata of type v1.ObjectMeta")
    return value


def cannot_handle(kind: Kind, why: str) -> ApiError:
    """Return 400 of an object that the decoder does not accept."""
    return bad_request(f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {why}')


def unknown_field_texts(notes: Notes) -> list[str]:
    """Return the strict decoder's words for unknown fields."""
    return [f'unknown field "{path}"' for path in notes.unknown]


def patch_refused(body: str, why: str) -> ApiError:
    """Return 422 of a patch whose result the decoder does not accept."""
    return invalid(
        "", "", "", [Cause("FieldValueInvalid", "patch", f"Invalid value: {body!r}: {why}".replace("'", '"'))]
    )


def read(kind: Kind, value: Obj, options: Options, *, patch: str | None = None) -> tuple[Obj, list[Cause]]:
    """Return the object pruned to its schema, and what is to be answered with 422 if nothing is worse.

    `patch` is the text of the patch when there was one, for then the decoder's complaints are 422.
    """
    obj, notes = read_object(value, kind.schema, kind.kind, custom=kind.custom)
    if notes.mistyped:
        raise patch_refused(patch, notes.mistyped[0]) if patch is not None else cannot_handle(kind, notes.mistyped[0])
    unknown = unknown_field_texts(notes)
    if unknown and options.validation == STRICT:
        why = f"strict decoding error: {', '.join(unknown)}"
        raise patch_refused(patch, why) if patch is not None else cannot_handle(kind, why)
    if options.validation == WARN:
        options.warnings += unknown
    metadata = obj.get("metadata")
    obj["metadata"] = metadata if isinstance(metadata, dict) else {}
    return kind.shown(obj), notes.causes


def refuse(kind: Kind, obj: Obj, causes: list[Cause]) -> None:
    """Raise 422 when there are causes."""
    if causes:
        raise invalid(kind.group, kind.kind, name_of(obj), causes)
