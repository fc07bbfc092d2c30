"""What an audit foresees from the API alone: each prediction is raised, is silent where all is well, and never more."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from types import FrameType

import pytest

from l2probe.judge import conclude, judge
from l2probe.judge.case import cases
from l2probe.judge.notes import notes
from l2probe.judge.prediction import unannounced
from l2probe.model import (
    AnnouncementPolicy,
    Condition,
    Evidence,
    Finding,
    Ip,
    Outcome,
    Requirement,
    Service,
    Trial,
    Vantage,
    Verdict,
)
from tests.judge.audited import audited, held_by, on_the_wire
from tests.judge.diagnosed import all_end, each, lease, off_announcer, unheard, with_trial
from tests.judge.evidence import NODES, T0, mac, node, reply

ONE, TWO, THREE = NODES
WIRE_ONLY = {"V02", "V03", "V04", "B07", "B11", "B12", "B14", "C01", "C02", "C03", "C04", "C06", "V06", "D03", "D12"}


def services(evidence: Evidence, change: Callable[[Service], Service]) -> Evidence:
    """Return the evidence with every Service changed."""
    return replace(evidence, trials=tuple(replace(trial, service=change(trial.service)) for trial in evidence.trials))


def without_claims(evidence: Evidence) -> Evidence:
    """Return the evidence in which no Service has a lease."""
    return replace(evidence, trials=tuple(replace(trial, claims=(), announcer=None) for trial in evidence.trials))


def cluster(evidence: Evidence, **changes: object) -> Evidence:
    """Return the evidence with the cluster changed."""
    return replace(evidence, cluster=replace(evidence.cluster, **changes))  # type: ignore[arg-type]


def no_policy() -> Evidence:
    """Nothing may be announced."""
    return cluster(without_claims(audited()), policies=())


def nothing_selected() -> Evidence:
    """Want a label that nothing has."""
    term = (Requirement(key="app", operator="In", values=("x",)),)
    policy = AnnouncementPolicy(name="x", load_balancer_ips=True, service_selector=term)
    return cluster(without_claims(audited()), policies=(policy,))


def feature_off() -> Evidence:
    """L2 announcements are off."""
    return cluster(without_claims(audited()), announcing=False, settings=(("enable-l2-announcements", "false"),))


def stale() -> Evidence:
    """One lease is not renewed any more, while the other is."""
    old = replace(lease("api", ONE, T0 + 0.5), renewed=T0 - 600)
    return with_trial(audited(), "api", lambda trial: replace(trial, claims=(old,)))


def unready() -> Evidence:
    """No backend is ready."""
    return services(
        audited(),
        lambda service: replace(
            service,
            backends=tuple(replace(each, ready=False, serving=False) for each in service.backends or ()),
        ),
    )


def blackhole() -> Evidence:
    """Let the holder of a Local Service have no backend of it, in a Cilium that does not care."""
    return held_by(audited("v1.19.4"), "web", THREE)


def old_without_ipv6() -> Evidence:
    """Run a Cilium that announces no IPv6."""
    return audited("v1.17.9")


FORESEEN = {
    "B01": no_policy,
    "B02": nothing_selected,
    "B04": feature_off,
    "B06": stale,
    "D02": unready,
    "D01": blackhole,
}


def first(evidence: Evidence) -> Finding:
    """Return the first finding."""
    return judge(evidence)[0]


@pytest.mark.parametrize("code", FORESEEN)
def test_each_prediction_is_a_warning_that_says_so(code: str) -> None:
    """It comes first, is no failure, says "would", and names what it rests on."""
    found = first(FORESEEN[code]())

    assert (found.code, found.verdict) == (code, Verdict.WARN)
    assert "would" in found.says
    assert any(line.startswith("Predicted from the API") for line in found.because)


@pytest.mark.parametrize("version", ["v1.20.2", "v1.20.3"])
def test_a_healthy_cluster_raises_no_prediction(version: str) -> None:
    """Leases live, backends stand where they are needed."""
    assert judge(audited(version)) == ()


def test_without_the_wire_no_rule_about_it_speaks() -> None:
    """Nobody listened, so nobody is called silent, deaf, foreign or without rights, whatever else is wrong."""
    for make in (*FORESEEN.values(), audited):
        assert not {found.code for found in judge(make())} & WIRE_ONLY


def test_what_the_api_itself_shows_is_a_fact() -> None:
    """A pending Service fails, and a holder that is no node is named, without a frame."""
    refused = Condition(type="cilium.io/IPAMRequestSatisfied", status="False", reason="no_pool")
    pending = services(audited(), lambda service: replace(service, vips=(), conditions=(refused,)))
    gone = cluster(audited(), nodes=(node(TWO), node(THREE)))

    assert (first(pending).code, first(pending).verdict) == ("A01", Verdict.FAIL)
    assert (first(gone).code, first(gone).verdict) == ("C05", Verdict.WARN)


@pytest.mark.parametrize("make", [no_policy, nothing_selected, feature_off])
def test_a_live_claim_contradicts_that_nobody_announces(make: Callable[[], Evidence]) -> None:
    """What a node demonstrably renews is announced by somebody, whatever the configuration says today."""
    living = replace(make(), trials=audited().trials)

    assert judge(living) == ()


def test_a_policy_for_nobody_names_the_term() -> None:
    """The reader sees what to correct."""
    assert (
        "CiliumL2AnnouncementPolicy x: service selector term app=x did not match." in first(nothing_selected()).because
    )


def test_clocks_that_differ_are_said_to() -> None:
    """Where all leases look old to this host, its own clock may be the one that is wrong."""
    skewed = replace(
        audited(),
        trials=tuple(
            replace(trial, claims=tuple(replace(one, read_at=T0 + 3600) for one in trial.claims or ()))
            for trial in audited().trials
        ),
    )

    found = first(skewed)

    assert found.code == "B06"
    assert any("Where this host's clock is ahead" in line for line in found.because)


def test_the_clusters_own_clocks_decide_where_one_lease_is_old() -> None:
    """A host whose clock is an hour ahead accuses the dead lease and no living one."""
    ahead = replace(
        stale(),
        trials=tuple(
            replace(trial, claims=tuple(replace(one, read_at=one.read_at + 3600) for one in trial.claims or ()))
            for trial in stale().trials
        ),
    )
    (found,) = [one for one in judge(stale()) if one.code == "B06"]

    assert found.subject.name == "api"
    assert "before the cluster's newest one" in found.says
    assert any("Where node-1's clock is behind the lease lives" in line for line in found.because)
    assert len([one for one in judge(ahead) if one.code == "B06"]) == 1


def test_a_holder_that_renews_another_lease_is_measured_by_its_own_clock() -> None:
    """Then no clock can be wrong, and none is doubted."""
    own = with_trial(stale(), "web", lambda trial: replace(trial, claims=(lease("web", ONE, T0 + 0.5),)))
    (found,) = [one for one in judge(own) if one.code == "B06"]

    assert "before its newest one of another lease" in found.says
    assert not any("clock" in line for line in found.because)


def test_bgp_needs_no_lease() -> None:
    """Neither a Service of the BGP class, nor a cluster that announces by BGP only, is called unannounced."""
    by_class = services(
        without_claims(audited()), lambda s: replace(s, load_balancer_class="io.cilium/bgp-control-plane")
    )
    bgp_only = cluster(
        without_claims(audited()),
        announcing=False,
        settings=(("enable-l2-announcements", "false"), ("enable-bgp-control-plane", "true")),
        policies=(),
    )

    assert judge(by_class) == ()
    assert not {found.code for found in judge(bgp_only)} & {"B01", "B02", "B04"}
    assert any("by BGP" in note for note in notes(bgp_only))


def test_an_announcer_that_follows_its_backends_is_not_accused_for_a_moment() -> None:
    """From 1.20.2 on the lease moves; what two reads show apart is no blackhole."""
    assert "D01" not in {found.code for found in judge(held_by(audited("v1.20.2"), "web", THREE))}


def test_the_next_holder_is_a_risk_before_1_20_2() -> None:
    """It works now, and one reschedule takes it down: said as a claim, for nobody saw the announcer."""
    (found,) = judge(audited("v1.19.4"))

    assert (found.code, found.verdict) == ("D01", Verdict.WARN)
    assert "which may announce it next" in found.says
    assert "claimed by node-2" in found.because[0]


def test_a_backend_that_serves_while_it_ends_is_one() -> None:
    """Terminating and serving endpoints take traffic when no other is ready (EndpointSlice API)."""
    ending = services(
        audited(),
        lambda s: replace(s, backends=tuple(replace(each, ready=False, serving=True) for each in s.backends or ())),
    )

    assert "D02" not in {found.code for found in judge(ending)}


def test_old_cilium_announces_no_ipv6() -> None:
    """Only the IPv6 addresses are named."""
    found = next(one for one in judge(old_without_ipv6()) if one.code == "B04")

    assert found.says.startswith("Nobody would announce 2001:db8:1::40: Cilium v1.17.9")
    assert "198.51.100" not in found.says


def test_many_are_one_finding_in_the_words_of_a_prediction() -> None:
    """Two Services without a policy are one B01, and nobody saw it happen."""
    found = first(no_policy())

    assert "The same is predicted of shop/web" in found.says
    assert "was seen" not in found.says


def test_the_verdict_of_the_api_alone_is_never_pass() -> None:
    """Nothing bad foreseen is UNKNOWN; predictions are worth a warning, facts fail."""
    verdicts = [
        conclude(evidence, started="", duration_seconds=0.0, command="").verdict
        for evidence in (audited(), no_policy(), services(audited(), lambda s: replace(s, vips=())))
    ]

    assert verdicts == [Verdict.UNKNOWN, Verdict.WARN, Verdict.FAIL]


def test_the_wire_proves_what_was_predicted() -> None:
    """The same cluster asked: a failure where silence was heard, and no prediction beside it."""
    silent = cluster(without_claims(unheard(on_the_wire())), policies=())

    assert [(found.code, found.verdict) for found in judge(silent)] == [("B01", Verdict.FAIL)]


def test_traffic_that_arrives_refutes_a_prediction() -> None:
    """What answers is announced, whatever the API says."""
    assert judge(cluster(without_claims(on_the_wire()), policies=())) == ()


def test_where_the_wire_cannot_tell_the_api_still_does() -> None:
    """Without a raw socket and without an answer the prediction stands beside what traffic showed."""
    blind = replace(on_the_wire(), vantage=replace(on_the_wire().vantage, raw_socket=False), node_replies=None)
    unheard_of = replace(blind, trials=tuple(replace(trial, replies=None) for trial in blind.trials))
    dead = cluster(without_claims(all_end(unheard_of, Outcome.TIMEOUT)), policies=())

    found = next(one for one in judge(dead) if one.code == "B01")
    assert found.verdict is Verdict.WARN
    assert "Predicted from the API; the wire did not tell." in found.because


def test_a_cluster_node_is_told_the_predictions_only() -> None:
    """From a node nothing on the wire is proof; what the API tells holds there too."""
    there = replace(no_policy(), vantage=Vantage(interface="eth0", cluster_node=ONE))

    assert {found.code for found in judge(there)} == {"V01", "B01"}


def test_healthy_services_on_the_wire_raise_nothing() -> None:
    """The whole table of rules is silent."""
    report = conclude(on_the_wire(), started="", duration_seconds=0.0, command="")

    assert report.findings == ()
    assert report.verdict is Verdict.PASS


def test_a_blackhole_on_the_wire_is_proven() -> None:
    """Predicted and proven are not both said."""
    shown = replace(off_announcer(on_the_wire("v1.19.4"), Outcome.TIMEOUT), command="audit")

    assert [(f.code, f.verdict) for f in judge(shown) if f.code == "D01"] == [("D01", Verdict.FAIL)]


def test_a_name_instead_of_an_address_is_no_pending_service() -> None:
    """A cloud's load balancer is left out, and said so."""
    named = services(audited(), lambda service: replace(service, vips=(), hostnames=("lb.example.org",)))

    assert judge(named) == ()
    assert any("shop/api (lb.example.org)" in note for note in notes(named))


