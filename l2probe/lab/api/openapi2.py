"""/openapi/v2 for clients that still read it: kubectl for `kind: List` manifests, and every kubectl before 1.29.

They read it as protobuf only (gnostic's openapi_v2.Document), so it is written in that form; descriptions are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Final

from l2probe.lab.api.kinds import Kinds
from l2probe.lab.api.objects import Json, Obj
from l2probe.lab.api.openapi import schema_name
from l2probe.lab.api.schema import definitions, reference

MEDIA: Final = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
ADDITIONAL, TYPE, ITEMS, PROPERTIES, EXTENSION = 21, 22, 23, 25, 31
"""Field numbers of Schema in gnostic's OpenAPIv2.proto; $ref is 1, format 2, required 19."""
BYTES: Final = 2
LOW: Final = 0x80


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= LOW:
        out.append(value % LOW | LOW)
        value //= LOW
    return bytes([*out, value])


def _field(number: int, *parts: str | bytes) -> bytes:
    data = b"".join(part.encode() if isinstance(part, str) else part for part in parts)
    return _varint(number << 3 | BYTES) + _varint(len(data)) + data


def _named(name: str, value: bytes) -> bytes:
    return _field(1, _field(1, name), _field(2, value))


def _type(schema: Obj) -> tuple[str, str]:
    if schema.get("x-kubernetes-int-or-string"):
        return "string", "int-or-string"
    return str(schema.get("type") or ""), str(schema.get("format") or "")


def _extensions(schema: Obj) -> Iterator[bytes]:
    for key, value in schema.items():
        if key.startswith("x-kubernetes-"):
            yield _field(EXTENSION, _field(1, key), _field(2, _field(2, json.dumps(value))))


def _schema(schema: Obj) -> bytes:
    name = reference(schema)
    if name is not None:
        return b"".join([_field(1, f"#/definitions/{name}"), *_extensions(schema)])
    kind, form = _type(schema)
    parts = [_field(2, form)] if form else []
    parts += [_field(19, each) for each in schema.get("required") or ()]
    extra: Json = schema.get("additionalProperties")
    if isinstance(extra, dict):
        parts.append(_field(ADDITIONAL, _field(1, _schema(extra))))
    if kind:
        parts.append(_field(TYPE, _field(1, kind)))
    if isinstance(schema.get("items"), dict):
        parts.append(_field(ITEMS, _field(1, _schema(schema["items"]))))
    if schema.get("properties"):
        below = [_named(key, _schema(value)) for key, value in schema["properties"].items()]
        parts.append(_field(PROPERTIES, *below))
    return b"".join([*parts, *_extensions(schema)])


def _all(kinds: Kinds) -> Iterable[tuple[str, Obj]]:
    yield from definitions().items()
    for kind in kinds:
        if kind.custom:
            gvk = {"group": kind.group, "version": kind.version, "kind": kind.kind}
            yield schema_name(kind), {"type": "object", **kind.schema, "x-kubernetes-group-version-kind": [gvk]}


def document(kinds: Kinds) -> bytes:
    """Return the OpenAPI v2 document of everything that is served."""
    info = _field(1, "Kubernetes") + _field(2, "unversioned")
    named = [_named(name, _schema(schema)) for name, schema in _all(kinds)]
    return b"".join([_field(1, "2.0"), _field(2, info), _field(8, b""), _field(9, *named)])
