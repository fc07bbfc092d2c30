"""Protobuf bodies: bytes written by an encoder of our own are read back; rubbish is refused, never crashed on."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2probe.lab.api.protobuf import MAGIC, MEDIA, decode, read
from l2probe.lab.api.status import ApiError
from tests.lab.api.client import CORE, DEFAULT, Server, pod

ACCESS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def varint(value: int) -> bytes:
    """Encode a number as protobuf does."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def text(field: int, value: str | bytes) -> bytes:
    """Encode a string, bytes or message field."""
    data = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(data)) + data


def number(field: int, value: int) -> bytes:
    """Encode a number or boolean field."""
    return varint(field << 3) + varint(value)


def envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    """Wrap a message as Kubernetes does (runtime.Unknown)."""
    return MAGIC + text(1, text(1, api_version) + text(2, kind)) + text(2, raw) + text(3, "") + text(4, "")


def test_a_service_is_read() -> None:
    """Nested messages, repeated fields, maps, zero values and pointers come out as their JSON."""
    port = (
        text(1, "http")
        + text(2, "TCP")
        + number(3, 80)
        + text(4, number(1, 0) + number(2, 8080) + text(3, ""))
        + number(5, 0)
    )
    named = text(1, "web") + number(3, 81) + text(4, number(1, 1) + number(2, 0) + text(3, "http"))
    entry = text(1, "app") + text(2, "web")
    spec = (
        text(1, port)
        + text(1, named)
        + text(2, entry)
        + text(3, "")
        + text(4, "LoadBalancer")
        + number(13, 0)
        + number(20, 0)
    )
    metadata = text(1, "web") + text(11, text(1, "a") + text(2, "b")) + number(7, 0) + text(8, b"")
    found = read(envelope("v1", "Service", text(1, metadata) + text(2, spec)))

    assert found == {
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": {"name": "web", "labels": {"a": "b"}},
        "spec": {
            "ports": [
                {"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080},
                {"name": "web", "port": 81, "targetPort": "http"},
            ],
            "selector": {"app": "web"},
            "type": "LoadBalancer",
            "allocateLoadBalancerNodePorts": False,
        },
    }


def test_zero_grace_is_not_no_grace() -> None:
    """Go pointers are written when they are set, also to zero: gracePeriodSeconds 0 means now."""
    assert decode(number(1, 0), "DeleteOptions") == {"gracePeriodSeconds": 0}
    assert decode(number(1, -1) + text(2, text(1, "uid")), "DeleteOptions") == {
        "gracePeriodSeconds": -1,
        "preconditions": {"uid": "uid"},
    }


def test_secrets_stay_base64() -> None:
    """Bytes become base64, as in JSON."""
    assert decode(text(2, text(1, "k") + text(2, b"\x00\xff")), "Secret") == {"data": {"k": "AP8="}}


@given(st.binary(max_size=200))
def test_rubbish_is_refused(data: bytes) -> None:
    """Any bytes are either read or refused with 400 or 415."""
    for body in (data, MAGIC + data, envelope("v1", "Service", data)):
        with suppress(ApiError):
            assert read(body)["kind"] == "Service"


def test_protobuf_over_http(server: Server) -> None:
    """A namespace, a review and delete options in protobuf do what they say; an unknown kind answers 415."""
    binary = {"Content-Type": MEDIA}
    namespace = envelope("v1", "Namespace", text(1, text(1, "shop")))
    attributes = text(1, "default") + text(2, "create") + text(5, "services")
    access = envelope("authorization.k8s.io/v1", "SelfSubjectAccessReview", text(2, text(1, attributes)))
    server.make(f"{DEFAULT}/pods", pod())
    now = envelope("v1", "DeleteOptions", number(1, 0))

    assert server.ask("POST", f"{CORE}/namespaces", namespace, headers=binary).body["metadata"]["name"] == "shop"
    reviewed = server.ask("POST", ACCESS, access, headers=binary).body
    assert (reviewed["status"], reviewed["spec"]["resourceAttributes"]["resource"]) == ({"allowed": True}, "services")
    assert server.ask("DELETE", f"{DEFAULT}/pods/web-1", now, headers=binary).code == 200
    assert server.get(f"{DEFAULT}/pods/web-1").code == 404
    assert server.ask("POST", f"{DEFAULT}/pods", envelope("v1", "Pod", b""), headers=binary).code == 415


def test_text_is_no_protobuf() -> None:
    """A body without the envelope's magic answers 400."""
    with pytest.raises(ApiError) as refused:
        read(b"{}")

    assert refused.value.code == 400
