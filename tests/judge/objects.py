"""Evidence whose API objects show what is wrong, made by hand from the shop that works: small changes, one each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from l2probe.model import (
    Admission,
    AnnouncementPolicy,
    Backend,
    Controller,
    Evidence,
    Exchange,
    Ip,
    Mac,
    NetworkPolicy,
    NodeName,
    OffLink,
    Outcome,
    Ping,
    Placement,
    Pool,
    Port,
    Protocol,
    Requirement,
    Service,
    Sharer,
    Trial,
)
from tests.judge.diagnosed import (
    API,
    ONE,
    THREE,
    TWO,
    WEB,
    all_end,
    connect,
    diagnosed,
    each,
    lease,
    unheard,
    with_trial,
)
from tests.judge.evidence import NODES, T0, mac, node, node_address, replies, reply

EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"
OFF = Ip("203.0.113.40")
SUBNETS = ("198.51.100.0/24", "2001:db8:1::/64")


def in_cluster(evidence: Evidence, **fields: object) -> Evidence:
    """Return the evidence with another cluster."""
    return replace(evidence, cluster=replace(evidence.cluster, **fields))  # type: ignore[arg-type]


def of_api(evidence: Evidence, **fields: object) -> Evidence:
    """Return the evidence with another Service shop/api, listed and tried."""
    changed = replace(API, **fields)  # type: ignore[arg-type]
    listed = tuple(changed if one.name == "api" else one for one in evidence.cluster.services or ())
    return in_cluster(with_trial(evidence, "api", lambda one: replace(one, service=changed)), services=listed)


def pooled(*blocks: str) -> Evidence:
    """All is well, and the only pool has these blocks."""
    return in_cluster(diagnosed(), pools=(Pool(name="lan", blocks=blocks),))


def given_a_nodes_address() -> Evidence:
    """Return shop/api with node-2's own address: the pool was widened by its host bits."""
    return in_cluster(
        of_api(diagnosed(), vips=(node_address(TWO, 4),)), pools=(Pool(name="lan", blocks=("198.51.100.13/30",)),)
    )


def answering_already(ip: str = "198.51.100.77") -> Evidence:
    """Return a shop where a machine answers for an address of the pool that no Service has."""
    return replace(diagnosed(), pool_replies=(reply(Ip(ip), Mac("02:00:00:00:00:c8"), T0),))


def ingress(*seen: tuple[Ip, ...]) -> Callable[[Trial], Trial]:
    """Return a change: the Service had these addresses, one after the other."""
    return lambda one: replace(one, ingress=seen)


SERVICE_LB = (
    Controller(name="Cilium LB IPAM", source="1 CiliumLoadBalancerIPPool"),
    Controller(name="k3s ServiceLB", source="DaemonSet kube-system/svclb-api-0badcafe", service="shop/api"),
)


def fought_over() -> Evidence:
    """ServiceLB and LB IPAM overwrite each other's address of shop/api."""
    evidence = in_cluster(diagnosed(), controllers=SERVICE_LB)
    home = (node_address(THREE, 4),)
    return with_trial(evidence, "api", ingress(API.vips, home, API.vips, home))


def astray(outcome: Outcome = Outcome.NO_NEIGHBOUR) -> Evidence:
    """shop/api's address is announced by node-1 on a segment whose subnets do not hold it."""
    evidence = of_api(diagnosed(), vips=(OFF,))

    def gone(one: Exchange) -> Exchange:
        changed = connect(OFF, one.at, ONE, THREE, outcome)
        return changed if outcome is Outcome.ANSWERED else replace(changed, unsent=True, detail="no route leads there")

    moved = with_trial(each(evidence, gone, "api"), "api", lambda one: replace(one, replies=None, announcer=None))
    heard = OffLink(interface="eth0", subnets=SUBNETS, asked=(OFF,), replies=(reply(OFF, mac(ONE), T0),))
    return replace(moved, off_link=heard, vantage=replace(moved.vantage, subnets=SUBNETS))


def owned_twice() -> Evidence:
    """shop/web got the address of shop/api; both serve port 80."""
    evidence = with_trial(diagnosed(), "web", lambda one: replace(one, service=replace(WEB, vips=API.vips[:1])))
    return in_cluster(evidence, services=(API, replace(WEB, vips=API.vips[:1])))


def wrong_interface(devices: str | None = "eth0", pattern: str = "^enp.*") -> Evidence:
    """Leases are held and renewed, nobody answers, and the only policy names an interface."""
    policy = AnnouncementPolicy(name="all", load_balancer_ips=True, interfaces=(pattern,))
    evidence = unheard(diagnosed())
    told = (("devices", devices),) if devices else ()
    return in_cluster(evidence, policies=(policy,), settings=(*evidence.cluster.settings, *told))


