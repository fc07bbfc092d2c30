"""The flow against a played cluster: what evidence it brings, and how fast it decides."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from l2probe.errors import ClusterError, NotAllowedError
from l2probe.judge import judge
from l2probe.judge.owners import GRACE_SECONDS
from l2probe.model import Evidence, Flow, NodeName, Outcome, Placement, TrafficPolicy, Trial
from l2probe.run import Ran, run
from l2probe.suites import Question, Suite
from l2probe.workload.manifests import Toleration
from tests.run.played import CLIENT, NODES, World, only, plan

LOCAL = Question(name="local", policy=TrafficPolicy.LOCAL, place=(Placement.OFF_ANNOUNCER,))


def trials(ran: Ran, name: str) -> dict[Placement, Trial]:
    """Return the trials of one Service by placement."""
    return {trial.placement: trial for trial in ran.evidence.trials if trial.service.name == name}


def outcomes(trial: Trial) -> set[Outcome]:
    """Return how a trial's exchanges ended."""
    return {exchange.outcome for exchange in trial.exchanges or ()}


def test_a_healthy_cluster_yields_a_trial_on_and_off_the_announcer() -> None:
    """The announcer is taken from the wire, and the backend stands once on it and once off it."""
    world = World()

    ran = run(plan(), world.edges())

    source = trials(ran, "smoke-source")
    on, off = source[Placement.ON_ANNOUNCER], source[Placement.OFF_ANNOUNCER]
    assert on.announcer == off.announcer == "node-1"
    assert on.target is not None
    assert on.target.node == "node-1"
    assert off.target is not None
    assert off.target.node != "node-1"
    assert on.settled
    assert off.settled
    assert {exchange.pod for exchange in off.exchanges or ()} == {off.target.pod}
    assert ran.evidence.flows == tuple(Flow)
    assert ran.leftover is None
    assert world.namespaces == set()


def test_every_flow_is_tried_small_and_full_size() -> None:
    """Eight small exchanges and some full ones for TCP and UDP in both families, annotated by the wire."""
    ran = run(plan(), World().edges())

    exchanges = trials(ran, "smoke-source")[Placement.OFF_ANNOUNCER].exchanges or ()
    sizes = Counter((exchange.flow, exchange.payload_bytes) for exchange in exchanges)
    assert {flow: sizes[flow, 512] for flow in Flow} == dict.fromkeys(Flow, 8)
    assert sizes[Flow.UDP4, 1472] == sizes[Flow.UDP6, 1452] == sizes[Flow.TCP4, 4096] == 4
    assert all(exchange.sent_mac for exchange in exchanges)


def test_evidence_tells_what_was_asked_and_where_we_stood() -> None:
    """Suites, requirements, vantage and the nodes' own replies are part of the evidence."""
    ran = run(plan(required=("source",)), World().edges())

    assert ran.evidence.suites == ("smoke",)
    assert ran.evidence.required == ("source",)
    assert ran.evidence.vantage.addresses == (CLIENT,)
    assert {reply.node for reply in ran.evidence.node_replies or ()} == {"node-1", "node-2", "node-3"}
    assert ran.evidence.cluster.server_version == "v1.34.0"


def test_answers_of_a_slow_datapath_are_no_evidence() -> None:
    """What another Pod answered before the datapath had followed is left out."""
    ran = run(only(Question(name="source")), World(slow_datapath=1.0).edges())

    off = trials(ran, "one-source")[Placement.OFF_ANNOUNCER]
    assert off.target is not None
    assert {exchange.pod for exchange in off.exchanges or ()} == {off.target.pod}
    assert off.settled


def test_a_datapath_that_still_mixes_has_not_followed() -> None:
    """One right answer proves nothing: the old backends include the new one."""
    ran = run(only(Question(name="source")), World(slow_datapath=1.0, mixed=True).edges())

    off = trials(ran, "one-source")[Placement.OFF_ANNOUNCER]
    assert off.target is not None
    assert {exchange.pod for exchange in off.exchanges or ()} == {off.target.pod}


def test_with_all_pods_behind_it_a_service_must_have_reached_them() -> None:
    """Before the announcer knows all backends, a connection may be reset on the way."""
    trial = trials(run(only(Question(name="source")), World(slow_datapath=1.0).edges()), "one-source")[Placement.ANY]

    assert {exchange.pod for exchange in trial.exchanges or ()} == {"echo-1", "echo-2", "echo-3"}
    assert trial.settled


