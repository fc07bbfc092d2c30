"""One namespace, followed by watches: its Services, Pods and the announcer's claims, as a snapshot at any moment.

Claims keep their history, because a renewal after a change is what shows that the cluster had its chance to react.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Self, TypeVar

from l2probe.errors import ClusterError, NotAllowedError
from l2probe.model import Claim, Condition, Pod, Service
from l2probe.observe import decode, objects, pods
from l2probe.observe.claims import claims_of
from l2probe.observe.refusals import NOT_FOUND, StatusError, one_line
from l2probe.observe.survey import Announcer
from l2probe.observe.transport import Transport
from l2probe.observe.watch import Kind, Shape, Watch

WARNING = "Warning"
INTERRUPT_SECONDS = 0.2
"""How often a wait looks at `interrupted`: a signal handler can set an Event but not wake a Condition."""
LEAVE_SECONDS = 0.5
"""How long leaving may take, whatever the server does."""
T = TypeVar("T")
S = TypeVar("S", bound=Shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A namespace at one moment. `claims`: by Service name, oldest first; empty when they could not be read."""

    services: tuple[Service, ...]
    pods: tuple[Pod, ...]
    claims: Mapping[str, tuple[Claim, ...]]


class Known(Generic[S]):
    """The current objects of one kind, by name; a watch's listener. Guarded by the condition of its Live."""

    def __init__(self, changed: threading.Condition) -> None:
        self.items: dict[str, S] = {}
        self.synced = False
        self.error: ClusterError | None = None
        self._changed = changed

    def replaced(self, items: Sequence[S]) -> None:
        """Take the whole set anew."""
        with self._changed:
            self.items = {item.metadata.name: item for item in items}
            self.synced = True
            self._changed.notify_all()

    def changed(self, item: S) -> None:
        """Take one object that was added or modified; it becomes the newest."""
        with self._changed:
            self.items.pop(item.metadata.name, None)
            self.items[item.metadata.name] = item
            self._changed.notify_all()

    def deleted(self, item: S) -> None:
        """Forget one object."""
        with self._changed:
            self.items.pop(item.metadata.name, None)
            self._changed.notify_all()

    def failed(self, error: ClusterError) -> None:
        """Note that the watch is over."""
        with self._changed:
            self.error = error
            self._changed.notify_all()


class Live:
    """Context manager: inside it, `snapshot` is current and `until` waits for changes."""

    def __init__(self, transport: Transport, namespace: str, announcer: Announcer) -> None:
        self._transport = transport
        self._namespace = namespace
        self._changed = threading.Condition()
        self._services = Known[objects.ServiceObject](self._changed)
        self._slices = Known[objects.SliceObject](self._changed)
        self._pods = Known[objects.PodObject](self._changed)
        self._events = Known[objects.EventObject](self._changed)
        self._claims = claims_of(announcer, namespace, self._changed)
        core = f"/api/v1/namespaces/{namespace}"
        slices = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
        self._watches: tuple[Watch[Any], ...] = (
            Watch(transport, Kind(path=f"{core}/services", shape=objects.ServiceObject), self._services),
            Watch(transport, Kind(path=slices, shape=objects.SliceObject), self._slices),
            Watch(transport, Kind(path=f"{core}/pods", shape=objects.PodObject), self._pods),
            Watch(transport, Kind(path=f"{core}/events", shape=objects.EventObject), self._events),
            *(Watch(transport, source.kind, source) for source in self._claims.sources),
        )

    def __enter__(self) -> Self:
        """Start the watches and wait until each has listed once; raises ClusterError when a needed one cannot."""
        for watch in self._watches:
            watch.start()
        try:
            self._settle()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _settle(self) -> None:
        kinds: dict[str, Known[Any]] = {
            "Services": self._services,
            "EndpointSlices": self._slices,
            "Pods": self._pods,
            "Events": self._events,
        }
        with self._changed:
            in_time = self._changed.wait_for(
                lambda: all(known.synced or known.error for known in kinds.values()) and self._claims.settled,
                self._transport.timeout,
            )
            self._raise_failure()
            late = [name for name, known in kinds.items() if not (known.synced or known.error)] or ["claims"]
        if not in_time:
            raise ClusterError(
                f"The API server {self._transport.server} did not list {', '.join(late)} of namespace "
                f"{self._namespace} within {self._transport.timeout:g} s.",
                "Try again, or raise --request-timeout.",
            )

    def __exit__(self, *_: object) -> None:
        for watch in self._watches:
            watch.close()
        deadline = time.monotonic() + LEAVE_SECONDS
        for watch in self._watches:
            watch.join(deadline - time.monotonic())

    def _raise_failure(self) -> None:
        """Raise what ended a watch that we cannot do without; Events and claims may be denied or not exist."""
        for known in (self._services, self._slices, self._pods):
            if known.error is not None:
                raise known.error
        for error in (self._events.error, self._claims.error):
            missing = isinstance(error, StatusError) and error.status == NOT_FOUND
            if error is not None and not missing and not isinstance(error, NotAllowedError):
                raise error

    def snapshot(self) -> Snapshot:
        """Return what is known now."""
        with self._changed:
            warnings = self._warnings()
            slices = list(self._slices.items.values())
            services = decode.load_balancers(self._services.items.values(), slices)
            return Snapshot(
                services=tuple(_explained(service, warnings) for service in services),
                pods=tuple(
                    pods.pod(item, warnings.get(("Pod", name))) for name, item in sorted(self._pods.items.items())
                ),
                claims=self._claims.of([service.name for service in services]),
            )

    def _warnings(self) -> dict[tuple[str, str], objects.EventObject]:
        """Return the newest warning about each object; a watch delivers events in order."""
        return {
            (event.involved_object.kind, event.involved_object.name): event
            for event in self._events.items.values()
            if event.type == WARNING
        }

    def until(
        self, ready: Callable[[Snapshot], T | None], *, timeout: float, interrupted: threading.Event | None = None
    ) -> T | None:
        """Return the first thing that `ready` makes of a snapshot; None after `timeout` seconds or when interrupted.

        Raises ClusterError when a watch broke for good.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                self._raise_failure()
                found = ready(self.snapshot())
                left = deadline - time.monotonic()
                if found is not None or left <= 0 or (interrupted is not None and interrupted.is_set()):
                    return found
                self._changed.wait(left if interrupted is None else min(left, INTERRUPT_SECONDS))


def _explained(service: Service, warnings: Mapping[tuple[str, str], objects.EventObject]) -> Service:
    """Return a Service without address with the newest warning about it as a condition, as MetalLB sets none."""
    event = warnings.get(("Service", service.name))
    if event is None or service.vips:
        return service
    reason, message = one_line(event.reason or ""), one_line(event.message or "")
    condition = Condition(type="Event", status=WARNING, reason=reason, message=message)
    return replace(service, conditions=(*service.conditions, condition))
