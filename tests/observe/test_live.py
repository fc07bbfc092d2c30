"""A namespace followed by watches: current, with the history of claims, robust against everything a stream can do."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from l2probe.errors import ClusterError, NotAllowedError
from tests.observe.conftest import Connect
from tests.observe.scripted import Api, Handler, drop, end, hang, recorded, reply, status, stream
from tests.observe.segment import Json

NS = "l2probe-1"
CORE = f"/api/v1/namespaces/{NS}"
SERVICES = f"{CORE}/services"
SLICES = f"/apis/discovery.k8s.io/v1/namespaces/{NS}/endpointslices"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
L2_STATUSES = "/apis/metallb.io/v1beta1/servicel2statuses"
LEASE_NAME = f"cilium-l2announce-{NS}-web"


def listed(*items: object, version: str = "10") -> Json:
    """Answer a list."""
    return reply({"items": list(items), "metadata": {"resourceVersion": version}})


def event(kind: str, item: dict[str, Any]) -> dict[str, Any]:
    """Return a watch event."""
    return {"type": kind, "object": item}


def service(version: str, ip: str | None = None) -> dict[str, Any]:
    """Return our Service with or without an address."""
    ingress = [{"ip": ip}] if ip else None
    return {
        "metadata": {"name": "web", "namespace": NS, "resourceVersion": version},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
        "status": {"loadBalancer": {"ingress": ingress}},
    }


def lease(
    version: str, holder: str | None, renewed: str = "2026-11-23T10:00:00.000000Z", name: str = LEASE_NAME
) -> Json:
    """Return the Service's lease."""
    spec = {"holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": 15, "leaseTransitions": 1}
    return {"metadata": {"name": name, "namespace": "kube-system", "resourceVersion": version}, "spec": spec}


def ready(api: Api, implementation: str = "cilium") -> None:
    """Answer empty lists for everything that is followed, and what identifies the announcer."""
    for path in (SERVICES, SLICES, f"{CORE}/pods", f"{CORE}/events", LEASES, L2_STATUSES):
        api.on(f"GET {path}", listed())
    api.on("GET /apis/apps/v1/daemonsets", listed())
    api.on("GET /api/v1/namespaces/kube-system/pods", listed())
    if implementation == "cilium":
        data = {"enable-l2-announcements": "true", "kube-proxy-replacement": "true"}
        api.on("GET /api/v1/namespaces/kube-system/configmaps/cilium-config", reply({"metadata": {}, "data": data}))
    if implementation == "metallb":
        api.on("GET /apis/metallb.io/v1beta1/ipaddresspools", listed())
        api.on("GET /apis/metallb.io/v1beta1/l2advertisements", listed({"metadata": {"name": "lan"}}))


def test_an_address_given_later_is_seen_at_once(api: Api, kube: Connect) -> None:
    """`until` returns what it waits for as soon as the event comes."""
    given = threading.Event()

    def later(handler: Handler) -> None:
        given.wait(10)
        stream(event("MODIFIED", service("11", "198.51.100.40")))(handler)

    ready(api)
    api.on(f"GET {SERVICES}", listed(service("9")))
    api.on(f"WATCH {SERVICES}", later)
    with kube().live(NS) as live:
        assert live.snapshot().services[0].vips == ()
        threading.Timer(0.2, given.set).start()
        began = time.monotonic()
        found = live.until(lambda now: now.services[0].vips or None, timeout=10)

    assert found == ("198.51.100.40",)
    assert time.monotonic() - began < 2


def test_recorded_stream_of_a_service_that_gets_its_address(api: Api, kube: Connect) -> None:
    """The lines that a real server sent."""
    ready(api)
    lines = recorded("metallb/watch-services-address-given.jsonl").splitlines()
    api.on(f"WATCH {SERVICES}", stream(*lines))
    with kube().live(NS) as live:
        found = live.until(lambda now: now.services if len(now.services) == 2 else None, timeout=5)
        assert live.until(lambda now: all(each.vips for each in now.services) or None, timeout=5)

    assert found is not None


