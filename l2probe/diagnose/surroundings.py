"""What bears on Services beside themselves: who shares their addresses, how those change, who guards their Pods."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice

from l2probe.diagnose.edges import Api, Edges, Name
from l2probe.diagnose.subjects import key
from l2probe.errors import ClusterError
from l2probe.model import Cluster, Exchange, Ip, NetworkPolicy, Outcome, Pool, Right, Service

READINGS, READING_GAP = 3, 0.15
"""How often the addresses are read again while the network is asked, and seconds between: enough to see two writers."""
FEW = 16
"""Services whose addresses are followed; of more they are read once again, at the end."""
FREE = 64
"""Addresses of pools that are asked for before any Service has them: those that are handed out next."""
NAMESPACES = 16
"""Namespaces whose network policies are read."""

History = dict[Name, list[tuple[Ip, ...]]]
Guards = Mapping[str, tuple[NetworkPolicy, ...] | None]


def sharers(cluster: Cluster, services: Iterable[Service]) -> tuple[Service, ...]:
    """Return the other Services that have an address of these."""
    mine = {key(service): service for service in services}
    wanted = {vip for service in mine.values() for vip in service.vips}
    return tuple(one for one in cluster.services or () if key(one) not in mine and wanted.intersection(one.vips))


def note(history: History, api: Api) -> None:
    """Add the addresses as they are now, where they changed; a server that does not tell them changes nothing."""
    try:
        now = api.addresses(tuple(history))
    except ClusterError:
        return
    for name, vips in now.items():
        if history[name][-1] != vips:
            history[name].append(vips)


def follow(history: History, edges: Edges) -> None:
    """Read the addresses of a few Services several times."""
    for _ in range(READINGS if len(history) <= FEW else 0):
        note(history, edges.api)
        edges.pause(READING_GAP)


def free(cluster: Cluster, subnets: Sequence[str], own: Iterable[Ip]) -> tuple[Ip, ...]:
    """Return the first IPv4 addresses that pools would hand out on these subnets, and that nobody is known to have."""
    taken = {vip for service in cluster.services or () for vip in service.vips}
    taken |= {ip for node in cluster.nodes or () for ip in node.addresses} | set(own)
    networks = [ipaddress.ip_network(subnet) for subnet in subnets]
    blocks = [block for pool in cluster.pools or () if _hands_out(pool) for block in pool.blocks]
    every = chain.from_iterable(_first(block, len(taken) + FREE) for block in blocks)
    found = (ip for ip in dict.fromkeys(every) if ip not in taken)
    return tuple(islice((ip for ip in found if any(ipaddress.ip_address(ip) in net for net in networks)), FREE))


def _hands_out(pool: Pool) -> bool:
    return not pool.disabled and not pool.conflicting


def _first(block: str, most: int) -> Iterator[Ip]:
    """Yield the first IPv4 addresses of a block (CIDR or "first-last"); nothing of one that cannot be read."""
    try:
        if "-" in block:
            first, last = (ipaddress.IPv4Address(end.strip()) for end in block.split("-", 1))
        else:
            network = ipaddress.IPv4Network(block, strict=False)
            first, last = network.network_address, network.broadcast_address
    except ValueError:
        return
    for number in range(int(first), min(int(last), int(first) + most) + 1):
        yield Ip(str(ipaddress.IPv4Address(number)))


def guards(services: Iterable[Service], exchanges: Iterable[Exchange], api: Api) -> tuple[Guards, tuple[Right, ...]]:
    """Return the network policies of the namespaces whose Services lost everything, and the rights that were denied."""
    answered = {one.vip for one in exchanges if one.outcome is Outcome.ANSWERED}
    lost = {one.vip for one in exchanges if one.outcome in {Outcome.TIMEOUT, Outcome.REFUSED_ICMP} and not one.unsent}
    mute = (service for service in services if lost.intersection(service.vips) and not answered & set(service.vips))
    found: dict[str, tuple[NetworkPolicy, ...] | None] = {}
    denied: dict[Right, None] = {}
    for namespace in islice(dict.fromkeys(service.namespace for service in mute if service.selector), NAMESPACES):
        found[namespace], missing = api.network_policies(namespace)
        denied |= dict.fromkeys(missing)
    return found, tuple(denied)
