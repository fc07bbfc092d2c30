"""What the evidence proves about a cluster: truth tables for source, policy Local, reachability and exclusiveness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from l2probe.judge import REQUIRABLE, capabilities, conclude, judge, unproven
from l2probe.judge.local import ENOUGH_SECONDS, ENOUGH_TRIES
from l2probe.model import (
    Datapath,
    Evidence,
    Exchange,
    Flow,
    LocalPolicy,
    Mac,
    NodeName,
    Outcome,
    Placement,
    Source,
    TrafficPolicy,
    Trial,
    Verdict,
)
from l2probe.report.proofs import rows
from tests.judge.evidence import (
    NODES,
    PROFILES,
    T0,
    V4,
    claim,
    each_exchange,
    each_trial,
    healthy,
    lost,
    mac,
    node_address,
    replies,
    reply,
)

ALL = tuple(Flow)
SOURCES = {
    "cilium-1.19-dsr": dict.fromkeys(ALL, Source.ALWAYS),
    "cilium-1.19-dsr+drop": dict.fromkeys(ALL, Source.ALWAYS),
    "cilium-1.19-snat": dict.fromkeys(ALL, Source.ON_ANNOUNCER_ONLY),
    "cilium-1.19-hybrid": {flow: Source.ALWAYS if flow.startswith("tcp") else Source.ON_ANNOUNCER_ONLY for flow in ALL},
    "cilium-1.20.2-dsr": dict.fromkeys(ALL, Source.ALWAYS),
    "cilium-1.20.2-snat": dict.fromkeys(ALL, Source.ON_ANNOUNCER_ONLY),
    "cilium-1.17-dsr": dict.fromkeys(V4, Source.ALWAYS) | dict.fromkeys((Flow.TCP6, Flow.UDP6), Source.UNKNOWN),
}
LOCALS = {
    "cilium-1.19-dsr": LocalPolicy.REJECTED,
    "cilium-1.19-dsr+drop": LocalPolicy.DROPPED,
    "cilium-1.19-snat": LocalPolicy.REJECTED,
    "cilium-1.19-hybrid": LocalPolicy.REJECTED,
    "cilium-1.20.2-dsr": LocalPolicy.MOVED,
    "cilium-1.20.2-snat": LocalPolicy.MOVED,
    "cilium-1.17-dsr": LocalPolicy.REJECTED,
}


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_is_recognised(name: str) -> None:
    """The capabilities of each healthy cluster are what its datapath and version do."""
    evidence = PROFILES[name]

    able = capabilities(evidence)

    assert able.announced_by == NODES[0]
    assert able.exclusive is True
    assert {flow: getattr(able.source, flow) for flow in Flow} == SOURCES[name]
    assert {getattr(able.local_policy, flow) for flow in evidence.flows} == {LOCALS[name]}
    assert {getattr(able.reachable, flow) for flow in evidence.flows} == {True}
    assert able.largest_payload_bytes == (1472 if evidence.flows == V4 else 1452)


def is_off(one: Exchange) -> bool:
    """Whether the Pod stood on another node than the one we sent to."""
    return one.node is not None and one.sent_mac != mac(one.node)


def hide(one: Exchange) -> Exchange:
    """Return the Pod saw the announcer instead."""
    return replace(one, seen=node_address(NODES[0], 6 if ":" in one.vip else 4))


SOURCE_TABLE: dict[str, tuple[Callable[[Exchange], Exchange | None], Source]] = {
    "kept off and on": (lambda one: one, Source.ALWAYS),
    "kept off, on not tried": (lambda one: one if is_off(one) else None, Source.ALWAYS),
    "kept on, off not tried: a test with one Pod proves nothing": (
        lambda one: None if is_off(one) else one,
        Source.UNKNOWN,
    ),
    "lost off, kept on": (lambda one: hide(one) if is_off(one) else one, Source.ON_ANNOUNCER_ONLY),
    "lost off, on not tried": (lambda one: hide(one) if is_off(one) else None, Source.UNKNOWN),
    "lost off and on": (hide, Source.NEVER),
    "sometimes kept off": (lambda one: hide(one) if is_off(one) and one.payload_bytes > 512 else one, Source.UNKNOWN),
    "path not seen": (lambda one: replace(one, sent_mac=None), Source.UNKNOWN),
    "path of an unknown MAC": (lambda one: replace(one, sent_mac=Mac("02:00:00:00:00:99")), Source.UNKNOWN),
    "Pod did not say": (lambda one: replace(one, seen=None), Source.UNKNOWN),
}


@pytest.mark.parametrize("name", SOURCE_TABLE)
def test_source_is_proven_only_from_off_the_announcer(name: str) -> None:
    """Only answers from a node other than the one we sent to prove what becomes of the client address."""
    change, expected = SOURCE_TABLE[name]

    def changed(trial: Trial) -> Trial:
        kept = (change(one) for one in trial.exchanges or ())
        return replace(trial, exchanges=tuple(one for one in kept if one is not None))

    able = capabilities(each_trial(healthy(), changed))

    assert {getattr(able.source, flow) for flow in Flow} == {expected}


def unread(evidence: Evidence) -> Evidence:
    """Return the evidence as it is without CAP_NET_RAW: no frame, and Pods placed by the lease alone."""
    blind = each_trial(evidence, lambda trial: replace(trial, replies=None, announcer=None))
    blind = each_exchange(blind, lambda _, one: replace(one, sent_mac=None, reply_mac=None))
    return replace(blind, node_replies=None, vantage=replace(blind.vantage, raw_socket=False))


def test_a_nodes_address_in_the_clients_place_proves_translation_without_frames() -> None:
    """The Pod's echo says through which node it came: SNAT is proven, whoever the lease names."""
    evidence = unread(healthy(datapath=Datapath.SNAT))

    assert {getattr(capabilities(evidence).source, flow) for flow in Flow} == {Source.ON_ANNOUNCER_ONLY}
    assert "E02" in {found.code for found in judge(evidence)}


