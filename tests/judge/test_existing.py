"""Services of the user's: what a diagnosis finds without an echo, and where it keeps silent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from l2probe.judge import conclude, judge
from l2probe.judge.existing import besides, unknown
from l2probe.model import (
    AnnouncementPolicy,
    Claim,
    Cluster,
    Condition,
    Datapath,
    Evidence,
    Exchange,
    Finding,
    NodeName,
    Outcome,
    Placement,
    Port,
    Protocol,
    Report,
    Requirement,
    Right,
    TrafficPolicy,
    Trial,
    Verdict,
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
    off_announcer,
    unheard,
    with_trial,
)
from tests.judge.evidence import FOREIGN, NODES, T0, each_trial, mac, node_replies, reply

HEALTHY = {
    "1.20.2 dsr": diagnosed(),
    "1.20.2 snat": diagnosed(datapath=Datapath.SNAT),
    "1.20.2 hybrid": diagnosed(datapath=Datapath.HYBRID),
}


def conclusion(evidence: Evidence) -> Report:
    """Return the report about this evidence."""
    return conclude(evidence, started="2026-11-23T20:00:00Z", duration_seconds=0.7, command="l2probe diagnose --all")


def causes(evidence: Evidence) -> list[tuple[str, Verdict]]:
    """Return code and verdict of what no other finding explains."""
    return [(found.code, found.verdict) for found in judge(evidence) if found.consequence_of is None]


def only(evidence: Evidence, code: str) -> Finding:
    """Return the one finding of this code."""
    (found,) = (found for found in judge(evidence) if found.code == code)
    return found


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_shop_is_quiet(name: str) -> None:
    """Services that work raise nothing, and the verdict is a pass."""
    report = conclusion(HEALTHY[name])

    assert report.findings == ()
    assert report.verdict is Verdict.PASS


def test_capabilities_are_those_of_the_users_services() -> None:
    """Connects prove that traffic arrives; what a Pod saw is proven by nothing of the user's."""
    able = conclusion(diagnosed()).capabilities

    assert able.announced_by == ONE
    assert able.exclusive is True
    assert able.reachable.tcp4 is able.reachable.tcp6 is True
    assert able.reachable.udp4 is None
    assert able.source.tcp4 == "unknown"


def test_a_silent_leader_is_named_once_for_all_services() -> None:
    """A lease held and renewed, and nobody answers: B07, and neither the traffic nor policy Local beside it."""
    assert causes(unheard(diagnosed())) == [("B07", Verdict.FAIL)]
    assert causes(unheard(diagnosed("v1.19.4"))) == [("B07", Verdict.FAIL)]


def test_the_remedy_names_every_silent_holder() -> None:
    """Two Services of two holders: the fix is for both, and who is not heard at all needs another one."""
    evidence = unheard(diagnosed())
    (found,) = judge(evidence)
    (mixed,) = judge(replace(evidence, node_replies=node_replies((ONE, THREE))))

    assert "agent Pods on node-1 and node-2:" in found.remedy
    assert "agent Pod on node-1:" in mixed.remedy
    assert "node-2 has an interface on this segment" in mixed.remedy


def test_two_answerers_are_a_split_brain() -> None:
    """A second node that answers at the same time is C01."""

    def doubled(evidence: Evidence) -> Evidence:
        extra = tuple(reply(API.vips[0], mac(THREE), T0 + 0.05 + 0.1 * number) for number in range(3))
        return with_trial(evidence, "api", lambda one: replace(one, replies=(*(one.replies or ()), *extra)))

    assert causes(doubled(diagnosed())) == [("C01", Verdict.FAIL)]


def test_lost_connects_name_the_announcer_and_what_would_look_the_same() -> None:
    """All connects to one Service time out: D03, with the other causes that fit and what tells them apart."""
    evidence = all_end(diagnosed(), Outcome.TIMEOUT, "api")

    assert causes(evidence) == [("D03", Verdict.FAIL)]
    assert "node-1 answered" in only(evidence, "D03").says
    assert "NetworkPolicy" in only(evidence, "D03").remedy
    assert "l2probe run" in only(evidence, "D03").remedy