def test_local_leaves_out_what_the_datapath_had_not_let_go_of() -> None:
    """Answers of the Pod that the Service pointed at before say nothing about policy Local."""
    off = trials(run(only(LOCAL), World(slow_datapath=1.0).edges()), "one-local")[Placement.OFF_ANNOUNCER]

    assert outcomes(off) == {Outcome.REFUSED_ICMP}


def test_nothing_is_tried_before_the_endpoint_slices_follow() -> None:
    """A selector is only a wish: traffic waits for the EndpointSlices."""
    world = World(slow_endpoints=5.0)

    off = trials(run(only(LOCAL), world.edges()), "one-local")[Placement.OFF_ANNOUNCER]

    assert min(exchange.at for exchange in off.exchanges or ()) >= world.selected["one-local"][1] + 5.0


def test_endpoint_slices_that_never_follow_are_an_obstacle() -> None:
    """Without them nobody knows which Pod would be tried."""
    off = trials(run(only(LOCAL), World(slow_endpoints=60.0).edges()), "one-local")[Placement.OFF_ANNOUNCER]

    assert off.exchanges is None
    assert off.obstacle is not None
    assert "EndpointSlices did not show" in off.obstacle


def test_local_rejected_is_decided_after_a_renewal_and_two_more_rejections() -> None:
    """Three seconds suffice: the holder renewed after the change and still rejects."""
    world = World(local="rejected")

    off = trials(run(only(LOCAL), world.edges()), "one-local")[Placement.OFF_ANNOUNCER]

    assert outcomes(off) == {Outcome.REFUSED_ICMP}
    assert off.settled
    assert off.observed_seconds < 5
    renewed = [claim.read_at for claim in off.claims or () if claim.read_at > off.started]
    assert sum(exchange.at > renewed[0] for exchange in off.exchanges or () if exchange.flow is Flow.TCP4) >= 1


def test_local_dropped_takes_long_enough_to_be_sure() -> None:
    """Silence counts only after more than eight seconds and ten knocks for each flow."""
    off = trials(run(only(LOCAL), World(local="dropped").edges()), "one-local")[Placement.OFF_ANNOUNCER]

    knocks = Counter(exchange.flow for exchange in off.exchanges or ())
    times = [exchange.at for exchange in off.exchanges or ()]
    assert outcomes(off) == {Outcome.TIMEOUT}
    assert min(knocks[flow] for flow in Flow) >= 10
    assert max(times) - min(times) >= 8.0
    assert off.settled


def test_local_moved_is_seen_on_the_wire_and_in_traffic() -> None:
    """When the lease follows the Pod, knocking ends with answers and the wire shows the new node."""
    off = trials(run(only(LOCAL), World(local="moved").edges()), "one-local")[Placement.OFF_ANNOUNCER]

    assert off.announcer == "node-1"
    assert off.target is not None
    assert (off.exchanges or ())[-1].outcome is Outcome.ANSWERED
    assert (off.replies or ())[-1].node == off.target.node
    assert off.settled
    assert off.observed_seconds < 5


@pytest.mark.parametrize("local", ["moved", "rejected", "dropped", "unannounced"])
def test_this_host_knows_the_announcer_before_the_pod_is_taken_from_it(local: str) -> None:
    """Only a client with an entry of the old announcer can show whether it follows a takeover; it costs no time."""
    world = World(local=local)

    off = trials(run(only(LOCAL), world.edges()), "one-local")[Placement.OFF_ANNOUNCER]

    assert set(world.first_met) == set(off.service.vips)
    assert max(world.first_met.values()) < world.selected["one-local"][1] <= min(world.first_met.values()) + 1.0
    assert min(exchange.at for exchange in off.exchanges or ()) >= off.started, "what came before is no evidence"


def test_a_lease_that_moves_before_the_endpoint_slices_are_seen_has_moved_all_the_same() -> None:
    """Refusals by the old announcer are not believed until clients had their time to learn the new one."""
    world = World(local="moved", slow_endpoints=3.0, refuses=frozenset({4}))

    off = trials(run(only(LOCAL), world.edges()), "one-local")[Placement.OFF_ANNOUNCER]

    assert {one.outcome for one in off.exchanges or () if one.flow is Flow.TCP4} == {Outcome.REFUSED_ICMP}
    assert off.observed_seconds >= 8.0


