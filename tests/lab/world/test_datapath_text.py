"""The nft text that a node gets for its frontends; no kernel here."""

from __future__ import annotations

from dataclasses import replace

import pytest

from l2probe.lab.datapath import render, render_dropped, skeleton
from l2probe.lab.driver import Forwarding, Frontend, NoBackend, Target
from l2probe.lab.topology import NODES

NODE1, NODE2, NODE3 = NODES
ON1 = Target(address="10.244.1.10", port=8080, node="node-1")
ON2 = Target(address="10.244.2.10", port=8081, node="node-2")
WEB = Frontend(
    vip="198.51.100.40",
    port=80,
    protocol="TCP",
    targets=(ON1, ON2),
    forwarding=Forwarding.DSR,
    no_backend=NoBackend.REJECT,
)
MATCH = "ip daddr 198.51.100.40 tcp dport 80"


def rules(frontend: Frontend, site: int = 0) -> list[str]:
    """Return the rules of one frontend, without the transaction's fixed head."""
    return render(NODES[site], [frontend]).splitlines()[12:]


def test_every_transaction_starts_from_nothing() -> None:
    """Rendering no frontends empties every chain, and frames from peers are never judged twice."""
    assert render(NODE1, []).splitlines() == [
        "flush chain netdev lb frontends",
        "flush chain ip lb frontends",
        "flush chain ip6 lb frontends",
        "flush chain ip lb masqueraded",
        "flush chain ip6 lb masqueraded",
        "flush chain ip lb refused",
        "flush chain ip6 lb refused",
        "flush chain ip lb handed",
        "flush chain ip6 lb handed",
        "flush chain ip lb astray",
        "flush chain ip6 lb astray",
        "add rule netdev lb frontends ether saddr { 02:00:00:00:00:02, 02:00:00:00:00:03 } accept",
    ]


def test_answers_go_astray_only_where_a_peer_handed_the_question_over() -> None:
    """What a peer handed over is marked; of its answers only the SYN-ACK keeps the VIP. Other nodes have no rule."""
    broken = replace(WEB, reversing=False)
    marked = render(NODE2, [broken]).splitlines()[11]
    *_, handed, astray = rules(broken, site=1)

    assert marked.endswith("{ 02:00:00:00:00:01, 02:00:00:00:00:03 } meta mark set 0x0832 accept")
    assert handed == f"add rule ip lb handed {MATCH} meta mark 0x0832 ct mark set 0x0832"
    assert astray == (
        "add rule ip lb astray ct mark 0x0832 ct direction reply ip saddr 198.51.100.40 tcp sport 80"
        " tcp flags & (syn | rst) == 0x0 tcp sport set 8081 ip saddr set 198.51.100.12"
    )
    assert not any("astray" in rule for rule in rules(broken, site=2))


def test_snat_translates_to_every_backend() -> None:
    """SNAT is one NAT rule over all backends on every node, without a rule at ingress."""
    places = "{ 0 : 10.244.1.10 . 8080, 1 : 10.244.2.10 . 8081 }"
    expected = [f"add rule ip lb frontends {MATCH} dnat to numgen random mod 2 map {places}"]

    assert rules(replace(WEB, forwarding=Forwarding.SNAT)) == expected
    assert rules(replace(WEB, forwarding=Forwarding.SNAT), site=2) == expected


def test_dsr_hashes_the_flow_to_a_node_which_translates_to_its_own_pods() -> None:
    """DSR first picks a backend by the flow and hands over to its node, which translates to its own Pods only."""
    first, second = rules(WEB)

    assert first == (
        f"add rule netdev lb frontends {MATCH} jhash ip saddr . tcp sport mod 2 seed 0x6c327072"
        " vmap { 0 : accept, 1 : goto to_node_2_v4 }"
    )
    assert second == f"add rule ip lb frontends {MATCH} dnat to 10.244.1.10:8080"


def test_dsr_on_a_node_without_a_pod_only_hands_over() -> None:
    """Where no backend is local there is nothing to translate to, and one backend needs no hash."""
    assert rules(replace(WEB, targets=(ON2,)), site=2) == [
        f"add rule netdev lb frontends {MATCH} goto to_node_2_v4",
    ]


def test_an_unknown_node_is_found_by_the_pod_address() -> None:
    """A backend without node name is placed by the range its address is in."""
    lost = replace(ON2, node=None)

    assert rules(replace(WEB, targets=(lost,))) == rules(replace(WEB, targets=(ON2,)))


