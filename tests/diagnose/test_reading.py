"""What a diagnosis reads of a real API's answers: claims by implementation, documents, warnings, denied kinds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from l2probe.diagnose.reading import Reading
from l2probe.errors import ClusterError, NotAllowedError
from l2probe.observe.access import Access
from l2probe.observe.kube import connect
from tests.observe import test_survey as clusters
from tests.observe.scripted import Api, recorded, reply, serving, status

SERVICE = "GET /api/v1/namespaces/shop/services/api"
SLICES = "GET /apis/discovery.k8s.io/v1/namespaces/shop/endpointslices"
EVENTS = "GET /api/v1/namespaces/shop/events"
LEASES = "GET /apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
ALL_LEASES = "GET /apis/coordination.k8s.io/v1/leases"
STATUSES = "GET /apis/metallb.io/v1beta1/servicel2statuses"
DENIED = reply(recorded("metallb/status-403-limited-nodes.json"), 403)
API = ("shop", "api")


@pytest.fixture
def api() -> Iterator[Api]:
    """Return a server that answers what the test tells it to."""
    with serving() as running:
        yield running


@pytest.fixture
def reading(api: Api, tmp_path: Path) -> Iterator[Reading]:
    """Return the reader under test."""
    opened = connect(Access(kubeconfig=api.kubeconfig(tmp_path), request_timeout=1.0))
    yield Reading(opened._transport, context="test", namespace="here")
    opened.close()


def lease(name: str, holder: str, namespace: str = "kube-system", hour: int = 20) -> dict[str, object]:
    """Return a Lease."""
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": f"2026-11-23T{hour}:00:00.000000Z"}
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}


def listed(*items: object) -> dict[str, object]:
    """Return a list."""
    return {"items": list(items), "metadata": {}}


@pytest.mark.parametrize("name", ["cilium-l2announce-shop-api", "cilium-l2announce-shop.api"])
def test_ciliums_leases_are_read_in_one_list(api: Api, reading: Reading, name: str) -> None:
    """Both spellings of a lease's name; a Service without one has no claim."""
    clusters.cilium(api, **clusters.L2)
    api.on(LEASES, reply(listed(lease(name, "node-1"), lease("other", "node-9"))))
    reading.survey()

    found = reading.claims([API, ("shop", "web")])

    assert [claim.holder for claim in found[API]] == ["node-1"]
    assert found["shop", "web"] == ()
    assert len(api.requests(LEASES)) == 1


def test_the_lease_renewed_last_speaks(api: Api, reading: Reading) -> None:
    """After an upgrade the lease of the older name may still lie there with its old holder."""
    clusters.cilium(api, **clusters.L2)
    old = lease("cilium-l2announce-shop-api", "node-1", hour=10)
    api.on(LEASES, reply(listed(old, lease("cilium-l2announce-shop.api", "node-2"))))
    reading.survey()

    assert [claim.holder for claim in reading.claims([API])[API]] == ["node-2"]


def test_metallbs_status_objects_are_read(api: Api, reading: Reading) -> None:
    """ServiceL2Status names the Service by labels."""
    clusters.metallb(api)
    labels = {"metallb.io/service-name": "api", "metallb.io/service-namespace": "shop"}
    item = {"metadata": {"name": "l2-x", "namespace": "metallb-system", "labels": labels}, "status": {"node": "node-2"}}
    api.on(STATUSES, reply(listed(item, {"metadata": {"name": "odd"}})))
    reading.survey()

    assert [claim.holder for claim in reading.claims([API])[API]] == ["node-2"]


def test_denied_leases_are_an_error_of_their_own(api: Api, reading: Reading) -> None:
    """So that the flow can go on without them and name the right."""
    clusters.cilium(api, **clusters.L2)
    api.on(LEASES, DENIED)
    reading.survey()

    with pytest.raises(NotAllowedError):
        reading.claims([API])


def test_an_unknown_implementation_claims_nothing(api: Api, reading: Reading) -> None:
    """Nothing to read, nothing asked."""
    clusters.everywhere(api)
    reading.survey()

    assert reading.claims([API]) == {}


