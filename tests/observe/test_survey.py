"""What a cluster says about itself, from recorded and written lists: who announces, pools, policies, Services."""

from __future__ import annotations

from typing import Any

import pytest

from l2probe.errors import ClusterError
from l2probe.judge import judge
from l2probe.model import (
    Datapath,
    Evidence,
    Node,
    NodeName,
    Placement,
    Pool,
    Requirement,
    Right,
    Service,
    TrafficPolicy,
    Trial,
    Vantage,
)
from l2probe.observe.survey import survey
from tests.observe.conftest import Connect
from tests.observe.scripted import Api, hang, recorded, reply, status

CONFIG = "GET /api/v1/namespaces/kube-system/configmaps/cilium-config"
DAEMON_SETS = "GET /apis/apps/v1/daemonsets"
POOLS = "GET /apis/cilium.io/v2/ciliumloadbalancerippools"
OLD_POOLS = "GET /apis/cilium.io/v2alpha1/ciliumloadbalancerippools"
POLICIES = "GET /apis/cilium.io/v2alpha1/ciliuml2announcementpolicies"
METALLB_POOLS = "GET /apis/metallb.io/v1beta1/ipaddresspools"
ADVERTISEMENTS = "GET /apis/metallb.io/v1beta1/l2advertisements"
KUBE_SYSTEM_PODS = "GET /api/v1/namespaces/kube-system/pods"
SLICES = "GET /apis/discovery.k8s.io/v1/endpointslices"
EMPTY = reply({"items": None, "metadata": {"resourceVersion": "1"}})
DENIED = reply(recorded("metallb/status-403-limited-nodes.json"), 403)
L2 = {"enable-l2-announcements": "true", "kube-proxy-replacement": "true"}


def everywhere(api: Api) -> None:
    """Answer what every cluster has: version, nodes, Services, slices, no DaemonSets."""
    api.on("GET /version", reply(recorded("metallb/version.json")))
    api.on("GET /api/v1/nodes", reply(recorded("metallb/nodes.json")))
    api.on("GET /api/v1/services", reply(recorded("metallb/services.json")))
    api.on(SLICES, reply(recorded("metallb/endpointslices.json")))
    for what in (DAEMON_SETS, KUBE_SYSTEM_PODS):
        api.on(what, EMPTY)


def cilium(api: Api, image: str = "quay.io/cilium/cilium:v1.19.3@sha256:00", **config: str) -> None:
    """Answer what a cluster with Cilium has."""
    everywhere(api)
    api.on(CONFIG, reply({"metadata": {"name": "cilium-config"}, "data": config}))
    api.on(DAEMON_SETS, reply({"items": [daemon_set("cilium", image, {"k8s-app": "cilium"})], "metadata": {}}))
    api.on("GET /api/v1/services", reply(recorded("cilium/services.json")))
    api.on(POOLS, reply(recorded("cilium/ippools.json")))
    api.on(POLICIES, reply(recorded("cilium/l2announcementpolicies.json")))


def daemon_set(name: str, image: str, labels: dict[str, str], namespace: str = "kube-system") -> dict[str, Any]:
    """Return a DaemonSet."""
    containers = [{"name": "main", "image": image}]
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"template": {"spec": {"containers": containers}}},
    }


def metallb(api: Api) -> None:
    """Answer what the recorded cluster with MetalLB has."""
    everywhere(api)
    api.on(DAEMON_SETS, reply(recorded("metallb/daemonsets-metallb-system.json")))
    api.on(METALLB_POOLS, reply(recorded("metallb/ipaddresspools.json")))
    api.on(ADVERTISEMENTS, reply(recorded("metallb/l2advertisements.json")))


def named(services: tuple[Service, ...] | None, name: str) -> Service:
    """Return one Service."""
    return next(service for service in services or () if service.name == name)


