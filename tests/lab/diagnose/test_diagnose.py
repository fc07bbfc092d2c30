"""`l2probe diagnose` through the real command: faults named first, healthy clusters quiet, bad input one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.lab.conftest import Command

pytestmark = pytest.mark.lab

PROFILES = (
    "cilium-1.19-dsr",
    "cilium-1.19-dsr+drop",
    "cilium-1.19-snat",
    "cilium-1.19-hybrid",
    "cilium-1.20.2-dsr",
    "cilium-1.20.2-snat",
    "cilium-1.17-dsr",
    "metallb-0.15",
    "kube-vip-1.0",
    "kube-vip-1.0+global",
)
FOLLOWING = ("cilium-1.20.2-dsr", "cilium-1.20.2-snat", "metallb-0.15", "kube-vip-1.0")
"""Clusters whose announcer follows the backends of policy Local."""
DEAD_SECONDS, HEALTHY_SECONDS = 3.5, 1.0
SLACK = 1.5
"""The tests share two cores with others: the bounds themselves are the bench's."""


@pytest.mark.parametrize("name", ["silent-leader", "announcer-drops"])
def test_a_dead_address_is_explained_in_time(l2probe: Command, name: str) -> None:
    """What nobody answers for, or what is dropped, costs hardly more than its slowest knock."""
    ran = l2probe("diagnose", "--lab", "--fault", name, "-o", "json")

    assert ran.report["duration_seconds"] < DEAD_SECONDS * SLACK


@pytest.mark.parametrize("profile", PROFILES)
def test_a_healthy_cluster_is_quiet(l2probe: Command, profile: str) -> None:
    """Nothing is said but that policy Local fails where a node without a backend was elected."""
    ran = l2probe("diagnose", "--lab", "--profile", profile, "-o", "json")

    follows = profile in FOLLOWING
    assert set(ran.codes) == (set() if follows else {"D01"})
    assert ran.code == (0 if ran.worst <= {"warn"} else 1)
    if follows:
        assert ran.report["verdict"] == "pass"
        assert ran.report["duration_seconds"] < HEALTHY_SECONDS * SLACK


@pytest.mark.parametrize("profile", ["cilium-1.19-dsr", "cilium-1.19-snat", "metallb-0.15", "kube-vip-1.0"])
def test_one_healthy_service_gets_a_short_report(l2probe: Command, profile: str) -> None:
    """The Service that works passes, in a screenful, however its neighbour is."""
    ran = l2probe("diagnose", "--lab", "--profile", profile, "shop/api")

    assert ran.code == 0
    assert ran.stdout.startswith("PASS    shop/api is announced by one node, and its traffic arrives.")
    assert len(ran.stdout.splitlines()) <= 14


def test_dsr_that_does_not_happen_is_a_suspicion(l2probe: Command) -> None:
    """By the SYN-ACK's MAC alone E03 is a warning."""
    ran = l2probe("diagnose", "--lab", "--fault", "dsr-not-effective", "shop/api", "-o", "json")

    assert [(one["code"], one["verdict"]) for one in ran.report["findings"]] == [("E03", "warn")]
    assert ran.code == 0


def test_connections_that_a_proxy_accepts_prove_no_backend(l2probe: Command) -> None:
    """Whoever takes the traffic on the way is no node: who answered is unknown, and nothing passes."""
    ran = l2probe("diagnose", "--lab", "--fault", "intercepted", "shop/api", "-o", "json")

    assert [(one["code"], one["verdict"]) for one in ran.report["findings"]] == [("V06", "unknown")]
    assert ran.code == 2


def test_two_faults_give_two_findings(l2probe: Command) -> None:
    """What is wrong with one Service does not hide what is wrong with another, and the first to mend comes first."""
    ran = l2probe("diagnose", "--lab", "--fault", "announcer-drops", "-o", "json")

    assert ran.causes == ["D03", "D01"]
    assert [one["subject"]["name"] for one in ran.report["findings"]] == ["api", "web"]


def test_asked_for_traffic_is_sent(l2probe: Command, tmp_path: Path) -> None:
    """--http gets an answer of the application, --pcap keeps the frames, --junit-file writes XML."""
    pcap, junit = tmp_path / "frames.pcap", tmp_path / "junit.xml"

    ran = l2probe(
        "diagnose", "--lab", "--http", "--pcap", str(pcap), "--junit-file", str(junit), "shop/api", "-o", "json"
    )

    (trial,) = ran.report["evidence"]["trials"]
    assert {one["detail"] for one in trial["exchanges"]} == {"connected", "HTTP/1.1 200 OK"}
    assert pcap.stat().st_size > 1000
    assert junit.read_text().startswith("<?xml")


def test_judge_and_diff_take_the_report(l2probe: Command, tmp_path: Path) -> None:
    """`judge` says the same offline, byte for byte, and `diff` tells a broken cluster from a whole one."""
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(l2probe("diagnose", "--lab", "--profile", "cilium-1.20.2-dsr", "-o", "json").stdout)
    bad.write_text(
        l2probe("diagnose", "--lab", "--profile", "cilium-1.20.2-dsr", "--fault", "silent-leader", "-o", "json").stdout
    )

    again = l2probe("judge", str(bad), "-o", "json")

    assert json.dumps(again.report["findings"]) == json.dumps(json.loads(bad.read_text())["findings"])
    assert l2probe("diff", str(good), str(bad)).code == 1
    assert l2probe("diff", str(bad), str(good)).code == 0
    assert l2probe("diff", str(good), str(good)).stdout.endswith("Nothing changed.\n")


@pytest.mark.parametrize("resource", ["leases", "services", "nodes", "endpointslices"])
def test_a_missing_right_costs_what_it_would_have_shown(l2probe: Command, resource: str) -> None:
    """The diagnosis goes on without it, names it, and never fails a Service that works."""
    ran = l2probe("diagnose", "--lab", "--fault", f"denied:list:{resource}", "shop/api", "-o", "json")

    assert "V05" in ran.codes
    assert "fail" not in ran.worst
    assert ran.report["capabilities"]["reachable"]["tcp4"] is True


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("shop/wep",), "There was no Service shop/wep."),
        (("default/kubernetes",), "is of type ClusterIP"),
        (("198.51.100.11",), "node node-1's own"),
        (("198.51.100.99",), "No LoadBalancer Service has the address"),
        (("1.2.3.4:80",), "neither a Service nor an address"),
        (("--all", "-n", "nowhere"), "has no Service of type LoadBalancer in namespace nowhere"),
        (("--interface", "eth9", "shop/api"), "The interface eth9 does not exist."),
    ],
)
def test_bad_input_is_one_sentence(l2probe: Command, words: tuple[str, ...], said: str) -> None:
    """Exit code 2, an error that says what is wrong, and no traceback."""
    ran = l2probe("diagnose", "--lab", "-q", *words)

    assert ran.code == 2
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
    assert ran.stdout == ""
