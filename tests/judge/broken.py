"""Evidence of `l2probe run` that is broken in one way each, for the tests of every family."""

from __future__ import annotations

from dataclasses import replace

from l2probe.judge import judge
from l2probe.model import (
    AnnouncementPolicy,
    Condition,
    Evidence,
    Exchange,
    Finding,
    Ip,
    Mac,
    NeighbourReply,
    Outcome,
    Pool,
    Service,
    TrafficPolicy,
    Trial,
)
from tests.judge.evidence import (
    NODES,
    T0,
    claim,
    each_exchange,
    each_trial,
    first_trials,
    healthy,
    lost,
    mac,
    node,
    node_address,
    node_replies,
    reply,
    silent,
)

STRANGE = Mac("02:00:00:00:00:99")


def refused(reason: str, message: str = "said so") -> Condition:
    """LB IPAM's refusal."""
    return Condition(type="cilium.io/IPAMRequestSatisfied", status="False", reason=reason, message=message)


def pending(condition: Condition | None, **fields: str) -> Evidence:
    """No Service got an address; fields are those of the Service."""

    def change(trial: Trial) -> Trial:
        conditions = (condition,) if condition else ()
        service = replace(trial.service, vips=(), conditions=conditions, **fields)  # type: ignore[arg-type]
        return replace(trial, service=service, replies=None, exchanges=None, announcer=None)

    return each_trial(first_trials(healthy()), change)


def with_cluster(evidence: Evidence, **fields: object) -> Evidence:
    """Return the evidence with another cluster."""
    return replace(evidence, cluster=replace(evidence.cluster, **fields))  # type: ignore[arg-type]


def with_vantage(evidence: Evidence, **fields: object) -> Evidence:
    """Return the evidence from another place."""
    return replace(evidence, vantage=replace(evidence.vantage, **fields))  # type: ignore[arg-type]


def unclaimed(evidence: Evidence, *, looked: bool = True) -> Evidence:
    """Nobody holds a lease, or nobody could read it."""
    return each_trial(evidence, lambda trial: replace(trial, claims=() if looked else None))


def policy(**fields: object) -> AnnouncementPolicy:
    """Return a policy that selects everything, but for the fields."""
    return replace(AnnouncementPolicy(name="lan", load_balancer_ips=True), **fields)  # type: ignore[arg-type]


def taken() -> Evidence:
    """Return the requested address belongs to shop/web."""
    owner = Service(namespace="shop", name="web", vips=(Ip("198.51.100.44"),))
    evidence = pending(refused("already_allocated", "The IP '198.51.100.44' is already allocated to another service"))
    return with_cluster(evidence, services=(owner,))


def conflict() -> Evidence:
    """Return the only pool is conflicting."""
    pools = (Pool(name="clash", blocks=("198.51.100.0/28",), conflicting=True),)
    return with_cluster(pending(refused("no_pool")), pools=pools)


def only_asked(evidence: Evidence, version: int, asked: str) -> Evidence:
    """VIPs of the family answered only questions of this kind."""

    def change(trial: Trial) -> Trial:
        return replace(trial, replies=tuple(narrow(frame) for frame in trial.replies or ()))

    def narrow(frame: NeighbourReply) -> NeighbourReply:
        return replace(frame, asked=asked) if (":" in frame.ip) == (version == 6) else frame

    return each_trial(evidence, change)


def second_nic() -> Evidence:
    """node-1 answers for its own address and for the VIPs with two MACs."""

    def doubled(trial: Trial) -> Trial:
        more = tuple(replace(frame, mac=STRANGE) for frame in trial.replies or () if frame.mac == mac(NODES[0]))
        return replace(trial, replies=(*(trial.replies or ()), *more))

    evidence = each_trial(healthy(), doubled)
    return replace(evidence, node_replies=(*node_replies(), reply(node_address(NODES[0], 4), STRANGE, T0)))


