"""The few fields that we read of custom resources: Cilium's and MetalLB's. No logic; see `objects`."""

from __future__ import annotations

import msgspec

from l2probe.observe.objects import ConditionPart, Meta, Part, Selector


class CiliumBlock(Part, frozen=True):
    """A block of a CiliumLoadBalancerIPPool."""

    cidr: str | None = None
    start: str | None = None
    stop: str | None = None


class CiliumPoolSpec(Part, frozen=True):
    """spec of a CiliumLoadBalancerIPPool."""

    blocks: list[CiliumBlock] | None = None
    disabled: bool = False


class Conditions(Part, frozen=True):
    """A status of which only the conditions are read."""

    conditions: list[ConditionPart] | None = None


class CiliumPool(Part, frozen=True):
    """cilium.io CiliumLoadBalancerIPPool, v2 or v2alpha1."""

    metadata: Meta
    spec: CiliumPoolSpec = CiliumPoolSpec()
    status: Conditions | None = None


class CiliumPolicySpec(Part, frozen=True):
    """spec of a CiliumL2AnnouncementPolicy."""

    service_selector: Selector | None = None
    node_selector: Selector | None = None
    interfaces: list[str] | None = None
    load_balancer_ips: bool = msgspec.field(default=False, name="loadBalancerIPs")


class CiliumPolicy(Part, frozen=True):
    """cilium.io/v2alpha1 CiliumL2AnnouncementPolicy."""

    metadata: Meta
    spec: CiliumPolicySpec = CiliumPolicySpec()
    status: Conditions | None = None


class MetallbPoolSpec(Part, frozen=True):
    """spec of an IPAddressPool."""

    addresses: list[str] | None = None


class MetallbPoolStatus(Part, frozen=True):
    """status of an IPAddressPool."""

    available_ipv4: int | None = msgspec.field(default=None, name="availableIPv4")
    available_ipv6: int | None = msgspec.field(default=None, name="availableIPv6")


class MetallbPool(Part, frozen=True):
    """metallb.io/v1beta1 IPAddressPool."""

    metadata: Meta
    spec: MetallbPoolSpec = MetallbPoolSpec()
    status: MetallbPoolStatus | None = None


class AdvertisementSpec(Part, frozen=True):
    """spec of an L2Advertisement; that of a BGPAdvertisement has no interfaces, and more that is not read."""

    ip_address_pools: list[str] | None = None
    node_selectors: list[Selector] | None = None
    interfaces: list[str] | None = None
    service_selectors: list[Selector] | None = None


class Advertisement(Part, frozen=True):
    """metallb.io/v1beta1 L2Advertisement or BGPAdvertisement."""

    metadata: Meta
    spec: AdvertisementSpec = AdvertisementSpec()


class L2StatusStatus(Part, frozen=True):
    """status of a ServiceL2Status."""

    node: str | None = None
    service_name: str | None = None
    service_namespace: str | None = None


class L2Status(Part, frozen=True):
    """metallb.io/v1beta1 ServiceL2Status."""

    metadata: Meta
    status: L2StatusStatus | None = None
