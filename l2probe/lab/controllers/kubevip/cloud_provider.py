"""kube-vip's cloud provider: chooses an address from its ConfigMap and writes it on the Service, for kube-vip to take.

pkg/provider/loadBalancer.go of kube-vip-cloud-provider 0.0.12; finalizer and Events are those of the service controller
in k8s.io/cloud-provider, in which it runs.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from l2probe.lab.controllers.client import NOT_FOUND, ApiError
from l2probe.lab.controllers.events import NORMAL, WARNING, Happened, Recorder
from l2probe.lab.controllers.kinds import SERVICE
from l2probe.lab.controllers.objects import Obj, age_order, annotations_of, dig, key_of, labels_of, uid_of
from l2probe.lab.controllers.plane import KUBE_VIP_RANGES, Plane
from l2probe.lab.controllers.pools import Address, Range

IPS = "kube-vip.io/loadbalancerIPs"
IMPLEMENTATION = {"implementation": "kube-vip"}
FINALIZER = "service.kubernetes.io/load-balancer-cleanup"


def wanted_ips(service: Obj) -> tuple[str, ...]:
    """Return the addresses that are written on the Service; the annotation goes before the field."""
    texts = annotations_of(service).get(IPS) or service["spec"].get("loadBalancerIP") or ""
    return tuple(text.strip() for text in texts.split(",") if text.strip())


def managed(service: Obj) -> bool:
    """Say whether it is the provider's: type LoadBalancer without a class."""
    return service["spec"].get("type") == "LoadBalancer" and not service["spec"].get("loadBalancerClass")


def read_ranges(text: str) -> tuple[Range, ...]:
    """Return the ranges of `first-last,first-last`; parts that are none are left out."""
    found = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        try:
            ends = ipaddress.ip_address(first.strip()), ipaddress.ip_address((last or first).strip())
        except ValueError:
            continue
        found.append(Range(first=ends[0], last=ends[1]))
    return tuple(found)


def choose(service: Obj, ranges: Iterable[Range], used: set[Address]) -> tuple[Address, ...] | None:
    """Return the lowest free address of each of the Service's families; None when one has none left."""
    named = service["spec"].get("ipFamilies") or ("IPv4",)
    parts, found = tuple(ranges), []
    for version in (int(family.removeprefix("IPv")) for family in named):
        free = (part.free(used) for part in parts if part.first.version == version)
        found.append(next((address for address in free if address is not None), None))
    given = tuple(address for address in found if address is not None)
    lenient = service["spec"].get("ipFamilyPolicy") == "PreferDualStack"
    return given if given and (lenient or len(given) == len(found)) else None


class CloudProvider:
    """One Service after the other, as the lock of its leader election makes it."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._recorder = Recorder(plane, "service-controller")
        self._refused: dict[str, str] = {}
        self._queue = plane.queue(self._reconcile)
        plane.services.subscribe(self._changed)
        plane.pools.subscribe(self._changed)

    def _changed(self, _before: Obj | None, _after: Obj | None) -> None:
        self._queue.add("all")

    async def _reconcile(self, _key: str) -> None:
        for service in sorted(self._plane.services, key=age_order):
            if service["metadata"].get("deletionTimestamp"):
                await self._let_go(service)
            elif managed(service):
                await self._ensure(service)

    async def _let_go(self, service: Obj) -> None:
        finalizers = service["metadata"].get("finalizers") or []
        if FINALIZER in finalizers:
            self._say(service, "DeletedLoadBalancer", "Deleted load balancer")
            await self._merge(service, {"metadata": {"finalizers": [one for one in finalizers if one != FINALIZER]}})

    async def _ensure(self, service: Obj) -> None:
        if wanted_ips(service) and IMPLEMENTATION.items() <= labels_of(service).items():
            return
        finalizers = service["metadata"].get("finalizers") or []
        kept = finalizers if FINALIZER in finalizers else [*finalizers, FINALIZER]
        named = wanted_ips(service)
        chosen = named or tuple(str(address) for address in self._choose(service) or ())
        if not chosen:
            self._refuse(service)
            return
        metadata = {"labels": IMPLEMENTATION, "annotations": {IPS: ",".join(chosen)}, "finalizers": kept}
        self._say(service, "EnsuringLoadBalancer", "Ensuring load balancer")
        await self._merge(service, {"metadata": metadata, "spec": {"loadBalancerIP": chosen[0]}})
        self._say(service, "EnsuredLoadBalancer", "Ensured load balancer")

    def _choose(self, service: Obj) -> tuple[Address, ...] | None:
        texts = (text for other in self._plane.services for text in wanted_ips(other))
        return choose(service, read_ranges(self._ranges()), {ipaddress.ip_address(text) for text in texts})

    def _ranges(self) -> str:
        return str(dig(self._plane.pools.get(KUBE_VIP_RANGES), "data", "range-global") or "")

    def _refuse(self, service: Obj) -> None:
        ranges, namespace = self._ranges(), key_of(service).namespace
        full = f"no addresses available in [{namespace}] range [{ranges}]"
        why = full if ranges else "no address pools could be found"
        if self._refused.get(uid_of(service)) != why:
            self._refused[uid_of(service)] = why
            message = f"Error syncing load balancer: failed to ensure load balancer: {why}"
            self._say(service, "SyncLoadBalancerFailed", message, WARNING)

    def _say(self, service: Obj, reason: str, message: str, kind: str = NORMAL) -> None:
        self._recorder.say(service, Happened(reason=reason, message=message, kind=kind))

    async def _merge(self, service: Obj, patch: Obj) -> None:
        try:
            done = await self._plane.client.merge(SERVICE, key_of(service), patch, manager="kube-vip-cloud-provider")
        except ApiError as refusal:
            if refusal.code != NOT_FOUND:
                raise
            return
        self._plane.services.store(done)
