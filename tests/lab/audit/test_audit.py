"""`l2probe audit` through the real command: quiet on healthy clusters, exact rights, bad input in one sentence."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from l2probe.lab.rights import GROUPS
from l2probe.rights import COMMANDS, WITHIN
from tests.lab.conftest import Command

pytestmark = pytest.mark.lab

PROFILES = ("cilium-1.19-dsr", "cilium-1.19-snat", "cilium-1.20.2-dsr", "cilium-1.17-dsr")
ALLOWED = {*COMMANDS["audit"], *((right.verb, right.resource, right.group) for right in WITHIN)}
COSTS = ("nodes", "endpointslices", "leases", "ciliuml2announcementpolicies", "ciliumloadbalancerippools")
"""Kinds of a Cilium cluster without which an audit knows less."""


@pytest.mark.parametrize("wire", [(), ("--on-wire",)])
@pytest.mark.parametrize("profile", PROFILES)
def test_a_healthy_cluster_is_quiet(l2probe: Command, profile: str, wire: tuple[str, ...]) -> None:
    """Nothing is said but that policy Local fails where Cilium before 1.20.2 elected a node without a backend."""
    ran = l2probe("audit", *wire, "--lab", "--profile", profile, "-o", "json")

    follows = profile.startswith("cilium-1.20.2")
    assert set(ran.codes) == (set() if follows else {"D01"})
    assert ran.code == (1 if "fail" in ran.worst else 0)
    assert wire or ran.worst <= {"warn"}
    if follows:
        assert ran.report["verdict"] == ("pass" if wire else "unknown")


def test_the_table_and_the_findings_come_from_the_evidence_alone(l2probe: Command, tmp_path: Path) -> None:
    """`judge` on the saved report gives byte for byte the same findings, and the same table."""
    saved = tmp_path / "report.json"
    saved.write_text(l2probe("audit", "--on-wire", "--lab", "--fault", "no-policy", "-o", "json").stdout)

    again = l2probe("judge", str(saved), "-o", "json")

    assert json.dumps(again.report["findings"]) == json.dumps(json.loads(saved.read_text())["findings"])
    assert re.search("^VERDICT +SERVICE +ADDRESS", l2probe("judge", str(saved)).stdout, re.MULTILINE)


def test_the_wire_says_who_was_seen(l2probe: Command) -> None:
    """One line each, the worst first, with claim and fact side by side."""
    ran = l2probe("audit", "--on-wire", "--lab", "--fault", "duplicate-announcers", "-l", "app=api")

    line = next(line for line in ran.stdout.splitlines() if line.startswith("FAIL") and "shop/api" in line)
    assert line.split()[-2:] == ["C01", "duplicate-announcers"]
    assert " and " in line
    assert "shop/web" not in ran.stdout


def test_audit_needs_the_printed_rights_only(l2probe: Command) -> None:
    """With exactly these it goes as with all rights, and says that nothing was missing."""
    writes = [f"denied:{verb}:*" for verb in ("create", "update", "patch", "delete", "deletecollection", "watch")]
    reads = [
        f"denied:{verb}:{resource}{f'.{group}' if group else ''}"
        for group, plurals in GROUPS.items()
        for resource in plurals
        for verb in ("get", "list")
        if (verb, resource, group) not in ALLOWED
    ]
    faults = [word for fault in (*writes, *reads) for word in ("--fault", fault)]

    ran = l2probe("audit", "--on-wire", "--lab", "--profile", "cilium-1.20.2-dsr", *faults, "-o", "json")

    assert ran.codes == []
    assert ran.report["verdict"] == "pass"


@pytest.mark.parametrize("resource", COSTS)
def test_one_right_less_is_v05_and_no_crash(l2probe: Command, resource: str) -> None:
    """The audit goes on without it, names it with what it costs, and accuses nobody."""
    ran = l2probe(
        "audit", "--lab", "--profile", "cilium-1.20.2-dsr", "--fault", f"denied:list:{resource}", "-o", "json"
    )

    (found,) = ran.report["findings"]
    assert (found["code"], found["verdict"]) == ("V05", "warn")
    assert resource in found["because"][0]
    assert "would show" in found["because"][0]
    assert ran.code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-n", "nowhere"), "has no Service of type LoadBalancer in namespace nowhere"),
        (("-l", "app=nothing"), "that the selector matches"),
        (("-l", "app=="), "that the selector matches"),
        (("-l", "app in (api"), "wrong at column 1"),
        (("--on-wire", "--interface", "eth9"), "The interface eth9 does not exist."),
        (("--fault", "denied:list:services"), "does not let this user list services"),
    ],
)
def test_bad_input_is_one_sentence(l2probe: Command, words: tuple[str, ...], said: str) -> None:
    """Exit code 2, an error that says what is wrong, and no traceback."""
    ran = l2probe("audit", "--lab", "-q", *words)

    assert ran.code == 2
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
    assert ran.stdout == ""


def test_ci_may_ask_for_predictions(l2probe: Command) -> None:
    """--fail-on warn makes a prediction fail the job; JUnit and HTML are written beside it."""
    assert l2probe("audit", "--lab", "--fail-on", "warn", "-q").code == 1
    assert l2probe("audit", "--lab", "--fail-on", "fail", "-q").code == 0
