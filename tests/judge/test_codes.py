"""Every code is raised by the evidence that proves it, and by no healthy cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from l2probe.judge import CODES, capabilities, judge
from l2probe.judge.case import mac_owners
from l2probe.judge.selection import term_words
from l2probe.judge.table import RANK
from l2probe.model import (
    AnnouncementPolicy,
    Condition,
    Datapath,
    Evidence,
    Exchange,
    Finding,
    Ip,
    Mac,
    NeighbourReply,
    Outcome,
    Placement,
    Pool,
    Requirement,
    Right,
    Service,
    TrafficPolicy,
    Trial,
    Verdict,
)
from tests.judge import objects
from tests.judge import test_faults as faults
from tests.judge import test_paths as paths
from tests.judge import test_stability as stability
from tests.judge.evidence import (
    NODES,
    PROFILES,
    T0,
    VIP4,
    VIP6,
    backend,
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
from tests.judge.test_unannounced import without_endpoints

EXPECTED = {
    "cilium-1.19-dsr": {"D01"},
    "cilium-1.19-dsr+drop": {"D01"},
    "cilium-1.19-snat": {"D01", "E02"},
    "cilium-1.19-hybrid": {"D01", "E04"},
    "cilium-1.20.2-dsr": set[str](),
    "cilium-1.20.2-snat": {"E02"},
    "cilium-1.17-dsr": {"D01"},
}
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


RAISED: dict[str, tuple[Callable[[], Evidence], Verdict]] = {
    "A01": (lambda: pending(refused("out_of_ips")), Verdict.FAIL),
    "A02": (conflict, Verdict.FAIL),
    "A03": (taken, Verdict.FAIL),
    "A04": (lambda: pending(None, load_balancer_class="example.com/none"), Verdict.FAIL),
    "A05": (objects.given_a_nodes_address, Verdict.FAIL),
    "A06": (objects.fought_over, Verdict.FAIL),
    "A07": (objects.astray, Verdict.FAIL),
    "A08": (objects.owned_twice, Verdict.FAIL),
    "B01": (faults.no_policy, Verdict.FAIL),
    "B02": (
        lambda: with_cluster(unclaimed(silent(healthy())), policies=(policy(load_balancer_ips=False),)),
        Verdict.FAIL,
    ),
    "B03": (objects.wrong_interface, Verdict.FAIL),
    "B04": (lambda: with_cluster(unclaimed(silent(healthy())), announcing=False), Verdict.FAIL),
    "B05": (objects.homeless, Verdict.FAIL),
    "B06": (faults.stale_lease, Verdict.FAIL),
    "B07": (faults.silent_leader, Verdict.FAIL),
    "B08": (lambda: objects.crowded(120), Verdict.WARN),
    "B09": (lambda: objects.labelled(*NODES), Verdict.FAIL),
    "B10": (objects.accelerated, Verdict.WARN),
    "B11": (lambda: only_asked(healthy(), 6, "unicast"), Verdict.FAIL),
    "B12": (lambda: only_asked(healthy(), 4, "unicast"), Verdict.FAIL),
    "B13": (without_endpoints, Verdict.FAIL),
    "B14": (lambda: unclaimed(silent(healthy()), looked=False), Verdict.FAIL),
    "C01": (faults.duplicate_announcers, Verdict.FAIL),
    "C02": (second_nic, Verdict.WARN),
    "C03": (faults.foreign_owner, Verdict.FAIL),
    "C04": (mismatch, Verdict.FAIL),
    "C05": (gone, Verdict.FAIL),
    "C06": (everyone, Verdict.FAIL),
    "C07": (objects.split, Verdict.FAIL),
    "D01": (healthy, Verdict.WARN),
    "D02": (unready, Verdict.FAIL),
    "D03": (faults.announcer_drops, Verdict.FAIL),
    "D04": (lambda: each_exchange(healthy(), across_nodes), Verdict.FAIL),
    "D05": (lambda: each_exchange(healthy(), udp_across), Verdict.FAIL),
    "D06": (faults.mtu, Verdict.FAIL),
    "D07": (paths.untranslated, Verdict.FAIL),
    "D09": (paths.firewalled, Verdict.FAIL),
    "D08": (other_nic, Verdict.WARN),
    "D10": (faults.foreign_owner, Verdict.FAIL),
    "D11": (lambda: each_exchange(healthy(), lambda _, one: lost(one, Outcome.REFUSED_RST)), Verdict.FAIL),
    "D12": (faults.loss, Verdict.FAIL),
    "D13": (lambda: objects.guarded(objects.policy()), Verdict.FAIL),
    "E01": (lambda: each_exchange(healthy(datapath=Datapath.SNAT), kube_proxy), Verdict.WARN),
    "E02": (lambda: healthy(datapath=Datapath.SNAT), Verdict.WARN),
    "E03": (faults.dsr_not_effective, Verdict.FAIL),
    "E04": (lambda: healthy(datapath=Datapath.HYBRID), Verdict.WARN),
    "E05": (lambda: each_exchange(healthy(datapath=Datapath.SNAT), kube_proxy), Verdict.WARN),
    "F01": (lambda: stability.flapping(*stability.OFTEN), Verdict.FAIL),
    "F02": (stability.unannounced, Verdict.FAIL),
    "F03": (stability.late, Verdict.FAIL),
    "F04": (stability.kept, Verdict.FAIL),
    "V01": (lambda: replace(with_vantage(healthy(), cluster_node=NODES[0]), trials=()), Verdict.UNKNOWN),
    "V02": (lambda: with_vantage(healthy(), on_link=False, gateway=Ip("192.0.2.1")), Verdict.UNKNOWN),
    "V03": (lambda: with_vantage(healthy(), raw_socket=False), Verdict.UNKNOWN),
    "V04": (deaf, Verdict.UNKNOWN),
    "V05": (lambda: with_cluster(healthy(), missing_rights=(Right(verb="list", resource="leases"),)), Verdict.WARN),
    "V06": (unmapped, Verdict.UNKNOWN),
    "V07": (objects.pinged, Verdict.PASS),
}


OUTSIDE = Ip("198.51.100.254")


def translated(_: Trial, one: Exchange) -> Exchange:
    """Return what a device at the client makes of it: the Pod sees the device, its node answers as before."""
    return replace(one, seen=OUTSIDE if one.seen else None)


def test_a_translator_outside_the_cluster_is_not_held_against_its_datapath() -> None:
    """E05 stands alone, with its proof, when Pods of several nodes saw one address and answered directly: DSR works."""
    evidence = each_exchange(healthy(version="v1.20.2", local=Outcome.ANSWERED), translated)
    (found,) = judge(evidence)

    assert (found.code, found.verdict, found.consequence_of) == ("E05", Verdict.WARN, None)
    assert f"Pods on several nodes saw {OUTSIDE}" in found.because[0]
    assert str(OUTSIDE) in found.remedy


@pytest.mark.parametrize(
    ("because", "seen", "through"),
    [
        ("the announcer saw the answer, so it may have translated", OUTSIDE, mac(NODES[0])),
        ("every Pod saw another address, so its own node may have translated", None, None),
        ("it is a node's address", node_address(NODES[1], 4), None),
    ],
)
def test_what_a_node_may_have_translated_is_its_datapaths_doing(
    because: str, seen: Ip | None, through: Mac | None
) -> None:
    """Where a node may have done it, the broken promise of DSR is named first."""

    def hide(_: Trial, one: Exchange) -> Exchange:
        other = seen or Ip(f"192.0.2.{(one.node or '0')[-1]}")
        return replace(one, seen=other if one.seen else None, reply_mac=through or one.reply_mac)

    assert judge(each_exchange(healthy(), hide))[0].code == "E03", because


def test_an_address_of_a_pod_network_is_the_clusters() -> None:
    """One Pod range for all nodes does not make its addresses somebody else's."""
    nodes = tuple(replace(one, pod_networks=("198.51.100.128/25",)) for one in healthy().cluster.nodes or ())

    assert judge(each_exchange(with_cluster(healthy(), nodes=nodes), translated))[0].code == "E03"