def test_a_document_is_the_service_as_it_is(api: Api, reading: Reading) -> None:
    """Of any type; None when there is none; other failures are raised."""
    api.on(SERVICE, reply({"spec": {"type": "ExternalName"}}))
    assert reading.document(API) == {"spec": {"type": "ExternalName"}}
    api.on(SERVICE, status(404, "not found"))
    assert reading.document(API) is None
    api.on(SERVICE, reply([1]))
    assert reading.document(API) is None
    api.on(SERVICE, status(403, "forbidden"))
    with pytest.raises(NotAllowedError):
        reading.document(API)
    api.on(SERVICE, reply(b"<html>"))
    with pytest.raises(ClusterError, match="no JSON"):
        reading.document(API)


def test_one_service_is_read_with_its_backends(api: Api, reading: Reading) -> None:
    """By name, with the slices of its namespace; denied slices leave the backends unknown."""
    document = {
        "metadata": {"name": "api", "namespace": "shop"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.40"}]}},
    }
    endpoints = [{"addresses": ["10.0.0.1"], "nodeName": "node-1"}]
    labels = {"kubernetes.io/service-name": "api"}
    api.on(SERVICE, reply(document))
    api.on(SLICES, reply(listed({"metadata": {"namespace": "shop", "labels": labels}, "endpoints": endpoints})))

    found = reading.service(API)
    api.on(SLICES, DENIED)
    blind = reading.service(API)
    api.on(SERVICE, status(404, "not found"))

    assert found is not None
    assert [backend.node for backend in found.backends or ()] == ["node-1"]
    assert blind is not None
    assert blind.backends is None
    assert reading.service(API) is None


def shop_service(name: str, ip: str) -> dict[str, object]:
    """Return a LoadBalancer Service of the shop with an address."""
    return {
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"type": "LoadBalancer"},
        "status": {"loadBalancer": {"ingress": [{"ip": ip}]}},
    }


def test_addresses_are_read_again_one_by_one_or_as_a_list(api: Api, reading: Reading) -> None:
    """A few Services by name, many in one list; one that is gone has no address."""
    api.on(SERVICE, reply(shop_service("api", "198.51.100.40")))
    api.on("GET /api/v1/services", reply(listed(shop_service("api", "198.51.100.41"))))

    few = reading.addresses([API, ("shop", "gone")])
    many = reading.addresses([API, *(("shop", f"s{n}") for n in range(40))])

    assert few == {API: ("198.51.100.40",), ("shop", "gone"): ()}
    assert many == {API: ("198.51.100.41",), **{("shop", f"s{n}"): () for n in range(40)}}


def test_a_service_that_the_server_does_not_tell_of_costs_no_other_its_reading(api: Api, reading: Reading) -> None:
    """An error, or a denial where the list is denied too, leaves out that Service alone: no address is no reading."""
    api.on(SERVICE, reply(shop_service("api", "198.51.100.40")))
    api.on(f"{SERVICE}-broken", status(422, "cannot"))
    api.on(f"{SERVICE}-denied", status(403, "forbidden"))
    api.on("GET /api/v1/services", DENIED)

    found = reading.addresses([API, ("shop", "api-broken"), ("shop", "api-denied"), ("shop", "gone")])

    assert found == {API: ("198.51.100.40",), ("shop", "gone"): ()}


def test_what_was_limited_to_a_namespace_stays_so(api: Api, reading: Reading) -> None:
    """Addresses and warnings are read there, where Services elsewhere may not be listed."""
    clusters.cilium(api, **clusters.L2)
    for what in ("GET /api/v1/services", SERVICE):
        api.on(what, DENIED)
    api.on("GET /api/v1/namespaces/shop/services", reply(listed(shop_service("api", "198.51.100.41"))))
    event = {"metadata": {"namespace": "shop"}, "involvedObject": {"kind": "Service", "name": "api"}, "type": "Warning"}
    api.on(EVENTS, reply(listed({**event, "reason": "AllocationFailed"})))
    reading.survey("shop")

    assert reading.addresses([API]) == {API: ("198.51.100.41",)}
    assert [warning.reason for warning in reading.warnings().values()] == ["AllocationFailed"]
    assert api.requests("GET /api/v1/events") == []