def test_the_time_is_kept_when_nothing_happens(api: Api, kube: Connect) -> None:
    """None after the timeout."""
    ready(api)
    with kube().live(NS) as live:
        began = time.monotonic()

        assert live.until(lambda _: None, timeout=0.2) is None
        assert 0.2 <= time.monotonic() - began < 1


def test_an_interruption_ends_the_wait(api: Api, kube: Connect) -> None:
    """Ctrl-C is noticed within a fraction of a second."""
    ready(api)
    interrupted = threading.Event()
    with kube().live(NS) as live:
        threading.Timer(0.1, interrupted.set).start()
        began = time.monotonic()

        assert live.until(lambda _: None, timeout=30, interrupted=interrupted) is None
        assert time.monotonic() - began < 1


def test_leaving_closes_the_streams_at_once(api: Api, kube: Connect) -> None:
    """Silent watches do not hold up the end."""
    ready(api)
    with kube(request_timeout=10).live(NS):
        began = time.monotonic()

    assert time.monotonic() - began < 1
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("watch ")] == []


def test_leaving_does_not_wait_for_a_server_that_hangs(api: Api, kube: Connect) -> None:
    """A watch that is not even begun to be answered does not hold up the end either."""
    ready(api)
    api.on(f"WATCH {SERVICES}", hang)
    with kube(request_timeout=10).live(NS):
        began = time.monotonic()

    assert time.monotonic() - began < 1


def test_claims_keep_every_change_of_the_lease(api: Api, kube: Connect) -> None:
    """Renewal, handover, release and deletion are all in the history, oldest first; other leases are not ours."""
    ready(api)
    api.on(f"GET {SERVICES}", listed(service("9", "198.51.100.40")))
    api.on(f"GET {LEASES}", listed(lease("1", "node-1"), lease("2", "node-9", name="cilium-operator")))
    api.on(
        f"WATCH {LEASES}",
        stream(
            event("MODIFIED", lease("11", "node-1", "2026-11-23T10:00:05.000000Z")),
            event("MODIFIED", lease("12", "node-2", "2026-11-23T10:00:09.000000Z")),
            event("MODIFIED", lease("13", "")),
            event("DELETED", lease("14", "")),
        ),
    )
    with kube().live(NS) as live:
        history = live.until(lambda now: now.claims["web"] if len(now.claims["web"]) == 5 else None, timeout=5)

    assert history is not None
    assert [claim.holder for claim in history] == ["node-1", "node-1", "node-2", None, None]
    assert [claim.why_nobody for claim in history[3:]] == [
        "the holder released the lease",
        f"Lease kube-system/{LEASE_NAME} was deleted",
    ]
    assert history[1].renewed == pytest.approx((history[0].renewed or 0) + 5)
    assert [claim.read_at for claim in history] == sorted(claim.read_at for claim in history)


def test_the_newer_lease_name_counts_too(api: Api, kube: Connect) -> None:
    """cilium-l2announce-<ns>.<svc> is read like the older name."""
    ready(api)
    api.on(f"GET {SERVICES}", listed(service("9")))
    api.on(f"GET {LEASES}", listed(lease("1", "node-1", name=f"cilium-l2announce-{NS}.web")))
    with kube().live(NS) as live:
        assert [claim.holder for claim in live.snapshot().claims["web"]] == ["node-1"]


def test_no_lease_is_not_the_same_as_no_right_to_see_it(api: Api, kube: Connect) -> None:
    """(): looked, nobody claims. Absent: could not look."""
    ready(api)
    api.on(f"GET {SERVICES}", listed(service("9")))
    with kube().live(NS) as live:
        assert live.snapshot().claims == {"web": ()}
    api.on(f"GET {LEASES}", status(403, "forbidden"))
    with kube().live(NS) as live:
        assert live.snapshot().claims == {}


