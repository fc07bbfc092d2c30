"""Each fault of the lab, as evidence: its own finding comes first, and everything else is its consequence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from l2probe.judge import capabilities, conclude, judge
from l2probe.judge.ownership import by_node
from l2probe.judge.words import seconds
from l2probe.model import Claim, Condition, Datapath, Evidence, Exchange, Outcome, Placement, Trial, Verdict
from tests.judge.evidence import (
    FOREIGN,
    NODES,
    T0,
    VIP4,
    VIP6,
    claim,
    each_exchange,
    each_trial,
    first_trials,
    healthy,
    lost,
    mac,
    replies,
    reply,
    silent,
)


def silent_leader() -> Evidence:
    """Return the lease is held and renewed; nobody answers."""

    def held(trial: Trial) -> Trial:
        name = trial.service.name
        return replace(trial, claims=(claim(name, NODES[0], T0), claim(name, NODES[0], T0 + 2)), observed_seconds=2.5)

    return each_trial(silent(healthy()), held)


def stale_lease() -> Evidence:
    """Return the lease was not renewed for longer than it lives."""

    def stale(trial: Trial) -> Trial:
        old = claim(trial.service.name, NODES[0], T0, renewed=T0 - 60)
        return replace(trial, claims=(old,), started=T0, observed_seconds=6.0)

    return each_trial(silent(healthy()), stale)


def no_policy() -> Evidence:
    """Return the cluster has no policy; nobody holds a lease."""
    quiet = each_trial(silent(healthy()), lambda trial: replace(trial, claims=()))
    return replace(quiet, cluster=replace(quiet.cluster, policies=()))


def no_pool() -> Evidence:
    """Return the cluster has no pool, so no Service gets an address."""
    refused = Condition(
        type="cilium.io/IPAMRequestSatisfied", status="False", reason="no_pool", message="There are no pools"
    )

    def pending(trial: Trial) -> Trial:
        service = replace(trial.service, vips=(), conditions=(refused,))
        return replace(
            trial, service=service, replies=None, exchanges=None, claims=(), announcer=None, obstacle="No address."
        )

    evidence = each_trial(first_trials(healthy()), pending)
    return replace(evidence, cluster=replace(evidence.cluster, pools=()))


def duplicate_announcers() -> Evidence:
    """node-3 answers every question too; each node serves what reaches it."""

    def doubled(trial: Trial) -> Trial:
        vips, start = trial.service.vips, trial.started
        return replace(trial, replies=(*(trial.replies or ()), *replies(vips, NODES[2], start + 0.01)))

    return each_trial(healthy(), doubled)


def foreign_owner(**cluster: Any) -> Evidence:  # noqa: ANN401 - what `healthy` takes
    """Return a host outside the cluster answers too and gets half of the traffic."""

    def doubled(trial: Trial) -> Trial:
        frames = tuple(reply(one.ip, FOREIGN, one.at) for one in trial.replies or ())
        return replace(trial, replies=(*frames, *(trial.replies or ())))

    def taken(_: Trial, one: Exchange) -> Exchange:
        if ":" in one.vip:
            return one
        outcome = Outcome.WRONG_ANSWER if one.protocol == "TCP" else Outcome.TIMEOUT
        return replace(
            lost(one, outcome), sent_mac=FOREIGN, reply_mac=FOREIGN if outcome is Outcome.WRONG_ANSWER else None
        )

    return each_exchange(each_trial(healthy(**cluster), doubled), taken)


def announcer_drops() -> Evidence:
    """Everybody answers ARP, and all traffic is dropped."""
    return each_exchange(healthy(), lambda _, one: lost(one))


def dsr_not_effective() -> Evidence:
    """Return the datapath translates although the configuration says dsr."""
    evidence = healthy(datapath=Datapath.SNAT)
    return replace(evidence, cluster=replace(evidence.cluster, datapath=Datapath.DSR))


def mtu() -> Evidence:
    """Packets longer than 1400 bytes disappear."""
    return each_exchange(healthy(), lambda _, one: lost(one) if one.payload_bytes > 1300 else one)


def loss(seed: int = 7, share: float = 0.5) -> Evidence:
    """Return a share of all exchanges is lost, UDP more than TCP, which repeats."""
    random = Random(seed)

    def unlucky(trial: Trial, one: Exchange) -> Exchange:
        hops = 2 if trial.placement is Placement.OFF_ANNOUNCER else 1
        chance = 1 - (1 - share) ** hops if one.protocol == "UDP" else share / 2
        if random.random() < chance:
            return lost(one)
        return replace(one, latency_seconds=1.02) if one.protocol == "TCP" and random.random() < share else one

    return each_exchange(healthy(), unlucky)


FAULTS: dict[str, tuple[Callable[[], Evidence], str]] = {
    "silent-leader": (silent_leader, "B07"),
    "stale-lease": (stale_lease, "B06"),
    "no-policy": (no_policy, "B01"),
    "no-pool": (no_pool, "A01"),
    "duplicate-announcers": (duplicate_announcers, "C01"),
    "foreign-owner": (foreign_owner, "C03"),
    "announcer-drops": (announcer_drops, "D03"),
    "dsr-not-effective": (dsr_not_effective, "E03"),
    "mtu": (mtu, "D06"),
    "loss": (loss, "D12"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_the_fault_is_named_first_and_nothing_false_beside_it(name: str) -> None:
    """The fault's code is the first finding and proven; every other finding is a consequence of it, or D01."""
    make, code = FAULTS[name]

    findings = judge(make())

    assert findings[0].code == code
    assert findings[0].verdict is Verdict.FAIL
    assert findings[0].consequence_of is None
    assert {found.code for found in findings if found.consequence_of is None} <= {code, "D01"}