def test_a_bridge_of_a_node_is_named_as_such() -> None:
    """E05 names the node whose Pod network the address lies in, instead of a stranger."""
    snat = healthy(datapath=Datapath.SNAT)
    nodes = tuple(replace(one, pod_networks=("10.244.0.0/16", "fd00::/16")) for one in snat.cluster.nodes or ())
    found = the("E05", each_exchange(with_cluster(snat, nodes=nodes), kube_proxy))

    assert NODES[0] in found.says
    assert "something else" not in found.says


def the(code: str, evidence: Evidence) -> Finding:
    """Return the one finding of this code."""
    found = [finding for finding in judge(evidence) if finding.code == code]
    assert len(found) == 1, [finding.code for finding in judge(evidence)]
    return found[0]


@pytest.mark.parametrize("code", RAISED)
def test_the_code_is_raised(code: str) -> None:
    """Its evidence raises the code, with the verdict it deserves, in words: what, why, what to do, where to read."""
    make, verdict = RAISED[code]

    found = the(code, make())

    assert found.verdict is verdict
    assert found.slug == CODES[code].slug
    assert found.says.endswith(".")
    assert found.because
    assert all(line.strip() for line in found.because)
    assert found.remedy.endswith((".", ")"))
    assert found.references[0] == f"l2probe explain {code}"