def test_a_metallb_handover_does_not_look_like_the_end(api: Api, kube: Connect) -> None:
    """The new speaker's status object comes before the old one goes: the last claim is the new one's."""

    def l2_status(name: str, node: str, version: str) -> dict[str, Any]:
        labels = {"metallb.io/service-name": "web", "metallb.io/service-namespace": NS}
        metadata = {"name": name, "namespace": "metallb-system", "labels": labels, "resourceVersion": version}
        return {"metadata": metadata, "status": {"node": node}}

    ready(api, "metallb")
    api.on(f"GET {SERVICES}", listed(service("9")))
    api.on(f"GET {L2_STATUSES}", listed(l2_status("l2-a", "node-1", "1")))
    handover = (event("ADDED", l2_status("l2-b", "node-2", "11")), event("DELETED", l2_status("l2-a", "node-1", "12")))
    api.on(f"WATCH {L2_STATUSES}", stream(*handover, event("DELETED", l2_status("l2-b", "node-2", "13"))))
    with kube().live(NS) as live:
        history = live.until(lambda now: now.claims["web"] if len(now.claims["web"]) == 3 else None, timeout=5)

    assert [claim.holder for claim in history or ()] == ["node-1", "node-2", None]
    assert api.requests(f"GET {L2_STATUSES}")[0].query["labelSelector"] == f"metallb.io/service-namespace={NS}"


def test_a_pod_tells_why_it_waits(api: Api, kube: Connect) -> None:
    """A recorded Pod and a warning that came later."""
    items = json.loads(recorded("metallb/pods.json"))["items"]
    pod = next(item for item in items if item["metadata"]["name"] == "never-ready")
    warnings = [
        item
        for item in json.loads(recorded("metallb/events-core-v1.json"))["items"]
        if item["involvedObject"]["name"] == "never-ready" and item["type"] == "Warning"
    ]
    ready(api)
    api.on(f"GET {CORE}/pods", listed(pod))
    api.on(f"WATCH {CORE}/events", stream(event("ADDED", warnings[-1])))
    with kube().live(NS) as live:
        said = live.until(lambda now: (now.pods[0].waiting or "").startswith("Unhealthy") or None, timeout=5)

    assert said


def test_a_pending_service_carries_its_newest_warning(api: Api, kube: Connect) -> None:
    """MetalLB sets no condition; its event is the reason."""
    warning = {
        "metadata": {"name": "e1"},
        "involvedObject": {"kind": "Service", "name": "web"},
        "type": "Warning",
        "reason": "AllocationFailed",
        "message": 'no available IPs in pool "tiny"',
    }
    ready(api)
    api.on(f"GET {SERVICES}", listed(service("9")))
    api.on(f"GET {CORE}/events", listed(warning))
    with kube().live(NS) as live:
        (condition,) = live.snapshot().services[0].conditions

    assert (condition.reason, condition.message) == ("AllocationFailed", 'no available IPs in pool "tiny"')


def test_backends_appear_with_their_service(api: Api, kube: Connect) -> None:
    """EndpointSlices are joined to Services, one address once."""
    endpoint = {"addresses": ["10.244.1.5"], "nodeName": "node-1", "targetRef": {"kind": "Pod", "name": "echo-1"}}
    item: dict[str, Any] = {"metadata": {"name": "s", "namespace": NS, "labels": {"kubernetes.io/service-name": "web"}}}
    ready(api)
    api.on(f"GET {SERVICES}", listed(service("9")))
    twice = [{**item, "metadata": {**item["metadata"], "name": name}, "endpoints": [endpoint]} for name in "ab"]
    api.on(f"GET {SLICES}", listed(*twice))
    with kube().live(NS) as live:
        (backend,) = live.snapshot().services[0].backends or ()

    assert (backend.address, backend.node, backend.pod, backend.ready) == ("10.244.1.5", "node-1", "echo-1", True)


TROUBLES = {
    "ended": (stream(event("ADDED", service("11")), then=end),),
    "dropped": (stream(event("ADDED", service("11")), then=drop),),
    "cut within a line": (stream(event("ADDED", service("11")), b'{"type": "MODIF', then=drop),),
    "410 in the stream": (
        stream(event("ADDED", service("11")), {"type": "ERROR", "object": {"code": 410, "message": "too old"}}),
    ),
    "410 at the start": (status(410, "too old"),),
    "500": (status(500, "etcd"), status(500, "etcd")),
    "bookmark first": (stream({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "77"}}}, then=end),),
}


