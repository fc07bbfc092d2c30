"""The endpoint slice controller: which Pods stand behind a Service. Computes purely, then makes the server agree.

Forms as kube-controller-manager 1.34 writes them (tests/lab/controllers/fixtures); at most 1000 endpoints a slice.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from l2probe.lab.controllers.kinds import SLICE
from l2probe.lab.controllers.objects import Key, Obj, age_order, dig, key_of, labels_of, uid_of
from l2probe.lab.controllers.plane import Plane

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"


def is_ready(pod: Obj) -> bool:
    """Say whether the Pod's Ready condition is True."""
    conditions = dig(pod, "status", "conditions") or ()
    return any(found["type"] == "Ready" and found["status"] == "True" for found in conditions)


def _target_port(pod: Obj, port: Obj) -> int | None:
    target = port.get("targetPort") or port["port"]
    if isinstance(target, int):
        return target
    protocol = port.get("protocol", "TCP")
    named = (found for container in pod["spec"]["containers"] for found in container.get("ports") or ())
    fits = (
        found["containerPort"]
        for found in named
        if (found.get("name"), found.get("protocol", "TCP")) == (target, protocol)
    )
    return next(fits, None)


def _ports(service: Obj, pod: Obj) -> tuple[tuple[str, str, int], ...]:
    resolved = ((port, _target_port(pod, port)) for port in service["spec"].get("ports") or ())
    return tuple((port.get("name", ""), port.get("protocol", "TCP"), to) for port, to in resolved if to is not None)


def _endpoint(pod: Obj, address: str, *, publish: bool) -> Obj:
    ready = is_ready(pod)
    terminating = bool(pod["metadata"].get("deletionTimestamp"))
    return {
        "addresses": [address],
        "conditions": {"ready": publish or (ready and not terminating), "serving": ready, "terminating": terminating},
        "nodeName": pod["spec"]["nodeName"],
        "targetRef": {
            "kind": "Pod",
            "namespace": pod["metadata"]["namespace"],
            "name": pod["metadata"]["name"],
            "uid": uid_of(pod),
        },
    }


def _behind(service: Obj, pods: Iterable[Obj]) -> Iterator[Obj]:
    selector = service["spec"]["selector"].items()
    for pod in pods:
        placed = pod["metadata"]["namespace"] == service["metadata"]["namespace"] and pod["spec"].get("nodeName")
        over = dig(pod, "status", "phase") in ("Succeeded", "Failed")
        if placed and not over and selector <= labels_of(pod).items():
            yield pod


def _address(pod: Obj, version: int) -> str | None:
    found = (entry["ip"] for entry in dig(pod, "status", "podIPs") or ())
    return next((text for text in found if ipaddress.ip_address(text).version == version), None)


def slices_of(service: Obj, pods: Iterable[Obj]) -> list[Obj]:
    """Return what the Service's slices must hold (addressType, ports, endpoints): one for each family and set of ports.

    A family without Pods has one empty slice. Services without a selector have none of ours.
    """
    if not service["spec"].get("selector"):
        return []
    behind = sorted(_behind(service, pods), key=age_order)
    families = service["spec"].get("ipFamilies") or ("IPv4",)
    return [found for family in families for found in _of_family(service, behind, family)]


def _of_family(service: Obj, pods: Iterable[Obj], family: str) -> Iterator[Obj]:
    publish = bool(service["spec"].get("publishNotReadyAddresses"))
    groups: dict[tuple[tuple[str, str, int], ...], list[Obj]] = {}
    for pod in pods:
        if (address := _address(pod, int(family.removeprefix("IPv")))) is not None:
            groups.setdefault(_ports(service, pod), []).append(_endpoint(pod, address, publish=publish))
    for ports, endpoints in (groups or {(): []}).items():
        listed = [{"name": name, "protocol": protocol, "port": port} for name, protocol, port in ports]
        yield {"addressType": family, "ports": listed, "endpoints": endpoints}


def _new(service: Obj, content: Obj) -> Obj:
    name = service["metadata"]["name"]
    owner = {
        "apiVersion": "v1",
        "kind": "Service",
        "name": name,
        "uid": uid_of(service),
        "controller": True,
        "blockOwnerDeletion": True,
    }
    metadata = {
        "generateName": f"{name}-",
        "namespace": service["metadata"]["namespace"],
        "labels": {**labels_of(service), SERVICE_NAME: name, MANAGED_BY: MANAGER},
        "ownerReferences": [owner],
    }
    return {"apiVersion": SLICE.api_version, "kind": SLICE.name, "metadata": metadata, **content}


def _same(slice_: Obj, content: Obj) -> bool:
    return all((slice_.get(name) or []) == content[name] for name in ("addressType", "ports", "endpoints"))


class Endpoints:
    """Keeps the slices of every Service as `slices_of` says."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._queue = plane.queue(self._reconcile)
        plane.services.subscribe(self._service_changed)
        plane.pods.subscribe(self._pod_changed)
        plane.slices.subscribe(self._slice_changed)

    def _service_changed(self, before: Obj | None, after: Obj | None) -> None:
        if before is None or after is None or before["spec"] != after["spec"]:
            self._queue.add(key_of(after or before or {}))

    def _pod_changed(self, before: Obj | None, after: Obj | None) -> None:
        for service in self._plane.services:
            if any(
                list(_behind(service, (pod,))) for pod in (before, after) if pod and service["spec"].get("selector")
            ):
                self._queue.add(key_of(service))

    def _slice_changed(self, before: Obj | None, after: Obj | None) -> None:
        labels = labels_of(after or before or {})
        if labels.get(MANAGED_BY) == MANAGER:
            self._queue.add(Key((after or before or {})["metadata"]["namespace"], labels.get(SERVICE_NAME, "")))

    def _owned(self, key: Key) -> list[Obj]:
        wanted = {SERVICE_NAME: key.name, MANAGED_BY: MANAGER}.items()
        here = (found for found in self._plane.slices if found["metadata"]["namespace"] == key.namespace)
        return [found for found in here if wanted <= labels_of(found).items()]

    async def _reconcile(self, key: Key) -> None:
        service = self._plane.services.get(key)
        leaving = service is None or service["metadata"].get("deletionTimestamp")
        contents = [] if service is None or leaving else slices_of(service, self._plane.pods)
        owned = self._owned(key)
        for content in contents:
            place = next((found for found in owned if found["addressType"] == content["addressType"]), None)
            if place is not None:
                owned.remove(place)
                await self._update(place, content)
            elif service is not None:
                self._plane.slices.store(await self._plane.client.create(SLICE, _new(service, content)))
        for extra in owned:
            await self._plane.client.delete(SLICE, key_of(extra), uid=uid_of(extra))

    async def _update(self, found: Obj, content: Obj) -> None:
        if not _same(found, content):
            self._plane.slices.store(await self._plane.client.replace(SLICE, {**found, **content}))