def test_behind_a_router_nobody_is_said_to_have_answered() -> None:
    """Without a look at the segment D03 accuses no announcer."""
    lost = all_end(diagnosed(), Outcome.TIMEOUT, "api")
    away = replace(
        lost,
        vantage=replace(lost.vantage, on_link=False, gateway=lost.vantage.addresses[0]),
        node_replies=None,
        trials=tuple(
            replace(
                t, replies=None, announcer=None, exchanges=tuple(replace(e, sent_mac=None) for e in t.exchanges or ())
            )
            for t in lost.trials
            if t.name == "api"
        ),
    )

    found = only(away, "D03")
    assert found.verdict is Verdict.UNKNOWN
    assert "not seen from behind a router" in found.says
    assert "announcer answered" not in only(away, "D03").says


@pytest.mark.parametrize("outcome", [Outcome.TIMEOUT, Outcome.REFUSED_ICMP])
@pytest.mark.parametrize("version", ["v1.19.4", "v1.20.2"])
def test_policy_local_is_proven_by_traffic(outcome: Outcome, version: str) -> None:
    """The announcer has no ready backend and nothing arrives: D01 is a failure, whatever the version promises."""
    evidence = off_announcer(diagnosed(version), outcome)

    assert causes(evidence) == [("D01", Verdict.FAIL)]
    assert "node-3" in only(evidence, "D01").says
    assert conclusion(evidence).capabilities.reachable.tcp4 is False


def test_policy_local_that_serves_from_elsewhere_is_no_finding() -> None:
    """What is seen beats what the objects suggest: traffic that arrives is no blackhole."""
    assert causes(off_announcer(diagnosed(), Outcome.ANSWERED)) == []


def test_policy_local_is_predicted_where_the_lease_ignores_backends() -> None:
    """Cilium before 1.20.2: works now, and is one election away from a blackhole; a warning that says so."""
    evidence = diagnosed("v1.19.4")

    assert causes(evidence) == [("D01", Verdict.WARN)]
    assert "node-3, which may announce it next" in only(evidence, "D01").says
    assert conclusion(evidence).verdict is Verdict.WARN


@pytest.mark.parametrize("version", ["v1.20.2", "v1.21.0"])
def test_policy_local_is_not_predicted_where_the_lease_follows(version: str) -> None:
    """From 1.20.2 on nothing is predicted."""
    assert causes(diagnosed(version)) == []


def test_every_node_covered_is_not_predicted() -> None:
    """A ready backend on every node that may announce leaves nothing to warn of."""
    everywhere = replace(WEB, backends=tuple(replace((WEB.backends or ())[0], node=n) for n in NODES))
    evidence = with_trial(diagnosed("v1.19.4"), "web", lambda one: replace(one, service=everywhere))

    assert causes(evidence) == []


def test_two_faults_are_two_findings() -> None:
    """A dead Service and a blackhole beside each other are both named."""
    evidence = off_announcer(all_end(diagnosed(), Outcome.REFUSED_RST, "api"), Outcome.TIMEOUT)

    assert {code for code, _ in causes(evidence)} == {"D11", "D01"}


def test_no_ready_backend_is_read_from_the_objects() -> None:
    """EndpointSlices without a ready backend are D02, with and without traffic to show for it."""
    idle = replace(API, backends=tuple(replace(b, ready=False, serving=False) for b in API.backends or ()))
    ending = replace(idle, backends=tuple(replace(b, serving=True) for b in idle.backends or ()))
    refused = all_end(diagnosed(), Outcome.REFUSED_ICMP, "api")
    evidence = with_trial(refused, "api", lambda one: replace(one, service=idle, target=None))
    untried = with_trial(evidence, "api", lambda one: replace(one, exchanges=()))

    assert causes(evidence) == [("D02", Verdict.FAIL)]
    assert causes(untried) == [("D02", Verdict.FAIL)]
    assert "nothing could answer" in only(untried, "D02").says
    assert causes(with_trial(untried, "api", lambda one: replace(one, service=ending))) == []


def test_refused_connects_are_the_applications() -> None:
    """A RST from the backend although it is ready is D11."""
    assert causes(all_end(diagnosed(), Outcome.REFUSED_RST, "api")) == [("D11", Verdict.FAIL)]