def test_a_handover_beside_a_foreign_machine_is_no_split_brain() -> None:
    """Two nodes that follow each other are not rivals because a stranger answers all the time."""
    evidence = foreign_owner(version="v1.20.2", local=Outcome.ANSWERED)

    findings = judge(evidence)

    assert findings[0].code == "C03"
    assert not {"C01", "C06"} & {found.code for found in findings}
    assert capabilities(evidence).exclusive is False


def test_loss_beside_two_owners_is_its_own_cause() -> None:
    """Nothing is lost more often at one of two nodes: they do not explain it, and the numbers of both are shown."""
    random = Random(3)

    def split(_: Trial, one: Exchange) -> Exchange:
        entered = replace(one, sent_mac=mac(random.choice((NODES[0], NODES[2]))))
        return lost(entered) if random.random() < 0.3 else entered

    found = {one.code: one for one in judge(each_exchange(duplicate_announcers(), split))}

    assert found["C01"].consequence_of is found["D12"].consequence_of is None
    assert any("to node-1" in line and "to node-3" in line for line in found["D12"].because)


def test_what_is_lost_at_one_of_two_owners_is_a_consequence() -> None:
    """All that went to the second node is lost: a pattern, and the two owners are its cause."""
    spread = iter(range(10_000))

    def split(_: Trial, one: Exchange) -> Exchange:
        second = next(spread) % 3 == 0
        return lost(replace(one, sent_mac=mac(NODES[2]))) if second else one

    found = {one.code: one for one in judge(each_exchange(duplicate_announcers(), split))}

    assert found["D03"].consequence_of == "C01"
    assert "D12" not in found


def test_what_a_foreign_machine_swallowed_is_no_loss_of_the_cluster() -> None:
    """Datagrams that went to the stranger are C03's, not loss without a pattern."""
    findings = judge(foreign_owner())

    assert {one.code for one in findings} <= {"C03", "D10", "D01"}


def test_the_remedy_names_who_must_not_answer() -> None:
    """The node that no lease names is the one to look at; each Service's lease is named."""
    found = next(one for one in judge(duplicate_announcers()) if one.code == "C01")

    assert found.remedy.startswith("Find out why node-3 answers without the claim")
    assert "The lease of l2probe-0badcafe/smoke-source named node-1 throughout." in found.because
    assert "The lease of l2probe-0badcafe/smoke-local named node-2 throughout." in found.because


def test_the_remedy_tells_the_services_of_several_nodes_apart() -> None:
    """Where a node has the claim of one Service and answers for another one, its name alone would mislead."""
    found = by_node([("node-2", "shop/api"), ("node-1", "shop/web"), ("node-2", "shop/db"), ("node-2", "shop/x")])

    assert found == "node-2 (shop/api, shop/db and 1 more) and node-1 (shop/web)"
    assert by_node([("node-2", "shop/api"), ("node-2", "shop/web")]) == "node-2"


def test_without_a_claim_nobody_is_singled_out() -> None:
    """Which of two is wrong is not known where no lease could be read."""
    unread = each_trial(duplicate_announcers(), lambda trial: replace(trial, claims=None))

    assert next(one for one in judge(unread) if one.code == "C01").remedy.startswith("Find out why a node answers")


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.04, "0.0 s"), (9.95, "9.9 s"), (75, "75 s"), (660, "11 min"), (7200, "2 h"), (86_400 * 3, "3 days")],
)
def test_ages_are_said_in_units_that_a_reader_knows(value: float, said: str) -> None:
    """A lease that nobody renewed for a week is not so many thousand minutes old."""
    assert seconds(value) == said


def test_a_lost_lease_names_its_holder_and_its_age() -> None:
    """Whose agent to restart, and since when the lease is dead."""
    found = judge(stale_lease())[0]

    assert "had not been renewed for 6" in found.says
    assert found.remedy.startswith("Restart the agent on node-1;")


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_makes_the_report_fail(name: str) -> None:
    """A report about a broken cluster says FAIL, never UNKNOWN."""
    report = conclude(FAULTS[name][0](), started="2026-11-23T20:00:00Z", duration_seconds=1, command="l2probe run")

    assert report.verdict is Verdict.FAIL