def test_cilium_is_recognised_with_its_version_datapath_and_settings(api: Api, kube: Connect) -> None:
    """The image's tag gives the version, cilium-config the rest; keys that do not bear on us are left out."""
    cilium(api, **L2, **{"bpf-lb-mode": "dsr", "debug": "true", "service-no-backend-response": "drop"})

    cluster = kube().cluster()

    assert (cluster.context, cluster.server_version) == ("test", "v1.34.4")
    assert (cluster.implementation, cluster.implementation_version) == ("cilium", "1.19.3")
    assert (cluster.announcing, cluster.datapath) == (True, Datapath.DSR)
    assert ("service-no-backend-response", "drop") in cluster.settings
    assert "debug" not in dict(cluster.settings)
    assert cluster.missing_rights == ()


@pytest.mark.parametrize(
    ("config", "announcing"),
    [
        (L2, True),
        ({"kube-proxy-replacement": "true"}, False),
        ({"enable-l2-announcements": "true", "kube-proxy-replacement": "false"}, False),
    ],
)
def test_cilium_announces_only_when_switched_on_with_kube_proxy_replacement(
    api: Api, kube: Connect, config: dict[str, str], *, announcing: bool
) -> None:
    """An absent key means off, and without kube-proxy replacement the feature does not work."""
    cilium(api, **config)

    assert kube().cluster().announcing is announcing


def test_cilium_pools_policies_and_conditions_are_read(api: Api, kube: Connect) -> None:
    """Counts come from condition messages; a Service keeps its condition's reason."""
    cilium(api, **L2)

    cluster = kube().cluster()

    pools = {pool.name: pool for pool in cluster.pools or ()}
    assert pools["blue"] == Pool(name="blue", blocks=("10.99.0.160-10.99.0.161",), available=0)
    assert pools["off"].disabled
    assert [policy.load_balancer_ips for policy in cluster.policies or ()] == [True]
    exhausted = named(cluster.services, "blue-exhausted")
    assert (exhausted.vips, exhausted.conditions[0].reason) == ((), "out_of_ips")
    assert named(cluster.services, "blue-1").vips == ("10.99.0.160",)


def test_an_overlapping_pool_is_conflicting(api: Api, kube: Connect) -> None:
    """Only the younger of two overlapping pools is marked, and so is ours."""
    cilium(api, **L2)
    api.on(POOLS, reply(recorded("cilium/ippools-conflict.json")))

    conflicting = [pool.name for pool in kube().cluster().pools or () if pool.conflicting]

    assert conflicting == ["clash"]


def test_pools_of_an_older_cilium_are_read_in_the_older_version(api: Api, kube: Connect) -> None:
    """v2 is preferred; where it is not served, v2alpha1 gives the same pools."""
    cilium(api, **L2)
    newer = kube().cluster().pools
    api.on(POOLS, reply(b"404 page not found\n", 404, {"Content-Type": "text/plain"}))
    api.on(OLD_POOLS, reply(recorded("cilium/ippools-v2alpha1.json")))

    assert kube().cluster().pools == newer


def test_cilium_outside_kube_system_is_found_by_its_daemon_set(api: Api, kube: Connect) -> None:
    """The configuration lies beside the agent, wherever that is."""
    cilium(api)
    api.on(CONFIG, status(404, "not found"))
    agent = daemon_set("cilium", "example/cilium:v1.20.2", {"k8s-app": "cilium"}, "network")
    api.on(DAEMON_SETS, reply({"items": [agent], "metadata": {}}))
    api.on("GET /api/v1/namespaces/network/configmaps/cilium-config", reply({"metadata": {}, "data": L2}))

    cluster = kube().cluster()

    assert (cluster.implementation, cluster.implementation_version, cluster.announcing) == ("cilium", "1.20.2", True)


def test_metallb_is_recognised_with_its_pools_and_advertisements(api: Api, kube: Connect) -> None:
    """Recorded objects of MetalLB 0.15.2 on kube-proxy: no datapath of Cilium's is claimed."""
    metallb(api)

    cluster = kube().cluster()

    assert (cluster.implementation, cluster.implementation_version) == ("metallb", "0.15.2")
    assert (cluster.announcing, cluster.datapath, cluster.settings) == (True, None, ())
    assert {pool.name: pool.available for pool in cluster.pools or ()} == {"lan": 12, "team": 2, "tiny": 0}
    assert [(policy.name, policy.pools) for policy in cluster.policies or ()] == [("lan", ("lan",))]