GATEWAY = Backend(address=Ip("192.192.192.192"), node=None, ready=True)


def homeless(version: str = "v1.20.2") -> Evidence:
    """shop/web is a Cilium Gateway with policy Local: a synthetic endpoint, no lease, no answer."""

    def change(one: Trial) -> Trial:
        web = replace(WEB, backends=(GATEWAY,))
        return replace(one, service=web, replies=(), claims=(), announcer=None, placement=Placement.ANY)

    evidence = with_trial(diagnosed(version), "web", change)
    return each(evidence, lambda one: connect(one.vip, one.at, TWO, TWO, Outcome.NO_NEIGHBOUR), "web")


def crowded(number: int, **settings: str) -> Evidence:
    """So many Services are announced, under these settings."""
    evidence = diagnosed()
    many = tuple(replace(API, name=f"s{n}", vips=(Ip(f"198.51.{n // 250}.{n % 250}"),)) for n in range(number))
    pairs = tuple((key.replace("_", "-"), value) for key, value in settings.items())
    return in_cluster(evidence, services=many, settings=(*evidence.cluster.settings, *pairs))


def labelled(*names: NodeName) -> Evidence:
    """MetalLB; these nodes are excluded; nobody announces anything."""
    nodes = tuple(replace(node(name), labels=((EXCLUDED, ""),) if name in names else ()) for name in NODES)
    evidence = unheard(diagnosed())
    silent = replace(evidence, trials=tuple(replace(one, claims=()) for one in evidence.trials))
    return in_cluster(silent, implementation="metallb", implementation_version="0.15.2", nodes=nodes, settings=())


def accelerated(mode: str = "native") -> Evidence:
    """Leases are held, nobody answers, and XDP acceleration is on."""
    evidence = unheard(diagnosed())
    return in_cluster(evidence, settings=(*evidence.cluster.settings, ("bpf-lb-acceleration", mode)))


def shop_at(name: str, port: int, vip: Ip = API.vips[0], key: str | None = "shop") -> Service:
    """Return a Service that shares an address."""
    ports = (Port(protocol=Protocol.TCP, port=port),)
    return replace(API, name=name, vips=(vip,), ports=ports, sharing_key=key)


def split(*, both_answer: bool = True) -> Evidence:
    """shop/api shares its address with shop/dns; node-1 holds the one lease, node-3 the other."""
    api, dns = shop_at("api", 80), shop_at("dns", 53)
    evidence = diagnosed()
    extra = tuple(replace(r, at=r.at + 0.05) for r in replies(api.vips, THREE, T0)) if both_answer else ()

    def change(one: Trial) -> Trial:
        first = tuple(r for r in one.replies or () if r.ip in api.vips)
        kept = tuple(e for e in one.exchanges or () if e.vip in api.vips)
        return replace(one, service=api, replies=(*first, *extra), exchanges=kept)

    other = Sharer(service=dns, claims=(lease("dns", THREE, T0),))
    return replace(in_cluster(with_trial(evidence, "api", change), services=(api, dns, WEB)), sharers=(other,))


def policy(*admits: str, kind: str = "CiliumNetworkPolicy", **fields: object) -> NetworkPolicy:
    """Return a policy on shop/api's Pods that admits these networks from outside."""
    made = NetworkPolicy(
        kind=kind,
        namespace="shop",
        name="api",
        selector=(Requirement(key="app", operator="In", values=("api",)),),
        admits=tuple(Admission(network=network) for network in admits),
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def guarded(*policies: NetworkPolicy, outcome: Outcome = Outcome.TIMEOUT, **fields: object) -> Evidence:
    """Every connect to shop/api ends so, and these policies lie in its namespace."""
    fields = {"selector": (("app", "api"),), "network_policies": policies, **fields}
    return of_api(all_end(diagnosed(), outcome, "api"), **fields)


def pinged(*, answered: bool = False) -> Evidence:
    """All is well, and somebody pinged shop/api."""
    return replace(diagnosed(), pings=(Ping(at=T0, vip=API.vips[0], answered=answered),))


def blind(evidence: Evidence) -> Evidence:
    """Return what the API alone shows: nobody listened, nobody knocked."""
    trials = tuple(replace(one, replies=None, exchanges=None, announcer=None) for one in evidence.trials)
    return replace(evidence, trials=trials, node_replies=None, off_link=None, pool_replies=None)
