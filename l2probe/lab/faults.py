"""How the lab can be broken: one frozen row for each fault. Standard library only; `controllers.breakage` applies."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from l2probe.errors import UsageError
from l2probe.lab.profiles import DEFAULT, PROFILES, Implementation


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One named way to break the cluster.

    `raises` is the code of the finding that names this cause, and `verdict` that finding's and the report's; `shown_by`
    are the commands whose first finding it is, with what they must be told besides. `profile`: the cluster that can be
    broken so, or of which nothing louder is said; None where the default will do.
    """

    name: str
    raises: str
    about: str
    shown_by: tuple[str, ...] = ("run",)
    profile: str | None = None
    verdict: str = "fail"

    @property
    def command(self) -> str:
        """The command that shows it in a fresh lab."""
        return shlex.join(self.commands[0])

    @property
    def commands(self) -> tuple[tuple[str, ...], ...]:
        """Every command line whose first finding names this cause."""
        where = () if self.profile is None else ("--profile", self.profile)
        return tuple(("l2probe", *shlex.split(words), "--lab", *where, "--fault", self.name) for words in self.shown_by)


BOTH = ("run", "diagnose")
QUIET = "cilium-1.20.2-dsr"
"""A cluster of which nothing is said while it is healthy: policy Local is served, DSR keeps the client address."""