def test_a_pending_address_says_why() -> None:
    """No address, with the condition's own words: A01, and no question left open beside it."""
    waiting = replace(
        API,
        vips=(),
        conditions=(
            Condition(type="cilium.io/IPAMRequestSatisfied", status="False", reason="no_pool", message="no pool"),
        ),
    )
    evidence = with_trial(
        diagnosed(), "api", lambda one: replace(one, service=waiting, replies=None, exchanges=(), announcer=None)
    )

    assert causes(replace(evidence, cluster=replace(evidence.cluster, pools=()))) == [("A01", Verdict.FAIL)]


def test_dsr_that_is_configured_and_not_seen_is_a_warning() -> None:
    """SYN-ACKs from the announcer's MAC although all backends stand elsewhere: E03, weaker than an echo and so WARN."""
    evidence = each(diagnosed(), lambda one: connect(one.vip, one.at, ONE, ONE), "api")

    assert causes(evidence) == [("E03", Verdict.WARN)]
    assert "l2probe run" in only(evidence, "E03").remedy
    assert any("Weaker" in line for line in only(evidence, "E03").because)


def test_snat_as_configured_is_no_finding() -> None:
    """The same MACs under SNAT break no promise."""
    evidence = each(diagnosed(datapath=Datapath.SNAT), lambda one: connect(one.vip, one.at, ONE, ONE), "api")

    assert causes(evidence) == []


@pytest.mark.parametrize("backends", [None, (), "no node"])
def test_dsr_is_not_judged_without_knowing_the_backends(backends: object) -> None:
    """Without backends whose nodes are known, the SYN-ACK's MAC tells nothing."""
    known = None if backends is None else tuple(replace(b, node=None) for b in API.backends or ())
    service = replace(API, backends=known)
    evidence = each(diagnosed(), lambda one: connect(one.vip, one.at, ONE, ONE), "api")

    found = judge(with_trial(evidence, "api", lambda one: replace(one, service=service)))

    assert "E03" not in {one.code for one in found}


def datagram(outcome: Outcome) -> Exchange:
    """Return a datagram that the user asked to send."""
    asked = connect(API.vips[0], T0, ONE, THREE, outcome)
    return replace(asked, protocol=Protocol.UDP, payload_bytes=4, detail="")


@pytest.mark.parametrize("outcome", [Outcome.TIMEOUT, Outcome.REFUSED_ICMP])
def test_an_application_that_ignores_a_payload_is_not_accused(outcome: Outcome) -> None:
    """Datagrams and GETs that are not answered prove no loss: connects do that."""
    silent_get = replace(connect(API.vips[0], T0, ONE, THREE, Outcome.TIMEOUT), payload_bytes=60)
    evidence = with_trial(
        diagnosed(),
        "api",
        lambda one: replace(one, exchanges=(*(one.exchanges or ()), *[datagram(outcome)] * 9, *[silent_get] * 9)),
    )

    assert causes(evidence) == []
    assert any("GET" in line for line in besides(evidence))


def test_a_service_with_udp_only_is_unknown_until_it_answers() -> None:
    """Nothing harmless can be sent to a UDP port: UNKNOWN with a way to know, PASS once it answered."""
    dns = replace(API, ports=(Port(protocol=Protocol.UDP, port=53),))
    untold = with_trial(diagnosed(), "api", lambda one: replace(one, service=dns, exchanges=()))
    told = with_trial(untold, "api", lambda one: replace(one, exchanges=(datagram(Outcome.ANSWERED),)))

    assert conclusion(untold).verdict is Verdict.UNKNOWN
    assert conclusion(told).verdict is Verdict.PASS


def test_an_unknown_service_is_not_hidden_by_anothers_warning() -> None:
    """A prediction about one Service leaves the question about another open."""
    dns = replace(API, ports=(Port(protocol=Protocol.UDP, port=53),))
    evidence = with_trial(diagnosed("v1.19.4"), "api", lambda one: replace(one, service=dns, exchanges=()))

    assert conclusion(evidence).verdict is Verdict.UNKNOWN


