"""No body makes the server stumble: whatever is sent is stored or refused with a Status, never a 500."""

from __future__ import annotations

import copy
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.lab.api.client import (
    APPLY,
    CORE,
    CRDS,
    DEFAULT,
    JSON_PATCH,
    LEASES,
    MERGE,
    SLICES,
    STRATEGIC,
    Json,
    Server,
    config_map,
    custom_kind,
    pod,
    service,
)

META = {
    "name": "a",
    "generateName": "a-",
    "labels": {"a": "b"},
    "annotations": {"a": "b"},
    "creationTimestamp": None,
    "managedFields": [{"manager": "x", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {}}}],
}
CONTAINER = {
    "name": "a",
    "image": "x",
    "ports": [{"containerPort": 1, "hostPort": 2}],
    "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
    "readinessProbe": {"httpGet": {"path": "/", "port": 1}},
    "resources": {"limits": {"cpu": 1, "memory": "1Gi"}},
    "securityContext": {"capabilities": {"add": ["X"], "drop": ["ALL"]}, "seccompProfile": {"type": "Localhost"}},
    "volumeMounts": [{"name": "v", "mountPath": "/v"}],
}
POD = pod(containers=[CONTAINER], volumes=[{"name": "v", "configMap": {"name": "c"}}], tolerations=[{"key": "a"}])
SERVICE = service(
    clusterIP="10.96.0.9",
    clusterIPs=["10.96.0.9"],
    ipFamilies=["IPv4"],
    ipFamilyPolicy="SingleStack",
    loadBalancerSourceRanges=["10.0.0.0/8"],
    externalIPs=["192.0.2.1"],
    sessionAffinity="ClientIP",
    healthCheckNodePort=30001,
)
STATUS = {
    "loadBalancer": {"ingress": [{"ip": "192.0.2.1", "hostname": "x"}]},
    "conditions": [{"type": "a", "status": "True"}],
}
ENDPOINT = {"addresses": ["10.0.0.1"], "conditions": {"ready": True}, "nodeName": "n"}
BODIES: list[tuple[str, Json]] = [
    (f"{DEFAULT}/pods", POD),
    (f"{DEFAULT}/services", {**SERVICE, "status": STATUS}),
    (f"{DEFAULT}/configmaps", config_map("a", k="v")),
    (f"{DEFAULT}/secrets", {"data": {"k": "dg=="}, "stringData": {"a": "b"}}),
    (f"{DEFAULT}/events", {"involvedObject": {"kind": "Pod", "name": "a"}, "source": {"component": "x"}, "count": 1}),
    (f"{DEFAULT}/endpoints", {"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 1}]}]}),
    (
        f"{CORE}/nodes",
        {
            "spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]},
            "status": {"addresses": [{"type": "InternalIP", "address": "x"}], **STATUS, "loadBalancer": None},
        },
    ),
    (f"{CORE}/namespaces", {"spec": {"finalizers": ["a/b"]}}),
    (LEASES, {"spec": {"holderIdentity": "a", "leaseDurationSeconds": 1, "renewTime": "2026-11-23T10:00:00.123456Z"}}),
    (SLICES, {"addressType": "IPv4", "endpoints": [ENDPOINT], "ports": [{"port": 1}]}),
    (
        "/apis/apps/v1/namespaces/default/daemonsets",
        {"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {}, "spec": POD["spec"]}}},
    ),
    (
        "/apis/lab.test/v1/namespaces/default/widgets",
        {"spec": {"size": 1, "color": "red", "tags": ["a"]}, "status": {"x": 1}},
    ),
    (CRDS, custom_kind("Gadget", additionalPrinterColumns=[{"name": "A", "type": "date", "jsonPath": ".a[0]"}])),
    ("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {"spec": {"resourceAttributes": {"verb": "get"}}}),
]
SCRAPS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.sampled_from([[], {}, [[]], [{}], [None], {"a": {}}, "10.96.0.1", "None", "a.b", "-", "{}"]),
)


def spoilt(body: Json, scrap: Json, seed: int) -> Json:
    """Return the body with one value, somewhere, replaced, removed or surrounded."""
    dice = random.Random(seed)
    whole = {"body": copy.deepcopy(body)}
    holder: Json = whole
    key: Json = "body"
    while isinstance(holder[key], (dict, list)) and holder[key] and dice.random() < 0.85:
        holder = holder[key]
        key = dice.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    way = dice.randrange(4)
    holder[key] = scrap if way < 2 else [holder[key]] if way == 2 else {str(scrap): holder[key]}
    return whole["body"]


@pytest.mark.parametrize(("path", "body"), BODIES, ids=[path.rsplit("/", 1)[-1] for path, _ in BODIES])
def test_nothing_makes_it_stumble(server: Server, path: str, body: Json) -> None:
    """Spoilt objects by every way of writing, then read as list and Table: each answer is below 500 and JSON."""
    server.make(CRDS, custom_kind())
    base = {**body, "metadata": body.get("metadata") if "metadata" in body and path == CRDS else META}
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 2**32), SCRAPS)
    def try_it(seed: int, scrap: Json) -> None:
        bad = spoilt(base, scrap, seed)
        name = "gadgets.lab.test" if path == CRDS else "a"
        answers = [
            server.ask("POST", path, bad),
            server.ask("PUT", f"{path}/{name}", bad),
            *(server.patch(f"{path}/{name}?fieldManager=x", bad, media) for media in (MERGE, STRATEGIC, APPLY)),
            server.patch(f"{path}/{name}", [bad, {"op": "add", "path": "/spec", "value": scrap}], JSON_PATCH),
            server.patch(f"{path}/{name}/status", {"status": bad}),
            server.ask("GET", path, headers=accept),
            server.ask("DELETE", f"{path}/{name}", bad),
        ]
        for answer in answers:
            assert answer.code < 500, (bad, answer.data)
            assert answer.data.startswith((b"{", b"404 page"))

    try_it()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"[" * 100_000, 400),
        (b'{"metadata":{"name":"a"},"data":' + b'{"a":' * 600 + b"1" + b"}" * 600 + b"}", 400),
        (b'{"metadata":{"name":"a"},"data":{"a":NaN}}', 400),
        (b"\xff\xfe\x00", 400),
        (b'{"metadata":{"name":"a"},"data":{"a":"\\ud800"}}', 201),
    ],
    ids=["bottomless", "deep", "nan", "binary", "surrogate"],
)
def test_strange_json(server: Server, body: bytes, code: int) -> None:
    """JSON that is none, or hardly any, is refused with a Status; half a surrogate pair does not spoil what follows."""
    answer = server.ask("POST", f"{DEFAULT}/configmaps", body)

    assert answer.code == code
    assert server.get(f"{DEFAULT}/configmaps").code == 200
