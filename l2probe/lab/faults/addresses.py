"""Family A: what is wrong with the addresses themselves, their pools and who gives them. One row for each fault."""

from __future__ import annotations

from l2probe.lab.faults.fault import BOTH, CILIUM, Fault

ADDRESSES = (
    Fault(
        name="no-pool",
        raises="A01",
        about="no CiliumLoadBalancerIPPool exists: addresses are taken away, new ones stay pending",
        shown_by=(*BOTH, "audit"),
    ),
    Fault(
        name="requested-address-taken",
        raises="A03",
        about="a new Service shop/cart asks for the addresses of shop/api, and gets none",
        shown_by=("diagnose", "audit"),
        worlds=CILIUM,
    ),
    Fault(
        name="foreign-load-balancer-class",
        raises="A04",
        about="a new Service shop/checkout asks for a load balancer class that nobody serves",
        shown_by=("diagnose", "audit"),
    ),
    Fault(
        name="pool-on-nodes",
        raises="A05",
        about="the pool's CIDR has host bits and so covers two nodes' addresses; the shop's Services get those",
        shown_by=("diagnose", "audit"),
    ),
    Fault(
        name="two-controllers",
        raises="A06",
        about="k3s' ServiceLB runs beside LB IPAM, and each overwrites the addresses that the other wrote",
        shown_by=("diagnose",),
    ),
    Fault(
        name="pool-off-link",
        raises="A07",
        about="the pool's IPv4 addresses lie in no subnet of the segment: announced, and no client asks for them",
        shown_by=(*BOTH, "audit --on-wire"),
    ),
    Fault(
        name="address-given-twice",
        raises="A08",
        about="LB IPAM forgot what it had given, and gives every Service the first address of the pool",
        shown_by=(*BOTH, "audit"),
    ),
)
