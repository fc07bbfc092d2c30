"""What bears on Services beside themselves: who shares their addresses, how those change, who guards their Pods."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import islice
from typing import Protocol

from l2probe.diagnose.edges import Api, Name
from l2probe.diagnose.subjects import key
from l2probe.errors import ClusterError
from l2probe.model import Cluster, Exchange, Ip, NetworkPolicy, Outcome, Right, Service

READINGS, READING_GAP = 3, 0.15
"""How often the addresses are read again while the network is asked, and seconds between: enough to see two writers."""
FEW = 16
"""Services whose addresses are followed; of more they are read once again, at the end."""
NAMESPACES, MOST_POLICIES = 16, 256
"""Namespaces whose network policies are read; where there are more policies than that, whom they admit is not known."""
MOST_SHARERS = 64
"""Other Services at the same addresses whose claims are read: with ServiceLB every Service has every node's address."""

History = dict[Name, list[tuple[Ip, ...]]]
Guards = Mapping[str, tuple[NetworkPolicy, ...] | None]


def sharers(cluster: Cluster, services: Iterable[Service]) -> tuple[Service, ...]:
    """Return the other Services that have an address of these."""
    mine = {key(service): service for service in services}
    wanted = {vip for service in mine.values() for vip in service.vips}
    others = (one for one in cluster.services or () if key(one) not in mine and wanted.intersection(one.vips))
    return tuple(islice(others, MOST_SHARERS))


class Ingress(Protocol):
    """Tells which addresses Services have."""

    def addresses(self, services: Collection[Name]) -> Mapping[Name, tuple[Ip, ...]]:
        """Return the ingress addresses that these Services have now; () of one that is gone, nothing of one untold."""
        ...


def note(history: History, api: Ingress) -> None:
    """Add the addresses as they are now, where they changed; a server that does not tell them changes nothing."""
    try:
        now = api.addresses(tuple(history))
    except ClusterError:
        return
    for name, vips in now.items():
        if history[name][-1] != vips:
            history[name].append(vips)


def follow(history: History, api: Ingress, pause: Callable[[float], object]) -> None:
    """Read the addresses of a few Services several times."""
    for _ in range(READINGS if len(history) <= FEW else 0):
        note(history, api)
        pause(READING_GAP)


def guards(services: Iterable[Service], exchanges: Iterable[Exchange], api: Api) -> tuple[Guards, tuple[Right, ...]]:
    """Return the network policies of the namespaces whose Services lost everything, and the rights that were denied."""
    answered = {one.vip for one in exchanges if one.outcome is Outcome.ANSWERED}
    lost = {one.vip for one in exchanges if one.outcome in {Outcome.TIMEOUT, Outcome.REFUSED_ICMP} and not one.unsent}
    mute = (service for service in services if lost.intersection(service.vips) and not answered & set(service.vips))
    found: dict[str, tuple[NetworkPolicy, ...] | None] = {}
    denied: dict[Right, None] = {}
    for namespace in islice(dict.fromkeys(service.namespace for service in mute if service.selector), NAMESPACES):
        known, missing = api.network_policies(namespace)
        found[namespace] = known if len(known or ()) <= MOST_POLICIES else None
        denied |= dict.fromkeys(missing)
    return found, tuple(denied)
