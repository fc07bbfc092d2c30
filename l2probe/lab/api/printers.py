"""The cells that kubectl shows of built-in kinds (k8s.io/kubernetes pkg/printers/internalversion/printers.go)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from l2probe.lab.api.kinds import Storage
from l2probe.lab.api.objects import Json, Obj, dig, labels, meta, moment
from l2probe.lab.api.podtable import pod_cells

NONE: Final = "<none>"
UNKNOWN: Final = "<unknown>"
SHOWN: Final = 3
ROLE: Final = "node-role.kubernetes.io/"
MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 86400
YEAR: Final = 365 * DAY


@dataclass(frozen=True, slots=True)
class Column:
    """A column definition. Priority 0 is always shown, 1 with `-o wide`."""

    name: str
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0

    def body(self) -> Obj:
        """Return the TableColumnDefinition."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description or self.name,
            "priority": self.priority,
        }


@dataclass(frozen=True, slots=True)
class Printer:
    """The columns of a kind, and the function that makes an object's cells."""

    columns: tuple[Column, ...]
    cells: Callable[[Obj], list[Json]]


SHAPES: Final = (
    (2 * MINUTE, 1, "s", 0, ""),
    (10 * MINUTE, MINUTE, "m", 1, "s"),
    (3 * HOUR, MINUTE, "m", 0, ""),
    (8 * HOUR, HOUR, "h", MINUTE, "m"),
    (2 * DAY, HOUR, "h", 0, ""),
    (8 * DAY, DAY, "d", HOUR, "h"),
    (2 * YEAR, DAY, "d", 0, ""),
    (8 * YEAR, YEAR, "y", DAY, "d"),
)
"""Below which age: the larger unit in seconds, its letter, the smaller unit (0: none) and its letter."""


def human(seconds: int) -> str:
    """Return a duration as apimachinery's HumanDuration does: 95s, 5m30s, 3h12m, 2d4h, 9d, 1y20d."""
    age_seconds = max(seconds, 0)
    for limit, unit, letter, smaller, small_letter in SHAPES:
        if age_seconds < limit:
            rest = age_seconds % unit // smaller if smaller else 0
            return f"{age_seconds // unit}{letter}" + (f"{rest}{small_letter}" if rest else "")
    return f"{age_seconds // YEAR}y"


def age(since: datetime | None) -> str:
    """Return how long ago that was, `<unknown>` when nobody knows."""
    return UNKNOWN if since is None else human(int((datetime.now(UTC) - since).total_seconds()))


def created(obj: Obj) -> str:
    """Return the object's age."""
    return age(moment(meta(obj).get("creationTimestamp")))


def pairs(values: Json) -> str:
    """Return `a=b,c=d`, or `<none>`."""
    return ",".join(f"{key}={value}" for key, value in sorted((values or {}).items())) or NONE


def _name(obj: Obj) -> str:
    return str(meta(obj).get("name"))


def _ingress(service: Obj) -> list[str]:
    entries = dig(service, "status", "loadBalancer", "ingress") or ()
    return sorted({entry.get("ip") or entry.get("hostname") or "" for entry in entries} - {""})


def external_ip(service: Obj) -> str:
    """Return the EXTERNAL-IP cell."""
    spec = service["spec"]
    extra = list(spec.get("externalIPs") or ())
    if spec["type"] == "ExternalName":
        return str(spec.get("externalName"))
    if spec["type"] != "LoadBalancer":
        return ",".join(extra) or NONE
    return ",".join([*_ingress(service), *extra]) or "<pending>"


def _port(port: Obj) -> str:
    number = f"{port['port']}:{port['nodePort']}" if port.get("nodePort") else str(port["port"])
    return f"{number}/{port.get('protocol')}"


def _service(service: Obj) -> list[Json]:
    spec = service["spec"]
    ip = dig(spec, "clusterIPs", 0) or NONE
    ports = ",".join(_port(port) for port in spec.get("ports") or ()) or NONE
    return [
        _name(service),
        spec["type"],
        ip,
        external_ip(service),
        ports,
        created(service),
        pairs(spec.get("selector")),
    ]


def _node(node: Obj) -> list[Json]:
    ready = next((each for each in dig(node, "status", "conditions") or () if each.get("type") == "Ready"), None)
    status = ["Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"]
    status += ["SchedulingDisabled"] if dig(node, "spec", "unschedulable") else []
    roles = {key.removeprefix(ROLE) for key in labels(node) if key.startswith(ROLE)} - {""}
    addresses: dict[str, str] = {}
    for each in dig(node, "status", "addresses") or ():
        addresses.setdefault(each.get("type"), each.get("address"))
    info = dig(node, "status", "nodeInfo") or {}
    return [
        _name(node),
        ",".join(status),
        ",".join(sorted(roles)) or NONE,
        created(node),
        info.get("kubeletVersion") or "",
        addresses.get("InternalIP", NONE),
        addresses.get("ExternalIP", NONE),
        info.get("osImage") or UNKNOWN,
        info.get("kernelVersion") or UNKNOWN,
        info.get("containerRuntimeVersion") or UNKNOWN,
    ]


def _event_source(event: Obj) -> str:
    component = dig(event, "source", "component") or event.get("reportingComponent") or ""
    host = dig(event, "source", "host") or event.get("reportingInstance") or ""
    return f"{component}, {host}" if host else str(component)