def test_metallb_beside_a_cilium_that_does_not_announce(api: Api, kube: Connect) -> None:
    """Who announces is the announcer; Cilium's datapath still serves, and is claimed."""
    metallb(api)
    config = {"kube-proxy-replacement": "true", "bpf-lb-mode": "dsr"}
    api.on(CONFIG, reply({"metadata": {}, "data": config}))

    cluster = kube().cluster()

    assert (cluster.implementation, cluster.datapath) == ("metallb", Datapath.DSR)


def test_metallb_without_advertisement_lacks_a_policy(api: Api, kube: Connect) -> None:
    """The speaker is what is switched on; without an L2Advertisement no policy selects anything."""
    metallb(api)
    api.on(ADVERTISEMENTS, EMPTY)

    cluster = kube().cluster()

    assert (cluster.implementation, cluster.announcing, cluster.policies) == ("metallb", True, ())


BGP_ADVERTISEMENTS = "GET /apis/metallb.io/v1beta1/bgpadvertisements"


def test_what_metallb_announces_by_bgp_is_read(api: Api, kube: Connect) -> None:
    """By name and pools; a kind that is not there is none of them."""
    metallb(api)
    none = kube().cluster().bgp
    item = {"metadata": {"name": "routers"}, "spec": {"ipAddressPools": ["lan"], "peers": ["tor"]}}
    api.on(BGP_ADVERTISEMENTS, reply({"items": [item], "metadata": {}}))

    (found,) = kube().cluster().bgp or ()

    assert none == ()
    assert (found.name, found.pools) == ("routers", ("lan",))


def test_bgp_that_may_not_be_read_costs_nothing_else(api: Api, kube: Connect) -> None:
    """It stays unknown, and no right is called missing."""
    metallb(api)
    api.on(BGP_ADVERTISEMENTS, DENIED)

    cluster = kube().cluster()

    assert cluster.bgp is None
    assert cluster.missing_rights == ()


