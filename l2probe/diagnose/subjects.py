"""Which Services a user means by NS/NAME, svc/NAME or an address, and one sentence for each way to mean none.

Asks the API only about what the cluster's list does not show; never touches the network that is diagnosed.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from l2probe.diagnose.edges import Api, Name
from l2probe.errors import NotAllowedError, UsageError
from l2probe.model import Cluster, Ip, Service

LOAD_BALANCER = "LoadBalancer"
PREFIXES = frozenset({"svc", "service", "services"})
"""What kubectl takes for the kind of a Service."""
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""What namespaces and Services may be called (RFC 1123)."""
NAMED = 5
PARALLEL = 8
TYPES = {
    "ClusterIP": "only Pods and nodes reach it, no address is announced",
    "NodePort": "it is reached at the nodes' own addresses, no address is announced",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the user typed. `namespace` None: the context's; of `everything`: all namespaces."""

    words: tuple[str, ...] = ()
    everything: bool = False
    namespace: str | None = None


def resolve(wish: Wish, cluster: Cluster, api: Api) -> tuple[Service, ...]:
    """Return the Services that are meant, each once; raises UsageError or NotAllowedError in one sentence."""
    if wish.everything:
        return _with_reasons(_all(wish, cluster, api), api)
    found: dict[Name, Service] = {}
    for word in wish.words:
        for service in _meant(word, wish, cluster, api):
            found.setdefault(key(service), service)
    return _with_reasons(tuple(found.values()), api)


def key(service: Service) -> Name:
    """Return namespace and name."""
    return service.namespace, service.name


def _all(wish: Wish, cluster: Cluster, api: Api) -> tuple[Service, ...]:
    where = f" in namespace {wish.namespace}" if wish.namespace else ""
    every = [s for s in _listed(cluster) if wish.namespace in {None, s.namespace}]
    pending = [service for service in every if not service.vips]
    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="hostnames") as pool:
        hosts = list(pool.map(lambda service: _hosts(service, api), pending))
    named = {key(service) for service, found in zip(pending, hosts, strict=True) if found}
    found = tuple(service for service in every if key(service) not in named)
    if not found:
        raise UsageError(f"The cluster has no Service of type LoadBalancer{where} with an address or waiting for one.")
    return found


def _listed(cluster: Cluster) -> tuple[Service, ...]:
    if cluster.services is None:
        raise NotAllowedError(
            "The API server does not let this user list services in all namespaces.",
            "Name one Service as NAMESPACE/NAME, or ask for this right.",
        )
    return cluster.services


def _meant(word: str, wish: Wish, cluster: Cluster, api: Api) -> tuple[Service, ...]:
    address = as_address(word)
    if address is not None:
        return _owners(address, cluster)
    name = as_name(word, wish.namespace or api.namespace)
    for service in cluster.services or ():
        if key(service) == name:
            _refuse_hostname(service, api)
            return (service,)
    return (_other(name, cluster, api),)


def as_address(word: str) -> Ip | None:
    """Return the address in canonical form; None for what is none."""
    try:
        return Ip(str(ipaddress.ip_address(word.strip("[]"))))
    except ValueError:
        return None


def as_name(word: str, namespace: str) -> Name:
    """Return namespace and name from NS/NAME, svc/NAME or NAME; raises UsageError."""
    first, slash, rest = word.partition("/")
    name = (namespace, rest if slash else first) if not slash or first in PREFIXES else (first, rest)
    if not all(LABEL.fullmatch(part) for part in name):
        raise UsageError(
            f"{word!r} was neither a Service nor an address.", "Name it as NAMESPACE/NAME, svc/NAME or 10.0.0.1."
        )
    return name


def _owners(address: Ip, cluster: Cluster) -> tuple[Service, ...]:
    found = tuple(service for service in _listed(cluster) if address in service.vips)
    if found:
        return found
    node = next((node.name for node in cluster.nodes or () if address in node.addresses), None)
    whose = f"it is node {node}'s own" if node else f"addresses in use: {_some(_addresses(cluster)) or 'none'}"
    raise UsageError(f"No LoadBalancer Service has the address {address}; {whose}.", "Name the Service instead.")


def _addresses(cluster: Cluster) -> list[str]:
    return [f"{vip} ({service.namespace}/{service.name})" for service in cluster.services or () for vip in service.vips]


def _some(words: Iterable[str]) -> str:
    listed = list(words)
    return ", ".join(listed[:NAMED]) + (f" and {len(listed) - NAMED} more" if len(listed) > NAMED else "")


def _other(name: Name, cluster: Cluster, api: Api) -> Service:
    """Return a Service that the cluster's list did not show; raises UsageError that says what is there instead."""
    document = api.document(name)
    if document is None:
        raise UsageError(f"There was no Service {name[0]}/{name[1]}.", _suggestion(name, cluster))
    kind = str(_at(document, "spec", "type") or "ClusterIP")
    if kind != LOAD_BALANCER:
        points_at = f"it is another name for {_at(document, 'spec', 'externalName')}, no address is announced"
        why = points_at if kind == "ExternalName" else TYPES.get(kind, "no address is announced")
        raise UsageError(
            f"Service {name[0]}/{name[1]} is of type {kind}: {why}.", "l2probe diagnoses Services of type LoadBalancer."
        )
    service = api.service(name)
    if service is None:
        raise UsageError(f"Service {name[0]}/{name[1]} was gone before it could be read.")
    _refuse_hostname(service, api)
    return service


def _suggestion(name: Name, cluster: Cluster) -> str:
    """Return the LoadBalancer Services whose names are near, those of the same name elsewhere first."""
    known = {f"{service.namespace}/{service.name}": service for service in cluster.services or ()}
    same = [each for each, service in known.items() if service.name == name[1]]
    near = difflib.get_close_matches("/".join(name), known, n=3, cutoff=0.5)
    found = list(dict.fromkeys((*same, *near)))
    if found:
        return f"Did you mean {' or '.join(found[:3])}?"
    return f"LoadBalancer Services: {_some(known) or 'none'}."


def _refuse_hostname(service: Service, api: Api) -> None:
    if not service.vips and (hosts := _hosts(service, api)):
        raise UsageError(
            f"Service {service.namespace}/{service.name} is reached by the name {hosts[0]} and has no address.",
            "l2probe looks at addresses that nodes announce on layer 2; a cloud's load balancer has none.",
        )


def _hosts(service: Service, api: Api) -> list[str]:
    """Return the hostnames that stand where addresses should."""
    document = api.document(key(service)) or {}
    entries = _at(document, "status", "loadBalancer", "ingress")
    listed = entries if isinstance(entries, Sequence) and not isinstance(entries, str) else ()
    return [str(entry["hostname"]) for entry in listed if isinstance(entry, Mapping) and entry.get("hostname")]


def _at(document: object, *path: str) -> object:
    """Return what stands at a path of an object; None where it does not lead."""
    for step in path:
        document = document.get(step) if isinstance(document, Mapping) else None
    return document


def _with_reasons(services: tuple[Service, ...], api: Api) -> tuple[Service, ...]:
    """Add to each Service without address the newest warning about it, as MetalLB sets no condition."""
    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="warnings") as pool:
        return tuple(pool.map(lambda service: _with_reason(service, api), services))


def _with_reason(service: Service, api: Api) -> Service:
    warning = None if service.vips or service.conditions else api.warning(key(service))
    return replace(service, conditions=(*service.conditions, warning)) if warning else service
