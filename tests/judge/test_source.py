"""Family E: who translated the client's address, and what was promised of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from l2probe.judge import judge
from l2probe.model import (
    Datapath,
    Exchange,
    Ip,
    Mac,
    Outcome,
    Service,
    Trial,
    Verdict,
)
from tests.judge.broken import OUTSIDE, kube_proxy, the, translated, with_cluster
from tests.judge.evidence import (
    NODES,
    VIP4,
    each_exchange,
    healthy,
    mac,
    node_address,
)


def test_a_translator_outside_the_cluster_is_not_held_against_its_datapath() -> None:
    """E05 stands alone, with its proof, when Pods of several nodes saw one address and answered directly: DSR works."""
    evidence = each_exchange(healthy(version="v1.20.2", local=Outcome.ANSWERED), translated)
    (found,) = judge(evidence)

    assert (found.code, found.verdict, found.consequence_of) == ("E05", Verdict.WARN, None)
    assert f"Pods on several nodes saw {OUTSIDE}" in found.because[0]
    assert str(OUTSIDE) in found.remedy


@pytest.mark.parametrize(
    ("because", "seen", "through"),
    [
        ("the announcer saw the answer, so it may have translated", OUTSIDE, mac(NODES[0])),
        ("every Pod saw another address, so its own node may have translated", None, None),
        ("it is a node's address", node_address(NODES[1], 4), None),
    ],
)
def test_what_a_node_may_have_translated_is_its_datapaths_doing(
    because: str, seen: Ip | None, through: Mac | None
) -> None:
    """Where a node may have done it, the broken promise of DSR is named first."""

    def hide(_: Trial, one: Exchange) -> Exchange:
        other = seen or Ip(f"192.0.2.{(one.node or '0')[-1]}")
        return replace(one, seen=other if one.seen else None, reply_mac=through or one.reply_mac)

    assert judge(each_exchange(healthy(), hide))[0].code == "E03", because


def test_an_address_of_a_pod_network_is_the_clusters() -> None:
    """One Pod range for all nodes does not make its addresses somebody else's."""
    nodes = tuple(replace(one, pod_networks=("198.51.100.128/25",)) for one in healthy().cluster.nodes or ())

    assert judge(each_exchange(with_cluster(healthy(), nodes=nodes), translated))[0].code == "E03"


def test_a_bridge_of_a_node_is_named_as_such() -> None:
    """E05 names the node whose Pod network the address lies in, instead of a stranger."""
    snat = healthy(datapath=Datapath.SNAT)
    nodes = tuple(replace(one, pod_networks=("10.244.0.0/16", "fd00::/16")) for one in snat.cluster.nodes or ())
    found = the("E05", each_exchange(with_cluster(snat, nodes=nodes), kube_proxy))

    assert NODES[0] in found.says
    assert "something else" not in found.says


def test_e02_counts_services_with_policy_cluster() -> None:
    """E02 says how many existing Services it concerns, not which."""
    existing = (
        Service(namespace="shop", name="api", vips=(VIP4,)),
        Service(namespace="shop", name="web", vips=(VIP4,)),
    )

    says = the("E02", with_cluster(healthy(datapath=Datapath.SNAT), services=existing)).says

    assert "2 existing Services" in says
    assert "shop" not in says


def test_hybrid_that_loses_tcp_breaks_its_promise() -> None:
    """In hybrid mode a lost TCP source is E03, the lost UDP source its consequence."""
    evidence = with_cluster(healthy(datapath=Datapath.SNAT), datapath=Datapath.HYBRID)

    found = {f.code: f for f in judge(evidence)}

    assert found["E03"].verdict is Verdict.FAIL
    assert "tcp4 and tcp6" in found["E03"].says
    assert found["E04"].consequence_of == "E03"