def test_alternative_selectors_of_an_advertisement_become_policies(api: Api, kube: Connect) -> None:
    """Several nodeSelectors mean: nodes that match any of them."""
    metallb(api)
    selectors = [
        {"matchLabels": {"rack": "a"}},
        {"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["x", "y"]}]},
    ]
    item = {"metadata": {"name": "adv"}, "spec": {"nodeSelectors": selectors, "interfaces": ["eth0"]}}
    api.on(ADVERTISEMENTS, reply({"items": [item], "metadata": {}}))

    policies = kube().cluster().policies or ()

    assert [policy.node_selector for policy in policies] == [
        (Requirement(key="rack", operator="In", values=("a",)),),
        (Requirement(key="zone", operator="NotIn", values=("x", "y")),),
    ]
    assert {(policy.name, policy.interfaces, policy.service_selector) for policy in policies} == {
        ("adv", ("eth0",), None)
    }


@pytest.mark.parametrize("static", [False, True], ids=["DaemonSet", "static Pod"])
def test_kube_vip_is_recognised(api: Api, kube: Connect, *, static: bool) -> None:
    """As a DaemonSet or as static Pods; its cloud provider alone is not an announcer."""
    everywhere(api)
    image = "ghcr.io/kube-vip/kube-vip:v1.0.1"
    pod = {"metadata": {"name": "kube-vip-cp"}, "spec": {"containers": [{"image": image}]}}
    where = KUBE_SYSTEM_PODS if static else DAEMON_SETS
    api.on(where, reply({"items": [pod if static else daemon_set("kube-vip-ds", image, {})], "metadata": {}}))

    cluster = kube().cluster()

    assert (cluster.implementation, cluster.implementation_version, cluster.announcing) == ("kube-vip", "1.0.1", True)
    assert (cluster.pools, cluster.policies) == (None, None), "it has no such kinds, so none of them is missing"


def test_no_announcer_at_all(api: Api, kube: Connect) -> None:
    """A cluster without any implementation says so: nothing found is not the same as not looked."""
    everywhere(api)

    cluster = kube().cluster()

    assert (cluster.implementation, cluster.announcing, cluster.pools, cluster.policies) == (None, False, (), ())


def test_services_come_with_their_backends(api: Api, kube: Connect) -> None:
    """Recorded slices: a Pod behind the Service, none behind another, policy and class kept."""
    metallb(api)

    services = kube().cluster().services

    (backend,) = named(services, "ok-local").backends or ()
    assert (backend.address, backend.node, backend.ready, backend.pod) == ("10.244.1.6", "rc-n1", True, "echo-n1")
    assert named(services, "ok-local").policy is TrafficPolicy.LOCAL
    assert named(services, "no-endpoints").backends == ()
    assert named(services, "other-class").load_balancer_class == "example.com/none"
    assert {(port.protocol, port.port) for port in named(services, "mixed-protocols").ports} == {
        ("TCP", 80),
        ("UDP", 80),
    }


def test_nodes_are_read(api: Api, kube: Connect) -> None:
    """Recorded nodes: InternalIP only, ready, schedulable."""
    metallb(api)

    nodes = kube().cluster().nodes or ()

    assert [(node.name, node.addresses, node.ready, node.schedulable) for node in nodes] == [
        (f"rc-n{number}", (f"10.99.0.1{number}",), True, True) for number in (1, 2, 3)
    ]


CONTROL_PLANE = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("spec", "schedulable", "taints"),
    [
        ({"unschedulable": True}, False, ()),
        ({"taints": [CONTROL_PLANE]}, False, ((CONTROL_PLANE["key"], "", "NoSchedule"),)),
        ({"taints": [{"key": "x", "value": "y", "effect": "NoExecute"}]}, False, (("x", "y", "NoExecute"),)),
        ({"taints": [{"key": "x", "effect": "PreferNoSchedule"}]}, True, ()),
        ({"taints": None}, True, ()),
    ],
)
def test_a_node_that_takes_no_pods(
    api: Api,
    kube: Connect,
    spec: dict[str, Any],
    *,
    schedulable: bool,
    taints: tuple[tuple[str, str, str], ...],
) -> None:
    """Cordoned or tainted nodes are not schedulable; blocking taints are kept, a preference does not count."""
    everywhere(api)
    item = {"metadata": {"name": "n"}, "spec": spec, "status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    api.on("GET /api/v1/nodes", reply({"items": [item], "metadata": {}}))

    expected = Node(name=NodeName("n"), addresses=(), ready=False, schedulable=schedulable, taints=taints)

    assert kube().cluster().nodes == (expected,)


def test_what_we_may_not_read_is_none_and_named(api: Api, kube: Connect) -> None:
    """403 on some kinds: those are None, their rights are listed, the others are there."""
    cilium(api, **L2)
    for what in ("GET /api/v1/nodes", SLICES, POOLS, POLICIES):
        api.on(what, DENIED)

    cluster = kube().cluster()

    assert (cluster.nodes, cluster.pools, cluster.policies) == (None, None, None)
    assert named(cluster.services, "blue-1").backends is None
    assert set(cluster.missing_rights) == {
        Right(verb="list", resource="nodes"),
        Right(verb="list", resource="endpointslices", group="discovery.k8s.io"),
        Right(verb="list", resource="ciliumloadbalancerippools", group="cilium.io"),
        Right(verb="list", resource="ciliuml2announcementpolicies", group="cilium.io"),
    }
    assert cluster.announcing is True


def test_who_may_list_one_namespace_only_gets_that_one(api: Api, kube: Connect) -> None:
    """Services and slices fall back to it, each by itself, and say so; with a right to all the rest is not left out."""
    cilium(api, **L2)
    api.on("GET /api/v1/namespaces/l2fix/services", reply(recorded("cilium/services.json")))
    slices = "GET /apis/discovery.k8s.io/v1/namespaces/l2fix/endpointslices"
    api.on(slices, reply(recorded("metallb/endpointslices.json")))
    reach = kube().transport
    wide = survey(reach, None, "l2fix")[0]
    for what in ("GET /api/v1/services", SLICES):
        api.on(what, DENIED)

    narrow, blind = survey(reach, None, "l2fix")[0], survey(reach, None)[0]

    assert (wide.within, narrow.within, narrow.missing_rights) == ("", "l2fix", ())
    assert narrow.services == wide.services
    assert (blind.services, blind.within) == (None, "")
    assert {right.resource for right in blind.missing_rights} == {"services", "endpointslices"}


def test_a_namespace_that_denies_too_is_named(api: Api, kube: Connect) -> None:
    """The missing right is that in the namespace: no more is needed."""
    cilium(api, **L2)
    path = "/apis/discovery.k8s.io/v1/namespaces/l2fix/endpointslices"
    for what in (SLICES, f"GET {path}", "GET /api/v1/services", "GET /api/v1/namespaces/l2fix/services"):
        api.on(what, DENIED)

    found = survey(kube().transport, None, "l2fix")[0]

    assert found.services is None
    assert set(found.missing_rights) == {
        Right(verb="list", resource="services", namespace="l2fix"),
        Right(verb="list", resource="endpointslices", group="discovery.k8s.io", namespace="l2fix"),
    }


def test_what_does_not_exist_is_not_denied(api: Api, kube: Connect) -> None:
    """RBAC answers 403 for kinds of an API group that is not served too; that costs no verdict and is not named."""
    metallb(api)
    for what in (POOLS, POLICIES, CONFIG):
        api.on(what, DENIED)
    api.on("GET /apis", reply({"groups": [{"name": "apps"}]}))

    assert kube().cluster().missing_rights == ()


def test_a_denied_configuration_leaves_it_open_whether_cilium_announces(api: Api, kube: Connect) -> None:
    """Not looked is None, not False."""
    cilium(api)
    api.on(CONFIG, DENIED)

    cluster = kube().cluster()

    assert (cluster.implementation, cluster.announcing, cluster.datapath) == ("cilium", None, None)
    assert Right(verb="get", resource="configmaps", namespace="kube-system") in cluster.missing_rights


def test_one_list_that_hangs_is_an_error_in_time(api: Api, kube: Connect) -> None:
    """The whole survey fails with the name of the list that did not come."""
    cilium(api)
    api.on("GET /api/v1/services", hang)

    with pytest.raises(ClusterError, match=r"did not answer GET /api/v1/services\?limit=500 within 0\.3 s"):
        kube(request_timeout=0.3).cluster()


def test_what_services_ask_for_is_read(api: Api, kube: Connect) -> None:
    """Recorded Services: wanted addresses by annotation and by field, sharing keys, selectors; written ones: ranges."""
    cilium(api, **L2)
    services = kube().cluster().services
    metallb(api)
    others = kube().cluster().services

    assert named(services, "lbip-field").wanted == ("10.99.0.178",)
    assert named(services, "wanted-taken").wanted
    assert named(services, "shared-a").sharing_key == named(services, "shared-b").sharing_key != ""
    assert named(services, "blue-1").sharing_key == ""
    assert named(others, "shared-a").sharing_key == named(others, "shared-b").sharing_key != ""
    assert named(others, "wanted-by-field").wanted
    assert dict(named(others, "ok-local").selector)


def test_source_ranges_and_unspecified_wishes(api: Api, kube: Connect) -> None:
    """Ranges come without blanks; kube-vip's 0.0.0.0 asks for any address."""
    everywhere(api)
    metadata = {"name": "a", "namespace": "b", "annotations": {"kube-vip.io/loadbalancerIPs": "0.0.0.0"}}
    spec = {"type": "LoadBalancer", "loadBalancerSourceRanges": [" 192.0.2.0/24"]}
    api.on("GET /api/v1/services", reply({"items": [{"metadata": metadata, "spec": spec}], "metadata": {}}))

    (found,) = kube().cluster().services or ()

    assert (found.wanted, found.source_ranges) == ((), ("192.0.2.0/24",))


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({}, (False, False, None)),
        ({"service.cilium.io/global": "True"}, (True, False, None)),
        ({"io.cilium/global-service": "true", "service.cilium.io/shared": "false"}, (True, False, None)),
        ({"service.cilium.io/global": "false"}, (False, False, None)),
        ({"service.cilium.io/src-ranges-policy": "Deny"}, (False, True, None)),
        ({"service.cilium.io/forwarding-mode": "snat"}, (False, False, Datapath.SNAT)),
        ({"service.cilium.io/forwarding-mode": "other"}, (False, False, None)),
    ],
)
def test_what_ciliums_annotations_say_of_a_service(
    api: Api, kube: Connect, annotations: dict[str, str], expected: tuple[bool, bool, Datapath | None]
) -> None:
    """Whether other clusters serve it too, whether its source ranges refuse, and which datapath mode it asks for."""
    everywhere(api)
    metadata = {"name": "a", "namespace": "b", "annotations": annotations}
    api.on(
        "GET /api/v1/services",
        reply({"items": [{"metadata": metadata, "spec": {"type": "LoadBalancer"}}], "metadata": {}}),
    )

    (found,) = kube().cluster().services or ()

    assert (found.beyond, found.ranges_refuse, found.forwarding) == expected


