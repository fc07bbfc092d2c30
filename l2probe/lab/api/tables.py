"""Answers as meta.k8s.io/v1 Tables: what `kubectl get` prints. Cells come from printers.py and columns of CRDs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from l2probe.lab.api.jsonpath import found
from l2probe.lab.api.kinds import Kind
from l2probe.lab.api.objects import Json, Obj, encoded, meta, moment
from l2probe.lab.api.printers import PRINTERS, Column, Printer, age
from l2probe.lab.api.status import bad_request

TABLE: Final = "as=Table"
DEFAULT: Final = Printer(
    (Column("Name", format="name"), Column("Created At", type="date")),
    lambda obj: [str(meta(obj).get("name")), meta(obj).get("creationTimestamp")],
)


@dataclass(frozen=True, slots=True)
class Form:
    """How rows are wanted. `include`: None, Metadata or Object."""

    include: str = "Metadata"


def wants_table(accept: str) -> bool:
    """Say whether the first media type that we can answer is a Table."""
    for part in accept.split(","):
        media = part.strip().replace(" ", "")
        if media.startswith("application/json"):
            return TABLE in media
    return False


def form(include: str) -> Form:
    """Read the includeObject parameter; 400 when it is unknown."""
    if include not in {"", "None", "Metadata", "Object"}:
        raise bad_request(f'unrecognized includeObject value: "{include}"')
    return Form(include or "Metadata")


def _cell(value: Json, kind: str) -> Json:
    if value is None:
        return None
    if kind == "date":
        return age(moment(value))
    if kind in {"integer", "number", "boolean"}:
        return value
    return value if isinstance(value, str) else encoded(value).decode()


def _custom_printer(columns: Sequence[Obj]) -> Printer:
    heads = [Column("Name", format="name")]
    for column in columns:
        description = (
            column.get("description") or "Custom resource definition column (in JSONPath format): " + column["jsonPath"]
        )
        head = Column(
            column["name"],
            type=column["type"],
            format=column.get("format") or "",
            description=description,
            priority=int(column.get("priority") or 0),
        )
        heads.append(head)

    def cells(obj: Obj) -> list[Json]:
        return [meta(obj).get("name"), *(_cell(found(obj, column["jsonPath"]), column["type"]) for column in columns)]

    return Printer(tuple(heads), cells)


AGE_ONLY: Final = ({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},)


def printer(kind: Kind) -> Printer:
    """Return what prints a kind's objects."""
    if kind.custom:
        return _custom_printer(kind.columns or AGE_ONLY)
    return PRINTERS.get(kind.storage, DEFAULT)


def _row(kind: Kind, obj: Obj, made: Printer, shape: Form) -> Obj:
    row: Obj = {"cells": made.cells(obj)}
    phase = (obj.get("status") or {}).get("phase") if kind.storage == ("", "pods") else None
    if phase in {"Succeeded", "Failed"}:
        row["conditions"] = [
            {
                "type": "Completed",
                "status": "True",
                "reason": str(phase),
                "message": f"The pod has {'completed successfully' if phase == 'Succeeded' else 'failed'}.",
            }
        ]
    if shape.include == "Object":
        row["object"] = kind.shown(obj)
    elif shape.include == "Metadata":
        row["object"] = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": meta(obj)}
    return row


def table(kind: Kind, objects: Sequence[Obj], metadata: Obj, shape: Form, *, heads: bool = True) -> Obj:
    """Return the Table of these objects; without column definitions when a watch has sent them already."""
    made = printer(kind)
    rows = [_row(kind, obj, made, shape) for obj in objects]
    columns = [column.body() for column in made.columns] if heads else []
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": columns,
        "rows": rows,
    }