def test_what_a_stranger_answers_is_evidence_while_the_datapath_still_converges() -> None:
    """Nothing but another machine gives a wrong answer; only lost attempts are the datapath's own."""
    world = World(hijacked=3, slow_datapath=0.5)

    found = trials(run(only(Question(name="source")), world.edges()), "one-source")[Placement.ANY]

    said = [one.outcome for one in found.exchanges or ()]
    assert (said.count(Outcome.WRONG_ANSWER), said[0]) == (3, Outcome.WRONG_ANSWER)
    assert set(said[3:]) == {Outcome.ANSWERED}


def test_a_contested_address_is_met_first_when_the_pod_is_gone() -> None:
    """Whom this host's kernel believes then shows who the stranger is; no entry of the announcer stands before it."""
    world = World(hijacked=1)

    off = trials(run(only(LOCAL), world.edges()), "one-local")[Placement.OFF_ANNOUNCER]

    assert min(world.first_met.values()) >= world.selected["one-local"][1]
    assert Outcome.WRONG_ANSWER in {one.outcome for one in off.exchanges or ()}


def test_local_unannounced_leaves_the_wire_silent() -> None:
    """Asked again after the change, nobody has the address any more."""
    off = trials(run(only(LOCAL), World(local="unannounced").edges()), "one-local")[Placement.OFF_ANNOUNCER]

    assert off.replies == ()
    assert outcomes(off) == {Outcome.TIMEOUT}


def test_an_announcer_that_is_not_the_holder_is_asked_again() -> None:
    """Another node than the holder answers: asked until it is no handover any more, so that C04 is proven."""
    agreeing, disputed = World(), World(holding_node=2)

    proven = judge(run(only(Question(name="source")), disputed.edges()).evidence)
    peaceful = judge(run(only(Question(name="source")), agreeing.edges()).evidence)

    assert proven[0].code == "C04"
    assert not [found for found in peaceful if found.code == "C04"]
    assert 0 < disputed.clock - agreeing.clock < GRACE_SECONDS + 2


def test_nodes_are_asked_alone_for_what_nobody_answered() -> None:
    """An announcer that hears no broadcast and no multicast is named so, and not called silent."""
    world = World(hard_of_hearing=True)

    found = judge(run(only(Question(name="source")), world.edges()).evidence)

    assert [one.code for one in found if one.code[0] == "B"] == ["B11", "B12"]


def test_an_announcer_that_has_only_just_begun_to_answer_hears_all_there_is() -> None:
    """What was answered alone only because it was asked last is called once more before anybody is accused."""
    world = World(hard_of_hearing=True, waking=True)

    found = judge(run(only(Question(name="source", place=(Placement.ANY,))), world.edges()).evidence)

    assert world.calls["solicit"] == 1
    assert [one.code for one in found if one.code[0] == "B"] == []


def test_nodes_are_not_asked_alone_for_what_was_answered() -> None:
    """A healthy cluster is asked no more than it need be."""
    world = World()
    run(only(Question(name="source")), world.edges())

    assert world.calls["solicit"] == 0


def test_a_silent_address_is_decided_quickly() -> None:
    """Nobody answers: one exchange for each flow, no placement, no minute of waiting."""
    world = World(silent=True)

    ran = run(only(Question(name="source")), world.edges())

    (trial,) = ran.evidence.trials
    assert trial.replies == ()
    assert len(trial.exchanges or ()) == 4
    assert world.clock - 1000.0 < 12


def test_a_silent_address_stays_silent_although_our_kernel_remembers_it() -> None:
    """A neighbour entry of an earlier run may still carry traffic; nobody announces all the same."""
    ran = run(only(Question(name="source")), World(silent=True, remembered=True).edges())

    (trial,) = ran.evidence.trials
    assert trial.replies == ()
    assert outcomes(trial) == {Outcome.ANSWERED}


def test_on_a_deaf_interface_traffic_goes_on_by_the_claim() -> None:
    """Where not even the nodes' own addresses are heard, silence is no reason to stop."""
    ran = run(only(Question(name="source")), World(deaf=True).edges())

    off = trials(ran, "one-source")[Placement.OFF_ANNOUNCER]
    assert ran.evidence.node_replies == ()
    assert off.announcer is None
    assert off.target is not None
    assert off.target.node != "node-1"
    assert outcomes(off) == {Outcome.ANSWERED}


