"""The published definitions of the built-in kinds, and how to walk any schema (built-in or of a CRD) the same way.

Loaded from schema.json.gz (made by build_schema.py) when first needed. Schemas are read, never changed.
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from importlib.resources import files
from typing import Final

from l2probe.lab.api.objects import Obj

PREFIX: Final = "#/components/schemas/"
ANY: Final[Obj] = {"x-kubernetes-preserve-unknown-fields": True}
META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


@cache
def definitions() -> dict[str, Obj]:
    """Return all built-in definitions by name."""
    packed = (files("l2probe.lab.api") / "schema.json.gz").read_bytes()
    loaded: dict[str, Obj] = json.loads(gzip.decompress(packed))
    return loaded


@cache
def _by_gvk() -> dict[tuple[str, str, str], str]:
    return {
        (gvk["group"], gvk["version"], gvk["kind"]): name
        for name, schema in definitions().items()
        for gvk in schema.get("x-kubernetes-group-version-kind", ())
    }


def definition_name(group: str, version: str, kind: str) -> str | None:
    """Return the name of a built-in kind's definition, None when it has none."""
    return _by_gvk().get((group, version, kind))


def reference(schema: Obj) -> str | None:
    """Return the name of the definition that a schema points at, directly or as its only `allOf`."""
    target = schema.get("$ref")
    if target is None and len(schema.get("allOf") or ()) == 1:
        target = schema["allOf"][0].get("$ref")
    return target.removeprefix(PREFIX) if isinstance(target, str) else None


def resolved(schema: Obj | None) -> Obj:
    """Follow a reference; list and map annotations beside the reference win over those of its target."""
    if schema is None:
        return ANY
    name = reference(schema)
    if name is None:
        return schema
    target = definitions().get(name, ANY)
    beside = {key: value for key, value in schema.items() if key.startswith("x-kubernetes-")}
    return {**target, **beside} if beside else target


def field_schema(schema: Obj, name: str) -> Obj | None:
    """Return the schema of a field or map entry of a resolved object schema; None when it declares none."""
    found = (schema.get("properties") or {}).get(name)
    if found is None:
        extra = schema.get("additionalProperties")
        found = extra if isinstance(extra, dict) else None
    return None if found is None else resolved(found)


def item_schema(schema: Obj) -> Obj:
    """Return the schema of an array's items."""
    items = schema.get("items")
    return resolved(items) if isinstance(items, dict) else ANY


def is_struct(schema: Obj) -> bool:
    """Say whether the schema names its fields (a Go struct), unlike a map."""
    return bool(schema.get("properties"))


def is_open(schema: Obj) -> bool:
    """Say whether anything may stand here: unknown fields are kept."""
    if schema.get("x-kubernetes-preserve-unknown-fields") is True:
        return True
    typed = {"properties", "additionalProperties", "type", "items", "x-kubernetes-int-or-string"}
    return not typed & schema.keys()


def with_type_meta(schema: Obj | None) -> Obj:
    """Return a CustomResourceDefinition's schema with the fields that every object has."""
    known = schema or ANY
    every = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"$ref": PREFIX + META}}
    return {**known, "properties": {**(known.get("properties") or {}), **every}}