def test_remnants_and_a_node_that_holds_all_are_noted() -> None:
    """A lease without a Service is named; all eggs in one basket are worth a word from a few Services on."""
    many = tuple(
        replace(trial, name=f"{trial.name}{n}", service=replace(trial.service, name=f"{trial.service.name}{n}"))
        for n in range(3)
        for trial in held_by(held_by(audited(), "web", ONE), "api", ONE).trials
    )
    seen = cluster(replace(audited(), trials=many), stray_claims=(lease("gone", TWO, T0),))

    first_note, second_note = notes(seen)

    assert first_note.startswith(
        "1 lease without a LoadBalancer Service: Lease kube-system/cilium-l2announce-shop-gone"
    )
    assert second_note.startswith("node-1 holds all 6 announcements, of 3 Ready nodes")
    assert list(notes(audited())) == []


def crowd(number: int, *, wired: bool) -> Evidence:
    """Return many Services with something wrong with each."""
    template = (on_the_wire if wired else audited)("v1.19.4")
    api = template.trials[0]

    def one(index: int) -> Trial:
        vip = Ip(f"10.{index // 250}.{index % 250}.9")
        replies = None if api.replies is None else (reply(vip, mac(ONE), T0), reply(vip, mac(TWO), T0 + 0.1)) * 2
        exchanges = None if api.exchanges is None else tuple(replace(each_, vip=vip) for each_ in api.exchanges[:4])
        return replace(
            api,
            name=f"s{index}",
            service=replace(api.service, name=f"s{index}", vips=(vip,)),
            claims=(),
            replies=replies,
            exchanges=exchanges,
        )

    crowded = cluster(replace(template, trials=tuple(map(one, range(number)))), policies=())
    return each(crowded, lambda ex: replace(ex, outcome=Outcome.TIMEOUT)) if wired else crowded


def calls(evidence: Evidence) -> int:
    """Return how many functions the judge called."""
    number = 0

    def count(_: FrameType, event: str, __: object) -> None:
        nonlocal number
        number += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        judge(evidence)
    finally:
        sys.setprofile(None)
    return number


@pytest.mark.parametrize("wired", [False, True])
def test_the_judge_is_linear(wired: bool) -> None:  # noqa: FBT001 - a parameter of a test
    """Twice the Services are twice the work, counted in calls and so the same on every machine."""
    assert calls(crowd(160, wired=wired)) < 2.4 * calls(crowd(80, wired=wired))


def test_what_is_remembered_of_one_evidence_is_not_said_of_another() -> None:
    """Two Evidences in turn are judged each by its own."""
    good, bad = audited(), no_policy()

    assert [len(unannounced(one)) for one in (good, bad, good)] == [0, 2, 0]
    assert cases(good) is cases(good)
