"""Network policies -> whom they admit to Pods from outside the cluster. What we cannot read counts as an admission.

https://kubernetes.io/docs/concepts/services-networking/network-policies/ and
https://docs.cilium.io/en/stable/security/policy/language/. Ports are not looked at: who may reach one port is admitted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from l2probe.model import Admission, NetworkPolicy, Requirement
from l2probe.observe.decode import requirements
from l2probe.observe.objects import Meta, Part, Selector

EVERYBODY = (Admission(network="0.0.0.0/0"), Admission(network="::/0"))
WORLD = {
    "world": EVERYBODY,
    "all": EVERYBODY,
    "world-ipv4": EVERYBODY[:1],
    "world-ipv6": EVERYBODY[1:],
}
"""Cilium's entities that clients outside the cluster belong to."""
INGRESS = "Ingress"
PREFIXES = ("k8s:", "any:", "k8s.", "any.")
"""What may stand before a label's key in Cilium's selectors: its source."""


class IpBlock(Part, frozen=True):
    """An ipBlock of a NetworkPolicy."""

    cidr: str = ""
    without: list[str] | None = msgspec.field(default=None, name="except")


class Peer(Part, frozen=True):
    """An entry of `from`; selectors mean Pods of the cluster."""

    ip_block: IpBlock | None = None


class IngressRule(Part, frozen=True):
    """An ingress rule; without `from` it admits everybody."""

    peers: list[Peer] | None = msgspec.field(default=None, name="from")


class NetworkPolicySpec(Part, frozen=True):
    """spec of a NetworkPolicy."""

    pod_selector: Selector = Selector()
    ingress: list[IngressRule] | None = None
    policy_types: list[str] | None = None


class NetworkPolicyObject(Part, frozen=True):
    """networking.k8s.io/v1 NetworkPolicy."""

    metadata: Meta
    spec: NetworkPolicySpec = NetworkPolicySpec()


class CidrRule(Part, frozen=True):
    """An entry of fromCIDRSet."""

    cidr: str = ""
    without: list[str] | None = msgspec.field(default=None, name="except")
    cidr_group_ref: str | None = None
    cidr_group_selector: dict[str, object] | None = None


class CiliumRule(Part, frozen=True):
    """An ingress rule of Cilium's policies; of the kinds of peers only those outside the cluster are looked into."""

    from_entities: list[str] | None = None
    from_cidr: list[str] | None = msgspec.field(default=None, name="fromCIDR")
    from_cidr_set: list[CidrRule] | None = msgspec.field(default=None, name="fromCIDRSet")
    from_endpoints: list[object] | None = None
    from_requires: list[object] | None = None
    from_nodes: list[object] | None = None
    from_groups: list[object] | None = None


class DefaultDeny(Part, frozen=True):
    """enableDefaultDeny: false leaves what no rule is about as it was."""

    ingress: bool | None = None


class CiliumSpec(Part, frozen=True):
    """spec, or an entry of specs, of Cilium's policies."""

    endpoint_selector: Selector | None = None
    enable_default_deny: DefaultDeny | None = None
    ingress: list[CiliumRule] | None = None
    ingress_deny: list[CiliumRule] | None = None


class CiliumPolicyObject(Part, frozen=True):
    """cilium.io/v2 CiliumNetworkPolicy or CiliumClusterwideNetworkPolicy."""

    metadata: Meta
    spec: CiliumSpec | None = None
    specs: list[CiliumSpec] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of policy: the right's resource and group, the path of its version, whether it is of a namespace."""

    name: str
    resource: str
    group: str
    version: str
    namespaced: bool = True

    def path(self, namespace: str) -> str:
        """Return the list's path."""
        inside = f"/namespaces/{namespace}" if self.namespaced else ""
        return f"/apis/{self.group}/{self.version}{inside}/{self.resource}"


KUBERNETES = Kind(name="NetworkPolicy", resource="networkpolicies", group="networking.k8s.io", version="v1")
CILIUM = Kind(name="CiliumNetworkPolicy", resource="ciliumnetworkpolicies", group="cilium.io", version="v2")
CLUSTERWIDE = Kind(
    name="CiliumClusterwideNetworkPolicy",
    resource="ciliumclusterwidenetworkpolicies",
    group="cilium.io",
    version="v2",
    namespaced=False,
)


def kubernetes(item: NetworkPolicyObject) -> tuple[NetworkPolicy, ...]:
    """Return a NetworkPolicy; () when it does not restrict what comes in."""
    if item.spec.policy_types is not None and INGRESS not in item.spec.policy_types:
        return ()
    admits = tuple(one for rule in item.spec.ingress or () for one in _peers(rule))
    return (_policy(KUBERNETES, item.metadata, item.spec.pod_selector, admits),)


def _peers(rule: IngressRule) -> Iterator[Admission]:
    if not rule.peers:
        yield from EVERYBODY
    for peer in rule.peers or ():
        if peer.ip_block is not None:
            yield Admission(network=peer.ip_block.cidr, without=tuple(peer.ip_block.without or ()))


def cilium(kind: Kind, item: CiliumPolicyObject) -> tuple[NetworkPolicy, ...]:
    """Return one policy for each spec that restricts what comes in to Pods; an empty list of rules does not."""
    specs = (*((item.spec,) if item.spec else ()), *(item.specs or ()))
    return tuple(
        _policy(
            kind,
            item.metadata,
            spec.endpoint_selector,
            _all(spec.ingress, EVERYBODY) if spec.ingress and not _is_open(spec) else EVERYBODY,
            _all(spec.ingress_deny or (), ()),
        )
        for spec in specs
        if spec.endpoint_selector is not None and (spec.ingress or spec.ingress_deny)
    )


def _is_open(spec: CiliumSpec) -> bool:
    return spec.enable_default_deny is not None and spec.enable_default_deny.ingress is False


def _all(rules: Iterable[CiliumRule], unread: tuple[Admission, ...]) -> tuple[Admission, ...]:
    """Return whom the rules are about; `unread` stands for those that we cannot look into (groups)."""
    return tuple(dict.fromkeys(one for rule in rules for one in _sources(rule, unread)))


def _sources(rule: CiliumRule, unread: tuple[Admission, ...]) -> Iterator[Admission]:
    """Yield whom one rule is about; one that names no peers is about everybody."""
    inside = (rule.from_endpoints, rule.from_requires, rule.from_nodes)
    outside = (rule.from_entities, rule.from_cidr, rule.from_cidr_set, rule.from_groups)
    if all(each is None for each in (*inside, *outside)):
        yield from EVERYBODY
    for entity in rule.from_entities or ():
        yield from WORLD.get(entity, ())
    for network in rule.from_cidr or ():
        yield Admission(network=network)
    for entry in rule.from_cidr_set or ():
        if entry.cidr:
            yield Admission(network=entry.cidr, without=tuple(entry.without or ()))
    if rule.from_groups or any(not entry.cidr for entry in rule.from_cidr_set or ()):
        yield from unread


def _policy(
    kind: Kind,
    meta: Meta,
    selector: Selector | None,
    admits: tuple[Admission, ...],
    denies: tuple[Admission, ...] = (),
) -> NetworkPolicy:
    terms = requirements(selector) or ()
    return NetworkPolicy(
        kind=kind.name,
        namespace=meta.namespace if kind.namespaced else "",
        name=meta.name,
        selector=tuple(Requirement(key=_bare(term.key), operator=term.operator, values=term.values) for term in terms),
        admits=admits,
        denies=denies,
    )


def _bare(key: str) -> str:
    return next((key.removeprefix(prefix) for prefix in PREFIXES if key.startswith(prefix)), key)
