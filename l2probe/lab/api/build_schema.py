"""Makes schema.json.gz: the part of Kubernetes' published API definitions that the embedded server serves.

Run by hand when the served Kubernetes version changes, never at run time: `python -m l2probe.lab.api.build_schema`.
It reads the installed `kubernetes-validate` package (Apache-2.0, see NOTICE) and undoes that package's JSON Schema
dialect, so that what is kept is plain OpenAPI v3 as a real API server publishes it.
"""

from __future__ import annotations

import gzip
import json
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

VERSION = "v1.34.0-local"
REF = "#/components/schemas/"
ROOTS = (
    *(
        f"io.k8s.api.core.v1.{kind}"
        for kind in (
            "Binding",
            "ConfigMap",
            "Endpoints",
            "Event",
            "Namespace",
            "Node",
            "Pod",
            "Secret",
            "Service",
            "ServiceAccount",
        )
    ),
    *(f"io.k8s.api.apps.v1.{kind}" for kind in ("DaemonSet", "Deployment")),
    *(f"io.k8s.api.rbac.v1.{kind}" for kind in ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")),
    *(f"io.k8s.api.authorization.v1.{kind}" for kind in ("SelfSubjectAccessReview", "SelfSubjectRulesReview")),
    "io.k8s.api.authentication.v1.SelfSubjectReview",
    "io.k8s.api.coordination.v1.Lease",
    "io.k8s.api.discovery.v1.EndpointSlice",
    "io.k8s.api.policy.v1.Eviction",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
    "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
)
SPECIAL: dict[str, dict[str, Any]] = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {
        "description": "IntOrString holds an int32 or a string.",
        "oneOf": [{"type": "integer"}, {"type": "string"}],
        "format": "int-or-string",
        "x-kubernetes-int-or-string": True,
    },
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {
        "description": "Quantity is a fixed-point number with a unit, such as 100m or 1Gi.",
        "oneOf": [{"type": "string"}, {"type": "number"}],
        "x-kubernetes-int-or-string": True,
    },
}


def refs(schema: object) -> set[str]:
    """Return the names of all definitions that this schema names directly."""
    if isinstance(schema, dict):
        own = {schema["$ref"].rsplit("/", 1)[-1]} if isinstance(schema.get("$ref"), str) else set()
        return own.union(*map(refs, schema.values()))
    return set().union(*map(refs, schema)) if isinstance(schema, list) else set()


def plain(schema: object) -> Any:  # noqa: ANN401
    """Undo the dialect: `["x", "null"]` types, `$defs` references, and `kind` as an enum of one."""
    if isinstance(schema, list):
        return [plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: plain(value) for key, value in schema.items()}
    if isinstance(result.get("type"), list):
        result["type"] = result["type"][0]
    if isinstance(result.get("$ref"), str):
        result = {"allOf": [{"$ref": REF + result.pop("$ref").rsplit("/", 1)[-1]}], **result}
        result = result["allOf"][0] if len(result) == 1 else result
    return result


def definition(name: str, source: dict[str, Any]) -> dict[str, Any]:
    """Return one definition as the API server would publish it."""
    if name in SPECIAL:
        return SPECIAL[name]
    result: dict[str, Any] = plain(source[name])
    for key in ("apiVersion", "kind"):
        if "x-kubernetes-group-version-kind" in result:
            result.get("properties", {}).get(key, {}).pop("enum", None)
    return result


def subset(source: dict[str, Any]) -> dict[str, Any]:
    """Return the definitions of ROOTS and all that they reach."""
    wanted, queue = set[str](), list(ROOTS)
    while queue:
        name = queue.pop()
        if name not in wanted:
            wanted.add(name)
            queue += refs(source[name]) if name not in SPECIAL else ()
    return {name: definition(name, source) for name in sorted(wanted)}


def main(target: Path) -> None:
    """Write `target`, byte for byte the same for the same source."""
    folder = files("kubernetes_validate") / "kubernetes-json-schema" / VERSION
    source = json.loads((folder / "_definitions.json").read_text())["$defs"]
    text = json.dumps(subset(source), separators=(",", ":"), sort_keys=True)
    target.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    sys.stdout.write(f"{target.name}: {target.stat().st_size} bytes, {len(text)} unpacked\n")


if __name__ == "__main__":
    main(Path(__file__).with_name("schema.json.gz"))
