"""Which free addresses are asked for: those of the pools, bounded, and no other."""

from __future__ import annotations

from l2probe.audit.pools import MOST, free
from l2probe.model import Cluster, Ip, Pool


def pools(*blocks: str) -> Cluster:
    """Return a cluster with one pool of these blocks."""
    return Cluster(pools=(Pool(name="lan", blocks=blocks),))


def test_every_form_of_a_block_is_read() -> None:
    """CIDR with host bits, ranges, single addresses, both families, each address once; what is used is left out."""
    found = free(pools("10.0.0.2/30", "10.0.0.3-10.0.0.5", "2001:db8::1-2001:db8::2"), frozenset({Ip("10.0.0.1")}))

    assert found == ("10.0.0.0", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "2001:db8::1", "2001:db8::2")


def test_no_network_is_scanned() -> None:
    """Blocks that are too large, odd or the wrong way round are left out; many small ones end at the bound."""
    assert (
        free(pools("2001:db8::/64", "10.0.0.0/8", "a-b", "10.0.0.9-10.0.0.1", "10.0.0.1-2001:db8::1"), frozenset())
        == ()
    )
    assert len(free(pools("10.0.0.0/21", "10.1.0.0/20"), frozenset())) == MOST
    assert free(Cluster(), frozenset()) == ()
