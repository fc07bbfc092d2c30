"""Which Service gets which addresses from which IPAddressPool: MetalLB's allocator as one pure function.

Rules and texts: internal/allocator and controller/service.go of MetalLB 0.15, as recorded in
tests/lab/controllers/fixtures/metallb.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from l2probe.lab.controllers.allocation import ingress_of
from l2probe.lab.controllers.objects import Key, Obj, age_order, annotations_of, dig, key_of, labels_of
from l2probe.lab.controllers.pools import Address, Range

POOL = "metallb.io/ip-allocated-from-pool"
_IPS = ("metallb.io/loadBalancerIPs", "metallb.universe.tf/loadBalancerIPs")
_WANTED_POOL = ("metallb.io/address-pool", "metallb.universe.tf/address-pool")
_SHARING_KEY = ("metallb.io/allow-shared-ip", "metallb.universe.tf/allow-shared-ip")
NONE_LEFT = "no available IPs"
_BUGGY = (0, 255)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPool:
    """An IPAddressPool; `namespaces` empty: for all."""

    name: str
    labels: dict[str, str]
    ranges: tuple[Range, ...]
    auto_assign: bool
    avoid_buggy: bool
    namespaces: tuple[str, ...]
    priority: int

    def __contains__(self, address: Address) -> bool:
        return any(address in part for part in self.ranges) and not self._buggy(address)

    def _buggy(self, address: Address) -> bool:
        return self.avoid_buggy and address.version == 4 and address.packed[-1] in _BUGGY  # noqa: PLR2004 - the IP version

    def serves(self, namespace: str) -> bool:
        """Whether Services of the namespace may have its addresses."""
        return not self.namespaces or namespace in self.namespaces

    def free(self, version: int, taken: set[Address]) -> Address | None:
        """Return its lowest address of the family that is not taken, or None."""
        buggy = {
            address
            for part in self.ranges
            if self.avoid_buggy and part.first.version == version
            for number in range(int(part.first), int(part.last) + 1)
            if self._buggy(address := type(part.first)(number))
        }
        found = (part.free(taken | buggy) for part in self.ranges if part.first.version == version)
        return next((address for address in found if address is not None), None)

    def size(self, version: int) -> int:
        """How many addresses of the family it holds."""
        return sum(part.size for part in self.ranges if part.first.version == version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a Service has: its addresses, all of one pool."""

    addresses: tuple[Address, ...]
    pool: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why it has none, in the controller's words."""

    message: str


@dataclass(slots=True)
class _Book:
    pools: Sequence[AddressPool]
    owners: dict[Address, list[Obj]] = field(default_factory=dict)

    def give(self, service: Obj, addresses: Iterable[Address]) -> None:
        for address in addresses:
            self.owners.setdefault(address, []).append(service)

    def obstacle(self, service: Obj, address: Address) -> str | None:
        others = self.owners.get(address, ())
        if all(_may_share(service, other) for other in others):
            return None
        named = ",".join(sorted(str(key_of(other)) for other in others))
        return f"can't change sharing key for {_quoted(service)}, address also in use by {named}"


def _quoted(service: Obj) -> str:
    return f'"{key_of(service)}"'


def printed(addresses: Sequence[Address]) -> str:
    """Return addresses as Go prints a slice of them with %q."""
    return f"[{' '.join(f'{chr(34)}{address}{chr(34)}' for address in addresses)}]"


def _annotation(service: Obj, names: Sequence[str]) -> str:
    annotations = annotations_of(service)
    return next((annotations[name] for name in names if name in annotations), "")


def _ports(service: Obj) -> set[tuple[str, int]]:
    return {(port.get("protocol", "TCP"), port["port"]) for port in service["spec"].get("ports") or ()}


def _backend(service: Obj) -> object:
    """Return what Services that share an address must have in common (controller/main.go)."""
    local = service["spec"].get("externalTrafficPolicy") == "Local"
    return tuple(sorted((service["spec"].get("selector") or {}).items())) if local else None


def _may_share(one: Obj, other: Obj) -> bool:
    key = _annotation(one, _SHARING_KEY)
    same = key != "" and key == _annotation(other, _SHARING_KEY) and _backend(one) == _backend(other)
    return same and not _ports(one) & _ports(other)


def _range(text: str) -> Range:
    if "-" in text:
        first, last = (ipaddress.ip_address(end.strip()) for end in text.split("-", 1))
        return Range(first=first, last=last)
    net = ipaddress.ip_network(text.strip(), strict=False)
    return Range(first=net.network_address, last=net.broadcast_address)


def _ranges(texts: Iterable[str]) -> Iterator[Range]:
    for text in texts:
        try:
            yield _range(text)
        except ValueError:
            continue


