"""What is served: /api, /apis and their versions, plain and aggregated (apidiscovery.k8s.io)."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from l2probe.lab.api.kinds import Kind, Kinds
from l2probe.lab.api.objects import Obj

AGGREGATED: Final = ("v2", "v2beta1")
STATUS_VERBS: Final = ("get", "patch", "update")
ACTION_KINDS: Final[dict[str, tuple[str, str, str, tuple[str, ...]]]] = {
    "log": ("", "v1", "Pod", ("get",)),
    "binding": ("", "v1", "Binding", ("create",)),
    "eviction": ("policy", "v1", "Eviction", ("create",)),
    "finalize": ("", "v1", "Namespace", ("update",)),
}
"""Subresource: group, version and kind of what it takes or gives, and its verbs."""


def storage_hash(kind: Kind) -> str:
    """Return a stable storageVersionHash."""
    digest = hashlib.sha256(f"{kind.group}/{kind.version}/{kind.kind}".encode()).digest()
    return base64.b64encode(digest[:8]).decode()


def singular(kind: Kind) -> str:
    """Return the kind's singular name."""
    return kind.singular or kind.kind.lower()


def resource(kind: Kind) -> Obj:
    """Return the APIResource of a kind."""
    entry: Obj = {
        "name": kind.plural,
        "singularName": singular(kind),
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.verbs),
    }
    entry |= {"shortNames": list(kind.short_names)} if kind.short_names else {}
    entry |= {"categories": list(kind.categories)} if kind.categories else {}
    return {**entry, "storageVersionHash": storage_hash(kind)} if "list" in kind.verbs else entry


def subresources(kind: Kind) -> list[Obj]:
    """Return the APIResources of a kind's subresources."""
    base: Obj = {"singularName": "", "namespaced": kind.namespaced}
    found = []
    if kind.status:
        found.append({"name": f"{kind.plural}/status", **base, "kind": kind.kind, "verbs": list(STATUS_VERBS)})
    for action in kind.actions:
        group, version, what, verbs = ACTION_KINDS[action]
        entry = {"name": f"{kind.plural}/{action}", **base, "kind": what, "verbs": list(verbs)}
        found.append({**entry, "group": group, "version": version} if group else entry)
    return sorted(found, key=lambda each: str(each["name"]))


def resource_list(kinds: Kinds, group: str, version: str) -> Obj:
    """Return the APIResourceList of a group version."""
    entries = [entry for kind in kinds.of(group, version) for entry in (resource(kind), *subresources(kind))]
    name = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": entries}


def api_versions(server: str) -> Obj:
    """Return the answer of /api."""
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": server}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}


def group(kinds: Kinds, name: str) -> Obj:
    """Return the APIGroup of a named group."""
    versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in kinds.versions(name)]
    return {"kind": "APIGroup", "apiVersion": "v1", "name": name, "versions": versions, "preferredVersion": versions[0]}


def group_list(kinds: Kinds) -> Obj:
    """Return the answer of /apis."""
    groups = [group(kinds, name) for name in kinds.groups() if name]
    bare = [{key: value for key, value in each.items() if key not in {"kind", "apiVersion"}} for each in groups]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": bare}


def _aggregated_resource(kind: Kind) -> Obj:
    what = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    entry: Obj = {
        "resource": kind.plural,
        "responseKind": what,
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": singular(kind),
        "verbs": list(kind.verbs),
    }
    entry |= {"shortNames": list(kind.short_names)} if kind.short_names else {}
    entry |= {"categories": list(kind.categories)} if kind.categories else {}
    below = [{"subresource": "status", "responseKind": what, "verbs": list(STATUS_VERBS)}] if kind.status else []
    for action in kind.actions:
        group_name, version, name, verbs = ACTION_KINDS[action]
        answer = {"group": group_name, "version": version, "kind": name}
        below.append({"subresource": action, "responseKind": answer, "verbs": list(verbs)})
    return {**entry, "subresources": below} if below else entry


def _aggregated_version(kinds: Kinds, name: str, version: str) -> Obj:
    resources = [_aggregated_resource(kind) for kind in kinds.of(name, version)]
    return {"version": version, "resources": resources, "freshness": "Current"}


def aggregated(kinds: Kinds, *, core: bool, version: str) -> Obj:
    """Return the APIGroupDiscoveryList of /api (`core`) or /apis in `v2` or `v2beta1` of its own API."""
    items = []
    for name in kinds.groups():
        if core == (name == ""):
            versions = [_aggregated_version(kinds, name, each) for each in kinds.versions(name)]
            items.append({"metadata": {"name": name} if name else {"creationTimestamp": None}, "versions": versions})
    api_version = f"apidiscovery.k8s.io/{version}"
    return {"kind": "APIGroupDiscoveryList", "apiVersion": api_version, "metadata": {}, "items": items}


def aggregated_media(accept: str) -> tuple[str, str] | None:
    """Return version and exact content type of the aggregated form that a client prefers, None when it wants none."""
    for part in accept.split(","):
        options = dict(pair.split("=", 1) for pair in part.replace(" ", "").split(";")[1:] if "=" in pair)
        version = options.get("v", "")
        if options.get("as") == "APIGroupDiscoveryList" and version in AGGREGATED and "json" in part:
            return version, f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
    return None