def test_a_dead_address_is_tried_in_every_place_but_not_for_long() -> None:
    """Announced, yet nothing answers: recorded for every place."""
    world = World(dead=True)

    ran = run(only(Question(name="source")), world.edges())

    assert [outcomes(trial) for trial in ran.evidence.trials] == [{Outcome.TIMEOUT}] * 3
    assert world.clock - 1000.0 < 15


@pytest.mark.parametrize("refused", [(4, 6), (6,)], ids=["everything", "one family"])
def test_what_is_refused_is_waited_for_once(refused: tuple[int, ...]) -> None:
    """A datapath gets its time to come up; what gave no answer with all Pods behind it is not waited for again."""
    world, whole = World(refuses=refused), World()

    seen = trials(run(only(Question(name="source")), world.edges()), "one-source")
    run(only(Question(name="source")), whole.edges())

    assert world.clock - whole.clock < 2.0
    for trial in seen.values():
        family = {one.outcome for one in trial.exchanges or () if ":" in one.vip}
        assert family == {Outcome.REFUSED_ICMP}
    assert seen[Placement.OFF_ANNOUNCER].settled is (refused == (6,))


@pytest.mark.parametrize("world", [World(pools=()), World(refusal="no_pool")], ids=["no pool at all", "refused"])
def test_a_pending_service_with_a_definite_reason_is_not_waited_for(world: World) -> None:
    """An address that cannot come is a finding within seconds, not after --timeout."""
    ran = run(plan(), world.edges())

    assert all(trial.service.vips == () and trial.replies is None for trial in ran.evidence.trials)
    assert world.clock - 1000.0 < 8


def test_a_pending_service_without_a_reason_is_waited_for() -> None:
    """Nobody says why: --timeout decides."""
    world = World(refusal="no_pool")
    world.pools = None
    world.refusal = ""
    object.__setattr__(world, "vips", lambda service: ())

    run(plan(timeout=20.0), world.edges())

    assert 20 <= world.clock - 1000.0 < 25


def test_progress_says_what_is_waited_for_and_why() -> None:
    """The user reads the Service's condition while waiting."""
    world = World(refusal="out_of_ips")

    run(plan(), world.edges())

    assert any("smoke-source" in line and "out_of_ips" in line for line in world.said)


def test_pods_that_cannot_start_are_one_sentence() -> None:
    """A missing image is no finding about the network: it is why nothing could be observed."""
    world = World(pod_waiting="ImagePullBackOff: no such image")

    with pytest.raises(ClusterError) as caught:
        run(plan(), world.edges())

    assert "ImagePullBackOff: no such image" in caught.value.message
    assert "--image" in caught.value.hint
    assert world.namespaces == set()
    assert world.clock - 1000.0 < 15


def test_on_a_cluster_node_nothing_is_created() -> None:
    """A node rewrites VIP traffic before the wire: the vantage is all the evidence there is."""
    world = World(cluster_node=NodeName("node-2"))

    ran = run(plan(), world.edges())

    assert ran.evidence.trials == ()
    assert ran.evidence.vantage.cluster_node == "node-2"
    assert world.calls["create"] == 0


def test_no_announcer_is_one_sentence_and_nothing_is_created() -> None:
    """Without an implementation there is nothing to prove."""
    world = World(implementation=None)

    with pytest.raises(ClusterError, match="No implementation that announces LoadBalancer addresses"):
        run(plan(), world.edges())

    assert world.calls["create"] == 0


def test_a_denied_verb_is_named_before_anything_is_created() -> None:
    """RBAC lacking one verb: which one, on what, and how to grant it."""
    world = World(denied=frozenset({"patch services", "list endpointslices"}))

    with pytest.raises(NotAllowedError) as caught:
        run(plan(), world.edges())

    assert "patch services, list endpointslices.discovery.k8s.io" in caught.value.message
    assert "l2probe rbac" in caught.value.hint
    assert world.calls["create"] == 0


def test_nodes_that_take_no_pod_are_named_before_anything_is_created() -> None:
    """Each node with its reason: not ready, not selected, its taint."""
    world = World(
        nodes=(replace(NODES[0], ready=False), replace(NODES[1], schedulable=False, taints=(("a", "b", "NoSchedule"),)))
    )

    with pytest.raises(ClusterError) as caught:
        run(plan(), world.edges())

    assert caught.value.message == "No node could take an echo Pod: node-1 (not ready), node-2 (taint a=b:NoSchedule)."
    assert world.calls["create"] == 0


