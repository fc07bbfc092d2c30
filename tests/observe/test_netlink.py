"""What the kernel says about this host; only what every host has."""

from __future__ import annotations

from l2probe.model import Ip
from l2probe.observe import netlink
from l2probe.observe.vantage import vantage


def test_the_loopback_is_known_and_has_no_neighbours() -> None:
    """Index 1, not Ethernet, with its address."""
    loopback = next(link for link in netlink.links() if link.index == 1)

    assert (loopback.mac, loopback.ethernet) == (None, False)
    address = next(each for each in netlink.addresses() if each.ip == "127.0.0.1")
    assert (address.index, address.prefix, str(address.network)) == (1, 8, "127.0.0.0/8")


def test_a_route_to_ourselves_is_local() -> None:
    """Own addresses are delivered here."""
    for own in ("127.0.0.1", "::1"):
        found = netlink.route(Ip(own))
        assert found is not None
        assert (found.local, found.gateway) == (True, None)


def test_nobody_is_asked_for_on_the_loopback() -> None:
    """There is no neighbour to be unresolved."""
    assert netlink.unresolved(Ip("127.0.0.1")) is None


def test_without_any_target_the_vantage_is_unknown() -> None:
    """No VIP and no node: no interface, and whether it is on the segment was not looked at."""
    seen = vantage([], [])

    assert (seen.interface, seen.on_link, seen.cluster_node) == (None, None, None)
