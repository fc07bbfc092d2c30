"""Cluster IPs and node ports of Services. What is taken is read from the Services themselves, so nothing can leak."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from l2probe.lab.api.causes import wrong
from l2probe.lab.api.objects import Obj, dig, name_of, namespace_of
from l2probe.lab.api.status import ApiError, Cause, invalid

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

NODE_PORTS: Final = range(30000, 32768)
FAMILIES: Final = {4: "IPv4", 6: "IPv6"}
NONE: Final = "None"


@dataclass(frozen=True, slots=True)
class Ranges:
    """The Service CIDRs; the first one is the primary family."""

    networks: tuple[Network, ...] = (ipaddress.ip_network("10.96.0.0/16"), ipaddress.ip_network("fd00:10:96::/112"))

    def of(self, family: str) -> Network | None:
        """Return the network of IPv4 or IPv6."""
        return next((network for network in self.networks if FAMILIES[network.version] == family), None)

    @property
    def families(self) -> list[str]:
        """The cluster's families, primary first."""
        return [FAMILIES[network.version] for network in self.networks]


def _refused(service: Obj, cause: Cause) -> ApiError:
    return invalid("", "Service", name_of(service), [cause])


def _same(one: Obj, other: Obj | None) -> bool:
    return other is not None and (namespace_of(one), name_of(one)) == (namespace_of(other), name_of(other))


class Allocator:
    """Gives Services addresses and ports of their own."""

    def __init__(self, ranges: Ranges) -> None:
        self._ranges = ranges

    def allocate(self, service: Obj, before: Obj | None, others: Iterable[Obj]) -> None:
        """Complete `service` in place; `others` are all Services of the cluster. 422 when a wish cannot be met."""
        present = [each for each in others if not _same(each, service)]
        spec = service["spec"]
        if before is not None:
            self._carry(spec, before["spec"])
        if spec["type"] == "ExternalName":
            for key in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "healthCheckNodePort"):
                spec.pop(key, None)
            return
        self._families(service)
        self._addresses(service, {ip for each in present for ip in each["spec"].get("clusterIPs") or ()})
        self._ports(service, {port for each in present for port in node_ports(each["spec"])})

    def _carry(self, spec: Obj, old: Obj) -> None:
        for key in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if not spec.get(key) and old.get(key):
                spec[key] = old[key]
        if spec.get("clusterIP") and not spec.get("clusterIPs"):
            spec["clusterIPs"] = [spec["clusterIP"]]
        held = {(port.get("port"), port.get("protocol")): port.get("nodePort") for port in old.get("ports") or ()}
        for port in spec.get("ports") or ():
            known = held.get((port.get("port"), port.get("protocol")))
            if known and not port.get("nodePort") and wants_node_ports(spec):
                port["nodePort"] = known
        if needs_health_port(spec) and old.get("healthCheckNodePort"):
            spec.setdefault("healthCheckNodePort", old["healthCheckNodePort"])

    def _families(self, service: Obj) -> None:
        spec = service["spec"]
        wanted = list(spec.get("ipFamilies") or ())
        given = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
        if not wanted and given and given[0] != NONE:
            wanted = [FAMILIES[ipaddress.ip_address(ip).version] for ip in given]
        policy = spec.setdefault("ipFamilyPolicy", "SingleStack" if len(wanted) <= 1 else "RequireDualStack")
        families = wanted or self._ranges.families[:1]
        if policy != "SingleStack":
            families = list(dict.fromkeys([*families, *self._ranges.families]))
            if policy == "RequireDualStack" and len(families) == 1:
                text = "this cluster is not configured for dual-stack services"
                raise _refused(service, wrong("spec.ipFamilyPolicy", policy, text))
        for index, family in enumerate(families):
            if self._ranges.of(family) is None:
                raise _refused(service, wrong(f"spec.ipFamilies[{index}]", family, "not configured on this cluster"))
        spec["ipFamilies"] = families[:1] if policy == "SingleStack" else families

    def _addresses(self, service: Obj, taken: set[str]) -> None:
        spec = service["spec"]
        given = list(spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else []))
        if given[:1] != [NONE]:
            families = spec["ipFamilies"]
            for ip in given:
                self._check_address(service, ip, taken)
            by_family = {FAMILIES[ipaddress.ip_address(ip).version]: ip for ip in given}
            given = [by_family.get(family) or self._free_address(family, taken) for family in families]
        spec["clusterIPs"], spec["clusterIP"] = given, given[0]

    def _check_address(self, service: Obj, ip: str, taken: set[str]) -> None:
        family = FAMILIES[ipaddress.ip_address(ip).version]
        network = self._ranges.of(family)
        field, given = "spec.clusterIPs", service["spec"].get("clusterIPs") or [ip]
        if network is None or ipaddress.ip_address(ip) not in network:
            valid = f"The range of valid IPs for service {family} is {network}"
            why = f"the provided IP ({ip}) is not in the valid range. {valid}"
            raise _refused(service, wrong(field, given, f"failed to allocate IP {ip}: {why}"))
        if ip in taken:
            raise _refused(
                service, wrong(field, given, f"failed to allocate IP {ip}: provided IP is already allocated")
            )

    def _free_address(self, family: str, taken: set[str]) -> str:
        network = self._ranges.of(family)
        if network is None:
            raise ValueError(family)
        while True:
            ip = str(network[1 + secrets.randbelow(network.num_addresses - 2)])
            if ip not in taken:
                return ip

    def _ports(self, service: Obj, taken: set[int]) -> None:
        spec = service["spec"]
        ports = spec.get("ports") or []
        if wants_node_ports(spec):
            self._node_ports(service, ports, taken)
        elif spec["type"] == "ClusterIP":
            for port in ports:
                port.pop("nodePort", None)
        if needs_health_port(spec):
            spec["healthCheckNodePort"] = spec.get("healthCheckNodePort") or free_port({*taken, *node_ports(spec)})
        else:
            spec.pop("healthCheckNodePort", None)

    def _node_ports(self, service: Obj, ports: Sequence[Obj], taken: set[int]) -> None:
        shared = {port.get("port"): port["nodePort"] for port in ports if port.get("nodePort")}
        for index, port in enumerate(ports):
            chosen = port.get("nodePort")
            field = f"spec.ports[{index}].nodePort"
            if chosen and chosen not in NODE_PORTS:
                why = "provided port is not in the valid range. The range of valid ports is 30000-32767"
                raise _refused(service, wrong(field, chosen, why))
            if chosen in taken:
                raise _refused(service, wrong(field, chosen, "provided port is already allocated"))
            if not chosen:
                number = shared.get(port.get("port")) or free_port({*taken, *shared.values()})
                shared[port.get("port")] = port["nodePort"] = number


def wants_node_ports(spec: Obj) -> bool:
    """Say whether a Service gets node ports."""
    balanced = spec["type"] == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False
    return spec["type"] == "NodePort" or balanced


def needs_health_port(spec: Obj) -> bool:
    """Say whether a Service gets a healthCheckNodePort."""
    return spec["type"] == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def node_ports(spec: Obj) -> set[int]:
    """Return all node ports that a Service holds."""
    held = {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}
    health = dig(spec, "healthCheckNodePort")
    return held | ({health} if health else set())


def free_port(taken: set[int]) -> int:
    """Return a random node port that nobody holds."""
    while True:
        port = secrets.choice(NODE_PORTS)
        if port not in taken:
            return port
