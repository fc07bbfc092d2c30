"""Family F: what a takeover must look like to be accused, and the many takeovers that are in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from l2probe.judge import judge
from l2probe.judge.case import Case, cases
from l2probe.judge.finding import Rule
from l2probe.judge.flapping import announcer_flaps
from l2probe.judge.stability import gratuitous_arp_ignored, no_gratuitous_arp, slow_failover
from l2probe.judge.takeover import allowed_seconds, parsed, takeovers
from l2probe.model import Evidence, Exchange, Finding, NeighbourReply, NodeName, Outcome, Placement, Trial, Verdict
from tests.judge.evidence import (
    LOCAL4,
    LOCAL6,
    NODES,
    PROFILES,
    T0,
    claim,
    each_trial,
    gratuitous,
    healthy,
    lost,
    mac,
    replies,
)

ONE, TWO, THREE = NODES
QUICK = (("l2-announcements-lease-duration", "3s"), ("l2-announcements-renew-deadline", "1s"))


def following() -> Evidence:
    """Return a cluster whose lease went from node-2 to node-1 at T0 + 2, because our run moved the backend there."""
    return healthy(version="v1.20.2", local=Outcome.ANSWERED)


def off(evidence: Evidence, change: Callable[[Trial], Trial]) -> Evidence:
    """Return the evidence with the trial changed in which the address was taken over."""
    wanted = (Placement.OFF_ANNOUNCER, "smoke-local")
    return each_trial(evidence, lambda one: change(one) if (one.placement, one.name) == wanted else one)


def heard(evidence: Evidence, *frames: NeighbourReply) -> Evidence:
    """Return the evidence in which these frames, and none else, were heard during the takeover."""
    return off(evidence, lambda trial: replace(trial, replies=frames))


def unannounced() -> Evidence:
    """node-1 answers from T0 + 3 on and told nobody that it took over."""
    vips = (LOCAL4, LOCAL6)
    return heard(following(), *replies(vips, TWO, T0 + 1), *replies(vips, ONE, T0 + 3), *replies(vips, ONE, T0 + 10))


def kept(outcome: Outcome = Outcome.REFUSED_ICMP) -> Evidence:
    """node-1 announced itself, and this host's IPv4 frames still went to node-2."""

    def stuck(one: Exchange) -> Exchange:
        if one.vip != LOCAL4:
            return one
        return replace(one if outcome is Outcome.ANSWERED else lost(one, outcome), sent_mac=mac(TWO))

    return off(following(), lambda trial: replace(trial, exchanges=tuple(map(stuck, trial.exchanges or ()))))


def late(seconds: float = 6.0, settings: tuple[tuple[str, str], ...] = QUICK) -> Evidence:
    """node-2 let go at once, node-1 took the address so many seconds later; until then everything was refused."""

    def waited(trial: Trial) -> Trial:
        taken = trial.started + seconds
        history = (
            claim(trial.name, TWO, T0),
            claim(trial.name, None, trial.started + 0.2),
            claim(trial.name, ONE, taken),
        )
        tried = tuple(one if one.at > taken else lost(one, Outcome.REFUSED_ICMP) for one in trial.exchanges or ())
        frames = (*replies((LOCAL4, LOCAL6), TWO, T0 + 1), *(gratuitous(vip, ONE, taken) for vip in (LOCAL4, LOCAL6)))
        return replace(trial, claims=history, exchanges=tried, replies=frames)

    evidence = off(following(), waited)
    known = (*evidence.cluster.settings, *settings)
    return replace(evidence, cluster=replace(evidence.cluster, settings=known))


def flapping(*moments: float, between: tuple[NodeName, ...] = (ONE, THREE)) -> Evidence:
    """Return the Service with policy Cluster, whose lease changed hands at these seconds after T0."""
    history = [claim("smoke-source", between[0], T0 - 1)]
    history += [
        claim("smoke-source", between[number % len(between)], T0 + at) for number, at in enumerate(moments, start=1)
    ]

    def moved(trial: Trial) -> Trial:
        return replace(trial, claims=tuple(history)) if trial.name == "smoke-source" else trial

    return each_trial(following(), moved)


OFTEN = (0.3, 0.9, 1.5, 2.1)