@pytest.mark.parametrize(
    ("toleration", "expected"),
    [
        (Toleration(key="a"), True),
        (Toleration(key="a", value="b", effect="NoSchedule"), True),
        (Toleration(key="a", value="c"), False),
        (Toleration(key="a", effect="NoExecute"), False),
        (Toleration(key="b"), False),
    ],
)
def test_a_tolerated_taint_keeps_no_pod_away(*, toleration: Toleration, expected: bool) -> None:
    """--toleration opens the nodes whose every taint it covers."""
    tainted = replace(NODES[0], schedulable=False, taints=(("a", "b", "NoSchedule"),))
    workload = replace(plan().workload, tolerations=(toleration,))

    assert bool(plan(workload=workload).eligible((tainted,))) is expected


def test_leases_that_may_not_be_read_are_claims_not_looked_at() -> None:
    """A claim that RBAC hides is None, and the run goes on."""
    world = World(denied=frozenset({"list leases"}))

    ran = run(only(Question(name="source")), world.edges())

    assert {trial.claims for trial in ran.evidence.trials} == {None}
    assert [right.resource for right in ran.evidence.cluster.missing_rights] == ["leases"]


def test_without_a_raw_socket_traffic_still_tells() -> None:
    """No CAP_NET_RAW: nothing about the wire is claimed, the lease places the Pods."""
    ran = run(only(Question(name="source")), World(raw_socket=False).edges())

    source = trials(ran, "one-source")
    assert all(trial.replies is None and trial.announcer is None for trial in source.values())
    off = source[Placement.OFF_ANNOUNCER]
    assert off.target is not None
    assert off.target.node != "node-1"
    assert outcomes(off) == {Outcome.ANSWERED}
    assert ran.evidence.node_replies is None


def test_behind_a_router_silence_is_not_recorded() -> None:
    """Nobody on our segment could answer for an address behind a router; where our frames went is seen all the same."""
    ran = run(only(Question(name="source")), World(on_link=False).edges())

    assert all(trial.replies is None for trial in ran.evidence.trials)
    assert all(one.sent_mac for trial in ran.evidence.trials for one in trial.exchanges or ())


def test_a_pod_is_started_on_an_announcer_that_has_none() -> None:
    """With more nodes than Pods the announcer gets one of its own, or half of the proof would be missing."""
    suite = Suite(name="one", about="x", questions=(Question(name="source"),), backends=2)
    world = World(announcing_node=3)

    on = trials(run(plan(suite), world.edges()), "one-source")[Placement.ON_ANNOUNCER]

    assert on.target is not None
    assert on.target.node == on.announcer == "node-3"
    assert outcomes(on) == {Outcome.ANSWERED}


def test_an_announcer_that_takes_no_pod_is_an_obstacle() -> None:
    """A cordoned announcer is told apart from one that nobody tried."""
    suite = Suite(name="one", about="x", questions=(Question(name="source"),), backends=2)
    world = World(announcing_node=3, nodes=(*NODES[:2], replace(NODES[2], schedulable=False)))

    source = trials(run(plan(suite), world.edges()), "one-source")

    why = source[Placement.ON_ANNOUNCER].obstacle or ""
    assert why.startswith("The announcer node-3 takes no echo Pod")
    assert source[Placement.OFF_ANNOUNCER].exchanges


def test_one_node_leaves_an_obstacle_where_the_second_was_needed() -> None:
    """A trial that could not be held says why."""
    suite = Suite(name="one", about="x", questions=(Question(name="source"),), backends=1)

    off = trials(run(plan(suite), World().edges()), "one-source")[Placement.OFF_ANNOUNCER]

    assert off.exchanges is None
    assert off.obstacle == "No echo Pod ran on a node other than node-1."


def test_frames_are_saved_while_the_wire_is_open(tmp_path: Path) -> None:
    """--pcap writes what the verdict rests on."""
    run(plan(pcap=tmp_path / "x.pcap"), World().edges())

    assert (tmp_path / "x.pcap").read_bytes() == b"pcap"


def test_evidence_is_frozen_data() -> None:
    """The same world yields the same kinds of evidence twice: nothing leaks from run to run."""
    first, second = (run(only(LOCAL), World().edges()).evidence for _ in range(2))

    assert isinstance(first, Evidence)
    assert first == second