def test_dsr_that_is_configured_and_refuted_by_the_echo_is_a_failure_without_frames() -> None:
    """The configuration says DSR and the Pod saw another node's address: no frame is needed to refute it."""
    evidence = unread(healthy(datapath=Datapath.SNAT))
    claimed = replace(evidence, cluster=replace(evidence.cluster, datapath=Datapath.DSR))

    assert ("E03", Verdict.FAIL) in {(found.code, found.verdict) for found in judge(claimed)}


def test_the_clients_own_address_proves_nothing_where_no_frame_shows_the_way() -> None:
    """Were the lease wrong, the Pod might stand on the announcer: unknown, with what was seen by the claim."""
    evidence = unread(healthy())
    report = conclude(evidence, started="2026-11-23T20:00:00Z", duration_seconds=4.2, command="l2probe run")

    assert {getattr(report.capabilities.source, flow) for flow in Flow} == {Source.UNKNOWN}
    assert "off the claimed announcer: seen in 48 of 48; no frame proves who announces" in {
        row.proof for row in rows(report)
    }


def off_trial(change: Callable[[Trial], Trial], local: Outcome = Outcome.TIMEOUT) -> Evidence:
    """Return a healthy cluster whose trial of policy Local off the announcer was different."""

    def changed(trial: Trial) -> Trial:
        is_it = trial.placement is Placement.OFF_ANNOUNCER and trial.service.policy is TrafficPolicy.LOCAL
        return change(trial) if is_it else trial

    return each_trial(healthy(local=local), changed)


def tries(change: Callable[[int, Exchange], Exchange | None]) -> Callable[[Trial], Trial]:
    """Change the attempts of a trial, by their number."""

    def changed(trial: Trial) -> Trial:
        kept = (change(number, one) for number, one in enumerate(trial.exchanges or ()))
        return replace(trial, exchanges=tuple(one for one in kept if one is not None))

    return changed


def through_node_2(_: int, one: Exchange) -> Exchange:
    """Return served by the Pod on node-1 although node-2 still announces."""
    return replace(one, sent_mac=mac(NODES[1]))


def two_at_once(trial: Trial) -> Trial:
    """node-3 answers together with node-2."""
    return replace(trial, replies=(*(trial.replies or ()), *replies(trial.service.vips, NODES[2], T0 + 1.05)))


def moved_unheard(trial: Trial, to: NodeName | None = NODES[0]) -> Trial:
    """Move the lease to the backend's node while nobody reads frames: this host may knock at the old node on."""
    name = trial.service.name
    history = (claim(name, NODES[1], T0), claim(name, to, T0 + 3))
    return replace(trial, replies=None, announcer=None, claims=history)