def read_pools(objects: Iterable[Obj]) -> tuple[AddressPool, ...]:
    """Return the pools in the order in which the controller tries them: by priority (0 is none: last), then name."""
    pools = [
        AddressPool(
            name=obj["metadata"]["name"],
            labels=labels_of(obj),
            ranges=tuple(_ranges(dig(obj, "spec", "addresses") or ())),
            auto_assign=dig(obj, "spec", "autoAssign") is not False,
            avoid_buggy=bool(dig(obj, "spec", "avoidBuggyIPs")),
            namespaces=tuple(dig(obj, "spec", "serviceAllocation", "namespaces") or ()),
            priority=int(dig(obj, "spec", "serviceAllocation", "priority") or 0),
        )
        for obj in objects
    ]
    return tuple(sorted(pools, key=lambda pool: (not pool.priority, pool.priority, pool.name)))


def managed(service: Obj) -> bool:
    """Say whether the controller serves the Service: type LoadBalancer, and no class (its --lb-class is empty)."""
    return service["spec"].get("type") == "LoadBalancer" and not service["spec"].get("loadBalancerClass")


def pool_of(pools: Iterable[AddressPool], addresses: Sequence[Address]) -> AddressPool | None:
    """Return the pool that holds all of these, or None."""
    return next((pool for pool in pools if addresses and all(address in pool for address in addresses)), None)


def _wanted(service: Obj) -> tuple[Address, ...]:
    texts = _annotation(service, _IPS) or service["spec"].get("loadBalancerIP") or ""
    found = []
    for text in filter(None, (part.strip() for part in texts.split(","))):
        try:
            found.append(ipaddress.ip_address(text))
        except ValueError:
            continue
    return tuple(found)


def _families(service: Obj) -> tuple[int, ...]:
    return tuple(int(family.removeprefix("IPv")) for family in service["spec"].get("ipFamilies") or ("IPv4",))


def _keeps(book: _Book, service: Obj) -> tuple[Address, ...]:
    held, wanted = ingress_of(service), _wanted(service)
    pool, named = pool_of(book.pools, held), _annotation(service, _WANTED_POOL)
    if pool is None or (wanted and set(wanted) != set(held)) or (named and named != pool.name):
        return ()
    return held if all(book.obstacle(service, address) is None for address in held) else ()


def _specific(book: _Book, service: Obj, wanted: tuple[Address, ...]) -> Grant | Refusal:
    pool = pool_of(book.pools, wanted)
    if pool is None:
        return Refusal(f"{printed(wanted)} is not allowed in config")
    if not pool.serves(key_of(service).namespace):
        return Refusal(f"pool {pool.name} not compatible for ip assignment")
    blocked = next(filter(None, (book.obstacle(service, address) for address in wanted)), None)
    return Refusal(blocked) if blocked else Grant(addresses=wanted, pool=pool.name)


def _from_pool(book: _Book, service: Obj, pool: AddressPool) -> Grant | None:
    taken = set(book.owners)
    found = [pool.free(version, taken) for version in _families(service)]
    given = tuple(address for address in found if address is not None)
    enough = bool(given) if service["spec"].get("ipFamilyPolicy") == "PreferDualStack" else len(given) == len(found)
    return Grant(addresses=given, pool=pool.name) if enough else None


def _generic(book: _Book, service: Obj) -> Grant | Refusal:
    namespace, named = key_of(service).namespace, _annotation(service, _WANTED_POOL)
    if named:
        pool = next((pool for pool in book.pools if pool.name == named), None)
        if pool is None:
            return Refusal(f'unknown pool "{named}"')
        if not pool.serves(namespace):
            return Refusal(f"pool {named} not compatible for ip assignment")
        # Recorded: of a named pool that is full the controller says that no address at all is not allowed.
        nothing = " ".join('"<nil>"' for _ in _families(service))
        return _from_pool(book, service, pool) or Refusal(f"[{nothing}] is not allowed in config")
    usable = (pool for pool in book.pools if pool.auto_assign and pool.serves(namespace))
    found = (_from_pool(book, service, pool) for pool in usable)
    return next((grant for grant in found if grant is not None), Refusal(NONE_LEFT))


def allocate(pools: Sequence[AddressPool], services: Iterable[Obj]) -> dict[Key, Grant | Refusal]:
    """Return what each managed Service gets: what it holds and may keep, else what is free, oldest Service first."""
    book = _Book(pools)
    ours = [service for service in sorted(services, key=age_order) if managed(service)]
    answers: dict[Key, Grant | Refusal] = {}
    for service in ours:
        if kept := _keeps(book, service):
            holder = pool_of(pools, kept)
            answers[key_of(service)] = Grant(addresses=kept, pool=holder.name if holder else "")
            book.give(service, kept)
    for service in ours:
        if key_of(service) not in answers:
            wanted = _wanted(service)
            answer = _specific(book, service, wanted) if wanted else _generic(book, service)
            answers[key_of(service)] = answer
            book.give(service, answer.addresses if isinstance(answer, Grant) else ())
    return answers