def test_every_code_has_a_test_a_name_and_a_rank() -> None:
    """The table of codes, the order for the reader and these examples hold the same codes."""
    assert set(RAISED) == set(CODES) == set(RANK)
    assert len(RANK) == len(set(RANK))
    assert len({code.slug for code in CODES.values()}) == len(CODES)


@pytest.mark.parametrize("name", PROFILES)
def test_a_healthy_cluster_raises_nothing_else(name: str) -> None:
    """On a healthy cluster only what its configuration cannot do is said, as a warning."""
    findings = judge(PROFILES[name])

    assert {found.code for found in findings} == EXPECTED[name]
    assert {found.verdict for found in findings} <= {Verdict.WARN}


def causes(evidence: Evidence) -> Iterator[str]:
    """Return the codes that no other explains."""
    return (found.code for found in judge(evidence) if found.consequence_of is None)


@pytest.mark.parametrize(
    ("reason", "pools", "says"),
    [
        ("no_pool", (), "there is no CiliumLoadBalancerIPPool"),
        ("no_pool", (Pool(name="lan", blocks=("198.51.100.0/24",), disabled=True),), "disabled"),
        ("no_pool", (Pool(name="lan", blocks=("198.51.100.0/24",)),), "no pool selects it"),
        ("out_of_ips", (Pool(name="lan", blocks=("198.51.100.0/30",), available=0),), "used up"),
    ],
)
def test_a_pending_address_says_why(reason: str, pools: tuple[Pool, ...], says: str) -> None:
    """A01 tells no pool, disabled pool, selector and exhaustion apart."""
    assert says in the("A01", with_cluster(pending(refused(reason)), pools=pools)).says


def test_the_owner_of_a_taken_address_is_named() -> None:
    """A03 names the Service that has the address; A01 is its consequence."""
    assert "shop/web" in the("A03", taken()).says
    assert list(causes(taken())) == ["A03"]
    assert "the one it asked for belongs to another Service" in the("A01", taken()).says


def test_a_class_that_nobody_serves_is_why_nobody_said_anything() -> None:
    """A01 beside A04 does not claim that the reason is unknown."""
    foreign = pending(None, load_balancer_class="example.com/none")

    assert "nobody serves its load balancer class" in the("A01", foreign).says
    assert list(causes(foreign)) == ["A04"]


def test_a_conflicting_pool_beside_a_good_one_explains_nothing() -> None:
    """A02 is a warning when other pools could have served."""
    pools = (
        Pool(name="clash", blocks=("198.51.100.0/28",), conflicting=True),
        Pool(name="lan", blocks=("192.0.2.0/24",)),
    )

    assert the("A02", with_cluster(healthy(), pools=pools)).verdict is Verdict.WARN
    assert "A01" in causes(with_cluster(pending(refused("no_pool")), pools=pools))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(
            {"load_balancer_ips": False},
            "loadBalancerIPs was false (its default).",
            id="both IP flags false, their default",
        ),
        pytest.param(
            {"service_selector": (Requirement(key="color", operator="In", values=("red",)),)},
            "service selector term color=red",
            id="service selector",
        ),
        pytest.param(
            {"node_selector": (Requirement(key="edge", operator="Exists"),)},
            "node selector (edge) matched no Ready node",
            id="node selector",
        ),
    ],
)
def test_the_term_that_failed_is_named(change: dict[str, object], says: str) -> None:
    """B02 says which term of the policy did not match."""
    found = the("B02", with_cluster(unclaimed(silent(healthy())), policies=(policy(**change),)))

    assert any(says in line for line in found.because)


def test_the_flag_that_alone_is_missing_is_the_remedy() -> None:
    """Where a policy lacks nothing but loadBalancerIPs, that is what to set."""
    almost, far = policy(load_balancer_ips=False), policy(node_selector=(Requirement(key="edge", operator="Exists"),))
    silenced = unclaimed(silent(healthy()))

    assert "Set loadBalancerIPs: true" in the("B02", with_cluster(silenced, policies=(almost,))).remedy
    assert "loadBalancerIPs" not in the("B02", with_cluster(silenced, policies=(far,))).remedy