def test_an_obstacle_is_an_open_question() -> None:
    """An address that could not be looked at from here is never a pass."""
    evidence = with_trial(diagnosed(), "api", lambda one: replace(one, obstacle="Who announces it.", replies=None))

    assert conclusion(evidence).verdict is Verdict.UNKNOWN


def test_without_a_raw_socket_the_lease_stands_for_the_announcer() -> None:
    """Policy Local without a look at the wire: the claim names the node, and the words say that it is a claim."""
    blind = off_announcer(diagnosed("v1.19.4"), Outcome.TIMEOUT)
    blind = replace(
        blind,
        vantage=replace(blind.vantage, raw_socket=False),
        node_replies=None,
        trials=tuple(replace(t, replies=None) for t in blind.trials),
    )

    assert "held the lease" in only(blind, "D01").says
    assert "V03" in {found.code for found in judge(blind)}


def test_a_takeover_that_nobody_heard_accuses_no_node() -> None:
    """The lease moved while nobody read frames: the connects may have gone to the old node, so D01 is not said."""
    blind = off_announcer(diagnosed("v1.19.4"), Outcome.TIMEOUT)
    taken = replace(
        blind,
        vantage=replace(blind.vantage, raw_socket=False),
        node_replies=None,
        trials=tuple(replace(t, replies=None, claims=taken_over(t)) for t in blind.trials),
    )

    assert "D01" in {found.code for found in judge(blind)}
    assert "D01" not in {found.code for found in judge(taken)}


def taken_over(trial: Trial) -> tuple[Claim, ...]:
    """Return a history in which another node held the lease at first."""
    last = (trial.claims or ())[-1]
    first = replace(last, holder=next(name for name in NODES if name != last.holder), read_at=trial.started + 0.1)
    return first, replace(last, read_at=trial.started + 2)


def test_no_route_is_not_silence() -> None:
    """Connects that never left this host say nothing about who announces."""
    lost = all_end(diagnosed(), Outcome.NO_NEIGHBOUR)
    away = replace(
        lost,
        cluster=replace(lost.cluster, policies=()),
        vantage=replace(lost.vantage, interface=None, on_link=None),
        node_replies=None,
        trials=tuple(replace(t, replies=None, placement=Placement.ANY, obstacle="no route") for t in lost.trials),
    )

    assert not {code for code, _ in causes(away)} & {"B01", "B02", "B04"}
    assert conclusion(away).verdict is Verdict.UNKNOWN


def test_a_lease_that_changed_hands_just_now_is_no_mismatch() -> None:
    """The wire shows the old holder for a moment: C04 waits until the new one had its time."""
    fresh = replace(lease("api", THREE, T0), acquired=T0 - 0.5)
    old = replace(lease("api", THREE, T0), acquired=T0 - 600)

    assert causes(with_trial(diagnosed(), "api", lambda one: replace(one, claims=(fresh,)))) == []
    assert causes(with_trial(diagnosed(), "api", lambda one: replace(one, claims=(old,)))) == [("C04", Verdict.FAIL)]


def test_a_denied_right_says_what_it_costs() -> None:
    """V05 names the verdicts that cannot be had without it."""
    evidence = diagnosed()
    denied = replace(
        evidence,
        cluster=replace(
            evidence.cluster, missing_rights=(Right(verb="list", resource="leases", group="coordination.k8s.io"),)
        ),
        trials=tuple(replace(t, claims=None) for t in evidence.trials),
    )

    assert causes(denied) == [("V05", Verdict.WARN)]
    assert "B06, B07" in only(denied, "V05").because[0]


def test_on_a_cluster_node_nothing_is_proven() -> None:
    """From a node only the API speaks."""
    evidence = replace(
        off_announcer(diagnosed(), Outcome.TIMEOUT), vantage=replace(diagnosed().vantage, cluster_node=ONE)
    )

    assert causes(evidence) == [("V01", Verdict.UNKNOWN)]


def test_policy_is_read_from_the_service() -> None:
    """The blackhole rule is about policy Local alone."""
    evidence = off_announcer(diagnosed("v1.19.4"), Outcome.ANSWERED)
    cluster_wide = with_trial(
        evidence, "web", lambda one: replace(one, service=replace(one.service, policy=TrafficPolicy.CLUSTER))
    )

    assert "D01" not in {code for code, _ in causes(cluster_wide)}