_METALLB, _KUBE_VIP = "metallb-0.15", "kube-vip-1.0"
_BESIDE_KUBE_PROXY = (
    Fault(
        name="no-advertisement",
        raises="B01",
        about="no L2Advertisement exists",
        shown_by=(*BOTH, "audit"),
        profile=_METALLB,
    ),
    Fault(
        name="advertisement-node-selector",
        raises="B02",
        about="the L2Advertisement's node selector matches no node",
        shown_by=(*BOTH, "audit"),
        profile=_METALLB,
    ),
    Fault(
        name="no-endpoint",
        raises="B13",
        about="the selectors of the shop's Services match no Pod, and MetalLB announces nothing without an endpoint",
        shown_by=("diagnose",),
        profile=_METALLB,
    ),
    Fault(
        name="stale-vip",
        raises="C01",
        about="every address was left on the NIC of a second node beside the lease holder's",
        shown_by=BOTH,
        profile=_KUBE_VIP,
    ),
    Fault(
        name="ipvs-without-strict-arp",
        raises="C06",
        about="kube-proxy runs in IPVS mode without strictARP: every node has every address and answers",
        shown_by=BOTH,
        profile=_METALLB,
    ),
)
_ROWS = (
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
    ),
    Fault(
        name="foreign-load-balancer-class",
        raises="A04",
        about="a new Service shop/checkout asks for a load balancer class that nobody serves",
        shown_by=("diagnose", "audit"),
    ),
    Fault(
        name="no-policy",
        raises="B01",
        about="no CiliumL2AnnouncementPolicy exists",
        shown_by=(*BOTH, "audit"),
    ),
    Fault(
        name="policy-service-selector",
        raises="B02",
        about="the announcement policy wants a label that no Service has",
        shown_by=(*BOTH, "audit"),
    ),
    Fault(
        name="policy-node-selector",
        raises="B02",
        about="the announcement policy wants a label that no node has",
        shown_by=(*BOTH, "audit"),
    ),
    Fault(
        name="policy-no-addresses",
        raises="B02",
        about="the announcement policy says neither loadBalancerIPs nor externalIPs, which are false by default",
        shown_by=(*BOTH, "audit"),
    ),
    Fault(
        name="announcements-off",
        raises="B04",
        about="the agents run with enable-l2-announcements=false",
        shown_by=(*BOTH, "audit"),
    ),
    Fault(
        name="kube-proxy-replacement-off",
        raises="B04",
        about="the agents run with kube-proxy-replacement=false, so they announce nothing",
        shown_by=(*BOTH, "audit"),
    ),
    Fault(
        name="stale-lease",
        raises="B06",
        about="the holder's agent died: leases were not renewed for ten minutes, nobody took over, nobody answers",
        shown_by=(*BOTH, "audit"),
    ),
    Fault(
        name="silent-leader",
        raises="B07",
        about="every lease is held and renewed, and no node answers ARP or NDP for the addresses",
        shown_by=(*BOTH, "audit --on-wire"),
    ),
    Fault(
        name="multicast-unanswered",
        raises="B11",
        about="the announcer answers unicast neighbour solicitations for IPv6 addresses, and no multicast one",
        shown_by=(*BOTH, "audit --on-wire"),
    ),
    Fault(
        name="broadcast-unanswered",
        raises="B12",
        about="the announcer answers unicast who-has for IPv4 addresses, and no broadcast one",
        shown_by=(*BOTH, "audit --on-wire"),
    ),
    Fault(
        name="duplicate-announcers",
        raises="C01",
        about="a second node answers for every address beside the lease holder",
        shown_by=(*BOTH, "audit --on-wire"),
    ),
    Fault(
        name="several-nics",
        raises="C02",
        about="every node has a second NIC on the segment, and the policy's interfaces match both",
        shown_by=(*BOTH, "audit --on-wire"),
        profile=QUIET,
        verdict="warn",
    ),
    Fault(
        name="foreign-owner",
        raises="C03",
        about="a host outside the cluster owns every announced address too, and answers",
        shown_by=(*BOTH, "audit --on-wire"),
    ),
    Fault(
        name="holder-mismatch",
        raises="C04",
        about="another node than the lease holder answers for every address",
        shown_by=(*BOTH, "audit --on-wire"),
    ),
    Fault(
        name="holder-gone",
        raises="C05",
        about="every lease names a node that was taken out of the cluster, and nobody takes over",
        shown_by=(*BOTH, "audit"),
    ),
    Fault(
        name="no-ready-backend",
        raises="D02",
        about="the selectors of the shop's Services match no Pod",
        shown_by=("diagnose", "audit"),
    ),
    Fault(
        name="announcer-drops",
        raises="D03",
        about="the announcer answers ARP and NDP, and drops every packet to the address",
        shown_by=(*BOTH, "audit --on-wire"),
    ),
    Fault(
        name="cross-node-blocked",
        raises="D04",
        about="a firewall drops all IP packets between nodes",
    ),
    Fault(
        name="cross-node-udp-blocked",
        raises="D05",
        about="a firewall drops UDP between nodes",
    ),
    Fault(
        name="mtu",
        raises="D06",
        about="the switch silently drops IP packets longer than 1400 bytes at the nodes' ports",
    ),
    Fault(
        name="reply-from-other-nic",
        raises="D08",
        about="the nodes answer for addresses on a second NIC, and their packets leave through the first",
        shown_by=(*BOTH, "audit --on-wire"),
        profile=QUIET,
        verdict="warn",
    ),
    Fault(
        name="intercepted",
        raises="D10",
        about="a proxy on the way takes what the client sends to the pool's addresses, and answers itself",
    ),
    Fault(
        name="wrong-target-port",
        raises="D11",
        about="the shop's Services point at a port on which no container listens",
        shown_by=("diagnose", "audit --on-wire"),
    ),
    Fault(name="loss", raises="D12", about="the switch loses 30 % of the IP packets at the nodes' ports"),
    Fault(
        name="masquerade-all",
        raises="E01",
        about="the datapath translates source addresses for backends on the announcer too",
        profile="cilium-1.20.2-snat",
        verdict="warn",
    ),
    Fault(
        name="snat",
        raises="E02",
        about="the agents run with bpf-lb-mode=snat: clients are seen only by backends on the announcer",
        profile=QUIET,
        verdict="warn",
    ),
    Fault(
        name="dsr-not-effective",
        raises="E03",
        about="the configuration says DSR, and the datapath translates source addresses",
    ),
    Fault(
        name="hybrid",
        raises="E04",
        about="the agents run with bpf-lb-mode=hybrid: TCP keeps the client address, UDP loses it",
        profile=QUIET,
        verdict="warn",
    ),
    Fault(
        name="translated",
        raises="E05",
        about="a device at the client's port gives what it sends another source address",
        profile=QUIET,
        verdict="warn",
    ),
    Fault(
        name="on-a-cluster-node",
        raises="V01",
        about="commands run on node-1",
        shown_by=(*BOTH, "audit --on-wire"),
        verdict="unknown",
    ),
    Fault(
        name="behind-a-router",
        raises="V02",
        about="commands run on a machine of another segment, behind a router",
        shown_by=(*BOTH, "audit --on-wire"),
        profile=QUIET,
        verdict="unknown",
    ),
    Fault(
        name="no-raw-socket",
        raises="V03",
        about="commands run without CAP_NET_RAW",
        shown_by=(*BOTH, "audit --on-wire"),
        profile=QUIET,
        verdict="unknown",
    ),
    Fault(
        name="deaf-interface",
        raises="V04",
        about="the client's port passes no ARP and no NDP, as with port isolation",
        shown_by=(*BOTH, "audit --on-wire"),
        verdict="unknown",
    ),
    Fault(
        name="not-allowed",
        raises="V05",
        about="the user of the kubeconfig may not list or watch leases; see also denied:VERB:RESOURCE",
        shown_by=(*BOTH, "audit"),
        profile=QUIET,
        verdict="warn",
    ),
    Fault(
        name="announcer-unmapped",
        raises="V06",
        about="the nodes answer for addresses on a second NIC that answers for none of the nodes' own",
        shown_by=(*BOTH, "audit --on-wire"),
        profile=QUIET,
        verdict="unknown",
    ),
    Fault(
        name="reply-not-translated",
        raises="D07",
        about="after the SYN-ACK a backend behind another node answers from its node's address and target port",
        shown_by=BOTH,
    ),
    Fault(
        name="asymmetric-path",
        raises="D09",
        about="the client reaches the pool through a stateful firewall on its segment, nodes answer it directly",
    ),
    Fault(
        name="announcer-flaps",
        raises="F01",
        about="every holder lets go of its leases again and again, and another node takes them",
        shown_by=BOTH,
    ),
    Fault(
        name="no-gratuitous-arp",
        raises="F02",
        about="a node that takes an address over tells nobody unasked",
        profile=QUIET,
    ),
    Fault(
        name="slow-failover",
        raises="F03",
        about="a lease that was let go is taken late, far beyond what its settings allow",
        profile="cilium-1.20.2-dsr+quick",
    ),
    Fault(
        name="gratuitous-arp-ignored",
        raises="F04",
        about="the client's kernel keeps an ARP entry for ten minutes whatever it hears (neighbour locktime)",
        profile=QUIET,
    ),
    *_BESIDE_KUBE_PROXY,
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
        shown_by=BOTH,
    ),
    Fault(
        name="address-given-twice",
        raises="A08",
        about="LB IPAM forgot what it had given, and gives every Service the first address of the pool",
        shown_by=(*BOTH, "audit"),
    ),
    Fault(
        name="wrong-interface",
        raises="B03",
        about="the policy announces on interfaces ^enp.*, and the nodes' device is eth0: leases are held in silence",
        shown_by=BOTH,
    ),
    Fault(
        name="gateway-local",
        raises="B05",
        about="a Cilium Gateway's Service has policy Local and an endpoint without a node: nobody may announce it",
        shown_by=("diagnose",),
        profile="cilium-1.20.2-dsr",
    ),
    Fault(
        name="shared-address",
        raises="C07",
        about="two Services share one address, and a different node won each one's election: both answer for it",
        shown_by=("diagnose", "audit --on-wire"),
    ),
)