@pytest.mark.parametrize("share", [0.2, 0.3, 0.5, 0.7])
def test_random_loss_is_hardly_ever_called_a_pattern(share: float) -> None:
    """Of 30 lotteries at each share at most one may be mistaken for D03 to D06; most are named D12."""
    codes = [[f.code for f in judge(loss(seed, share))] for seed in range(30)]

    assert sum(bool({"D03", "D04", "D05", "D06"} & set(found)) for found in codes) <= 1
    assert sum("D12" in found for found in codes) >= 29


def test_a_pattern_is_still_seen_through_loss() -> None:
    """Full-size packets that never pass are named although one small packet was lost as well."""
    spared = iter(range(10_000))

    def unlucky(_: Trial, one: Exchange) -> Exchange:
        return lost(one) if next(spared) == 5 else one

    codes = [found.code for found in judge(each_exchange(mtu(), unlucky))]

    assert codes[0] == "D06"


def test_one_lost_packet_is_no_finding() -> None:
    """A single loss among more than a hundred exchanges is not worth a word."""
    spared = iter(range(10_000))

    def unlucky(_: Trial, one: Exchange) -> Exchange:
        return lost(one) if next(spared) == 5 else one

    assert [found.code for found in judge(each_exchange(healthy(), unlucky))] == ["D01"]


def test_one_short_interruption_is_no_finding() -> None:
    """Everything lost within 40 ms and nothing else: one event, not a rate of loss, however many packets it hit."""

    def blink(trial: Trial, one: Exchange) -> Exchange:
        is_it = trial.placement is Placement.ON_ANNOUNCER and 0.12 < one.at - trial.started < 0.15
        if not is_it:
            return one
        return lost(one) if one.protocol == "UDP" else replace(one, latency_seconds=1.02)

    evidence = each_exchange(healthy(), blink)

    assert sum(e.outcome is Outcome.TIMEOUT for t in evidence.trials for e in t.exchanges or ()) > 3
    assert [found.code for found in judge(evidence)] == ["D01"]


def test_exclusive_is_false_only_with_a_proven_second_owner() -> None:
    """Two nodes, or a node and a foreign host, make it false; a handover does not."""
    assert capabilities(duplicate_announcers()).exclusive is False
    assert capabilities(foreign_owner()).exclusive is False
    assert capabilities(healthy(version="v1.20.2", local=Outcome.ANSWERED)).exclusive is True


def test_largest_payload_is_what_every_udp_flow_passed() -> None:
    """With full-size packets lost it is the small size; healthy it is the smaller full size of the two families."""
    assert capabilities(mtu()).largest_payload_bytes == 512
    assert capabilities(healthy()).largest_payload_bytes == 1452


def test_the_silent_address_says_who_held_the_lease_and_who_was_heard() -> None:
    """B07 carries the holder, both addresses, and the nodes whose own addresses were answered."""
    found = judge(silent_leader())[0]

    assert "node-1" in found.says
    assert VIP4 in found.says
    assert VIP6 in found.says
    assert any("6 node addresses" in line for line in found.because)


def test_a_remembered_neighbour_does_not_hide_the_silence() -> None:
    """An answer that went to a MAC which nobody announced proves reachability for this host only; B07 stays."""

    def answers(trial: Trial, one: Exchange) -> Exchange:
        return replace(one, outcome=Outcome.ANSWERED, sent_mac=mac(NODES[0]))

    found = judge(each_exchange(silent_leader(), answers))[0]

    assert found.code == "B07"
    assert any("remembered" in line for line in found.because)


def test_without_frames_an_answer_is_no_silence() -> None:
    """Where the frames of the answered traffic were not read, nothing says that the neighbour was remembered."""

    def answers(trial: Trial, one: Exchange) -> Exchange:
        return replace(one, outcome=Outcome.ANSWERED, sent_mac=None)

    assert "B07" not in {finding.code for finding in judge(each_exchange(silent_leader(), answers))}


def test_a_lease_renewed_before_our_eyes_is_fresh_whatever_the_clocks_say() -> None:
    """A cluster whose clock is an hour behind ours has no stale lease when we saw it renewed."""

    def skewed(trial: Trial) -> Trial:
        name = trial.service.name
        seen: tuple[Claim, ...] = (
            claim(name, NODES[0], T0, renewed=T0 - 3600),
            claim(name, NODES[0], T0 + 2, renewed=T0 - 3598),
        )
        return replace(trial, claims=seen, observed_seconds=2.5)

    assert judge(each_trial(silent(healthy()), skewed))[0].code == "B07"


def test_the_second_announcer_is_named_with_its_mac() -> None:
    """C01 names both nodes and both MACs."""
    found = judge(duplicate_announcers())[0]

    assert "node-1 and node-3" in found.says
    assert any(mac(NODES[2]) in line for line in found.because)
