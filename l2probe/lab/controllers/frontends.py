"""Services and EndpointSlices -> what every node's datapath forwards. Pure; the World turns it into nft rules."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from l2probe.lab.controllers.allocation import ingress_of
from l2probe.lab.controllers.behaviour import HEALTHY, Behaviour
from l2probe.lab.controllers.endpoints import SERVICE_NAME
from l2probe.lab.controllers.objects import Key, Obj, age_order, key_of, labels_of
from l2probe.lab.driver import Forwarding, Frontend, Target
from l2probe.lab.profiles import Profile


def by_service(slices: Iterable[Obj]) -> Mapping[Key, list[Obj]]:
    """Return the slices of each Service, whoever wrote them."""
    found: dict[Key, list[Obj]] = {}
    for part in sorted(slices, key=age_order):
        owner = labels_of(part).get(SERVICE_NAME)
        if owner:
            found.setdefault(Key(part["metadata"]["namespace"], owner), []).append(part)
    return found


def usable(endpoints: Sequence[Obj]) -> list[Obj]:
    """Return the endpoints that get traffic: the ready ones, else those that still serve while they terminate.

    KEP-1669 (ProxyTerminatingEndpoints); an absent `ready` counts as true (discovery/v1 EndpointConditions).
    """
    conditions = [(endpoint, endpoint.get("conditions") or {}) for endpoint in endpoints]
    ready = [endpoint for endpoint, state in conditions if state.get("ready") is not False]
    return ready or [endpoint for endpoint, state in conditions if state.get("serving") and state.get("terminating")]


def _targets(slices: Sequence[Obj], port: Obj, version: int) -> Iterator[Target]:
    for part in slices:
        if part["addressType"] != f"IPv{version}":
            continue
        named = (
            found["port"] for found in part.get("ports") or () if (found.get("name") or "") == port.get("name", "")
        )
        number = next(named, None)
        if number is None:
            continue
        for endpoint in usable(part.get("endpoints") or ()):
            yield Target(address=endpoint["addresses"][0], port=number, node=endpoint.get("nodeName"))


def _addresses(service: Obj) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    external = (ipaddress.ip_address(text) for text in service["spec"].get("externalIPs") or ())
    return list(dict.fromkeys((*ingress_of(service), *external)))


def _of_service(service: Obj, slices: Sequence[Obj], profile: Profile, behaviour: Behaviour) -> Iterator[Frontend]:
    spec = service["spec"]
    for address in _addresses(service):
        for port in spec.get("ports") or ():
            protocol = port.get("protocol", "TCP")
            yield Frontend(
                vip=str(address),
                port=port["port"],
                protocol=protocol,
                targets=tuple(_targets(slices, port, address.version)),
                forwarding=_forwarding(profile, behaviour, protocol),
                no_backend=behaviour.no_backend or profile.no_backend,
                local_only=spec.get("externalTrafficPolicy") == "Local",
                source_ranges=tuple(spec.get("loadBalancerSourceRanges") or ()),
                masquerade=behaviour.masquerade and spec.get("externalTrafficPolicy") != "Local",
                reversing=behaviour.reversing,
            )


def _forwarding(profile: Profile, behaviour: Behaviour, protocol: str) -> Forwarding:
    if not behaviour.dsr:
        return Forwarding.SNAT
    return (replace(profile, mode=behaviour.mode) if behaviour.mode else profile).forwarding(protocol)


def frontends(
    services: Iterable[Obj], slices: Iterable[Obj], profile: Profile, behaviour: Behaviour = HEALTHY
) -> tuple[Frontend, ...]:
    """Return the frontends of all Services that have an address; `behaviour`: what the datapath does of its mode."""
    parts = by_service(slices)
    return tuple(
        frontend
        for service in sorted(services, key=age_order)
        for frontend in _of_service(service, parts.get(key_of(service), []), profile, behaviour)
    )
