"""Address pools as numbers: ranges, what conflicts, what is free. Pure; knows no Service.

Rules: https://docs.cilium.io/en/stable/network/lb-ipam/ and operator/pkg/lbipam of Cilium 1.18.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from l2probe.lab.controllers.objects import Obj, age_order, dig, selects

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Addresses from `first` to `last`, both included, of one family."""

    first: Address
    last: Address

    def __str__(self) -> str:
        return f"{self.first} - {self.last}"

    def __contains__(self, address: Address) -> bool:
        return self.first.version == address.version and int(self.first) <= int(address) <= int(self.last)

    def overlaps(self, other: Range) -> bool:
        """Say whether some address is in both."""
        return self.first in other or other.first in self

    @property
    def size(self) -> int:
        """How many addresses it holds."""
        return int(self.last) - int(self.first) + 1

    def free(self, used: Collection[Address]) -> Address | None:
        """Return the lowest address that is not used, or None."""
        kind = type(self.first)
        numbers = range(int(self.first), int(self.last) + 1)
        return next((address for number in numbers if (address := kind(number)) not in used), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A CiliumLoadBalancerIPPool. `conflict` is the message of its PoolConflict condition, empty without one."""

    name: str
    ranges: tuple[Range, ...]
    selector: Obj | None
    disabled: bool
    conflict: str = ""

    @property
    def allocates(self) -> bool:
        """Whether new addresses come from it; those given before stay even when it is disabled."""
        return not self.disabled and not self.conflict

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Say whether its serviceSelector matches these labels."""
        return selects(self.selector, labels)

    def __contains__(self, address: Address) -> bool:
        return any(address in part for part in self.ranges)

    @property
    def size(self) -> int:
        """How many addresses it holds."""
        return sum(part.size for part in self.ranges)


def _block(block: Obj, *, whole: bool) -> Range:
    if block.get("cidr"):
        # Cilium masks host bits: 198.51.100.200/28 is .192 to .207.
        net = ipaddress.ip_network(block["cidr"], strict=False)
        first, last = net.network_address, net.broadcast_address
        if not whole and net.num_addresses > 2:  # noqa: PLR2004 - a /31 or /127 has no first and last to leave out
            first, last = first + 1, last - 1
        return Range(first=first, last=last)
    first = ipaddress.ip_address(block["start"])
    return Range(first=first, last=ipaddress.ip_address(block.get("stop") or block["start"]))


def _ranges(spec: Obj) -> Iterator[Range]:
    whole = spec.get("allowFirstLastIPs", "Yes") != "No"
    for block in spec.get("blocks") or ():
        try:
            yield _block(block, whole=whole)
        except (KeyError, ValueError):
            continue


def _overlap(mine: Iterable[Range], others: Sequence[Pool]) -> str:
    for part in mine:
        for other in others:
            for theirs in other.ranges:
                if part.overlaps(theirs):
                    return f"Pool conflicts since range '{part}' overlaps range '{theirs}' from IP Pool '{other.name}'"
    return ""


def read_pools(objects: Iterable[Obj]) -> tuple[Pool, ...]:
    """Return the pools, oldest first; a pool that overlaps an older one that works is marked as conflicting."""
    pools: list[Pool] = []
    for obj in sorted(objects, key=age_order):
        spec = obj.get("spec") or {}
        ranges = tuple(_ranges(spec))
        pools.append(
            Pool(
                name=obj["metadata"]["name"],
                ranges=ranges,
                selector=dig(spec, "serviceSelector"),
                disabled=bool(spec.get("disabled")),
                conflict=_overlap(ranges, [pool for pool in pools if not pool.conflict]),
            ),
        )
    return tuple(pools)
