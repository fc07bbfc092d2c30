"""Invariants of the lab's description, on which responder, datapath and tests rely."""

from __future__ import annotations

import ipaddress
from itertools import combinations

import pytest

from l2probe.lab.topology import (
    FIRST_POD,
    LAST_POD,
    MACHINES,
    NODES,
    PODS4,
    PODS6,
    POOL4,
    POOL6,
    SUBNET4,
    SUBNET6,
    home,
)


def test_every_machine_is_on_the_segment_and_unique() -> None:
    """Addresses are inside the segment; no MAC, address, port or index is used twice."""
    for machine in MACHINES:
        assert ipaddress.ip_address(machine.v4) in ipaddress.ip_network(SUBNET4)
        assert ipaddress.ip_address(machine.v6) in ipaddress.ip_network(SUBNET6)
    for one, other in combinations(MACHINES, 2):
        assert not {one.mac, one.v4, one.v6, one.port, one.port_index} & {
            other.mac,
            other.v4,
            other.v6,
            other.port,
            other.port_index,
        }


def test_the_pool_holds_no_machine() -> None:
    """No machine has an address that the pool may give away."""
    for first, last, address in (
        *((*POOL4, machine.v4) for machine in MACHINES),
        *((*POOL6, machine.v6) for machine in MACHINES),
    ):
        ip = ipaddress.ip_address(address)
        assert not int(ipaddress.ip_address(first)) <= int(ip) <= int(ipaddress.ip_address(last))


def test_interface_names_fit_the_kernel() -> None:
    """Linux allows 15 characters."""
    assert all(len(machine.port) <= 15 for machine in MACHINES)


@pytest.mark.parametrize("host", [FIRST_POD, LAST_POD])
def test_a_pods_address_tells_its_node(host: int) -> None:
    """Pod addresses are in their node's ranges, those are in the cluster's, and `home` finds the way back."""
    for site in NODES:
        v4, v6 = site.pod_addresses(host)
        assert ipaddress.ip_address(v4) in ipaddress.ip_network(site.pods4)
        assert ipaddress.ip_address(v6) in ipaddress.ip_network(site.pods6)
        assert ipaddress.ip_address(v4) in ipaddress.ip_network(PODS4)
        assert ipaddress.ip_address(v6) in ipaddress.ip_network(PODS6)
        assert home(v4) == home(v6) == site.name


def test_an_address_elsewhere_has_no_home() -> None:
    """The client is on no node."""
    assert home("198.51.100.100") is None