@pytest.mark.parametrize(
    ("operator", "values", "words"),
    [
        ("In", ("a",), "k=a"),
        ("In", ("a", "b"), "k in (a,b)"),
        ("NotIn", ("a",), "k notin (a)"),
        ("Exists", (), "k"),
        ("DoesNotExist", (), "!k"),
    ],
)
def test_a_term_reads_as_in_kubectl(operator: str, values: tuple[str, ...], words: str) -> None:
    """A selector stands in the report as `kubectl get -l` would take it."""
    assert term_words(Requirement(key="k", operator=operator, values=values)) == words


def test_namespace_and_name_count_as_labels() -> None:
    """Cilium's two special selector labels select a Service by its name."""
    term = Requirement(key="io.kubernetes.service.name", operator="In", values=("smoke-source", "smoke-local"))
    evidence = with_cluster(unclaimed(silent(healthy())), policies=(policy(service_selector=(term,)),))

    assert "B02" not in {found.code for found in judge(evidence)}


@pytest.mark.parametrize(
    ("policies", "code"),
    [((), "B01"), ((policy(load_balancer_ips=False),), "B02")],
)
def test_a_feature_that_is_off_does_not_hide_what_its_policies_lack(
    policies: tuple[AnnouncementPolicy, ...], code: str
) -> None:
    """Whoever switches announcing on meets the policies next: both are named, in that order, as two causes."""
    found = judge(with_cluster(unclaimed(silent(healthy())), announcing=False, policies=policies))

    assert [(one.code, one.consequence_of) for one in found] == [("B04", None), (code, None)]


def test_old_cilium_without_ipv6_is_a_limitation_not_a_fault() -> None:
    """A silent IPv6 address on Cilium 1.17 is B04 as a warning; the silent IPv4 address beside it stays B07."""
    quiet = with_cluster(faults.silent_leader(), implementation_version="v1.17.9")

    found = judge(quiet)

    assert [(f.code, f.verdict) for f in found] == [("B07", Verdict.FAIL), ("B04", Verdict.WARN)]
    assert VIP6 not in found[0].says
    assert VIP4 in found[0].says


@pytest.mark.parametrize("where", [{"cluster_node": NODES[0]}, {"on_link": False}])
def test_nobody_is_accused_from_where_nothing_can_be_seen(where: dict[str, object]) -> None:
    """On a cluster node, or behind a router with nothing heard, no announcement or ownership fault is raised."""
    quiet = replace(each_trial(silent(healthy()), lambda t: replace(t, replies=None)), node_replies=None)

    assert not {f.code[0] for f in judge(with_vantage(quiet, **where))} & {"B", "C"}


def test_a_wrong_interface_is_not_called_a_router() -> None:
    """Without a gateway on that interface nothing is behind a router: the interface is named as the wrong one."""
    (found,) = (f for f in judge(with_vantage(healthy(), on_link=False, interface="eth1")) if f.code == "V02")

    assert found.says.startswith("eth1 is not on the segment of all of 198.51.100.40")
    assert "router there leads on" in found.says
    assert found.remedy.startswith("Leave out --interface")


def test_silence_on_a_deaf_interface_accuses_nobody() -> None:
    """When not even nodes were heard, no B finding is raised."""
    assert not {f.code for f in judge(deaf()) if f.code.startswith("B")}


def test_a_proxy_arp_router_is_no_node() -> None:
    """A MAC that answers for every node is nobody's: the VIP's announcer stays unmapped and nobody is accused."""
    router = tuple(replace(frame, mac=STRANGE) for frame in node_replies())
    evidence = replace(unmapped(), node_replies=router)

    assert "V06" in {found.code for found in judge(evidence)}
    assert not {"C01", "C03", "C04"} & {found.code for found in judge(evidence)}


def test_an_unknown_mac_through_which_our_pod_answers_is_never_foreign() -> None:
    """C03 is not said of a MAC that delivers to our Pod, even when every node's MAC is known."""
    evidence = replace(unmapped(), node_replies=node_replies())

    codes = {found.code for found in judge(evidence)}

    assert "C03" not in codes
    assert "V06" in codes


def test_a_foreign_answer_is_proof_even_when_nodes_are_unmapped() -> None:
    """C03 stands on a wrong answer from that MAC although node-3's MAC is not known."""
    evidence = replace(faults.foreign_owner(), node_replies=node_replies(NODES[:2]))

    assert judge(evidence)[0].code == "C03"