def two_ports(outcome: Outcome) -> Evidence:
    """Return a shop whose api has port 443 too, where every connect ends so."""

    def widened(one: Trial) -> Trial:
        more = tuple(replace(connect(e.vip, e.at + 0.01, ONE, THREE, outcome), port=443) for e in one.exchanges or ())
        ports = (*one.service.ports, Port(protocol=Protocol.TCP, port=443, name="https"))
        return replace(one, service=replace(one.service, ports=ports), exchanges=(*(one.exchanges or ()), *more))

    return with_trial(diagnosed(), "api", widened)


def test_one_filtered_port_is_named() -> None:
    """The segment is not blamed for a filter: D03 names the port, and what filters one port alone."""
    found = only(two_ports(Outcome.TIMEOUT), "D03")

    assert causes(two_ports(Outcome.TIMEOUT)) == [("D03", Verdict.FAIL)]
    assert "shop/api port 443/TCP" in found.says
    assert all(word in found.remedy for word in ("NetworkPolicy", "loadBalancerSourceRanges", "host firewall"))


def test_a_whole_service_that_is_lost_is_not_put_down_to_a_port() -> None:
    """Both ports lost: the Service is named; both answered: nothing is."""
    assert "port" not in only(all_end(two_ports(Outcome.TIMEOUT), Outcome.TIMEOUT, "api"), "D03").says
    assert causes(two_ports(Outcome.ANSWERED)) == []


def test_a_family_that_this_host_cannot_send_is_an_open_question() -> None:
    """Connects that our kernel refused accuse nobody and prove nothing; the other family stands."""
    held = each(
        diagnosed(),
        lambda one: (
            replace(
                connect(one.vip, one.at, ONE, ONE, Outcome.TIMEOUT), unsent=True, detail="a local firewall dropped it"
            )
            if ":" in one.vip
            else one
        ),
        "api",
    )

    assert causes(held) == []
    assert conclusion(held).verdict is Verdict.UNKNOWN
    assert list(unknown(held, ())) == [
        "Whether tcp6 to shop/api arrives: this host could not send it: a local firewall dropped it."
    ]


def test_a_stranger_that_accepts_connections_is_no_proof_of_a_backend() -> None:
    """V06 when a node was asked and a MAC that is nobody's accepted; a known node's MAC, as with DSR, is none."""
    stolen = each(diagnosed(), lambda one: replace(one, reply_mac=FOREIGN), "api")
    found = judge(stolen)

    assert [(one.code, one.verdict, one.subject.name) for one in found] == [("V06", Verdict.UNKNOWN, "api")]
    assert f"{FOREIGN} accepted" in found[0].says
    assert judge(diagnosed()) == ()


def test_who_was_refused_by_the_announcer_had_found_it() -> None:
    """Policy Local on the wrong node is a cause beside unanswered multicasts, not what follows from them."""

    def unicast_only(trial: Trial) -> Trial:
        frames = (replace(one, asked="unicast") if ":" in one.ip else one for one in trial.replies or ())
        return replace(trial, replies=tuple(frames))

    deaf = with_trial(off_announcer(diagnosed("v1.19.4"), Outcome.REFUSED_ICMP), "web", unicast_only)

    assert [(one.code, one.consequence_of) for one in judge(deaf)] == [("B11", None), ("D01", None)]


def test_each_node_that_answers_without_the_lease_is_to_be_restarted() -> None:
    """C04 of several Services is one finding, and its fix names the node of each."""
    claims = {"api": TWO, "web": THREE}

    def elsewhere(trial: Trial) -> Trial:
        return replace(
            trial, claims=tuple(replace(one, holder=claims[trial.service.name]) for one in trial.claims or ())
        )

    found = next(one for one in judge(each_trial(diagnosed(), elsewhere)) if one.code == "C04")

    assert found.remedy.startswith("Restart the agent on node-1 (shop/api) and node-2 (shop/web);")