def _event(event: Obj) -> list[Json]:
    first = age(moment(event.get("firstTimestamp")) or moment(event.get("eventTime")))
    last = age(moment(event["lastTimestamp"])) if event.get("lastTimestamp") else first
    count = event.get("count") or 1
    if series := event.get("series"):
        last, count = age(moment(series.get("lastObservedTime"))), series.get("count")
    involved = event.get("involvedObject") or {}
    target = "/".join(filter(None, [str(involved.get("kind") or "").lower(), involved.get("name")]))
    return [
        last,
        event.get("type") or "",
        event.get("reason") or "",
        target,
        involved.get("fieldPath") or "",
        _event_source(event),
        str(event.get("message") or "").strip(),
        first,
        count,
        _name(event),
    ]


def _some(items: Sequence[str], empty: str) -> str:
    more = f" + {len(items) - SHOWN} more..." if len(items) > SHOWN else ""
    return (",".join(items[:SHOWN]) or empty) + more


def _endpoint_slice(obj: Obj) -> list[Json]:
    ports = [str(port.get("port") or port.get("name") or "*") for port in obj.get("ports") or ()]
    addresses = [address for endpoint in obj.get("endpoints") or () for address in endpoint.get("addresses") or ()]
    return [_name(obj), obj.get("addressType"), _some(ports, "<unset>"), _some(addresses, "<unset>"), created(obj)]


def _endpoints(obj: Obj) -> list[Json]:
    found = [
        f"{address['ip']}:{port['port']}"
        for subset in obj.get("subsets") or ()
        for port in subset.get("ports") or ()
        for address in subset.get("addresses") or ()
    ]
    return [_name(obj), _some(found, NONE), created(obj)]


def _containers(obj: Obj) -> list[Json]:
    containers = dig(obj, "spec", "template", "spec", "containers") or ()
    names, images = ([each.get(key) or "" for each in containers] for key in ("name", "image"))
    return [",".join(names), ",".join(images), pairs(dig(obj, "spec", "selector", "matchLabels"))]


def _daemon_set(obj: Obj) -> list[Json]:
    keys = (
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    )
    counts = [dig(obj, "status", key) or 0 for key in keys]
    selector = pairs(dig(obj, "spec", "template", "spec", "nodeSelector"))
    return [_name(obj), *counts, selector, created(obj), *_containers(obj)]


def _deployment(obj: Obj) -> list[Json]:
    ready = f"{dig(obj, 'status', 'readyReplicas') or 0}/{dig(obj, 'spec', 'replicas')}"
    counts = [dig(obj, "status", key) or 0 for key in ("updatedReplicas", "availableReplicas")]
    return [_name(obj), ready, *counts, created(obj), *_containers(obj)]


def _lease(lease: Obj) -> list[Json]:
    return [_name(lease), dig(lease, "spec", "holderIdentity") or "", created(lease)]


NAME: Final = Column("Name", format="name", description="Name must be unique within a namespace.")
AGE: Final = Column("Age", description="CreationTimestamp is the server time when this object was created.")
WORKLOAD: Final = tuple(Column(name, priority=1) for name in ("Containers", "Images", "Selector"))


def _columns(*names: str, wide: Sequence[str] = ()) -> tuple[Column, ...]:
    known = {"Name": NAME, "Age": AGE}
    return tuple(known.get(name, Column(name)) for name in names) + tuple(Column(name, priority=1) for name in wide)


PRINTERS: Final[dict[Storage, Printer]] = {
    ("", "pods"): Printer(
        _columns(
            "Name", "Ready", "Status", "Restarts", "Age", wide=("IP", "Node", "Nominated Node", "Readiness Gates")
        ),
        lambda pod: pod_cells(pod, age),
    ),
    ("", "services"): Printer(
        _columns("Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age", wide=("Selector",)), _service
    ),
    ("", "nodes"): Printer(
        _columns(
            "Name",
            "Status",
            "Roles",
            "Age",
            "Version",
            wide=("Internal-IP", "External-IP", "OS-Image", "Kernel-Version", "Container-Runtime"),
        ),
        _node,
    ),
    ("", "namespaces"): Printer(
        _columns("Name", "Status", "Age"), lambda obj: [_name(obj), dig(obj, "status", "phase") or "", created(obj)]
    ),
    ("", "configmaps"): Printer(
        _columns("Name", "Data", "Age"),
        lambda obj: [_name(obj), len(obj.get("data") or ()) + len(obj.get("binaryData") or ()), created(obj)],
    ),
    ("", "secrets"): Printer(
        _columns("Name", "Type", "Data", "Age"),
        lambda obj: [_name(obj), obj.get("type") or "", len(obj.get("data") or ()), created(obj)],
    ),
    ("", "serviceaccounts"): Printer(
        _columns("Name", "Secrets", "Age"), lambda obj: [_name(obj), len(obj.get("secrets") or ()), created(obj)]
    ),
    ("", "events"): Printer(
        (
            *_columns("Last Seen", "Type", "Reason", "Object"),
            *(Column(name, priority=1) for name in ("Subobject", "Source")),
            Column("Message"),
            *(Column(name, priority=1) for name in ("First Seen", "Count")),
            Column("Name", format="name", priority=1),
        ),
        _event,
    ),
    ("", "endpoints"): Printer(_columns("Name", "Endpoints", "Age"), _endpoints),
    ("coordination.k8s.io", "leases"): Printer(_columns("Name", "Holder", "Age"), _lease),
    ("discovery.k8s.io", "endpointslices"): Printer(
        _columns("Name", "AddressType", "Ports", "Endpoints", "Age"), _endpoint_slice
    ),
    ("apps", "daemonsets"): Printer(
        _columns("Name", "Desired", "Current", "Ready", "Up-to-date", "Available", "Node Selector", "Age") + WORKLOAD,
        _daemon_set,
    ),
    ("apps", "deployments"): Printer(
        _columns("Name", "Ready", "Up-to-date", "Available", "Age") + WORKLOAD, _deployment
    ),
}
