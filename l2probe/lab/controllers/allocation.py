"""Which Service gets which addresses and what its condition says: Cilium's LB IPAM as one pure function.

Rules and texts: operator/pkg/lbipam of Cilium 1.18, as recorded in tests/lab/controllers/fixtures. No I/O, no clock.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from l2probe.lab.controllers.objects import Key, Obj, age_order, annotations_of, dig, key_of, labels_of
from l2probe.lab.controllers.pools import Address, Pool

L2_CLASS = "io.cilium/l2-announcer"
_IPS = ("lbipam.cilium.io/ips", "io.cilium/lb-ipam-ips")
_SHARING_KEY = ("lbipam.cilium.io/sharing-key", "io.cilium/lb-ipam-sharing-key")
_SHARING_NAMESPACES = ("lbipam.cilium.io/sharing-cross-namespace", "io.cilium/lb-ipam-sharing-cross-namespace")

NO_POOL = "There are no enabled CiliumLoadBalancerIPPools that match this service"
OUT_OF_IPS = "All enabled CiliumLoadBalancerIPPools that match this service ran out of allocatable IPs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a Service asks of LB IPAM. `labels` include the two special ones; `held` are its ingress addresses now."""

    key: Key
    labels: Mapping[str, str]
    families: tuple[int, ...]
    wanted: tuple[Address, ...]
    held: tuple[Address, ...]
    ports: frozenset[tuple[int, str]]
    sharing_key: str
    sharing_namespaces: frozenset[str]
    policy: str
    selector: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a Service gets, and the reason and message of its condition; `satisfied` is its status."""

    addresses: tuple[Address, ...]
    reason: str = "satisfied"
    message: str = ""

    @property
    def satisfied(self) -> bool:
        """Whether everything that was asked for was given."""
        return self.reason == "satisfied"


@dataclass(frozen=True, slots=True)
class _Refusal:
    reason: str
    message: str


@dataclass(slots=True)
class _Book:
    pools: Sequence[Pool]
    owners: dict[Address, list[Request]] = field(default_factory=dict)

    def give(self, address: Address, to: Request) -> None:
        self.owners.setdefault(address, []).append(to)

    def obstacle(self, address: Address, request: Request) -> str | None:
        """Why the address cannot be shared with its owners; None when it can (or has none)."""
        reasons = (incompatible(request, owner) for owner in self.owners.get(address, ()))
        return next((reason for reason in reasons if reason), None)


def special_labels(key: Key) -> dict[str, str]:
    """Return the labels that Cilium adds to a Service for selectors."""
    return {"io.kubernetes.service.namespace": key.namespace, "io.kubernetes.service.name": key.name}


def managed(service: Obj) -> bool:
    """Say whether LB IPAM serves the Service: type LoadBalancer and no class, or the L2 announcer's."""
    spec = service["spec"]
    return spec.get("type") == "LoadBalancer" and spec.get("loadBalancerClass") in (None, "", L2_CLASS)


def _annotation(service: Obj, names: Sequence[str]) -> str:
    annotations = annotations_of(service)
    return next((annotations[name] for name in names if name in annotations), "")


def _addresses(texts: Iterable[str]) -> Iterator[Address]:
    for text in texts:
        try:
            yield ipaddress.ip_address(text.strip())
        except ValueError:
            continue


def ingress_of(service: Obj) -> tuple[Address, ...]:
    """Return the addresses in status.loadBalancer.ingress; host names are no addresses."""
    return tuple(_addresses(entry.get("ip", "") for entry in dig(service, "status", "loadBalancer", "ingress") or ()))


def _families(spec: Obj, enabled: Sequence[int]) -> tuple[int, ...]:
    named = tuple(int(family.removeprefix("IPv")) for family in spec.get("ipFamilies") or ())
    if spec.get("ipFamilyPolicy", "SingleStack") == "SingleStack":
        return tuple(family for family in (named or enabled)[:1] if family in enabled)
    return tuple(family for family in (named or enabled) if family in enabled)


def request_of(service: Obj, enabled: Sequence[int]) -> Request:
    """Return what the Service asks for; `enabled` are the cluster's IP versions."""
    spec = service["spec"]
    texts = (*_annotation(service, _IPS).split(","), spec.get("loadBalancerIP") or "")
    return Request(
        key=key_of(service),
        labels={**labels_of(service), **special_labels(key_of(service))},
        families=_families(spec, enabled),
        wanted=tuple(dict.fromkeys(_addresses(texts))),
        held=ingress_of(service),
        ports=frozenset((port["port"], port.get("protocol", "TCP")) for port in spec.get("ports") or ()),
        sharing_key=_annotation(service, _SHARING_KEY),
        sharing_namespaces=frozenset(
            part.strip() for part in _annotation(service, _SHARING_NAMESPACES).split(",") if part
        ),
        policy=spec.get("externalTrafficPolicy", "Cluster"),
        selector=tuple(sorted((spec.get("selector") or {}).items())),
    )