def found(rule: Rule, evidence: Evidence) -> list[Finding]:
    """Return what one rule found."""
    return list(rule(evidence))


def local_case(evidence: Evidence) -> Case:
    """Return the Service with policy Local."""
    return next(case for case in cases(evidence) if case.local)


# F01


def test_an_announcer_that_changes_again_and_again_flaps() -> None:
    """F01 counts the changes, names the nodes and says when."""
    (flaps,) = found(announcer_flaps, flapping(*OFTEN))

    assert "changed 4 times in 3." in flaps.says
    assert "node-1 and node-3" in flaps.says
    assert "node-1 to node-3 1.3 s in." in flaps.because


def test_the_leases_own_count_is_enough() -> None:
    """Changes between two looks are seen by the lease's transitions."""

    def counted(trial: Trial) -> Trial:
        history = (claim(trial.name, ONE, T0), replace(claim(trial.name, ONE, T0 + 1), transitions=5))
        return replace(trial, claims=history) if trial.name == "smoke-source" else trial

    (flaps,) = found(announcer_flaps, each_trial(following(), counted))

    assert "changed 5 times" in flaps.says
    assert any("transitions 5, 5 more than at first" in line for line in flaps.because)


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(following(), id="the handover that our run caused"),
        pytest.param(flapping(0.5), id="one handover"),
        pytest.param(flapping(0.5, 1.5), id="there and back: a restart of an agent"),
        pytest.param(flapping(0.5, 50.0, 130.0, 200.0), id="a rolling restart that takes minutes"),
        pytest.param(flapping(1.0, 1.01, 1.05), id="both objects there for a moment during one handover"),
        pytest.param(flapping(0.5, 1.0, 1.5, between=(ONE,)), id="renewals"),
    ],
)
def test_orderly_handovers_are_no_flapping(evidence: Evidence) -> None:
    """Only three changes within a minute that nobody asked for are F01."""
    assert found(announcer_flaps, evidence) == []


def test_policy_local_may_move_once_for_each_of_our_own_moves() -> None:
    """On a cluster that follows the backends our own run moves the announcer: that many changes more are allowed."""

    def moved(trial: Trial) -> Trial:
        holders = (TWO, ONE, TWO, ONE)
        history = tuple(claim(trial.name, holder, T0 + number) for number, holder in enumerate(holders))
        return replace(trial, claims=history) if trial.name == "smoke-local" else trial

    own = each_trial(following(), moved)

    assert found(announcer_flaps, own) == []
    assert found(announcer_flaps, each_trial(own, lambda trial: replace(trial, own=False)))


def test_flapping_explains_the_rest() -> None:
    """Who changes again and again is slow and unheard too; that is a consequence."""
    both = flapping(*OFTEN)
    both = heard(both, *(reply for trial in unannounced().trials[-1:] for reply in trial.replies or ()))

    assert [(one.code, one.consequence_of) for one in judge(both)] == [("F01", None), ("F02", "F01")]


# F02


def test_a_silent_takeover_is_named_with_both_nodes() -> None:
    """F02 says who took over from whom, which addresses, and what was missing in which family."""
    (silent,) = found(no_gratuitous_arp, unannounced())

    assert silent.verdict is Verdict.FAIL
    assert f"node-1 took {LOCAL4} and {LOCAL6} over from node-2" in silent.says
    assert "gratuitous ARP and unsolicited neighbour advertisement" in silent.says
    assert any("answered 6 questions, the first 1.0 s after it took over" in line for line in silent.because)


def to_the_old_node(number: int, *, lose: int = 0) -> Evidence:
    """Return the silent takeover after which so many exchanges still went to node-2, the first of them lost."""

    def sent(trial: Trial) -> Trial:
        late = [one for one in trial.exchanges or () if one.at > T0 + 2]
        stale = [replace(one, sent_mac=mac(TWO)) for one in late[:number]]
        return replace(trial, exchanges=(*map(lost, stale[:lose]), *stale[lose:], *late[number:]))

    return off(unannounced(), sent)


