"""Which addresses a pool could still hand out: they should not answer yet. Pure, bounded."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from itertools import islice

from l2probe.model import Cluster, Ip

MOST = 4096
"""Free addresses that one sweep asks for: a /20. More would be a scan of somebody's network."""
NetworkOrRange = tuple[int, int, int]
"""IP version, first and last address as numbers."""


def free(cluster: Cluster, used: frozenset[Ip]) -> tuple[Ip, ...]:
    """Return the addresses of the pools that are not `used`, MOST at most; larger IPv6 blocks are left out."""
    blocks = [span for pool in cluster.pools or () for block in pool.blocks if (span := _span(block)) is not None]
    every = (address for span in blocks for address in _addresses(span) if address not in used)
    return tuple(dict.fromkeys(islice(every, MOST)))


def _span(block: str) -> NetworkOrRange | None:
    """Return the ends of a CIDR or "start-stop"; None for what is neither, or too large to be asked."""
    try:
        if "-" in block:
            first, last = (ipaddress.ip_address(end.strip()) for end in block.split("-", 1))
        else:
            network = ipaddress.ip_network(block, strict=False)
            first, last = network[0], network[-1]
    except ValueError:
        return None
    if first.version != last.version or not 0 <= int(last) - int(first) < MOST:
        return None
    return first.version, int(first), int(last)


def _addresses(span: NetworkOrRange) -> Iterator[Ip]:
    version, first, last = span
    make = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address  # noqa: PLR2004 - the IP version
    return (Ip(str(make(number))) for number in range(first, last + 1))
