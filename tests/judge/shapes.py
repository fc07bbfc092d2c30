"""Healthy evidence of every shape: what each command sees of sound clusters, and what looking less is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from l2probe.model import Claim, Datapath, Evidence, Exchange, Flow, Outcome, Right, Service, TrafficPolicy, Trial
from tests.judge.audited import audited, on_the_wire
from tests.judge.diagnosed import diagnosed
from tests.judge.evidence import V4, each_exchange, each_trial, family, healthy, mac, node_address

V6 = (Flow.TCP6, Flow.UDP6)
STAYS = {"v1.17.9": V4, "v1.18.1": V6, "v1.19.4": tuple(Flow), "v1.20.1": V4}
"""Versions whose lease ignores backends, with the flow kinds that are tried."""
FOLLOWS = {"v1.20.2": tuple(Flow), "v1.21.0": V6, "1.22.0-pre.1": V4}


def beside_kube_proxy(evidence: Evidence, implementation: str, version: str) -> Evidence:
    """Return the same of MetalLB or kube-vip: kube-proxy masquerades policy Cluster wherever the Pod is."""

    def masqueraded(trial: Trial, one: Exchange) -> Exchange:
        entered = next(node.name for node in evidence.cluster.nodes or () if mac(node.name) == one.sent_mac)
        local = trial.service.policy is TrafficPolicy.LOCAL
        seen = one.seen if one.seen is None or local else node_address(entered, family(one.vip))
        return replace(one, seen=seen, reply_mac=one.reply_mac and mac(entered))

    def said(claim: Claim) -> Claim:
        if implementation == "kube-vip":
            return replace(claim, implementation=implementation)
        status = "ServiceL2Status metallb-system/l2-x"
        return Claim(implementation=implementation, source=status, holder=claim.holder, read_at=claim.read_at)

    translated = each_exchange(evidence, masqueraded)
    seen = each_trial(translated, lambda trial: replace(trial, claims=tuple(map(said, trial.claims or ()))))
    cluster = replace(
        seen.cluster, implementation=implementation, implementation_version=version, datapath=None, settings=()
    )
    if implementation == "kube-vip":
        cluster = replace(cluster, pools=None, policies=None)
    return replace(seen, cluster=cluster)


def of_family(evidence: Evidence, version: int) -> Evidence:
    """Return the same of Services of one family."""

    def single(service: Service) -> Service:
        return replace(service, vips=tuple(vip for vip in service.vips if family(vip) == version))

    def narrowed(trial: Trial) -> Trial:
        replies, exchanges = trial.replies, trial.exchanges
        return replace(
            trial,
            service=single(trial.service),
            replies=None if replies is None else tuple(r for r in replies if family(r.ip) == version),
            exchanges=None if exchanges is None else tuple(e for e in exchanges if family(e.vip) == version),
        )

    return replace(
        each_trial(evidence, narrowed),
        cluster=replace(evidence.cluster, services=tuple(map(single, evidence.cluster.services or ()))),
        flows=tuple(flow for flow in evidence.flows if int(flow[-1]) == version),
    )


RUNS = {
    **{
        f"run {version} {datapath} {fate}": healthy(version=version, datapath=datapath, flows=flows, local=fate)
        for version, flows in STAYS.items()
        for datapath in Datapath
        for fate in (Outcome.REFUSED_ICMP, Outcome.TIMEOUT)
    },
    **{
        f"run {version} {datapath}": healthy(version=version, datapath=datapath, flows=flows, local=Outcome.ANSWERED)
        for version, flows in FOLLOWS.items()
        for datapath in Datapath
    },
    "run metallb": beside_kube_proxy(healthy(version="v1.20.2", local=Outcome.ANSWERED), "metallb", "v0.15.2"),
    "run metallb ipv4": beside_kube_proxy(
        healthy(version="v1.20.2", flows=V4, local=Outcome.ANSWERED), "metallb", "v0.13.12"
    ),
    "run kube-vip": beside_kube_proxy(healthy(version="v1.20.2", local=Outcome.ANSWERED), "kube-vip", "v1.0.1"),
}
LOOKS: Mapping[str, Callable[[str, Datapath], Evidence]] = {
    "diagnose": diagnosed,
    "audit": audited,
    "audit --on-wire": on_the_wire,
}
SHAPES: Mapping[str, Callable[[Evidence], Evidence]] = {
    "cilium": lambda seen: seen,
    "cilium ipv4": lambda seen: of_family(seen, 4),
    "cilium ipv6": lambda seen: of_family(seen, 6),
    "metallb": lambda seen: beside_kube_proxy(seen, "metallb", "v0.15.2"),
    "kube-vip": lambda seen: beside_kube_proxy(of_family(seen, 4), "kube-vip", "v1.0.1"),
}
EXISTING = {
    f"{command} {shape}": change(look("v1.20.2", Datapath.DSR if "cilium" in shape else Datapath.SNAT))
    for command, look in LOOKS.items()
    for shape, change in SHAPES.items()
}
HEALTHY = {**RUNS, **EXISTING}
"""Every shape of a sound cluster by its name."""


def of_cluster(**fields: object) -> Callable[[Evidence], Evidence]:
    """Return a change of what the cluster said."""
    return lambda seen: replace(seen, cluster=replace(seen.cluster, **fields))  # type: ignore[arg-type]


def of_exchanges(**fields: object) -> Callable[[Evidence], Evidence]:
    """Return a change of every exchange."""
    return lambda seen: each_exchange(seen, lambda _, one: replace(one, **fields))  # type: ignore[arg-type]


def of_claims(**fields: object) -> Callable[[Evidence], Evidence]:
    """Return a change of every claim."""
    return lambda seen: each_trial(
        seen,
        lambda trial: replace(
            trial,
            claims=None if trial.claims is None else tuple(replace(c, **fields) for c in trial.claims),  # type: ignore[arg-type]
        ),
    )


def of_services(**fields: object) -> Callable[[Evidence], Evidence]:
    """Return a change of every Service, listed and tried."""

    def change(seen: Evidence) -> Evidence:
        listed = seen.cluster.services
        tried = each_trial(seen, lambda trial: replace(trial, service=replace(trial.service, **fields)))  # type: ignore[arg-type]
        known = None if listed is None else tuple(replace(one, **fields) for one in listed)  # type: ignore[arg-type]
        return replace(tried, cluster=replace(tried.cluster, services=known))

    return change


def denied(resource: str, look: Callable[[Evidence], Evidence]) -> Callable[[Evidence], Evidence]:
    """Return a change as the tool makes it where it may not look: the right is noted as missing."""

    def change(seen: Evidence) -> Evidence:
        less = look(seen)
        missing = (*less.cluster.missing_rights, Right(verb="list", resource=resource))
        return replace(less, cluster=replace(less.cluster, missing_rights=missing))

    return change


def without_frames(seen: Evidence) -> Evidence:
    """Return what is seen without CAP_NET_RAW."""
    blind = of_exchanges(sent_mac=None, reply_mac=None, strays=None)(
        each_trial(seen, lambda trial: replace(trial, replies=None))
    )
    vantage = replace(seen.vantage, raw_socket=False)
    return replace(blind, vantage=vantage, node_replies=None, pool_replies=None, off_link=None)


def without_traffic(seen: Evidence) -> Evidence:
    """Return what is seen by who sends nothing to the Services."""
    return each_trial(seen, lambda trial: replace(trial, exchanges=None))


LESS: Mapping[str, Callable[[Evidence], Evidence]] = {
    "frames": without_frames,
    "traffic": without_traffic,
    "claims": denied("leases", lambda seen: each_trial(seen, lambda trial: replace(trial, claims=None))),
    "nodes": denied("nodes", of_cluster(nodes=None)),
    "services": denied("services", of_cluster(services=None)),
    "pools": denied("ciliumloadbalancerippools", of_cluster(pools=None)),
    "policies": denied("ciliuml2announcementpolicies", of_cluster(policies=None)),
    "backends": denied("endpointslices", of_services(backends=None)),
    "controllers": denied("daemonsets", of_cluster(controllers=None, implementation_version=None)),
    "configuration": denied("configmaps", of_cluster(announcing=None, datapath=None, settings=())),
}
"""Each way in which less can be seen."""
UNSAID: Mapping[str, Callable[[Evidence], Evidence]] = {
    **{f"exchange {name}": of_exchanges(**{name: None}) for name in ("source", "pod", "seen", "latency_seconds")},
    **{f"exchange {name}": of_exchanges(**{name: None}) for name in ("sent_mac", "reply_mac", "node")},
    **{
        f"claim {name}": of_claims(**{name: None})
        for name in ("acquired", "renewed", "duration_seconds", "transitions")
    },
    **{f"cluster {name}": of_cluster(**{name: None}) for name in ("implementation", "implementation_version")},
    "sharing key": of_services(sharing_key=None),
    "node replies": lambda seen: replace(seen, node_replies=None),
    "interface": lambda seen: replace(seen, vantage=replace(seen.vantage, interface=None)),
    "place": lambda seen: replace(seen, vantage=replace(seen.vantage, on_link=None, addresses=())),
}
"""Each optional field that may be empty in what was seen."""
