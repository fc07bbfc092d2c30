"""The announcer's claims about the Services of one namespace, as a history: leases, or MetalLB's ServiceL2Status."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from l2probe.announcers import cilium, kubevip, metallb
from l2probe.announcers.lease import gone
from l2probe.errors import ClusterError
from l2probe.model import Claim
from l2probe.observe import custom, decode, objects
from l2probe.observe.survey import Announcer
from l2probe.observe.watch import Kind, Shape

MAX_HISTORY = 500
"""Claims kept under one key: with Cilium's default renewals, most of an hour."""
LEASES = "/apis/coordination.k8s.io/v1/namespaces/{}/leases"
S = TypeVar("S", bound=Shape)
Read = Callable[[S, float], tuple[str, Claim] | None]
"""An object and when it was read -> the key it speaks about and its claim; None when it does not concern us."""


class Source(Generic[S]):
    """The claims of one kind of object, by key, with their history; a watch's listener."""

    def __init__(self, changed: threading.Condition, kind: Kind[S], read: Read[S]) -> None:
        self.kind = kind
        self.synced = False
        self.error: ClusterError | None = None
        self._changed = changed
        self._read = read
        self._present: dict[str, tuple[str, Claim]] = {}
        self._history: dict[str, list[Claim]] = defaultdict(list)

    def replaced(self, items: Sequence[S]) -> None:
        """Take the whole set anew; what is no longer in it was deleted."""
        with self._changed:
            for name in self._present.keys() - {item.metadata.name for item in items}:
                self._remove(name)
            for item in items:
                self._note(item)
            self.synced = True
            self._changed.notify_all()

    def changed(self, item: S) -> None:
        """Take one object that was added or modified."""
        with self._changed:
            self._note(item)
            self._changed.notify_all()

    def deleted(self, item: S) -> None:
        """Note that an object is gone."""
        with self._changed:
            self._remove(item.metadata.name)
            self._changed.notify_all()

    def failed(self, error: ClusterError) -> None:
        """Note that the watch is over."""
        with self._changed:
            self.error = error
            self._changed.notify_all()

    def of(self, keys: Sequence[str]) -> list[Claim]:
        """Return the claims under these keys."""
        return [claim for key in keys for claim in self._history.get(key, ())]

    def _note(self, item: S) -> None:
        entry = self._read(item, time.time())
        if entry is not None:
            self._present[item.metadata.name] = entry
            self._add(*entry)

    def _remove(self, name: str) -> None:
        """At a handover the old object may go after the new one came: then the new one's claim stands."""
        if name in self._present:
            key, claim = self._present.pop(name)
            others = [other for other_key, other in self._present.values() if other_key == key]
            now = time.time()
            self._add(key, replace(others[-1], read_at=now) if others else gone(claim, now))

    def _add(self, key: str, claim: Claim) -> None:
        listed = self._history[key]
        if not listed or replace(listed[-1], read_at=claim.read_at) != claim:
            listed.append(claim)
            del listed[:-MAX_HISTORY]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """All sources of an announcer; `keys` are those that speak about a Service."""

    sources: tuple[Source[Any], ...] = ()
    keys: Callable[[str], Sequence[str]] = lambda service: (service,)

    @property
    def settled(self) -> bool:
        """Tell whether every source was listed once, or cannot be."""
        return all(source.synced or source.error for source in self.sources)

    @property
    def error(self) -> ClusterError | None:
        """Return why a source ended."""
        return next((source.error for source in self.sources if source.error is not None), None)

    def of(self, services: Sequence[str]) -> Mapping[str, tuple[Claim, ...]]:
        """Return each Service's claims, oldest first; nothing at all when no source could be read."""
        readable = [source for source in self.sources if source.synced]
        if not readable:
            return {}
        found = {name: [claim for source in readable for claim in source.of(self.keys(name))] for name in services}
        return {name: tuple(sorted(claims, key=lambda claim: claim.read_at)) for name, claims in found.items()}


def claims_of(announcer: Announcer, namespace: str, changed: threading.Condition) -> Claims:
    """Return the sources of an announcer's claims about the Services of a namespace."""
    build = _BUILDERS.get(announcer.name or "")
    return Claims() if build is None else build(announcer, namespace, changed)


def _cilium(announcer: Announcer, namespace: str, changed: threading.Condition) -> Claims:
    ours = cilium.lease_names(namespace, "")
    kind = Kind(path=LEASES.format(announcer.namespace), shape=objects.LeaseObject)

    def read(item: objects.LeaseObject, at: float) -> tuple[str, Claim] | None:
        name = item.metadata.name
        return (name, cilium.claim(decode.lease(item), at)) if name.startswith(ours) else None

    return Claims(
        sources=(Source(changed, kind, read),),
        keys=lambda service: cilium.lease_names(namespace, service),
    )


def _kube_vip(announcer: Announcer, namespace: str, changed: threading.Condition) -> Claims:
    def read(item: objects.LeaseObject, at: float) -> tuple[str, Claim] | None:
        name = item.metadata.name
        ours = name == kubevip.GLOBAL_LEASE or item.metadata.namespace == namespace
        return (name, kubevip.claim(decode.lease(item), at)) if ours else None

    kinds = [Kind(path=LEASES.format(each), shape=objects.LeaseObject) for each in {announcer.namespace, namespace}]
    return Claims(sources=tuple(Source(changed, kind, read) for kind in kinds), keys=kubevip.lease_names)


def _metallb(_: Announcer, namespace: str, changed: threading.Condition) -> Claims:
    query = {"labelSelector": f"{metallb.SERVICE_NAMESPACE_LABEL}={namespace}"}
    kind = Kind(path=f"/apis/{metallb.GROUP}/v1beta1/servicel2statuses", shape=custom.L2Status, query=query)

    def read(item: custom.L2Status, at: float) -> tuple[str, Claim] | None:
        service = (item.metadata.labels or {}).get(metallb.SERVICE_LABEL)
        node = item.status.node if item.status else None
        claim = metallb.claim(item.metadata.namespace, item.metadata.name, node, at)
        return (service, claim) if service else None

    return Claims(sources=(Source(changed, kind, read),))


_BUILDERS = {cilium.NAME: _cilium, kubevip.NAME: _kube_vip, metallb.NAME: _metallb}
