"""Which addresses pools would hand out next: they should not answer yet. Pure, bounded."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from l2probe.model import Cluster, Ip, Pool, Vantage

NEXT = 64
"""Addresses of a block that are asked for when it has more than may be asked for in all: its first ones."""
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Span = tuple[int, int, int]
"""IP version, first and last address as numbers."""


def of_others(vantage: Vantage) -> tuple[Ip, ...]:
    """Return the addresses of a segment that are known to belong to this host and to routers."""
    return (*vantage.addresses, *vantage.routers)


def free(cluster: Cluster, own: Iterable[Ip], *, most: int, subnets: Sequence[str] | None = None) -> tuple[Ip, ...]:
    """Return the first addresses, `most` at most, that usable pools hold and nobody is known to have.

    `own`: addresses besides those of nodes and Services that somebody has. Of a block that is larger than `most` only
    the first NEXT: more would be a scan of somebody's network. `subnets`: none that lie elsewhere (None: wherever).
    """
    taken = {vip for service in cluster.services or () for vip in service.vips}
    taken |= {ip for node in cluster.nodes or () for ip in node.addresses} | set(own)
    networks = None if subnets is None else [ipaddress.ip_network(subnet) for subnet in subnets]
    blocks = (block for pool in cluster.pools or () if _hands_out(pool) for block in pool.blocks)
    spans = (span for block in blocks if (span := _span(block)) is not None)
    every = chain.from_iterable(_first(span, most, taken) for span in spans)
    return tuple(dict.fromkeys(islice((ip for ip in every if networks is None or _inside(ip, networks)), most)))


def _hands_out(pool: Pool) -> bool:
    return not pool.disabled and not pool.conflicting


def _inside(ip: Ip, networks: Sequence[Network]) -> bool:
    address = ipaddress.ip_address(ip)
    return any(address in network for network in networks)


def _span(block: str) -> Span | None:
    """Return the ends of a CIDR or "first-last"; None of what is neither."""
    try:
        if "-" in block:
            first, last = (ipaddress.ip_address(end.strip()) for end in block.split("-", 1))
        else:
            network = ipaddress.ip_network(block, strict=False)
            first, last = network[0], network[-1]
    except ValueError:
        return None
    return (first.version, int(first), int(last)) if first.version == last.version else None


def _first(span: Span, most: int, taken: set[Ip]) -> Iterator[Ip]:
    """Yield the free addresses of a block; of a large one those that are handed out next."""
    version, first, last = span
    make = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address  # noqa: PLR2004 - the IP version
    every = (Ip(str(make(number))) for number in range(first, min(last, first + len(taken) + most) + 1))
    return islice((ip for ip in every if ip not in taken), most if last - first < most else NEXT)