LOCAL_TABLE: dict[str, tuple[Evidence, LocalPolicy]] = {
    "served": (off_trial(tries(through_node_2), Outcome.ANSWERED), LocalPolicy.SERVED),
    "moved": (off_trial(lambda t: t, Outcome.ANSWERED), LocalPolicy.MOVED),
    "rejected by ICMP": (off_trial(lambda t: t, Outcome.REFUSED_ICMP), LocalPolicy.REJECTED),
    "rejected by RST": (off_trial(lambda t: t, Outcome.REFUSED_RST), LocalPolicy.REJECTED),
    "rejected now and then: kernels limit how often": (
        off_trial(tries(lambda n, one: one if n > 70 else lost(one)), Outcome.REFUSED_ICMP),
        LocalPolicy.REJECTED,
    ),
    "dropped": (off_trial(lambda t: t), LocalPolicy.DROPPED),
    "too few tries": (off_trial(tries(lambda n, one: one if n // 4 in {0, 7, 14, 20} else None)), LocalPolicy.UNKNOWN),
    "too short": (off_trial(tries(lambda n, one: one if n < 60 else None)), LocalPolicy.UNKNOWN),
    "the cluster had no time to react": (
        off_trial(lambda t: replace(t, settled=False), Outcome.REFUSED_ICMP),
        LocalPolicy.UNKNOWN,
    ),
    "no claim to read, but a whole failover's time": (
        off_trial(lambda t: replace(t, settled=False, observed_seconds=21.0), Outcome.REFUSED_ICMP),
        LocalPolicy.REJECTED,
    ),
    "unannounced": (
        off_trial(tries(lambda _, one: lost(one, Outcome.NO_NEIGHBOUR))),
        LocalPolicy.UNKNOWN,
    ),
    "unannounced, and the wire was asked": (
        off_trial(lambda t: tries(lambda _, one: lost(one, Outcome.NO_NEIGHBOUR))(replace(t, replies=()))),
        LocalPolicy.UNANNOUNCED,
    ),
    "unannounced, and only its first moment still saw the old holder": (
        off_trial(
            lambda t: tries(lambda _, one: lost(one, Outcome.NO_NEIGHBOUR))(
                replace(t, replies=tuple(r for r in t.replies or () if r.at < t.started + 1))
            )
        ),
        LocalPolicy.UNANNOUNCED,
    ),
    "nobody listened": (off_trial(lambda t: replace(t, replies=None)), LocalPolicy.DROPPED),
    "nobody listened, and the claim moved": (off_trial(moved_unheard, Outcome.REFUSED_ICMP), LocalPolicy.UNKNOWN),
    "nobody listened, and the holder let go": (
        off_trial(lambda t: moved_unheard(t, to=None)),
        LocalPolicy.UNKNOWN,
    ),
    "a third node took it and drops": (
        off_trial(lambda t: replace(t, replies=tuple(reply(v, mac(NODES[2]), T0 + 10) for v in t.service.vips))),
        LocalPolicy.UNKNOWN,
    ),
    "two announce at once": (off_trial(two_at_once, Outcome.REFUSED_ICMP), LocalPolicy.UNKNOWN),
    "no Pod could be placed": (off_trial(lambda t: replace(t, target=None, exchanges=())), LocalPolicy.UNKNOWN),
    "not tried": (off_trial(lambda t: replace(t, exchanges=None)), LocalPolicy.UNKNOWN),
}


@pytest.mark.parametrize("name", LOCAL_TABLE)
def test_policy_local_has_five_names_and_unknown(name: str) -> None:
    """What policy Local does is named only when the evidence excludes the other names."""
    evidence, expected = LOCAL_TABLE[name]

    able = capabilities(evidence)

    assert {getattr(able.local_policy, flow) for flow in Flow} == {expected}


def test_a_takeover_that_nobody_heard_is_said() -> None:
    """No D01, and the open question says why: the claim moved, and no frame told to whom this host sent."""
    blind = unread(off_trial(moved_unheard, Outcome.REFUSED_ICMP))
    able, found = capabilities(blind), judge(blind)

    assert "D01" not in {one.code for one in found}
    assert any("smoke-local changed hands, and without frames" in said for said in unproven(blind, able, found))


def test_loss_is_not_the_policys_doing_where_nothing_works() -> None:
    """When policy Cluster does not work either, policy Local is unknown, not dropped."""
    able = capabilities(each_exchange(healthy(local=Outcome.TIMEOUT), lambda _, one: lost(one)))

    assert {getattr(able.local_policy, flow) for flow in Flow} == {LocalPolicy.UNKNOWN}


def test_enough_is_five_tries_over_eight_seconds() -> None:
    """The bar for "dropped" is the one that was measured."""
    assert (ENOUGH_TRIES, ENOUGH_SECONDS) == (5, 8.0)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(lambda _, one: one, True, id="answered everywhere"),
        pytest.param(
            lambda t, one: lost(one) if t.placement is Placement.OFF_ANNOUNCER else one, False, id="never off"
        ),
        pytest.param(lambda _, one: lost(one) if one.payload_bytes > 512 else one, True, id="small ones only"),
        pytest.param(lambda _, one: lost(one, Outcome.WRONG_ANSWER), False, id="a stranger answered"),
    ],
)
def test_reachable_means_in_every_place(change: Callable[[Trial, Exchange], Exchange], *, expected: bool) -> None:
    """A flow kind is reachable when our Pod answered wherever it stood."""
    able = capabilities(each_exchange(healthy(), change))

    assert able.reachable.tcp4 is expected


def lose(some: set[int]) -> Evidence:
    """Return a healthy cluster in which these of the small tcp4 exchanges with policy Cluster were lost, by number."""
    numbers = iter(range(10_000))

    def changed(trial: Trial, one: Exchange) -> Exchange:
        small = one.flow is Flow.TCP4 and one.payload_bytes == 512 and trial.service.policy is TrafficPolicy.CLUSTER
        return lost(one) if small and next(numbers) in some else one

    return each_exchange(MOVED, changed)


@pytest.mark.parametrize(
    ("some", "expected"),
    [
        pytest.param({3}, True, id="one of 24 is chance"),
        pytest.param({3, 13}, True, id="two of 24 may be chance"),
        pytest.param({3, 13, 21}, None, id="three of 24 are hardly chance, and not broken either"),
        pytest.param({1, 2, 3, 4}, True, id="one short moment is one event"),
        pytest.param({1, 3, 5, 9, 11, 13, 17, 19, 21}, False, id="a third is lost again and again"),
    ],
)
def test_reachable_means_no_more_is_lost_than_chance_takes(some: set[int], *, expected: bool | None) -> None:
    """Yes only where chance explains what was lost; what is neither chance nor broken is not known."""
    assert capabilities(lose(some)).reachable.tcp4 is expected


def test_loss_that_no_finding_explains_stays_open() -> None:
    """Too little for a finding of its own: the report names the numbers and is UNKNOWN."""
    evidence = lose({3, 13, 21})

    assert judge(evidence) == ()
    assert "Whether traffic arrives reliably (tcp4 33 of 36 answered)" in open_questions(evidence)
    assert verdict_of(evidence) is Verdict.UNKNOWN


def test_loss_that_a_finding_tells_is_not_told_twice() -> None:
    """D12 says what was lost: nothing is added."""
    evidence = each_exchange(MOVED, lambda _, one: lost(one) if int(one.at * 100) % 4 == 0 else one)

    assert "D12" in {found.code for found in judge(evidence)}
    assert capabilities(evidence).reachable.tcp4 is False
    assert open_questions(evidence) == ""


def test_nothing_tried_is_not_unreachable() -> None:
    """Without exchanges reachability is None, and the report is UNKNOWN."""
    evidence = each_trial(healthy(), lambda trial: replace(trial, exchanges=None))

    assert capabilities(evidence).reachable.tcp4 is None
    assert verdict_of(evidence) is Verdict.UNKNOWN


def test_a_cluster_node_proves_nothing() -> None:
    """The same evidence from a cluster node gives no capability at all."""
    evidence = healthy()
    able = capabilities(replace(evidence, vantage=replace(evidence.vantage, cluster_node=NODES[0])))

    assert able.announced_by is None
    assert able.exclusive is None
    assert able.reachable.tcp4 is None
    assert able.largest_payload_bytes is None


def verdict_of(evidence: Evidence) -> Verdict:
    """Return the verdict of the report."""
    return conclude(evidence, started="2026-11-23T20:00:00Z", duration_seconds=1.0, command="l2probe run").verdict


LONELY = replace(
    healthy(flows=(Flow.TCP4,)).trials[0],
    exchanges=tuple(lost(one) for one in (healthy(flows=(Flow.TCP4,)).trials[0].exchanges or ())[:1]),
)
"""A trial of a single exchange that was lost."""

VERDICTS: dict[str, tuple[Evidence, Verdict]] = {
    "all proven": (healthy(version="v1.20.2", local=Outcome.ANSWERED), Verdict.PASS),
    "a capability is missing": (healthy(), Verdict.WARN),
    "nothing was tried": (replace(healthy(), trials=()), Verdict.UNKNOWN),
    "no flow was asked for": (replace(healthy(), flows=()), Verdict.UNKNOWN),
    "a flow kind was asked for and had no address": (replace(healthy(flows=V4), flows=ALL), Verdict.UNKNOWN),
    "no Pod off the announcer": (
        each_trial(
            healthy(version="v1.20.2", local=Outcome.ANSWERED),
            lambda t: (
                replace(t, exchanges=None, obstacle="No echo Pod ran elsewhere.")
                if t.placement is Placement.OFF_ANNOUNCER
                else t
            ),
        ),
        Verdict.UNKNOWN,
    ),
    "one exchange, lost": (
        replace(healthy(flows=(Flow.TCP4,)), trials=(LONELY,)),
        Verdict.UNKNOWN,
    ),
    "required and never asked": (
        replace(healthy(version="v1.20.2", local=Outcome.ANSWERED), trials=healthy().trials[:3], required=("local",)),
        Verdict.UNKNOWN,
    ),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_the_verdict_is_never_better_than_what_was_proven(name: str) -> None:
    """PASS only when all that was asked is proven."""
    evidence, expected = VERDICTS[name]

    assert verdict_of(evidence) is expected


def test_exclusive_stays_open_beside_an_unmapped_mac() -> None:
    """A node and a MAC that may be a node's own second NIC: neither true nor false."""

    def doubled(trial: Trial) -> Trial:
        frames = trial.replies or ()
        return replace(trial, replies=(*frames, *(replace(f, mac=Mac("02:00:00:00:00:99")) for f in frames)))

    evidence = replace(each_trial(healthy(), doubled), node_replies=healthy().node_replies[:4])  # type: ignore[index]

    assert capabilities(evidence).exclusive is None


def test_requirable_names_are_public() -> None:
    """`--require` and suites may name exactly these."""
    assert REQUIRABLE == ("announced", "exclusive", "reachable", "source", "local", "payload")


def test_the_report_carries_what_it_was_given() -> None:
    """conclude() neither reads a clock nor loses the evidence."""
    evidence = healthy()

    report = conclude(evidence, started="2026-11-23T20:00:00Z", duration_seconds=4.2, command="l2probe run dsr")

    assert (report.schema, report.started, report.duration_seconds) == (
        "l2probe/report/v1",
        "2026-11-23T20:00:00Z",
        4.2,
    )
    assert report.evidence is evidence
    assert report.tool.startswith("l2probe ")
    assert report.command == "l2probe run dsr"


def test_claims_alone_never_announce() -> None:
    """A lease is a claim: with a silent wire nobody is the announcer, whoever holds it."""
    evidence = each_trial(
        healthy(), lambda t: replace(t, replies=(), exchanges=(), claims=(claim(t.service.name, NODES[0], T0),))
    )

    assert capabilities(evidence).announced_by is None


def open_questions(evidence: Evidence) -> str:
    """Return what the report says stayed open."""
    return "\n".join(unproven(evidence, capabilities(evidence), judge(evidence)))


MOVED = healthy(version="v1.20.2", local=Outcome.ANSWERED)
"""A cluster of which all is proven: PASS."""


def held_back(one: Exchange) -> Exchange:
    """Return an exchange that our own kernel refused to send."""
    return replace(lost(one), sent_mac=None, unsent=True, detail="message longer than the local MTU")


def test_what_was_never_sent_is_no_evidence_of_the_network() -> None:
    """A flow kind that this host could not send is open, not lost; nothing is accused of it."""
    evidence = each_exchange(MOVED, lambda _, one: held_back(one) if one.flow is Flow.TCP6 else one)
    able = capabilities(evidence)

    assert (able.reachable.tcp6, able.reachable.tcp4) == (None, True)
    assert able.local_policy.tcp6 is LocalPolicy.UNKNOWN
    assert judge(evidence) == ()
    assert verdict_of(evidence) is Verdict.UNKNOWN
    assert open_questions(evidence) == "This host could not send tcp6: message longer than the local MTU."


def test_the_same_exchanges_sent_and_lost_are_evidence() -> None:
    """The flag alone decides, not the words of the detail."""
    evidence = each_exchange(
        MOVED, lambda _, one: replace(lost(one), detail="local MTU") if one.flow is Flow.TCP6 else one
    )

    assert capabilities(evidence).reachable.tcp6 is False
    assert "D03" in {found.code for found in judge(evidence)}


def test_a_warning_explains_no_unreachable_flow() -> None:
    """Too little was lost to accuse anybody, and D01's warning is about something else: UNKNOWN, not WARN."""
    lonely = tuple(lost(one) for one in (MOVED.trials[0].exchanges or ()) if one.flow is Flow.TCP4)[:1]

    def rare(trial: Trial) -> Trial:
        first = trial.placement is Placement.ANY and trial.service.policy is TrafficPolicy.CLUSTER
        others = tuple(one for one in trial.exchanges or () if one.flow is not Flow.TCP4)
        return replace(trial, exchanges=(*others, *(lonely if first else ())))

    evidence = each_trial(healthy(), rare)

    assert capabilities(evidence).reachable.tcp4 is False
    assert {found.verdict for found in judge(evidence)} == {Verdict.WARN}
    assert "Why nothing arrived for tcp4" in open_questions(evidence)
    assert verdict_of(evidence) is Verdict.UNKNOWN


def test_a_failure_explains_an_unreachable_flow() -> None:
    """D03 says why: nothing is added."""
    evidence = each_exchange(MOVED, lambda _, one: lost(one))

    assert "Why nothing arrived" not in open_questions(evidence)
    assert verdict_of(evidence) is Verdict.FAIL


@pytest.mark.parametrize("change", [held_back, lambda _: None], ids=["unsent", "not tried"])
def test_a_required_payload_is_proven_by_full_size_only(change: Callable[[Exchange], Exchange | None]) -> None:
    """Small datagrams that pass prove nothing of large ones."""

    def changed(trial: Trial) -> Trial:
        kept = [change(one) if one.payload_bytes > 512 else one for one in trial.exchanges or ()]
        return replace(trial, exchanges=tuple(one for one in kept if one is not None))

    small = replace(each_trial(MOVED, changed), required=("payload",))

    assert verdict_of(small) is Verdict.UNKNOWN
    assert "full-size" in open_questions(small)
    assert verdict_of(replace(small, required=())) is Verdict.PASS
    assert verdict_of(replace(MOVED, required=("payload",))) is Verdict.PASS


def obstructed(evidence: Evidence, place: Placement) -> Evidence:
    """Return the evidence in which no Pod could be placed there."""
    return each_trial(
        evidence,
        lambda t: (
            replace(t, exchanges=None, obstacle="node-1 takes no Pods.")
            if t.placement is place and t.service.policy is TrafficPolicy.CLUSTER
            else t
        ),
    )


def test_an_announcer_without_pods_leaves_nothing_open_when_the_source_is_proven_off_it() -> None:
    """The client's address kept off the announcer needs no trial on it."""
    assert open_questions(obstructed(MOVED, Placement.ON_ANNOUNCER)) == ""
    assert verdict_of(obstructed(MOVED, Placement.ON_ANNOUNCER)) is Verdict.PASS


def test_an_announcer_without_pods_stays_open_when_the_source_is_lost_off_it() -> None:
    """With SNAT only the trial on the announcer tells on-announcer-only from never."""
    snat = healthy(version="v1.20.2", datapath=Datapath.SNAT, local=Outcome.ANSWERED)
    all_but_any = replace(snat, trials=tuple(t for t in snat.trials if t.name != "smoke-source" or t.target))

    assert "node-1 takes no Pods." in open_questions(obstructed(all_but_any, Placement.ON_ANNOUNCER))