@pytest.mark.parametrize(
    ("no_backend", "vip", "verdict"),
    [
        (NoBackend.REJECT, "198.51.100.40", "reject with icmp type port-unreachable"),
        (NoBackend.REJECT, "2001:db8:1::40", "reject with icmpv6 type port-unreachable"),
        (NoBackend.DROP, "2001:db8:1::40", "drop"),
    ],
)
def test_nothing_usable_is_refused_as_configured(no_backend: NoBackend, vip: str, verdict: str) -> None:
    """Local without an own Pod and a frontend without any Pod end alike: service-no-backend-response decides how."""
    empty = replace(WEB, vip=vip, targets=(), no_backend=no_backend)
    elsewhere = replace(empty, targets=(ON2,), local_only=True)

    assert rules(empty) == rules(elsewhere)
    assert rules(empty)[0].endswith(f"dport 80 {verdict}")


def test_local_only_keeps_to_the_nodes_own_pods() -> None:
    """With policy Local node-1 uses its Pod and never hands over."""
    assert rules(replace(WEB, local_only=True)) == [
        f"add rule netdev lb frontends {MATCH} accept",
        f"add rule ip lb frontends {MATCH} dnat to 10.244.1.10:8080",
    ]


def test_source_ranges_come_first_and_only_of_the_vips_family() -> None:
    """Ranges are merged, those of the other family do not count, and none of the own family means nobody."""
    allowed = rules(replace(WEB, source_ranges=("10.0.0.0/8", "10.1.2.3/16", "2001:db8::/32")))
    nobody = rules(replace(WEB, source_ranges=("2001:db8::/32",)))

    assert allowed[0] == f"add rule netdev lb frontends {MATCH} ip saddr != {{ 10.0.0.0/8 }} drop"
    assert nobody[0] == f"add rule netdev lb frontends {MATCH} drop"


def test_ipv6_addresses_are_written_so_that_nft_reads_them() -> None:
    """A single IPv6 backend stands in brackets, several in a map without."""
    one = Target(address="fd00:10:1::a", port=8080, node="node-1")
    two = Target(address="fd00:10:1::b", port=8080, node="node-1")
    six = replace(WEB, vip="2001:DB8:1:0::40", forwarding=Forwarding.SNAT)

    assert rules(replace(six, targets=(one,)))[0].endswith(
        "ip6 daddr 2001:db8:1::40 tcp dport 80 dnat to [fd00:10:1::a]:8080"
    )
    assert rules(replace(six, targets=(one, two)))[0].endswith("{ 0 : fd00:10:1::a . 8080, 1 : fd00:10:1::b . 8080 }")


@pytest.mark.parametrize("vip", ["198.51.100.40; flush ruleset", "", "node-1"])
def test_text_that_is_no_address_never_reaches_nft(vip: str) -> None:
    """An address that does not parse is refused, not rendered."""
    with pytest.raises(ValueError, match="does not appear to be"):
        render(NODE1, [replace(WEB, vip=vip)])


def test_protocols_that_the_lab_does_not_speak_are_left_out() -> None:
    """SCTP renders nothing instead of something wrong."""
    assert rules(replace(WEB, protocol="SCTP")) == []


def test_dropped_addresses_are_sorted_by_family() -> None:
    """The transaction empties both sets, then fills each with its own family."""
    assert render_dropped(["2001:db8:1::40", "198.51.100.40"]).splitlines() == [
        "flush set netdev lb dropped4",
        "flush set netdev lb dropped6",
        "add element netdev lb dropped4 { 198.51.100.40 }",
        "add element netdev lb dropped6 { 2001:db8:1::40 }",
    ]


def test_a_node_hands_over_to_its_peers_and_not_to_itself() -> None:
    """The fixed part has a handover chain for each other node and family, and drops frames for other machines first."""
    text = skeleton(NODE2)

    assert [f"chain to_node_{number}_v{version} " in text for number in (1, 2, 3) for version in (4, 6)] == [
        True,
        True,
        False,
        False,
        True,
        True,
    ]
    assert text.index("pkttype other drop") < text.index("jump fault") < text.index("jump frontends")
    assert f"snat to {NODE2.v4}" in text
    assert f"snat to {NODE2.v6}" in text
    assert NODE3.v4 in text
