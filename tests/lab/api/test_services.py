"""Services: what the API server decides for them, and what it does not let anyone decide."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from tests.lab.api.client import DEFAULT, Server, service

PATH = f"{DEFAULT}/services"
NOW = "2026-01-01T00:00:00Z"
PORTS = range(30000, 32768)
TCP_UDP = [
    {"name": "http", "port": 80, "targetPort": 8080},
    {"name": "http-udp", "port": 80, "targetPort": 8080, "protocol": "UDP"},
]


def test_the_defaults_of_a_load_balancer(server: Server) -> None:
    """A LoadBalancer Service gets the defaults, one address and the node ports that a real server gives."""
    spec = server.make(PATH, service("web"))["spec"]

    assert spec["externalTrafficPolicy"] == "Cluster"
    assert spec["internalTrafficPolicy"] == "Cluster"
    assert spec["sessionAffinity"] == "None"
    assert spec["allocateLoadBalancerNodePorts"] is True
    assert (spec["ipFamilyPolicy"], spec["ipFamilies"]) == ("SingleStack", ["IPv4"])
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert ipaddress.ip_address(spec["clusterIP"]) in ipaddress.ip_network("10.96.0.0/16")
    assert spec["ports"][0]["protocol"] == "TCP"
    assert spec["ports"][0]["nodePort"] in PORTS
    assert "healthCheckNodePort" not in spec


def test_one_port_number_shares_a_node_port(server: Server) -> None:
    """TCP and UDP of one port get one node port, as recorded."""
    ports = server.make(PATH, service("web", ports=TCP_UDP))["spec"]["ports"]

    assert ports[0]["nodePort"] == ports[1]["nodePort"]


def test_policy_local_gets_a_health_port(server: Server) -> None:
    """Policy Local brings healthCheckNodePort; going back to Cluster takes it away."""
    local = server.make(PATH, service("web", externalTrafficPolicy="Local"))["spec"]
    kept = server.patch(f"{PATH}/web", {"metadata": {"labels": {"a": "b"}}}).body["spec"]
    cluster = server.patch(f"{PATH}/web", {"spec": {"externalTrafficPolicy": "Cluster"}}).body["spec"]

    assert local["healthCheckNodePort"] in PORTS
    assert kept["healthCheckNodePort"] == local["healthCheckNodePort"]
    assert "healthCheckNodePort" not in cluster


@pytest.mark.parametrize(
    ("wish", "policy", "families"),
    [
        ({}, "SingleStack", ["IPv4"]),
        ({"ipFamilies": ["IPv6"]}, "SingleStack", ["IPv6"]),
        ({"ipFamilyPolicy": "PreferDualStack"}, "PreferDualStack", ["IPv4", "IPv6"]),
        ({"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6"]}, "RequireDualStack", ["IPv6", "IPv4"]),
        ({"ipFamilies": ["IPv6", "IPv4"]}, "RequireDualStack", ["IPv6", "IPv4"]),
    ],
)
def test_families(server: Server, wish: dict[str, Any], policy: str, families: list[str]) -> None:
    """The cluster is dual-stack, IPv4 first; every policy gets the families it asks for, with an address of each."""
    spec = server.make(PATH, service("web", **wish))["spec"]
    versions = [f"IPv{ipaddress.ip_address(ip).version}" for ip in spec["clusterIPs"]]

    assert (spec["ipFamilyPolicy"], spec["ipFamilies"], versions) == (policy, families, families)


def test_a_service_can_become_dual_stack(server: Server) -> None:
    """A change of policy adds the second address and keeps the first; going back drops it again."""
    first = server.make(PATH, service("web"))["spec"]
    both = server.patch(f"{PATH}/web", {"spec": {"ipFamilyPolicy": "PreferDualStack"}}).body["spec"]

    assert both["clusterIPs"][0] == first["clusterIP"]
    assert both["ipFamilies"] == ["IPv4", "IPv6"]


def test_addresses_and_ports_survive_an_update(server: Server) -> None:
    """A PUT that leaves out what was allocated gets it back."""
    first = server.make(PATH, service("web"))["spec"]
    second = server.ask("PUT", f"{PATH}/web", service("web", selector={"app": "db"})).body["spec"]

    assert (second["clusterIP"], second["ports"]) == (first["clusterIP"], first["ports"])
    assert second["selector"] == {"app": "db"}


def test_no_node_ports_when_none_are_wanted(server: Server) -> None:
    """Without allocation, ClusterIP and headless Services have none; ExternalName has no address either."""
    bare = server.make(PATH, service("bare", allocateLoadBalancerNodePorts=False))["spec"]
    inner = server.make(PATH, service("inner", type="ClusterIP"))["spec"]
    headless = server.make(PATH, service("headless", type="ClusterIP", clusterIP="None"))["spec"]
    alias = server.make(
        PATH, service("alias", type="ExternalName", externalName="example.org", ports=None, selector=None)
    )["spec"]

    assert all("nodePort" not in spec["ports"][0] for spec in (bare, inner, headless))
    assert headless["clusterIPs"] == ["None"]
    assert "clusterIP" not in alias
    assert "externalTrafficPolicy" not in inner


def test_taken_and_impossible_wishes_are_refused(server: Server) -> None:
    """Addresses and ports outside the ranges, or taken, answer 422 and say which."""
    taken = server.make(PATH, service("first"))["spec"]
    port = taken["ports"][0]["nodePort"]
    wishes: list[tuple[dict[str, Any], str]] = [
        ({"clusterIP": taken["clusterIP"]}, "provided IP is already allocated"),
        ({"clusterIP": "192.0.2.1"}, "the provided IP (192.0.2.1) is not in the valid range"),
        ({"ports": [{"port": 80, "nodePort": port}]}, "provided port is already allocated"),
        ({"ports": [{"port": 80, "nodePort": 80}]}, "The range of valid ports is 30000-32767"),
        ({"ports": []}, "spec.ports: Required value"),
        ({"ports": [{"port": 80}, {"port": 81}]}, "spec.ports[0].name: Required value"),
        ({"ports": [{"port": 0}]}, "must be between 1 and 65535, inclusive"),
        ({"ports": [{"port": 80, "protocol": "ICMP"}]}, 'supported values: "SCTP", "TCP", "UDP"'),
        ({"ports": [{"name": "a", "port": 80}, {"name": "b", "port": 80}]}, "Duplicate value"),
        ({"type": "Balancer"}, 'Unsupported value: "Balancer"'),
        ({"type": "ClusterIP", "externalTrafficPolicy": "Local"}, "may only be set for externally-accessible services"),
        ({"loadBalancerSourceRanges": ["everyone"]}, "must be a valid CIDR value"),
        ({"ipFamilies": ["IPv5"]}, 'Unsupported value: "IPv5"'),
        ({"selector": {"app": "not valid"}}, "a valid label must be an empty string"),
        ({"clusterIP": "x"}, "must be a valid IP address"),
    ]
    for wish, words in wishes:
        answer = server.ask("POST", PATH, service("second", **wish))
        assert (answer.code, words in answer.body["message"]) == (422, True), (wish, answer.body["message"])


def test_some_things_are_decided_once(server: Server) -> None:
    """The cluster IP and the class of a Service cannot be changed."""
    server.make(PATH, service("web", loadBalancerClass="lab.test/a"))
    address = server.patch(f"{PATH}/web", {"spec": {"clusterIP": "10.96.9.9", "clusterIPs": ["10.96.9.9"]}})
    other = server.patch(f"{PATH}/web", {"spec": {"loadBalancerClass": "lab.test/b"}})

    assert [address.code, other.code] == [422, 422]
    assert "may not change once set" in other.body["message"]


def test_an_address_belongs_to_load_balancers(server: Server) -> None:
    """A ClusterIP Service cannot have ingress addresses, and an ingress address must be one."""
    server.make(PATH, service("inner", type="ClusterIP"))
    server.make(PATH, service("web"))
    codes = [
        server.patch(f"{PATH}/{name}/status", {"status": {"loadBalancer": {"ingress": [{"ip": ip}]}}}).code
        for name, ip in (("inner", "198.51.100.40"), ("web", "forty"), ("web", "2001:db8:1::40"))
    ]

    assert codes == [422, 422, 200]


def test_becoming_internal_gives_everything_back(server: Server) -> None:
    """A LoadBalancer that becomes a ClusterIP loses node ports, policy and address, and keeps its conditions."""
    server.make(PATH, service("web", externalTrafficPolicy="Local"))
    condition = {"type": "lab.test/Given", "status": "True", "reason": "x", "message": "", "lastTransitionTime": NOW}
    given = {"loadBalancer": {"ingress": [{"ip": "198.51.100.40"}]}, "conditions": [condition]}
    server.patch(f"{PATH}/web/status", {"status": given})
    inner = server.patch(f"{PATH}/web", {"spec": {"type": "ClusterIP"}})

    assert inner.code == 200, inner.body
    assert "nodePort" not in inner.body["spec"]["ports"][0]
    assert (
        not {"externalTrafficPolicy", "healthCheckNodePort", "allocateLoadBalancerNodePorts"}
        & inner.body["spec"].keys()
    )
    assert inner.body["status"] == {"loadBalancer": {}, "conditions": [condition]}


def test_every_cluster_has_its_own_service(server: Server) -> None:
    """The Service `kubernetes` is there from the first second, at the first address of the range."""
    spec = server.get(f"{PATH}/kubernetes").body["spec"]

    assert (spec["clusterIP"], spec["type"], spec["ports"][0]["port"]) == ("10.96.0.1", "ClusterIP", 443)
