"""Whom an audit asks alone: every silent address of its holder, of all nodes where there is room, and within bounds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from l2probe.audit import Plan, alone
from l2probe.audit.alone import MOST_QUESTIONS, whom
from l2probe.diagnose.ground import Ground, tread
from l2probe.diagnose.place import NOWHERE
from l2probe.judge import judge
from l2probe.judge.notes import notes
from l2probe.model import Cluster, Ip, Mac, NeighbourReply, Node, NodeName, Service
from tests.audit.played import Town
from tests.judge.diagnosed import API, WEB, lease
from tests.judge.evidence import NODES, mac

MANY = tuple(Ip(f"10.0.{number // 250}.{number % 250 + 1}") for number in range(3000))
CROWD = tuple(
    Node(name=NodeName(f"n{number}"), addresses=(Ip(f"10.9.0.{number + 1}"),), ready=True) for number in range(40)
)


def ground(vips: tuple[Ip, ...], nodes: tuple[Node, ...], *, holder: str | None) -> Ground:
    """Return one Service with these addresses in a cluster of these nodes."""
    service = Service(namespace="shop", name="api", vips=vips)
    made = tread(Cluster(nodes=nodes, services=(service,)), (service,), NOWHERE)
    if holder:
        made.claims = {("shop", "api"): [lease("api", NodeName(holder), 1000.0)]}
    return made


def replies(nodes: tuple[Node, ...]) -> tuple[NeighbourReply, ...]:
    """Return each node's answer for its own address."""
    return tuple(
        NeighbourReply(at=1.0, ip=node.addresses[0], mac=mac_of(number), op="reply", solicited=True)
        for number, node in enumerate(nodes)
    )


def mac_of(number: int) -> Mac:
    """Return the MAC of the node of this number."""
    return Mac(f"02:00:00:00:01:{number:02x}")


def test_a_few_silent_addresses_are_asked_of_every_node() -> None:
    """However many nodes there are; the holder is asked first."""
    pairs, partly = whom(MANY[:3], ground(MANY, CROWD, holder="n7"), replies(CROWD))

    assert len(pairs) == 3 * 40
    assert pairs[0] == (MANY[0], mac_of(7))
    assert partly == ()


def test_thousands_are_asked_of_their_holder_and_of_as_many_as_there_is_room() -> None:
    """No address is left out, the number of questions is bounded, and what the holder was asked for is no gap."""
    pairs, partly = whom(MANY, ground(MANY, CROWD, holder="n39"), replies(CROWD))

    assert {address for address, _ in pairs} == set(MANY)
    assert {address for address, to in pairs if to == mac_of(39)} == set(MANY)
    assert len(MANY) < len(pairs) <= MOST_QUESTIONS
    assert partly == ()


def test_addresses_without_a_known_holder_and_with_a_node_left_out_are_told() -> None:
    """Nobody knows which of the nodes should answer: each such address is named, no other one."""
    assert whom(MANY, ground(MANY, CROWD, holder=None), replies(CROWD))[1] == MANY
    assert whom(MANY, ground(MANY, CROWD, holder="gone"), replies(CROWD))[1] == MANY
    assert whom(MANY, ground(MANY, CROWD[:10], holder=None), replies(CROWD[:10]))[1] == ()
    assert whom(MANY, ground(MANY, CROWD, holder=None), ()) == ((), ())


def test_what_was_not_asked_of_everybody_is_in_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """The evidence holds every such address, and a note says what that leaves open."""
    monkeypatch.setattr(alone, "MOST_QUESTIONS", 1)

    evidence = Town(silent=True, holders={}).audited(Plan(on_wire=True))

    assert set(evidence.partly_asked) == {*API.vips, *WEB.vips}
    (note,) = [note for note in notes(evidence) if "asked alone" in note]
    assert note.startswith("4 addresses answered nobody's call")
    assert all(vip in note for vip in evidence.partly_asked)
    assert Town(silent=True).audited(Plan(on_wire=True)).partly_asked == ()


def test_beyond_256_silent_addresses_the_last_one_is_asked_too() -> None:
    """A node that hears only what is sent to it alone is found at every one of many addresses."""
    town = Town(services=(replace(API, vips=MANY[:600]),), unicast_only=True)

    evidence = town.audited(Plan(on_wire=True))

    assert {address for address, to in town.alone if to == mac(NODES[0])} == set(MANY[:600])
    assert {found.code for found in judge(evidence) if found.consequence_of is None} == {"B12"}


def test_who_began_to_answer_meanwhile_hears_calls() -> None:
    """Silent to two calls, then answering: asked again by a call before it is said to hear none."""
    town = Town(unicast_only=True, waking=True)

    assert "B12" not in {found.code for found in judge(town.audited(Plan(on_wire=True)))}
