"""Address ranges as text: CIDR or "first-last". A range that cannot be read holds nothing."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from l2probe.judge.case import in_network
from l2probe.model import Admission, Ip


def widened(block: str) -> str:
    """Return "192.0.2.192 to 192.0.2.207" for a CIDR whose address is not its network's first one; "" for others.

    LB IPAM and MetalLB mask the host bits, so that such a block begins before the address that stands in it.
    """
    try:
        network = ipaddress.ip_network(block.strip(), strict=False)
        written = ipaddress.ip_address(block.partition("/")[0].strip())
    except ValueError:
        return ""
    if "/" not in block or written == network.network_address:
        return ""
    return f"{network.network_address} to {network.broadcast_address}"


def within(address: Ip, blocks: Iterable[str]) -> bool:
    """Whether one of the blocks holds the address."""
    return any(in_network(address, block) for block in blocks)


def admitted(address: Ip, admissions: Iterable[Admission]) -> bool:
    """Whether one of the admissions holds the address and does not leave it out."""
    return any(in_network(address, one.network) and not within(address, one.without) for one in admissions)