def test_a_handover_is_no_split_brain() -> None:
    """Two nodes that answer in the seconds in which the lease changes hands are not C01, nor C04."""
    evidence = healthy(version="v1.20.2", local=Outcome.ANSWERED)

    assert not {found.code for found in judge(evidence)} & {"C01", "C04"}


def test_the_old_holder_that_goes_on_answering_is_a_split_brain() -> None:
    """A handover does not excuse an old holder that still answers long after."""
    evidence = healthy(version="v1.20.2", local=Outcome.ANSWERED)

    def stubborn(trial: Trial) -> Trial:
        late = tuple(reply(vip, mac(NODES[1]), T0 + 10.05) for vip in trial.service.vips)
        return (
            replace(trial, replies=(*(trial.replies or ()), *late))
            if trial.placement is Placement.OFF_ANNOUNCER
            else trial
        )

    local_only = replace(evidence, trials=evidence.trials[3:])

    assert judge(each_trial(local_only, stubborn))[0].code == "C01"


def test_an_address_that_moves_beside_a_stale_one_is_not_everywhere() -> None:
    """node-3 always answers beside the holder, first node-2 and then node-1: two at a time are C01, never all (C06)."""
    local_only = replace(healthy(version="v1.20.2", local=Outcome.ANSWERED), trials=healthy().trials[3:])

    def stale(trial: Trial) -> Trial:
        moved = trial.placement is Placement.OFF_ANNOUNCER
        frames = [
            reply(vip, mac(owner), at)
            for vip in trial.service.vips
            for owner, at in ((NODES[1], T0), (NODES[1], T0 + 2), *((NODES[0], T0 + 8 + n) for n in range(3)))
            if moved or at == T0
        ]
        beside = [reply(vip, mac(NODES[2]), T0 + n) for vip in trial.service.vips for n in range(12)]
        return replace(trial, replies=(*frames, *(beside if moved else ())))

    assert judge(each_trial(local_only, stale))[0].code == "C01"


def test_d01_names_whom_it_can_hurt() -> None:
    """Existing Services with policy Local and a node without a ready backend are named, others are not."""

    def service(name: str, nodes: tuple[str, ...], policy: TrafficPolicy) -> Service:
        behind = tuple(one for one in map(backend, NODES) if one.node in nodes)
        return Service(namespace="shop", name=name, vips=(VIP4,), policy=policy, backends=behind)

    local, cluster = TrafficPolicy.LOCAL, TrafficPolicy.CLUSTER
    existing = (service("web", ("node-1",), local), service("dns", NODES, local), service("api", ("node-1",), cluster))

    says = the("D01", with_cluster(healthy(), services=existing)).says

    assert "shop/web (none ready on node-2 and node-3)" in says
    assert "1 of 2 existing Services" in says
    assert "dns" not in says
    assert "api" not in says


def test_at_most_five_are_named() -> None:
    """A hundred endangered Services are five names and a number."""
    existing = tuple(
        Service(namespace="shop", name=f"s{n}", vips=(VIP4,), policy=TrafficPolicy.LOCAL, backends=(backend(NODES[0]),))
        for n in range(100)
    )

    says = the("D01", with_cluster(healthy(), services=existing)).says

    assert says.count("shop/") == 5
    assert "and 95 more" in says


def test_e02_counts_services_with_policy_cluster() -> None:
    """E02 says how many existing Services it concerns, not which."""
    existing = (
        Service(namespace="shop", name="api", vips=(VIP4,)),
        Service(namespace="shop", name="web", vips=(VIP4,)),
    )

    says = the("E02", with_cluster(healthy(datapath=Datapath.SNAT), services=existing)).says

    assert "2 existing Services" in says
    assert "shop" not in says


@pytest.mark.parametrize(("required", "code"), [("source", "E02"), ("local", "D01")])
def test_what_is_required_and_missing_is_a_failure(required: str, code: str) -> None:
    """A missing capability is a warning, and a failure for those who require it."""
    evidence = healthy(datapath=Datapath.SNAT)

    assert the(code, evidence).verdict is Verdict.WARN
    assert the(code, replace(evidence, required=(required,))).verdict is Verdict.FAIL


def test_largest_size_that_passed_is_named() -> None:
    """D06 names the largest payload that got through."""
    assert "512 bytes passed" in the("D06", faults.mtu()).says