def _admits(one: Request, other: Request) -> bool:
    return one.key.namespace == other.key.namespace or bool({other.key.namespace, "*"} & one.sharing_namespaces)


_SHARING_RULES = (
    ("different sharing key", lambda a, b: a.sharing_key == b.sharing_key != ""),
    ("different and not permitted namespace", lambda a, b: _admits(a, b) and _admits(b, a)),
    ("same port and protocol", lambda a, b: not a.ports & b.ports),
    ("different ExternalTrafficPolicy", lambda a, b: a.policy == b.policy),
    (
        "same ExternalTrafficPolicy Local but different selectors",
        lambda a, b: a.policy != "Local" or a.selector == b.selector,
    ),
)


def incompatible(one: Request, other: Request) -> str | None:
    """Return why two Services may not share an address; None when they may."""
    return next((reason for reason, holds in _SHARING_RULES if not holds(one, other)), None)


def _keeps(book: _Book, request: Request, address: Address) -> bool:
    asked = address in request.wanted if request.wanted else address.version in request.families
    served = any(address in pool and not pool.conflict and pool.selects(request.labels) for pool in book.pools)
    return asked and served and book.obstacle(address, request) is None


def _specific(book: _Book, request: Request, address: Address) -> Address | _Refusal:
    holding = [pool for pool in book.pools if pool.allocates and address in pool]
    if not holding:
        return _Refusal("no_pool", f"No pool exists with a CIDR containing '{address}'")
    if not any(pool.selects(request.labels) for pool in holding):
        return _Refusal(
            "pool_selector_mismatch", f"The pool with the CIDR containing '{address}', doesn't select this service"
        )
    obstacle = book.obstacle(address, request)
    if obstacle is not None and not request.sharing_key:
        return _Refusal("already_allocated", f"The IP '{address}' is already allocated to another service")
    if obstacle is not None:
        message = f"The IP '{address}' is already allocated to an incompatible service. Reason: {obstacle}"
        return _Refusal("already_allocated_incompatible_service", message)
    return address


def _shared(book: _Book, request: Request, family: int) -> Address | None:
    if not request.sharing_key:
        return None
    fits = (address for address in book.owners if address.version == family and _keeps(book, request, address))
    return next(fits, None)


def _generic(book: _Book, request: Request, family: int) -> Address | _Refusal:
    if (shared := _shared(book, request, family)) is not None:
        return shared
    pools = [pool for pool in book.pools if pool.allocates and pool.selects(request.labels)]
    ranges = [part for pool in pools for part in pool.ranges if part.first.version == family]
    free = (address for part in ranges if (address := part.free(book.owners)) is not None)
    found = next(free, None)
    if found is None:
        return _Refusal("out_of_ips", OUT_OF_IPS) if ranges else _Refusal("no_pool", NO_POOL)
    return found


def _missing(book: _Book, request: Request, kept: Sequence[Address]) -> Iterator[Address | _Refusal]:
    """Yield what the Service still lacks, each as an address or as the reason why it cannot have it."""
    yield from (_specific(book, request, wanted) for wanted in request.wanted if wanted not in kept)
    have = {address.version for address in kept}
    lacking = () if request.wanted else (family for family in request.families if family not in have)
    yield from (_generic(book, request, family) for family in lacking)


def _answer(book: _Book, request: Request, kept: Sequence[Address]) -> Answer:
    given = list(kept)
    for found in _missing(book, request, kept):
        if isinstance(found, _Refusal):
            return Answer(addresses=tuple(given), reason=found.reason, message=found.message)
        book.give(found, request)
        given.append(found)
    # The Service's own order of families, so that an address that moved stands where the old one stood.
    order = {family: place for place, family in enumerate(request.families)}
    return Answer(addresses=tuple(sorted(given, key=lambda address: order.get(address.version, len(order)))))


def allocate(pools: Sequence[Pool], services: Iterable[Obj], enabled: Sequence[int]) -> dict[Key, Answer]:
    """Return what each managed Service gets.

    Addresses that are held and still valid stay, whatever the order; what is missing is given oldest Service first,
    lowest free address first.
    """
    book = _Book(pools)
    requests = [request_of(service, enabled) for service in sorted(services, key=age_order) if managed(service)]
    kept: dict[Key, list[Address]] = {request.key: [] for request in requests}
    for request in requests:
        for address in request.held:
            if _keeps(book, request, address):
                book.give(address, request)
                kept[request.key].append(address)
    return {request.key: _answer(book, request, kept[request.key]) for request in requests}