FAULTS: Mapping[str, Fault] = MappingProxyType({fault.name: fault for fault in _ROWS})
"""Every fault by its name."""


_CILIUM, _WITH_POLICY = (Implementation.CILIUM,), (Implementation.CILIUM, Implementation.METALLB)
_WITH_LEASES = (Implementation.CILIUM, Implementation.KUBE_VIP)
_WITH_KUBE_PROXY = (Implementation.METALLB, Implementation.KUBE_VIP)
_ONLY: Mapping[str, tuple[Implementation, ...]] = MappingProxyType(
    {
        "requested-address-taken": _CILIUM,
        "policy-service-selector": _CILIUM,
        "policy-node-selector": _CILIUM,
        "policy-no-addresses": _CILIUM,
        "announcements-off": _CILIUM,
        "kube-proxy-replacement-off": _CILIUM,
        "holder-mismatch": _CILIUM,
        "reply-from-other-nic": _CILIUM,
        "announcer-unmapped": _CILIUM,
        "dsr-not-effective": _CILIUM,
        "snat": _CILIUM,
        "hybrid": _CILIUM,
        "masquerade-all": _CILIUM,
        "no-policy": _WITH_POLICY,
        "several-nics": _WITH_POLICY,
        "stale-lease": _WITH_LEASES,
        "holder-gone": _WITH_LEASES,
        "no-advertisement": (Implementation.METALLB,),
        "advertisement-node-selector": (Implementation.METALLB,),
        "no-endpoint": _WITH_KUBE_PROXY,
        "ipvs-without-strict-arp": _WITH_KUBE_PROXY,
        "stale-vip": (Implementation.KUBE_VIP,),
    }
)
"""Whose clusters can be broken so; everybody's where a fault is not named."""


def check_world(profile: str, faults: Iterable[str]) -> None:
    """Raise UsageError for the first fault that the profile's cluster has nothing for."""
    plays = PROFILES[profile].implementation
    for name in faults:
        worlds = _ONLY.get(name, (plays,))
        if plays not in worlds:
            fitting = (other.name for other in PROFILES.values() if other.implementation in worlds)
            raise UsageError(
                f"A lab that plays {profile} cannot be broken by {name}: {FAULTS[name].about}.",
                f"Choose a profile of {' or '.join(worlds)}: {', '.join(fitting)}.",
            )


def profile_of(faults: Iterable[str]) -> str:
    """Return the profile that the first fault with a wish needs; the default one without."""
    wishes = (FAULTS[name].profile for name in faults if name in FAULTS)
    return next((wish for wish in wishes if wish is not None), DEFAULT)