@pytest.mark.parametrize(
    ("evidence", "verdict"),
    [
        pytest.param(to_the_old_node(6), Verdict.WARN, id="the old node forwarded all"),
        pytest.param(to_the_old_node(6, lose=1), Verdict.FAIL, id="one was lost"),
        pytest.param(to_the_old_node(2), Verdict.FAIL, id="too few to tell"),
        pytest.param(to_the_old_node(0), Verdict.FAIL, id="this host followed by itself"),
    ],
)
def test_a_silent_takeover_is_a_warning_where_the_old_node_forwards(evidence: Evidence, verdict: Verdict) -> None:
    """As with F04: who kept the old MAC was served all the same."""
    (silent,) = found(no_gratuitous_arp, evidence)

    assert silent.verdict is verdict
    assert ("node-2 forwarded what still came" in silent.says) is (verdict is Verdict.WARN)


def told(op: str) -> Evidence:
    """Return the silent takeover, but for one unasked frame of this kind for each address."""
    extra = tuple(replace(gratuitous(vip, ONE, T0 + 2.1), op=op) for vip in (LOCAL4, LOCAL6))
    return off(unannounced(), lambda trial: replace(trial, replies=(*(trial.replies or ()), *extra)))


def short() -> Evidence:
    """node-1 was listened to for half a second only after its first answer."""
    vips = (LOCAL4, LOCAL6)
    return heard(following(), *replies(vips, TWO, T0 + 1), *replies(vips, ONE, T0 + 9.9))


def late_listener() -> Evidence:
    """Return a user's Service whose old holder was not heard once: perhaps it was over before anybody listened."""
    evidence = heard(following(), *replies((LOCAL4, LOCAL6), ONE, T0 + 3))
    return each_trial(evidence, lambda trial: replace(trial, own=False))


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(told("reply"), id="a gratuitous reply"),
        pytest.param(told("request"), id="a gratuitous request"),
        pytest.param(short(), id="not listened to for long enough"),
        pytest.param(late_listener(), id="nobody listened when it happened"),
        pytest.param(heard(following(), *replies((LOCAL4,), TWO, T0 + 1)), id="the new holder never answered"),
        pytest.param(off(unannounced(), lambda trial: replace(trial, replies=None)), id="no raw socket"),
        pytest.param(off(unannounced(), lambda trial: replace(trial, claims=None)), id="claims not read"),
    ],
)
def test_a_takeover_that_was_or_may_have_been_announced_is_not_accused(evidence: Evidence) -> None:
    """F02 needs a takeover within the time of listening, answers of the new holder, and a second without a word."""
    assert found(no_gratuitous_arp, evidence) == []


# F04


def test_a_host_that_keeps_the_old_entry_is_named() -> None:
    """F04: announced, and frames still went to the old MAC; a failure because they were lost."""
    (ignored,) = found(gratuitous_arp_ignored, kept())

    assert ignored.verdict is Verdict.FAIL
    assert f"node-1 announced {LOCAL4} after it took over from node-2" in ignored.says
    assert "refused by ICMP" in ignored.says
    assert mac(ONE) in ignored.because[0]
    assert mac(TWO) in ignored.because[0]


def test_it_is_a_warning_when_the_old_node_still_forwards() -> None:
    """With policy Cluster the old announcer may serve it all the same."""
    (ignored,) = found(gratuitous_arp_ignored, kept(Outcome.ANSWERED))

    assert ignored.verdict is Verdict.WARN


def soon() -> Evidence:
    """See this host follow within three seconds, as Linux does that ignores what comes within its locktime."""

    def followed(trial: Trial) -> Trial:
        tried = tuple(replace(one, sent_mac=mac(ONE)) if one.at > T0 + 4.9 else one for one in trial.exchanges or ())
        return replace(trial, exchanges=tried)

    return off(kept(), followed)


def still_answering() -> Evidence:
    """node-2 goes on to answer: two answer, and this host may well use the first."""
    return off(kept(), lambda trial: replace(trial, replies=(*(trial.replies or ()), *replies((LOCAL4,), TWO, T0 + 6))))


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(following(), id="this host followed at once"),
        pytest.param(soon(), id="this host followed within the locktime"),
        pytest.param(still_answering(), id="the old node still answers"),
        pytest.param(heard(kept(), *replies((LOCAL4,), TWO, T0 + 1)), id="nothing was announced"),
    ],
)
def test_a_host_that_follows_is_not_accused(evidence: Evidence) -> None:
    """F04 needs an announcement, an old node that is silent, and frames to it for more than three seconds."""
    assert found(gratuitous_arp_ignored, evidence) == []


