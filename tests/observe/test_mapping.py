"""MACs belong to the node that answered with them, and to nobody else."""

from __future__ import annotations

from l2probe.model import Ip, Mac, NeighbourReply, Node, NodeName
from l2probe.observe.mapping import map_nodes

VIP = "198.51.100.40"
NODES = [
    Node(name=NodeName("node-1"), addresses=(Ip("198.51.100.11"), Ip("2001:db8:1::11")), ready=True),
    Node(name=NodeName("node-2"), addresses=(Ip("198.51.100.12"),), ready=False),
]


def reply(ip: str, mac: str) -> NeighbourReply:
    """Return a reply."""
    return NeighbourReply(at=1.0, ip=Ip(ip), mac=Mac(mac), op="reply", solicited=True)


def mapped(mac: str, *node_replies: tuple[str, str]) -> str | None:
    """Return the node of a VIP's reply with this MAC."""
    return map_nodes([reply(VIP, mac)], [reply(*each) for each in node_replies], NODES)[0].node


def test_a_nodes_own_answer_names_its_mac() -> None:
    """IPv4 or IPv6, ready or not."""
    assert mapped("a", ("198.51.100.11", "a"), ("198.51.100.12", "b")) == "node-1"
    assert mapped("b", ("198.51.100.11", "a"), ("198.51.100.12", "b")) == "node-2"
    assert mapped("c", ("2001:db8:1::11", "c")) == "node-1"


def test_a_node_may_have_several_nics() -> None:
    """Both its MACs are that node: one node with two NICs is not two announcers."""
    answers = (("198.51.100.11", "a"), ("198.51.100.11", "b"))

    assert {mapped("a", *answers), mapped("b", *answers)} == {"node-1"}


def test_an_unknown_mac_stays_unknown() -> None:
    """Never guessed, even when only one node is left."""
    assert mapped("x", ("198.51.100.11", "a"), ("198.51.100.12", "b")) is None
    assert mapped("x") is None


def test_a_mac_that_answers_for_several_nodes_is_nobodys() -> None:
    """Proxy ARP, or a router between."""
    assert mapped("a", ("198.51.100.11", "a"), ("198.51.100.12", "a")) is None


def test_answers_for_other_addresses_name_no_node() -> None:
    """Only who-has for a node's own address counts."""
    assert mapped("a", (VIP, "a"), ("198.51.100.99", "a")) is None


def test_everything_else_of_a_reply_is_kept() -> None:
    """Order and content stay as they were heard."""
    before = [reply(VIP, "b"), reply(VIP, "a"), reply(VIP, "b")]
    after = map_nodes(before, [reply("198.51.100.11", "a")], NODES)

    assert [each.mac for each in after] == ["b", "a", "b"]
    assert [each.node for each in after] == [None, "node-1", None]


def test_an_address_that_two_nodes_give_as_theirs_tells_nothing() -> None:
    """As Vagrant's 10.0.2.15, which every node has: none is taken for the other."""
    twins = [Node(name=NodeName(name), addresses=(Ip("10.0.2.15"),), ready=True) for name in ("node-1", "node-2")]

    assert map_nodes([reply(VIP, "a")], [reply("10.0.2.15", "a")], twins)[0].node is None
