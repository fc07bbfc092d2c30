"""/openapi/v3: enough of each group version for kubectl's validation, `explain`, and clients that apply."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

from l2probe.lab.api.kinds import Kind, Kinds
from l2probe.lab.api.objects import Json, Obj, copied, encoded
from l2probe.lab.api.schema import PREFIX, definition_name, definitions

JSON: Final = "application/json"
DELETE_OPTIONS: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"
WRITE_PARAMETERS: Final = ("dryRun", "fieldManager", "fieldValidation")
PATCH_MEDIA: Final = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)


def schema_name(kind: Kind) -> str:
    """Return the name under which a kind's schema is published."""
    if kind.custom:
        return ".".join([*reversed(kind.group.split(".")), kind.version, kind.kind])
    return definition_name(kind.group, kind.version, kind.kind) or kind.kind


def _gvk(kind: Kind) -> Obj:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _parameter(name: str) -> Obj:
    return {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}


def _operation(kind: Kind, action: str, operation: str, *names: str, body: str = "") -> Obj:
    answer = {"$ref": PREFIX + schema_name(kind)}
    content: Obj = {"description": "OK", "content": {JSON: {"schema": answer}}}
    result: Obj = {
        "operationId": f"{operation}{kind.version.capitalize()}{kind.kind}",
        "parameters": [_parameter(name) for name in names],
        "responses": {"200": content},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _gvk(kind),
    }
    if body:
        medias = PATCH_MEDIA[: 3 if kind.custom else 4] if action == "patch" else (body,)
        result["requestBody"] = {"content": {media: {"schema": answer} for media in medias}}
    return result


def _collection(kind: Kind) -> Obj:
    item: Obj = {}
    if "list" in kind.verbs:
        item["get"] = _operation(kind, "list", "list", "labelSelector", "fieldSelector", "limit", "continue", "watch")
    if "create" in kind.verbs:
        item["post"] = _operation(kind, "post", "create", *WRITE_PARAMETERS, body=JSON)
    return item


def _single(kind: Kind) -> Obj:
    return {
        "get": _operation(kind, "get", "read"),
        "put": _operation(kind, "put", "replace", *WRITE_PARAMETERS, body=JSON),
        "patch": _operation(kind, "patch", "patch", *WRITE_PARAMETERS, "force", body=JSON),
        "delete": _operation(kind, "delete", "delete", "dryRun", "gracePeriodSeconds", "propagationPolicy"),
    }


def _paths(kind: Kind) -> Iterator[tuple[str, Obj]]:
    root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    place = f"{root}/namespaces/{{namespace}}/{kind.plural}" if kind.namespaced else f"{root}/{kind.plural}"
    yield place, _collection(kind)
    if "get" in kind.verbs:
        yield f"{place}/{{name}}", _single(kind)
    if kind.status:
        yield f"{place}/{{name}}/status", {verb: item for verb, item in _single(kind).items() if verb != "delete"}


def _custom_schema(kind: Kind) -> Obj:
    schema: Obj = copied(kind.schema)
    return {"type": "object", **schema, "x-kubernetes-group-version-kind": [_gvk(kind)]}


def _reached(schemas: dict[str, Obj]) -> dict[str, Obj]:
    """Add every built-in definition that these schemas reach."""
    queue: list[Json] = list(schemas.values())
    while queue:
        value = queue.pop()
        if isinstance(value, list):
            queue += value
        elif isinstance(value, dict):
            queue += [each for each in value.values() if isinstance(each, (dict, list))]
            name = str(value.get("$ref") or "").removeprefix(PREFIX) if isinstance(value.get("$ref"), str) else ""
            if name in definitions() and name not in schemas:
                schemas[name] = definitions()[name]
                queue.append(schemas[name])
    return schemas


def document(kinds: Kinds, group: str, version: str) -> Obj:
    """Return the OpenAPI v3 document of one group version."""
    schemas: dict[str, Obj] = {DELETE_OPTIONS: definitions()[DELETE_OPTIONS]}
    paths: Obj = {}
    for kind in kinds.of(group, version):
        schemas[schema_name(kind)] = _custom_schema(kind) if kind.custom else kind.schema
        paths.update(_paths(kind))
    info = {"title": "Kubernetes", "version": "unversioned"}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": _reached(schemas)}}


def index(kinds: Kinds) -> Obj:
    """Return the answer of /openapi/v3; the hash changes with what is served."""
    paths = {}
    for group in kinds.groups():
        for version in kinds.versions(group):
            served = [(kind.plural, kind.schema if kind.custom else "") for kind in kinds.of(group, version)]
            digest = hashlib.sha256(encoded(served)).hexdigest().upper()[:32]
            path = f"apis/{group}/{version}" if group else f"api/{version}"
            paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
    return {"paths": paths}
