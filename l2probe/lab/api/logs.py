"""The `log` subresource of Pods. What a container wrote is known to the kubelet only, which registers a source."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from l2probe.lab.api.call import Call, flag, number
from l2probe.lab.api.objects import Obj, dig, name_of
from l2probe.lab.api.status import ApiError, bad_request

EMPTY: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """Whose output is wanted. `tail_lines` None: all of it. `follow`: until the container ends."""

    namespace: str
    pod: str
    container: str
    follow: bool = False
    previous: bool = False
    tail_lines: int | None = None


LogSource = Callable[[LogQuery], AsyncIterator[bytes]]
"""Yields what a container wrote, in chunks of any size; honours `follow` and `tail_lines`."""


def _container(pod: Obj, wanted: str) -> str:
    names = [str(each.get("name")) for each in dig(pod, "spec", "containers") or ()]
    if wanted and wanted not in names:
        raise bad_request(f"container {wanted} is not valid for pod {name_of(pod)}")
    if not wanted and len(names) != 1:
        listed = " ".join(names)
        raise bad_request(f"a container name must be specified for pod {name_of(pod)}, choose one of: [{listed}]")
    return wanted or names[0]


def not_started(pod: Obj, container: str) -> ApiError | None:
    """Return the refusal for a container that never ran, as a kubelet words it; None when it did."""
    statuses = dig(pod, "status", "containerStatuses") or ()
    blank: Obj = {}
    status = next((each for each in statuses if each.get("name") == container), blank)
    waiting = dig(status, "state", "waiting", "reason")
    if waiting and dig(status, "lastState", "terminated") is None:
        return bad_request(f'container "{container}" in pod "{name_of(pod)}" is waiting to start: {waiting}')
    return None


def log_query(call: Call, pod: Obj) -> LogQuery:
    """Read the query of a log request; 400 when the container does not exist or never started."""
    query: Mapping[str, str] = call.query
    container = _container(pod, query.get("container", ""))
    if refusal := not_started(pod, container):
        raise refusal
    if not dig(pod, "spec", "nodeName"):
        raise bad_request(f"pod {name_of(pod)} does not have a host assigned")
    return LogQuery(
        namespace=call.namespace,
        pod=call.name,
        container=container,
        follow=flag(query, "follow"),
        previous=flag(query, "previous"),
        tail_lines=number(query, "tailLines") if "tailLines" in query else None,
    )


async def silent(_query: LogQuery) -> AsyncIterator[bytes]:
    """Stand in for the kubelet while there is none: no container wrote anything."""
    for chunk in EMPTY:
        yield chunk