def on_metallb(cluster: Cluster) -> Cluster:
    """Return the same cluster with MetalLB in Cilium's place."""
    return replace(cluster, implementation="metallb", implementation_version="v0.15.2", settings=())


def test_an_advertisement_that_leaves_out_the_backends_node_is_named() -> None:
    """B02: with policy Local MetalLB announces from nodes with a ready backend only, and none of these was selected."""
    hostname = Requirement(key="kubernetes.io/hostname", operator="In", values=(THREE,))
    advertisement = AnnouncementPolicy(name="lan", load_balancer_ips=True, node_selector=(hostname,))
    seen = diagnosed()
    labelled = tuple(
        replace(node, labels=(("kubernetes.io/hostname", node.name),)) for node in seen.cluster.nodes or ()
    )
    cluster = replace(on_metallb(seen.cluster), policies=(advertisement,), nodes=labelled)
    quiet = each_trial(
        replace(seen, cluster=cluster), lambda trial: replace(trial, replies=(), claims=(), announcer=None)
    )

    found = {one.subject.name: one for one in judge(all_end(quiet, Outcome.NO_NEIGHBOUR)) if one.code == "B02"}

    assert set(found) == {"web"}
    assert f"did not match {ONE}, {TWO}, and with policy Local" in " ".join(found["web"].because)


@pytest.mark.parametrize("answered", [(ONE, TWO), (ONE, TWO, THREE)])
def test_a_backend_whose_node_is_gone_is_no_fault_of_the_announcer(answered: tuple[NodeName, ...]) -> None:
    """D04 where the only ready backend's node did not answer for its own address; D03 where it did."""
    seen = replace(diagnosed(), node_replies=node_replies(answered))

    found = [one for one in judge(all_end(seen, Outcome.TIMEOUT, "api")) if one.code in {"D03", "D04"}]

    assert [one.code for one in found] == ["D03" if THREE in answered else "D04"]
    assert (f"stood on {THREE}, which did not answer for its own address" in found[0].says) is (THREE not in answered)


def test_a_class_that_metallb_may_have_been_told_to_serve_is_named() -> None:
    """A01 of a Service with a class says so, and does not guess at pools: MetalLB serves the class it is told to."""
    seen = diagnosed()
    pending = tuple(
        replace(
            trial,
            service=replace(trial.service, vips=(), load_balancer_class="example.test/other"),
            replies=None,
            exchanges=None,
            claims=(),
            announcer=None,
        )
        for trial in seen.trials
    )
    found = judge(replace(seen, trials=pending, cluster=on_metallb(seen.cluster)))

    assert {one.code for one in found} == {"A01"}
    assert all('asked for load balancer class "example.test/other"' in one.says for one in found)


def test_a_node_that_took_over_is_no_split_brain() -> None:
    """MetalLB's speakers know no lease: for a moment both answered, then the first kept silent (seen on a real one)."""
    vip = API.vips[0]

    def changed(evidence: Evidence, *old: float) -> Evidence:
        new = [reply(vip, mac(THREE), T0 + at) for at in (0.1, 0.2, 0.5, 0.9)]
        frames = (*(reply(vip, mac(ONE), T0 + at) for at in old), *new)
        other = tuple(frame for trial in evidence.trials for frame in trial.replies or () if frame.ip == API.vips[1])
        return with_trial(evidence, "api", lambda one: replace(one, replies=(*other, *frames)))

    orderly = changed(diagnosed(), 0.0, 0.102)
    stubborn = changed(diagnosed(), 0.0, 0.102, 0.901)
    not_followed = changed(diagnosed(), 0.0, 0.102, 0.502)

    assert "C01" not in {code for code, _ in causes(orderly)}
    assert causes(stubborn) == causes(not_followed) == [("C01", Verdict.FAIL)]


def test_a_tcp_port_that_was_not_tried_is_not_denied() -> None:
    """Where the address changed before anything was sent, the report says that, and not that there is no TCP port."""
    untried = with_trial(diagnosed(), "api", lambda one: replace(one, exchanges=()))

    assert [line for line in unknown(untried, judge(untried)) if "shop/api" in line] == [
        "Whether traffic to shop/api arrives: nothing was sent to the address that it has now. Look again."
    ]
