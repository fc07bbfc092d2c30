"""Every code: evidence that raises it with its verdict, and healthy clusters that raise nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from l2probe.judge import CODES, judge
from l2probe.judge.table import RANK
from l2probe.model import (
    Datapath,
    Evidence,
    Ip,
    Outcome,
    Right,
    Verdict,
)
from tests.judge import objects
from tests.judge import test_faults as faults
from tests.judge import test_paths as paths
from tests.judge import test_stability as stability
from tests.judge.broken import (
    across_nodes,
    conflict,
    deaf,
    everyone,
    gone,
    kube_proxy,
    mismatch,
    only_asked,
    other_nic,
    pending,
    policy,
    refused,
    second_nic,
    taken,
    the,
    udp_across,
    unclaimed,
    unmapped,
    unready,
    with_cluster,
    with_vantage,
)
from tests.judge.evidence import (
    NODES,
    PROFILES,
    each_exchange,
    healthy,
    lost,
    silent,
)
from tests.judge.test_unannounced import without_endpoints

EXPECTED = {
    "cilium-1.19-dsr": {"D01"},
    "cilium-1.19-dsr+drop": {"D01"},
    "cilium-1.19-snat": {"D01", "E02"},
    "cilium-1.19-hybrid": {"D01", "E04"},
    "cilium-1.20.2-dsr": set[str](),
    "cilium-1.20.2-snat": {"E02"},
    "cilium-1.17-dsr": {"D01"},
}


RAISED: dict[str, tuple[Callable[[], Evidence], Verdict]] = {
    "A01": (lambda: pending(refused("out_of_ips")), Verdict.FAIL),
    "A02": (conflict, Verdict.FAIL),
    "A03": (taken, Verdict.FAIL),
    "A04": (lambda: pending(None, load_balancer_class="example.com/none"), Verdict.FAIL),
    "A05": (objects.given_a_nodes_address, Verdict.FAIL),
    "A06": (objects.fought_over, Verdict.FAIL),
    "A07": (objects.astray, Verdict.FAIL),
    "A08": (objects.owned_twice, Verdict.FAIL),
    "B01": (faults.no_policy, Verdict.FAIL),
    "B02": (
        lambda: with_cluster(unclaimed(silent(healthy())), policies=(policy(load_balancer_ips=False),)),
        Verdict.FAIL,
    ),
    "B03": (objects.wrong_interface, Verdict.FAIL),
    "B04": (lambda: with_cluster(unclaimed(silent(healthy())), announcing=False), Verdict.FAIL),
    "B05": (objects.homeless, Verdict.FAIL),
    "B06": (faults.stale_lease, Verdict.FAIL),
    "B07": (faults.silent_leader, Verdict.FAIL),
    "B08": (lambda: objects.crowded(120), Verdict.WARN),
    "B09": (lambda: objects.labelled(*NODES), Verdict.FAIL),
    "B10": (objects.accelerated, Verdict.WARN),
    "B11": (lambda: only_asked(healthy(), 6, "unicast"), Verdict.FAIL),
    "B12": (lambda: only_asked(healthy(), 4, "unicast"), Verdict.FAIL),
    "B13": (without_endpoints, Verdict.FAIL),
    "B14": (lambda: unclaimed(silent(healthy()), looked=False), Verdict.FAIL),
    "C01": (faults.duplicate_announcers, Verdict.FAIL),
    "C02": (second_nic, Verdict.WARN),
    "C03": (faults.foreign_owner, Verdict.FAIL),
    "C04": (mismatch, Verdict.FAIL),
    "C05": (gone, Verdict.FAIL),
    "C06": (everyone, Verdict.FAIL),
    "C07": (objects.split, Verdict.FAIL),
    "D01": (healthy, Verdict.WARN),
    "D02": (unready, Verdict.FAIL),
    "D03": (faults.announcer_drops, Verdict.FAIL),
    "D04": (lambda: each_exchange(healthy(), across_nodes), Verdict.FAIL),
    "D05": (lambda: each_exchange(healthy(), udp_across), Verdict.FAIL),
    "D06": (faults.mtu, Verdict.FAIL),
    "D07": (paths.untranslated, Verdict.FAIL),
    "D09": (paths.firewalled, Verdict.FAIL),
    "D08": (other_nic, Verdict.WARN),
    "D10": (faults.foreign_owner, Verdict.FAIL),
    "D11": (lambda: each_exchange(healthy(), lambda _, one: lost(one, Outcome.REFUSED_RST)), Verdict.FAIL),
    "D12": (faults.loss, Verdict.FAIL),
    "D13": (lambda: objects.guarded(objects.policy()), Verdict.FAIL),
    "E01": (lambda: each_exchange(healthy(datapath=Datapath.SNAT), kube_proxy), Verdict.WARN),
    "E02": (lambda: healthy(datapath=Datapath.SNAT), Verdict.WARN),
    "E03": (faults.dsr_not_effective, Verdict.FAIL),
    "E04": (lambda: healthy(datapath=Datapath.HYBRID), Verdict.WARN),
    "E05": (lambda: each_exchange(healthy(datapath=Datapath.SNAT), kube_proxy), Verdict.WARN),
    "F01": (lambda: stability.flapping(*stability.OFTEN), Verdict.FAIL),
    "F02": (stability.unannounced, Verdict.FAIL),
    "F03": (stability.late, Verdict.FAIL),
    "F04": (stability.kept, Verdict.FAIL),
    "V01": (lambda: replace(with_vantage(healthy(), cluster_node=NODES[0]), trials=()), Verdict.UNKNOWN),
    "V02": (lambda: with_vantage(healthy(), on_link=False, gateway=Ip("192.0.2.1")), Verdict.UNKNOWN),
    "V03": (lambda: with_vantage(healthy(), raw_socket=False), Verdict.UNKNOWN),
    "V04": (deaf, Verdict.UNKNOWN),
    "V05": (lambda: with_cluster(healthy(), missing_rights=(Right(verb="list", resource="leases"),)), Verdict.WARN),
    "V06": (unmapped, Verdict.UNKNOWN),
    "V07": (objects.pinged, Verdict.PASS),
}


@pytest.mark.parametrize("code", RAISED)
def test_the_code_is_raised(code: str) -> None:
    """Its evidence raises the code, with the verdict it deserves, in words: what, why, what to do, where to read."""
    make, verdict = RAISED[code]

    found = the(code, make())

    assert found.verdict is verdict
    assert found.slug == CODES[code].slug
    assert found.says.endswith(".")
    assert found.because
    assert all(line.strip() for line in found.because)
    assert found.remedy.endswith((".", ")"))
    assert found.references[0] == f"l2probe explain {code}"


def test_every_code_has_a_test_a_name_and_a_rank() -> None:
    """The table of codes, the order for the reader and these examples hold the same codes."""
    assert set(RAISED) == set(CODES) == set(RANK)
    assert len(RANK) == len(set(RANK))
    assert len({code.slug for code in CODES.values()}) == len(CODES)


@pytest.mark.parametrize("name", PROFILES)
def test_a_healthy_cluster_raises_nothing_else(name: str) -> None:
    """On a healthy cluster only what its configuration cannot do is said, as a warning."""
    findings = judge(PROFILES[name])

    assert {found.code for found in findings} == EXPECTED[name]
    assert {found.verdict for found in findings} <= {Verdict.WARN}


@pytest.mark.parametrize(("required", "code"), [("source", "E02"), ("local", "D01")])
def test_what_is_required_and_missing_is_a_failure(required: str, code: str) -> None:
    """A missing capability is a warning, and a failure for those who require it."""
    evidence = healthy(datapath=Datapath.SNAT)

    assert the(code, evidence).verdict is Verdict.WARN
    assert the(code, replace(evidence, required=(required,))).verdict is Verdict.FAIL