def test_kube_vips_leases_are_read_where_they_may_be(api: Api, reading: Reading) -> None:
    """In the namespace of the Service and in kube-vip's own; both are needed, for a lease may lie in either."""
    clusters.everywhere(api)
    agent = clusters.daemon_set("kube-vip-ds", "ghcr.io/kube-vip/kube-vip:v1.0.3", {})
    api.on(clusters.DAEMON_SETS, reply(listed(agent)))
    api.on(ALL_LEASES, DENIED)
    here = "GET /apis/coordination.k8s.io/v1/namespaces/shop/leases"
    api.on(here, reply(listed(lease("kubevip-api", "node-2", namespace="shop"))))
    api.on(LEASES, reply(listed()))
    reading.survey()

    assert [claim.holder for claim in reading.claims([API])[API]] == ["node-2"]
    with pytest.raises(NotAllowedError):
        reading.claims([API, ("bank", "till")])
    api.on(LEASES, DENIED)
    with pytest.raises(NotAllowedError):
        reading.claims([API])


def test_who_may_only_list_reads_the_list(api: Api, reading: Reading) -> None:
    """An audit's rights have no get: a few Services are read from the list too."""
    api.on(SERVICE, status(403, "forbidden"))
    api.on("GET /api/v1/services", reply(listed(shop_service("api", "198.51.100.41"))))

    assert reading.addresses([API]) == {API: ("198.51.100.41",)}


NETPOL = "GET /apis/networking.k8s.io/v1/namespaces/shop/networkpolicies"
CNP = "GET /apis/cilium.io/v2/namespaces/shop/ciliumnetworkpolicies"
CCNP = "GET /apis/cilium.io/v2/ciliumclusterwidenetworkpolicies"


def test_network_policies_of_all_kinds_are_read(api: Api, reading: Reading) -> None:
    """Of the namespace and of the whole cluster; kinds that are not served have none."""
    clusters.cilium(api, **clusters.L2)
    api.on(NETPOL, reply(listed({"metadata": {"name": "a", "namespace": "shop"}, "spec": {"podSelector": {}}})))
    spec = {"endpointSelector": {}, "ingress": [{"fromEntities": ["cluster"]}]}
    api.on(CCNP, reply(listed({"metadata": {"name": "c"}, "spec": spec})))
    reading.survey()

    found, denied = reading.network_policies("shop")

    assert [(policy.kind, policy.name) for policy in found or ()] == [
        ("NetworkPolicy", "a"),
        ("CiliumClusterwideNetworkPolicy", "c"),
    ]
    assert denied == ()


def test_denied_policies_leave_it_open(api: Api, reading: Reading) -> None:
    """One kind that may not be read may be the one that admits us: nothing is known then."""
    clusters.cilium(api, **clusters.L2)
    api.on(NETPOL, reply(listed()))
    api.on(CNP, DENIED)
    reading.survey()

    found, denied = reading.network_policies("shop")

    assert found is None
    assert [right.resource for right in denied] == ["ciliumnetworkpolicies"]


def test_ciliums_kinds_are_not_missed_where_cilium_is_not(api: Api, reading: Reading) -> None:
    """RBAC denies kinds that do not exist too: without Cilium they cost nothing."""
    clusters.metallb(api)
    api.on(NETPOL, reply(listed()))
    for what in (CNP, CCNP):
        api.on(what, DENIED)
    reading.survey()

    assert reading.network_policies("shop") == ((), ())


def test_the_newest_warning_speaks(api: Api, reading: Reading) -> None:
    """Of several the last; without any, or without the right, nothing."""

    def event(reason: str, kind: str = "Warning") -> dict[str, object]:
        about = {"kind": "Service", "name": "api"}
        return {"metadata": {}, "involvedObject": about, "type": kind, "reason": reason, "message": "no IPs"}

    api.on(EVENTS, reply(listed(event("Old"), event("AllocationFailed"), event("Fine", "Normal"))))
    found = reading.warning(API)
    api.on(EVENTS, reply(listed()))
    none = reading.warning(API)
    api.on(EVENTS, DENIED)

    assert found is not None
    assert (found.status, found.reason, found.message) == ("Warning", "AllocationFailed", "no IPs")
    assert none is None
    assert reading.warning(API) is None