def everyone() -> Evidence:
    """All three nodes answer each question."""

    def tripled(trial: Trial) -> Trial:
        frames = trial.replies or ()
        return replace(trial, replies=tuple(replace(frame, mac=mac(name)) for frame in frames for name in NODES))

    return each_trial(healthy(), tripled)


def mismatch() -> Evidence:
    """node-1 answers while the lease has named node-3 all along."""

    def other(trial: Trial) -> Trial:
        return replace(
            trial, claims=(claim(trial.service.name, NODES[2], T0 - 10), claim(trial.service.name, NODES[2], T0))
        )

    return each_trial(healthy(), other)


def gone() -> Evidence:
    """Return the lease is held by a node that is not Ready; nobody answers."""
    evidence = with_cluster(silent(healthy()), nodes=(*map(node, NODES[:2]), node(NODES[2], ready=False)))
    return each_trial(evidence, lambda trial: replace(trial, claims=(claim(trial.service.name, NODES[2], T0),)))


def unready() -> Evidence:
    """No backend is ready, and everything is rejected."""

    def change(trial: Trial) -> Trial:
        behind = tuple(replace(one, ready=False) for one in trial.service.backends or ())
        return replace(trial, service=replace(trial.service, backends=behind))

    return each_exchange(each_trial(healthy(), change), lambda _, one: lost(one, Outcome.REFUSED_ICMP))


def across_nodes(trial: Trial, one: Exchange) -> Exchange:
    """Lost when the backend is not on the announcer, with all Pods behind the Service and with one."""
    return (
        lost(one)
        if trial.service.policy is TrafficPolicy.CLUSTER and mac(one.node or NODES[0]) != one.sent_mac
        else one
    )


def udp_across(trial: Trial, one: Exchange) -> Exchange:
    """Lost likewise, UDP only."""
    return across_nodes(trial, one) if one.protocol == "UDP" else one


def kube_proxy(_: Trial, one: Exchange) -> Exchange:
    """Return the Pod never sees the client, not even on the announcer."""
    return replace(one, seen=Ip("10.244.1.1") if one.seen else None, reply_mac=one.sent_mac)


def other_nic() -> Evidence:
    """SYN to node-1's MAC, answer from node-1's other MAC."""

    def change(trial: Trial, one: Exchange) -> Exchange:
        return replace(one, reply_mac=STRANGE) if one.node == NODES[0] and one.sent_mac == mac(NODES[0]) else one

    evidence = each_exchange(healthy(), change)
    return replace(evidence, node_replies=(*node_replies(), reply(node_address(NODES[0], 4), STRANGE, T0)))


def unmapped() -> Evidence:
    """Return a MAC that nobody knows answers alone, and node-3's MAC is not known."""

    def strange(trial: Trial) -> Trial:
        return replace(trial, announcer=None, replies=tuple(replace(f, mac=STRANGE) for f in trial.replies or ()))

    evidence = each_exchange(each_trial(healthy(), strange), lambda _, one: replace(one, sent_mac=STRANGE))
    return replace(evidence, node_replies=node_replies(NODES[:2]))


def deaf() -> Evidence:
    """Nobody answers for anything, not even for the nodes."""
    return replace(silent(healthy()), node_replies=())


OUTSIDE = Ip("198.51.100.254")


def translated(_: Trial, one: Exchange) -> Exchange:
    """Return what a device at the client makes of it: the Pod sees the device, its node answers as before."""
    return replace(one, seen=OUTSIDE if one.seen else None)


def the(code: str, evidence: Evidence) -> Finding:
    """Return the one finding of this code."""
    found = [finding for finding in judge(evidence) if finding.code == code]
    assert len(found) == 1, [finding.code for finding in judge(evidence)]
    return found[0]


def beside(evidence: Evidence) -> Evidence:
    """Return the evidence in which a MAC that no node answered with answers for each VIP besides the announcer."""

    def doubled(trial: Trial) -> Trial:
        frames = trial.replies or ()
        return replace(trial, replies=(*frames, *(replace(frame, mac=STRANGE) for frame in frames)))

    return each_trial(evidence, doubled)
