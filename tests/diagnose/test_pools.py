"""Which free addresses are asked for: those that the pools hand out next, bounded, and no other."""

from __future__ import annotations

from dataclasses import replace

from l2probe.diagnose.pools import NEXT, free
from l2probe.model import Cluster, Ip, Pool
from tests.judge.diagnosed import API
from tests.judge.evidence import cluster

SUBNETS = ("198.51.100.0/24", "2001:db8:1::/64")


def pools(*blocks: str) -> Cluster:
    """Return a cluster with one pool of these blocks."""
    return Cluster(pools=(Pool(name="lan", blocks=blocks),))


def test_every_form_of_a_block_is_read() -> None:
    """CIDR with host bits, ranges, single addresses, both families, each address once; what is used is left out."""
    found = free(pools("10.0.0.2/30", "10.0.0.3-10.0.0.5", "2001:db8::1-2001:db8::2"), (Ip("10.0.0.1"),), most=4096)

    assert found == ("10.0.0.0", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "2001:db8::1", "2001:db8::2")


def test_no_network_is_scanned() -> None:
    """Of a large block the first addresses are asked for; many small ones end at the bound; rubbish holds nothing."""
    assert free(pools("10.0.0.0/8"), (Ip("10.0.0.0"),), most=4096) == tuple(f"10.0.0.{n}" for n in range(1, NEXT + 1))
    assert len(free(pools("2001:db8::/64"), (), most=4096)) == NEXT
    assert free(pools("a-b", "10.0.0.9-10.0.0.1", "10.0.0.1-2001:db8::1", "x"), (), most=4096) == ()
    assert len(free(pools("10.0.0.0/21", "10.1.0.0/20"), (), most=4096)) == 4096
    assert free(Cluster(), (), most=4096) == ()


def test_those_that_somebody_has_and_pools_that_give_nothing_are_left_out() -> None:
    """Nodes, Services, this host; disabled and conflicting pools; other subnets, where they are known."""
    given = (
        Pool(name="lan", blocks=("198.51.100.10-198.51.100.15",)),
        Pool(name="off", blocks=("198.51.100.0/24",), disabled=True),
        Pool(name="clash", blocks=("198.51.100.0/24",), conflicting=True),
        Pool(name="far", blocks=("203.0.113.0/31",)),
    )
    described = replace(cluster(), pools=given, services=(replace(API, vips=(Ip("198.51.100.15"),)),))
    own = (Ip("198.51.100.14"),)

    assert free(described, own, most=64, subnets=SUBNETS) == ("198.51.100.10",)
    assert free(described, own, most=64) == ("198.51.100.10", "203.0.113.0", "203.0.113.1")