@pytest.mark.parametrize("case", TROUBLES)
def test_a_watch_recovers(api: Api, kube: Connect, case: str) -> None:
    """However a stream ends, the next one goes on and nothing is lost."""
    ready(api)
    api.on(f"GET {SERVICES}", listed(), listed(service("20")))
    api.on(f"WATCH {SERVICES}", *TROUBLES[case], stream(event("MODIFIED", service("21", "198.51.100.40"))))
    with kube().live(NS) as live:
        assert live.until(lambda now: (now.services and now.services[0].vips) or None, timeout=8)


def test_a_watch_goes_on_from_the_last_version_it_saw(api: Api, kube: Connect) -> None:
    """First from the list's version, then from the newest event's or bookmark's."""
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "77"}}}
    ready(api)
    api.on(
        f"WATCH {SERVICES}",
        stream(event("ADDED", service("11")), then=end),
        stream(bookmark, then=end),
        stream(event("MODIFIED", service("80", "198.51.100.40"))),
    )
    with kube().live(NS) as live:
        live.until(lambda now: (now.services and now.services[0].vips) or None, timeout=8)

    versions = [asked.query["resourceVersion"] for asked in api.requests(f"GET {SERVICES}") if "watch" in asked.query]
    assert versions == ["10", "11", "77"]


def test_objects_that_vanished_unseen_are_gone_after_a_new_list(api: Api, kube: Connect) -> None:
    """After 410 the list replaces what was known; a lease that vanished meanwhile was deleted."""
    ready(api)
    api.on(f"GET {SERVICES}", listed(service("9")))
    api.on(f"GET {LEASES}", listed(lease("1", "node-1")), listed())
    api.on(f"WATCH {LEASES}", status(410, "too old"), stream())
    with kube().live(NS) as live:
        history = live.until(lambda now: now.claims["web"] if len(now.claims["web"]) > 1 else None, timeout=5)

    assert history is not None
    assert (history[-1].holder, "was deleted" in (history[-1].why_nobody or "")) == (None, True)


def test_a_kind_that_must_be_read_but_may_not_is_an_error(api: Api, kube: Connect) -> None:
    """Without Services there is nothing to follow."""
    ready(api)
    api.on(f"GET {SERVICES}", status(403, "services is forbidden"))

    with pytest.raises(NotAllowedError, match="services is forbidden"), kube().live(NS):
        pass


def test_events_may_be_denied(api: Api, kube: Connect) -> None:
    """They only explain."""
    ready(api)
    api.on(f"GET {CORE}/events", status(403, "forbidden"))
    with kube().live(NS) as live:
        assert live.snapshot().pods == ()


def test_an_announcer_without_its_status_kind_claims_nothing(api: Api, kube: Connect) -> None:
    """MetalLB before ServiceL2Status (404): the run goes on without claims."""
    ready(api, "metallb")
    api.on(f"GET {L2_STATUSES}", status(404, "not found"))
    with kube().live(NS) as live:
        assert live.snapshot().claims == {}


def test_a_watch_that_never_recovers_is_an_error(api: Api, kube: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting ends with the reason when the API is gone, long before the timeout."""
    monkeypatch.setattr("l2probe.observe.watch.PAUSE_SECONDS", 0.005)
    ready(api)
    api.on(f"WATCH {CORE}/pods", drop)
    with kube().live(NS) as live, pytest.raises(ClusterError, match="dropped GET"):
        live.until(lambda _: None, timeout=30)


def test_garbage_in_a_stream_is_an_error_and_not_a_crash(
    api: Api, kube: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines that are no events end, after some attempts, in one sentence."""
    monkeypatch.setattr("l2probe.observe.watch.PAUSE_SECONDS", 0.005)
    ready(api)
    api.on(f"WATCH {CORE}/pods", stream(b"<html>"))
    with kube().live(NS) as live, pytest.raises(ClusterError, match="no Kubernetes JSON"):
        live.until(lambda _: None, timeout=30)
