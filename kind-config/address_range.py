#!/usr/bin/env python3
"""Picks a LoadBalancer address range inside a container network, by arithmetic. Standard library only.

    docker network inspect kind | ./address_range.py              # 172.18.255.200-172.18.255.249
    docker network inspect kind | ./address_range.py --family 6
    ./address_range.py --subnet 10.89.0.0/24 --avoid 10.89.0.210

Reads `docker network inspect` (or podman's) as JSON from standard input, unless --subnet is given, and prints
`first-last`. It asks neither docker nor the network: what it is not told, it does not know.

The range is the 50 addresses below the last six of the subnet, because Docker's IPAM hands out the lowest free
address first. Addresses in use (containers, the gateway, --avoid) push it down. At least 16 addresses stay below
it for the nodes, so an IPv4 subnet smaller than /25 is refused.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

SIZE = 50
"""Addresses in a range."""
ABOVE = 5
"""Addresses left free between the range and the subnet's last (broadcast) address."""
BELOW = 16
"""Addresses left for nodes and containers at the low end, the network address included."""

Family = Literal[4, 6]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class RangeError(Exception):
    """No range could be picked; the message says why, in one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A container network: its subnets in the order in which it lists them, and the addresses in use."""

    subnets: tuple[Network, ...]
    used: frozenset[Address] = frozenset()


def pick(segment: Segment, family: Family) -> tuple[Address, Address]:
    """Return the first and the last address of the range in the first subnet of `family` that has room.

    Raises RangeError when there is no such subnet, or none has room.
    """
    candidates = [subnet for subnet in segment.subnets if subnet.version == family]
    if not candidates:
        raise RangeError(f"The network has no IPv{family} subnet.")
    for subnet in candidates:
        first = _highest_free(subnet, segment.used)
        if first is not None:
            return subnet[first], subnet[first + SIZE - 1]
    named = ", ".join(map(str, candidates))
    raise RangeError(
        f"No {SIZE} addresses in a row are free in {named} above the lowest {BELOW}, which the nodes need: "
        f"make the network larger (an IPv4 /24 always has room on a new network)."
    )


def _highest_free(subnet: Network, used: Collection[Address]) -> int | None:
    """Return the offset in `subnet` of the highest free range, or None when it has none."""
    lowest = int(subnet.network_address)
    taken = sorted((int(address) - lowest for address in used if address in subnet), reverse=True)
    last = subnet.num_addresses - 1 - ABOVE - 1
    for offset in taken:
        if last - SIZE < offset <= last:
            last = offset - 1
    first = last - SIZE + 1
    return first if first >= BELOW else None


def read_inspection(text: str) -> Segment:
    """Read `docker network inspect NAME` or `podman network inspect NAME`; raises RangeError if it is neither."""
    try:
        networks = json.loads(text)
    except ValueError as error:
        raise RangeError(f"Standard input is not the JSON of `docker network inspect`: {error}.") from None
    if not isinstance(networks, list) or len(networks) != 1 or not isinstance(networks[0], dict):
        raise RangeError(
            "Standard input must describe exactly one network, as `docker network inspect NAME` prints it."
        )
    network = cast("Mapping[str, object]", networks[0])
    configs = list(_subnet_configs(network))
    used = {_address(text) for text in (*_gateways(configs), *_container_addresses(network))}
    return Segment(
        subnets=tuple(_subnet(_text(config, "Subnet", "subnet")) for config in configs), used=frozenset(used)
    )


def _subnet_configs(network: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """Yield docker's IPAM.Config entries, or podman's subnets."""
    ipam = network.get("IPAM")
    listed = ipam.get("Config") if isinstance(ipam, dict) else network.get("subnets")
    for config in listed if isinstance(listed, list) else ():
        if isinstance(config, dict) and _text(config, "Subnet", "subnet"):
            yield config


def _gateways(configs: Sequence[Mapping[str, object]]) -> Iterator[str]:
    """Yield the router's address of each subnet, and what the network was told to keep free (AuxiliaryAddresses)."""
    for config in configs:
        if gateway := _text(config, "Gateway", "gateway"):
            yield gateway
        reserved = config.get("AuxiliaryAddresses")
        yield from map(str, reserved.values()) if isinstance(reserved, dict) else ()


def _container_addresses(network: Mapping[str, object]) -> Iterator[str]:
    """Yield the addresses of the containers that docker lists on the network."""
    containers = network.get("Containers")
    for container in containers.values() if isinstance(containers, dict) else ():
        for key in ("IPv4Address", "IPv6Address"):
            if isinstance(container, dict) and container.get(key):
                yield str(container[key])


def _text(config: Mapping[str, object], *keys: str) -> str:
    return next((str(config[key]) for key in keys if config.get(key)), "")


def _subnet(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise RangeError(f"{text!r} is not a subnet such as 172.18.0.0/16.") from None


def _address(text: str) -> Address:
    """Read an address; docker writes those of containers with their prefix length."""
    try:
        return ipaddress.ip_interface(text).ip
    except ValueError:
        raise RangeError(f"{text!r} is not an address such as 172.18.0.2.") from None


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Pick a LoadBalancer address range inside a container network.")
    parser.add_argument("--family", type=int, choices=(4, 6), default=4, help="IP version of the range (default: 4)")
    parser.add_argument("--subnet", action="append", default=[], help="use this subnet instead of standard input")
    parser.add_argument("--avoid", action="append", default=[], metavar="ADDRESS", help="an address in use; repeatable")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the range; exit code 0, or 2 and one sentence on standard error when there is none."""
    arguments = _arguments(argv)
    try:
        segment = (
            Segment(subnets=tuple(map(_subnet, arguments.subnet)))
            if arguments.subnet
            else read_inspection(sys.stdin.read())
        )
        used = segment.used | {_address(text) for text in arguments.avoid}
        first, last = pick(Segment(subnets=segment.subnets, used=used), arguments.family)
    except RangeError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{first}-{last}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
