"""The CustomResourceDefinitions that Cilium's operator registers, as far as the lab and `kubectl get` need them."""

from __future__ import annotations

from l2probe.lab.controllers.kinds import CRD, POLICIES, POOLS
from l2probe.lab.controllers.objects import Obj

SELECTOR: Obj = {
    "type": "object",
    "properties": {
        "matchLabels": {"type": "object", "additionalProperties": {"type": "string"}},
        "matchExpressions": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["key", "operator"],
                "properties": {
                    "key": {"type": "string"},
                    "operator": {"type": "string", "enum": ["In", "NotIn", "Exists", "DoesNotExist"]},
                    "values": {"type": "array", "items": {"type": "string"}},
                },
            },
        },
    },
}
_CONDITION: Obj = {
    "type": "object",
    "required": ["lastTransitionTime", "message", "reason", "status", "type"],
    "properties": {
        "lastTransitionTime": {"type": "string", "format": "date-time"},
        "message": {"type": "string", "maxLength": 32768},
        "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
        "reason": {"type": "string", "minLength": 1, "maxLength": 1024},
        "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
        "type": {"type": "string", "maxLength": 316},
    },
}
_STATUS: Obj = {
    "type": "object",
    "properties": {
        "conditions": {
            "type": "array",
            "items": _CONDITION,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
        },
    },
}
_POOL_SPEC: Obj = {
    "type": "object",
    "properties": {
        "allowFirstLastIPs": {"type": "string", "enum": ["Yes", "No"]},
        "blocks": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "cidr": {"type": "string"},
                    "start": {"type": "string"},
                    "stop": {"type": "string"},
                },
            },
        },
        "disabled": {"type": "boolean", "default": False},
        "serviceSelector": SELECTOR,
    },
}
_POLICY_SPEC: Obj = {
    "type": "object",
    "properties": {
        "externalIPs": {"type": "boolean"},
        "interfaces": {"type": "array", "items": {"type": "string"}},
        "loadBalancerIPs": {"type": "boolean"},
        "nodeSelector": SELECTOR,
        "serviceSelector": SELECTOR,
    },
}


def column(name: str, path: str, kind: str = "string") -> Obj:
    """Return a column of `kubectl get`."""
    return {"name": name, "type": kind, "jsonPath": path}


def _condition_path(name: str, part: str) -> str:
    return f'.status.conditions[?(@.type=="cilium.io/{name}")].{part}'


_AGE = column("Age", ".metadata.creationTimestamp", "date")
_POOL_COLUMNS = [
    column("Disabled", ".spec.disabled", "boolean"),
    column("Conflicting", _condition_path("PoolConflict", "status")),
    column("IPs Available", _condition_path("IPsAvailable", "message")),
    _AGE,
]


def _version(name: str, spec: Obj, columns: list[Obj], *, stored: bool) -> Obj:
    properties = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": spec,
        "status": _STATUS,
    }
    return {
        "name": name,
        "served": True,
        "storage": stored,
        "schema": {"openAPIV3Schema": {"type": "object", "required": ["metadata"], "properties": properties}},
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns,
    }


def _definition(kind: str, plural: str, short: list[str], versions: list[Obj]) -> Obj:
    names = {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "singular": kind.lower(),
        "shortNames": short,
        "categories": ["cilium"],
    }
    spec = {"group": "cilium.io", "names": names, "scope": "Cluster", "versions": versions}
    return {
        "apiVersion": CRD.api_version,
        "kind": CRD.name,
        "metadata": {"name": f"{plural}.cilium.io"},
        "spec": spec,
    }


def definitions(pool_versions: tuple[str, ...]) -> tuple[Obj, ...]:
    """Return the definitions of address pool and announcement policy; the first pool version is the stored one."""
    pools = [_version(name, _POOL_SPEC, _POOL_COLUMNS, stored=name == pool_versions[0]) for name in pool_versions]
    policies = [_version("v2alpha1", _POLICY_SPEC, [_AGE], stored=True)]
    short = ["ippools", "ippool", "lbippool", "lbippools"]
    return (
        _definition("CiliumLoadBalancerIPPool", POOLS, short, pools),
        _definition("CiliumL2AnnouncementPolicy", POLICIES, ["l2announcement"], policies),
    )