def test_hybrid_that_loses_tcp_breaks_its_promise() -> None:
    """In hybrid mode a lost TCP source is E03, the lost UDP source its consequence."""
    evidence = with_cluster(healthy(datapath=Datapath.SNAT), datapath=Datapath.HYBRID)

    found = {f.code: f for f in judge(evidence)}

    assert found["E03"].verdict is Verdict.FAIL
    assert "tcp4 and tcp6" in found["E03"].says
    assert found["E04"].consequence_of == "E03"


def beside(evidence: Evidence) -> Evidence:
    """Return the evidence in which a MAC that no node answered with answers for each VIP besides the announcer."""

    def doubled(trial: Trial) -> Trial:
        frames = trial.replies or ()
        return replace(trial, replies=(*frames, *(replace(frame, mac=STRANGE) for frame in frames)))

    return each_trial(evidence, doubled)


def test_a_second_nic_is_not_called_foreign() -> None:
    """Every node is known by another MAC, and no traffic went to this one: V06, and exclusive stays open."""
    evidence = beside(healthy())

    assert "C03" not in {found.code for found in judge(evidence)}
    assert the("V06", evidence).verdict is Verdict.UNKNOWN
    assert "no node answered with" in the("V06", evidence).says
    assert capabilities(evidence).exclusive is None


def test_a_second_nic_that_serves_is_not_called_foreign() -> None:
    """Nor one that our Pod answers through."""
    evidence = each_exchange(beside(healthy()), lambda _, one: replace(one, sent_mac=STRANGE))

    assert "C03" not in {found.code for found in judge(evidence)}
    assert "it belongs to the cluster" in " ".join(the("V06", evidence).because)
    assert capabilities(evidence).exclusive is None


@pytest.mark.parametrize(("outcome", "raised"), [(Outcome.TIMEOUT, True), (Outcome.REFUSED_RST, False)])
def test_an_unknown_mac_that_delivers_nothing_is_accused(outcome: Outcome, *, raised: bool) -> None:
    """All that went to it was lost: C03, with the other NIC that would look the same. A refusal is an answer."""
    evidence = each_exchange(
        beside(healthy()),
        lambda _, one: replace(lost(one, outcome), sent_mac=STRANGE) if ":" not in one.vip else one,
    )
    found = [one for one in judge(evidence) if one.code == "C03"]

    assert bool(found) is raised
    assert all("second NIC" in one.remedy for one in found)


def test_an_address_that_two_nodes_share_maps_no_mac() -> None:
    """Behind a hypervisor's NAT every node has 10.0.2.15: whoever answers for it is not known by it."""
    shared = Ip("10.0.2.15")
    nodes = tuple(replace(one, addresses=(*one.addresses, shared)) for one in healthy().cluster.nodes or ())
    evidence = with_cluster(healthy(), nodes=nodes)
    heard = replace(evidence, node_replies=(*node_replies(), replace(reply(shared, STRANGE, T0), node=NODES[2])))
    alone = with_cluster(heard, nodes=(*nodes[:2], node(NODES[2])))

    assert STRANGE not in mac_owners(heard)
    assert mac_owners(heard)[mac(NODES[0])] == NODES[0]
    assert STRANGE not in mac_owners(alone)
    assert mac_owners(with_cluster(heard, nodes=(nodes[0], *map(node, NODES[1:]))))[STRANGE] == NODES[0]


@pytest.mark.parametrize(("acquired", "raised"), [(-600.0, True), (-1.0, False), (None, False)])
def test_a_claim_counts_from_when_its_holder_demonstrably_had_it(acquired: float | None, *, raised: bool) -> None:
    """C04 compares the holder's clock with itself only: here it is an hour ahead of ours."""
    ahead = T0 + 3600
    held = replace(
        claim("smoke-source", NODES[2], T0 + 0.5, renewed=ahead),
        acquired=None if acquired is None else ahead + acquired,
    )
    evidence = replace(healthy(), trials=healthy().trials[:1])

    found = judge(each_trial(evidence, lambda trial: replace(trial, claims=(held,))))

    assert ("C04" in {one.code for one in found}) is raised


def test_a_claim_without_times_counts_from_when_it_was_read() -> None:
    """MetalLB's claims say no time: one that was read long enough before the frame counts."""
    early = replace(claim("smoke-source", NODES[2], T0 - 10), acquired=None, renewed=None)
    evidence = replace(healthy(), trials=healthy().trials[:1])

    found = judge(each_trial(evidence, lambda trial: replace(trial, claims=(early,))))

    assert "C04" in {one.code for one in found}
