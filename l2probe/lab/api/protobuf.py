"""Reads the protobuf bodies that kubectl 1.32 and later sends for typed writes; answers are JSON, which clients accept.

A wire decoder and a table of the messages that people's kubectl sends: field numbers from the generated.proto files of
k8s.io/api and k8s.io/apimachinery v0.34. Fields that are not in the table are dropped.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Final

from l2probe.lab.api.objects import Json, Obj
from l2probe.lab.api.status import bad_request, unsupported_media

MAGIC: Final = b"k8s\x00"
MEDIA: Final = "application/vnd.kubernetes.protobuf"

Message = dict[int, tuple[str, str]]
"""Field number: JSON name and type. `*` repeats, `?` keeps zero values (Go pointers), `{}` is a map."""

MESSAGES: Final[dict[str, Message]] = {
    "Unknown": {1: ("type", "TypeMeta"), 2: ("raw", "raw")},
    "TypeMeta": {1: ("apiVersion", "string"), 2: ("kind", "string")},
    "ObjectMeta": {
        1: ("name", "string"),
        2: ("generateName", "string"),
        3: ("namespace", "string"),
        5: ("uid", "string"),
        6: ("resourceVersion", "string"),
        11: ("labels", "{}string"),
        12: ("annotations", "{}string"),
        13: ("ownerReferences", "*OwnerReference"),
        14: ("finalizers", "*string"),
    },
    "OwnerReference": {
        1: ("kind", "string"),
        3: ("name", "string"),
        4: ("uid", "string"),
        5: ("apiVersion", "string"),
        6: ("controller", "?bool"),
        7: ("blockOwnerDeletion", "?bool"),
    },
    "DeleteOptions": {
        1: ("gracePeriodSeconds", "?int"),
        2: ("preconditions", "Preconditions"),
        3: ("orphanDependents", "?bool"),
        4: ("propagationPolicy", "string"),
        5: ("dryRun", "*string"),
    },
    "Preconditions": {1: ("uid", "string"), 2: ("resourceVersion", "string")},
    "Eviction": {1: ("metadata", "ObjectMeta"), 2: ("deleteOptions", "DeleteOptions")},
    "Namespace": {1: ("metadata", "ObjectMeta"), 2: ("spec", "NamespaceSpec")},
    "NamespaceSpec": {1: ("finalizers", "*string")},
    "ConfigMap": {
        1: ("metadata", "ObjectMeta"),
        2: ("data", "{}string"),
        3: ("binaryData", "{}bytes"),
        4: ("immutable", "?bool"),
    },
    "Secret": {
        1: ("metadata", "ObjectMeta"),
        2: ("data", "{}bytes"),
        3: ("type", "string"),
        4: ("stringData", "{}string"),
        5: ("immutable", "?bool"),
    },
    "ServiceAccount": {1: ("metadata", "ObjectMeta"), 4: ("automountServiceAccountToken", "?bool")},
    "Service": {1: ("metadata", "ObjectMeta"), 2: ("spec", "ServiceSpec")},
    "ServiceSpec": {
        1: ("ports", "*ServicePort"),
        2: ("selector", "{}string"),
        3: ("clusterIP", "string"),
        4: ("type", "string"),
        5: ("externalIPs", "*string"),
        7: ("sessionAffinity", "string"),
        8: ("loadBalancerIP", "string"),
        9: ("loadBalancerSourceRanges", "*string"),
        10: ("externalName", "string"),
        11: ("externalTrafficPolicy", "string"),
        13: ("publishNotReadyAddresses", "bool"),
        17: ("ipFamilyPolicy", "string"),
        18: ("clusterIPs", "*string"),
        19: ("ipFamilies", "*string"),
        20: ("allocateLoadBalancerNodePorts", "?bool"),
        21: ("loadBalancerClass", "string"),
        22: ("internalTrafficPolicy", "string"),
    },
    "ServicePort": {
        1: ("name", "string"),
        2: ("protocol", "string"),
        3: ("port", "int"),
        4: ("targetPort", "IntOrString"),
        5: ("nodePort", "int"),
        6: ("appProtocol", "string"),
    },
    "IntOrString": {1: ("type", "int"), 2: ("number", "int"), 3: ("text", "string")},
    "Binding": {1: ("metadata", "ObjectMeta"), 2: ("target", "ObjectReference")},
    "ObjectReference": {1: ("kind", "string"), 2: ("namespace", "string"), 3: ("name", "string")},
    "SelfSubjectAccessReview": {1: ("metadata", "ObjectMeta"), 2: ("spec", "AccessSpec")},
    "AccessSpec": {1: ("resourceAttributes", "ResourceAttributes"), 2: ("nonResourceAttributes", "PathAttributes")},
    "ResourceAttributes": {
        number: (name, "string")
        for number, name in enumerate(("namespace", "verb", "group", "version", "resource", "subresource", "name"), 1)
    },
    "PathAttributes": {1: ("path", "string"), 2: ("verb", "string")},
    "SelfSubjectRulesReview": {1: ("metadata", "ObjectMeta"), 2: ("spec", "NamespaceOnly")},
    "NamespaceOnly": {1: ("namespace", "string")},
    "SelfSubjectReview": {1: ("metadata", "ObjectMeta")},
    "Role": {1: ("metadata", "ObjectMeta"), 2: ("rules", "*PolicyRule")},
    "ClusterRole": {1: ("metadata", "ObjectMeta"), 2: ("rules", "*PolicyRule")},
    "PolicyRule": {
        number: (name, "*string")
        for number, name in enumerate(("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs"), 1)
    },
    "RoleBinding": {1: ("metadata", "ObjectMeta"), 2: ("subjects", "*Subject"), 3: ("roleRef", "RoleRef")},
    "ClusterRoleBinding": {1: ("metadata", "ObjectMeta"), 2: ("subjects", "*Subject"), 3: ("roleRef", "RoleRef")},
    "Subject": {1: ("kind", "string"), 2: ("apiGroup", "string"), 3: ("name", "string"), 4: ("namespace", "string")},
    "RoleRef": {1: ("apiGroup", "string"), 2: ("kind", "string"), 3: ("name", "string")},
}
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
WIDTHS: Final = {FIXED64: 8, FIXED32: 4}
TOP: Final = 1 << 63
LONGEST_VARINT: Final = 10


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for index in range(LONGEST_VARINT):
        if place + index >= len(data):
            break
        byte = data[place + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:  # noqa: PLR2004 - the continuation bit
            return value, place + index + 1
    raise bad_request("proto: unexpected end of a varint")


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        wire, size = tag & 7, 0
        if wire == VARINT:
            value, place = _varint(data, place)
            yield tag >> 3, value - 2 * TOP if value >= TOP else value
            continue
        if wire == BYTES:
            size, place = _varint(data, place)
        elif wire in WIDTHS:
            size = WIDTHS[wire]
        else:
            raise bad_request(f"proto: wire type {wire} is not supported")
        if place + size > len(data):
            raise bad_request("proto: unexpected end of a field")
        yield tag >> 3, data[place : place + size]
        place += size


def _scalar(value: int | bytes, kind: str) -> Json:
    if kind in {"int", "bool"}:
        return bool(value) if kind == "bool" else value
    data = value if isinstance(value, bytes) else b""
    if kind == "bytes":
        return base64.b64encode(data).decode()
    return data if kind == "raw" else data.decode(errors="replace")


def _value(value: int | bytes, kind: str) -> Json:
    if kind not in MESSAGES:
        return _scalar(value, kind)
    decoded = decode(value if isinstance(value, bytes) else b"", kind)
    if kind == "IntOrString":
        return decoded.get("text", "") if decoded.get("type") else decoded.get("number", 0)
    return decoded


def _entry(value: int | bytes, kind: str) -> tuple[str, Json]:
    found = dict(_fields(value if isinstance(value, bytes) else b""))
    return str(_scalar(found.get(1, b""), "string")), _scalar(found.get(2, b""), kind)


def decode(data: bytes, message: str) -> Obj:
    """Return a message as JSON; what the table does not know is dropped. 400 when the bytes are no protobuf."""
    table, result = MESSAGES[message], Obj()
    for field, value in _fields(data):
        name, kind = table.get(field, ("", ""))
        if not name:
            continue
        if kind.startswith("*"):
            result.setdefault(name, []).append(_value(value, kind[1:]))
        elif kind.startswith("{}"):
            key, item = _entry(value, kind[2:])
            result.setdefault(name, {})[key] = item
        else:
            decoded = _value(value, kind.removeprefix("?"))
            if kind.startswith("?") or decoded not in ("", 0, False):
                result[name] = decoded
    return result


def read(body: bytes) -> Obj:
    """Return the object in a Kubernetes protobuf envelope; 400 when it is none, 415 when its kind is unknown."""
    if not body.startswith(MAGIC):
        raise bad_request("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    envelope = decode(body[len(MAGIC) :], "Unknown")
    identity = envelope.get("type") or {}
    kind = str(identity.get("kind") or "")
    if kind not in MESSAGES:
        raise unsupported_media(f"{kind} is not read as protobuf here; send it as application/json")
    return {"kind": kind, "apiVersion": identity.get("apiVersion"), **decode(envelope.get("raw") or b"", kind)}
