"""Family V: what this vantage cannot tell, and what it says of each family of addresses."""

from __future__ import annotations

from dataclasses import replace

from l2probe.judge import judge
from l2probe.judge.vantage import deaf_interface
from l2probe.model import Evidence, Finding
from tests.judge.broken import with_vantage
from tests.judge.evidence import family, healthy, node_replies, silent
from tests.judge.shapes import of_family


def deaf(*versions: int) -> Evidence:
    """Return evidence in which nodes answered over no family but these, and nobody for any VIP."""
    heard = tuple(reply for reply in node_replies() if family(reply.ip) in versions)
    return replace(silent(healthy()), node_replies=heard)


def found(evidence: Evidence) -> Finding:
    """Return the finding V04."""
    (one,) = deaf_interface(evidence)
    return one


def test_both_families_are_named_where_both_are_deaf() -> None:
    """One finding, and not that of ARP alone; each family's questions are told."""
    both = found(deaf())

    assert "no node answered for its own IPv4 or IPv6 address" in both.says
    assert len(both.because) == 2
    assert "MLD" in both.remedy


def test_one_deaf_family_is_named_alone() -> None:
    """IPv6 may be lost where switches snoop MLD without a querier; ARP has no such cause."""
    only = {version: found(deaf(10 - version)) for version in (4, 6)}

    assert "IPv6" not in only[4].says
    assert "MLD" not in only[4].remedy
    assert "IPv4" not in only[6].says
    assert "MLD" in only[6].remedy


def test_a_family_that_nobody_has_is_not_asked_for() -> None:
    """Services of one family say nothing about the other; nodes without an address of it cannot be heard."""
    six = of_family(deaf(), 6)
    nodes = tuple(replace(node, addresses=node.addresses[:1]) for node in six.cluster.nodes or ())
    bare = replace(six, cluster=replace(six.cluster, nodes=nodes))

    assert "IPv4" not in found(six).says
    assert "no node has an IPv6 address to ask for" in found(bare).says
    assert list(deaf_interface(deaf(4, 6))) == []


def test_a_wrong_interface_is_not_called_a_router() -> None:
    """Without a gateway on that interface nothing is behind a router: the interface is named as the wrong one."""
    (found,) = (f for f in judge(with_vantage(healthy(), on_link=False, interface="eth1")) if f.code == "V02")

    assert found.says.startswith("eth1 is not on the segment of all of 198.51.100.40")
    assert "router there leads on" in found.says
    assert found.remedy.startswith("Leave out --interface")