K3S = "svccontroller.k3s.cattle.io"


@pytest.mark.parametrize(
    ("labels", "namespace"),
    [
        (
            {"svccontroller.k3s.cattle.io/svcname": "web", "svccontroller.k3s.cattle.io/svcnamespace": "shop"},
            "kube-system",
        ),
        ({}, "shop"),
    ],
)
def test_every_controller_that_gives_addresses_is_named(
    api: Api, kube: Connect, labels: dict[str, str], namespace: str
) -> None:
    """Pools show Cilium and MetalLB; a DaemonSet of ServiceLB shows which Service it serves, also without labels."""
    cilium(api, **L2)
    agent = daemon_set("cilium", "quay.io/cilium/cilium:v1.19.3", {"k8s-app": "cilium"})
    balancer = daemon_set("svclb-web", "rancher/klipper-lb:v0.4.9", labels, namespace)
    api.on(DAEMON_SETS, reply({"items": [agent, balancer], "metadata": {}}))
    api.on(METALLB_POOLS, reply(recorded("metallb/ipaddresspools.json")))

    found = kube().cluster().controllers or ()

    assert [(one.name, one.service) for one in found] == [
        ("Cilium LB IPAM", ""),
        ("MetalLB", ""),
        ("k3s ServiceLB", "shop/web"),
    ]
    assert "DaemonSet" in found[-1].source


def test_lb_ipam_that_is_off_gives_nothing(api: Api, kube: Connect) -> None:
    """enable-lb-ipam=false takes it out; DaemonSets that may not be read leave it open."""
    cilium(api, **L2, **{"enable-lb-ipam": "false"})
    off = kube().cluster().controllers
    api.on(DAEMON_SETS, DENIED)

    assert off == ()
    assert kube().cluster().controllers is None


@pytest.mark.parametrize("build", [cilium, metallb])
def test_recorded_clusters_raise_none_of_what_objects_show(api: Api, kube: Connect, build: Any) -> None:  # noqa: ANN401 - a function
    """Real objects of healthy clusters, shared addresses and wishes among them, are accused of nothing new."""
    build(api, **(L2 if build is cilium else {}))
    cluster = kube().cluster()
    trials = tuple(
        Trial(name=service.name, service=service, placement=Placement.ANY, own=False)
        for service in cluster.services or ()
    )
    evidence = Evidence(cluster=cluster, vantage=Vantage(interface="eth0"), trials=trials, command="diagnose")

    found = {one.code for one in judge(evidence)}

    assert not found & {"A05", "A06", "A07", "A08", "B03", "B05", "B08", "B09", "B10", "C07", "D13", "V07"}