# F03


def test_a_slow_takeover_is_split_into_its_parts() -> None:
    """F03 says how long, how long was allowed, and where the time went."""
    (slow,) = found(slow_failover, late())

    assert "was not served for 5.0 s when node-2 handed it over to node-1; its settings allow 4.0 s." in slow.says
    assert slow.because[:4] == (
        "Detection, until node-2's claim was over: 0.0 s.",
        "Election, until node-1 held it: 4.9 s.",
        f"Announcement, until its first frame about {LOCAL4}: 0.0 s.",
        "Client, until this host was served: 0.0 s.",
    )
    assert any("lease duration 3.0 s, renew deadline 1.0 s" in line for line in slow.because)


def half_read() -> Evidence:
    """Return evidence without the ConfigMap."""
    evidence = late()
    return replace(evidence, cluster=replace(evidence.cluster, settings=()))


def other(implementation: str) -> Evidence:
    """Another implementation, whose timers nobody reads."""
    evidence = late()
    return replace(evidence, cluster=replace(evidence.cluster, implementation=implementation))


def never() -> Evidence:
    """Nothing was served again while it was watched: then nobody knows that it was slow."""
    return off(late(), lambda trial: replace(trial, exchanges=tuple(lost(one) for one in trial.exchanges or ())))


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(late(2.0), id="within what the settings allow"),
        pytest.param(late(6.0, ()), id="within the defaults of 15 and 5 s"),
        pytest.param(late(6.0, ((QUICK[0][0], "soon"), QUICK[1])), id="a setting that is no duration"),
        pytest.param(half_read(), id="settings not read"),
        pytest.param(other("metallb"), id="MetalLB"),
        pytest.param(other("kube-vip"), id="kube-vip"),
        pytest.param(never(), id="not served again"),
        pytest.param(following(), id="served throughout"),
    ],
)
def test_what_is_in_time_or_not_known_is_not_slow(evidence: Evidence) -> None:
    """F03 uses the cluster's own durations and is silent where they are not known."""
    assert found(slow_failover, evidence) == []


def test_time_in_which_nobody_tried_is_no_outage() -> None:
    """A loss at the end of one trial and an answer in the next do not make one outage."""
    evidence = late()
    before, last = evidence.trials[:-1], evidence.trials[-1]
    tried = last.exchanges or ()
    cut = T0 + 3
    halves = (
        replace(last, exchanges=tuple(one for one in tried if one.at <= cut)),
        replace(last, exchanges=tuple(one for one in tried if one.at > T0 + 7)),
    )

    assert found(slow_failover, replace(evidence, trials=(*before, *halves))) == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("15s", 15.0),
        ("1m30s", 90.0),
        ("500ms", 0.5),
        ("2.5s", 2.5),
        ("", None),
        ("15", None),
        ("0s", None),
        ("x1s", None),
    ],
)
def test_go_durations(text: str, value: float | None) -> None:
    """What Go's time.ParseDuration writes is read; anything else, and nothing, is not known."""
    assert parsed(text) == value


def test_absent_timers_are_the_defaults() -> None:
    """The chart writes them only when they are set; without a ConfigMap nothing is known."""
    assert allowed_seconds(following().cluster) == (15.0, 5.0)
    assert allowed_seconds(replace(following().cluster, settings=())) is None


def test_a_takeover_tells_when_the_claim_was_free() -> None:
    """Released first, taken later: both times are kept."""
    (one,) = takeovers(local_case(late()))

    assert (one.before, one.after) == (TWO, ONE)
    assert (round(one.free - T0, 3), round(one.taken - T0, 3)) == (1.2, 7.0)


@pytest.mark.parametrize("name", PROFILES)
def test_healthy_clusters_raise_nothing_of_it(name: str) -> None:
    """No takeover of a healthy profile is accused."""
    assert [found(rule, PROFILES[name]) for rule in RULES] == [[]] * len(RULES)


RULES = (announcer_flaps, no_gratuitous_arp, gratuitous_arp_ignored, slow_failover)
