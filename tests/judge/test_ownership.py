"""Family C: two owners, a handover, a stranger, and whose a MAC is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from l2probe.judge import capabilities, judge
from l2probe.judge.case import mac_owners
from l2probe.model import (
    Ip,
    Outcome,
    Placement,
    Trial,
    Verdict,
)
from tests.judge import test_faults as faults
from tests.judge.broken import STRANGE, beside, the, unmapped, with_cluster
from tests.judge.evidence import (
    NODES,
    T0,
    claim,
    each_exchange,
    each_trial,
    healthy,
    lost,
    mac,
    node,
    node_replies,
    reply,
)


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
