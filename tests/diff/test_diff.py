"""What changed between two reports: worse, better, or merely different."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from l2probe.cli.diff import command
from l2probe.diff import Change, Effect, compare, got_worse
from l2probe.judge import conclude
from l2probe.model import Datapath, Evidence, Node, NodeName, Outcome, Pool, Report, TrafficPolicy
from l2probe.report import render
from tests.judge.diagnosed import API, all_end, diagnosed, off_announcer, unheard, with_trial
from tests.judge.evidence import PROFILES, healthy, silent


def report(evidence: Evidence, started: str = "2026-11-23T20:00:00Z") -> Report:
    """Return the report about this evidence."""
    return conclude(evidence, started=started, duration_seconds=1.0, command="l2probe")


def changes(before: Evidence, after: Evidence) -> tuple[Change, ...]:
    """Compare two observations."""
    return compare(report(before), report(after))


def lines(before: Evidence, after: Evidence) -> set[tuple[str, str, str, str, str]]:
    """Return the changes as plain rows."""
    return {(c.effect.value, c.topic, c.subject, c.before, c.after) for c in changes(before, after)}


@pytest.mark.parametrize("name", PROFILES)
def test_the_same_is_no_change(name: str) -> None:
    """A report differs in nothing from itself."""
    assert changes(PROFILES[name], PROFILES[name]) == ()


def test_an_upgrade_that_mends_policy_local_is_better() -> None:
    """The finding is gone, the capability is there, the version says why."""
    found = lines(PROFILES["cilium-1.19-dsr"], PROFILES["cilium-1.20.2-dsr"])

    assert ("better", "finding", "D01 local-policy-blackhole", "warn smoke-local", "") in found
    assert ("better", "capability", "policy Local tcp4", "rejected", "moved") in found
    assert ("changed", "version", "implementation", "cilium v1.19.4", "cilium v1.20.2") in found
    assert not got_worse(changes(PROFILES["cilium-1.19-dsr"], PROFILES["cilium-1.20.2-dsr"]))


def test_a_lost_client_address_is_worse() -> None:
    """DSR to SNAT: the capability sinks and a finding appears, the setting stands beside it."""
    found = lines(PROFILES["cilium-1.20.2-dsr"], PROFILES["cilium-1.20.2-snat"])

    assert ("worse", "verdict", "", "pass", "warn") in found
    assert ("worse", "capability", "source tcp4", "always", "on-announcer-only") in found
    assert ("changed", "setting", "bpf-lb-mode", "dsr", "snat") in found
    assert any(row[:2] == ("worse", "finding") for row in found)


def test_what_got_worse_comes_first() -> None:
    """Worse, better, changed: in this order."""
    found = changes(PROFILES["cilium-1.19-dsr"], silent(healthy(version="v1.20.2")))

    order = [list(Effect).index(change.effect) for change in found]
    assert order == sorted(order)
    assert got_worse(found)


def test_rejected_and_dropped_are_equally_bad() -> None:
    """Another way to fail is a change and no worse."""
    found = lines(PROFILES["cilium-1.19-dsr"], PROFILES["cilium-1.19-dsr+drop"])

    assert ("changed", "capability", "policy Local tcp4", "rejected", "dropped") in found
    assert not any(row[0] == "worse" for row in found)


def test_what_only_one_asked_is_no_change() -> None:
    """A flow kind that only one run tried is not compared; that it was not tried is said."""
    found = lines(PROFILES["cilium-1.19-dsr"], PROFILES["cilium-1.17-dsr"])

    assert not any(topic == "capability" and subject.endswith("6") for _, topic, subject, _, _ in found)
    assert any(row[1:3] == ("vantage", "flows") for row in found)


def test_what_is_no_longer_known_is_not_mended() -> None:
    """From proven broken to cannot tell is a change, and no capability becomes better by it."""
    broken = all_end(diagnosed(), Outcome.TIMEOUT, "api")
    unknown = with_trial(diagnosed(), "api", lambda one: replace(one, obstacle="no route", replies=None, exchanges=()))

    assert ("changed", "verdict", "", "fail", "unknown") in lines(broken, unknown)
    assert not any(row[0] == "worse" for row in lines(broken, unknown))


def test_what_can_no_longer_be_told_is_worse_than_a_pass() -> None:
    """UNKNOWN is never a pass."""
    unknown = with_trial(diagnosed(), "api", lambda one: replace(one, obstacle="no route", replies=None, exchanges=()))

    assert ("worse", "verdict", "", "pass", "unknown") in lines(diagnosed(), unknown)


def test_a_service_that_died_is_named() -> None:
    """The finding with what it says, the announcer that is gone."""
    found = changes(diagnosed(), unheard(diagnosed()))

    (finding,) = (change for change in found if change.topic == "finding")
    assert (finding.effect, finding.subject) == (Effect.WORSE, "B07 silent-leader")
    assert "node-1 held the lease" in finding.says
    assert {(c.topic, c.subject, c.after) for c in found} >= {("announcer", "shop/api", "")}


def test_an_announcer_that_moved_is_a_change() -> None:
    """Another holder, another answerer: said, and not judged by itself."""
    found = lines(diagnosed(), off_announcer(diagnosed(), Outcome.ANSWERED))

    assert found >= {
        ("changed", "announcer", "shop/web", "node-2", "node-3"),
        ("changed", "claim", "shop/web", "node-2", "node-3"),
    }
    assert not any(row[0] == "worse" for row in found)


def test_what_was_not_looked_at_is_no_change() -> None:
    """Claims that one of the two could not read are not said to be gone."""
    blind = replace(diagnosed(), trials=tuple(replace(t, claims=None, replies=None) for t in diagnosed().trials))

    assert not any(row[1] in {"announcer", "claim"} for row in lines(diagnosed(), blind))


def test_addresses_policies_and_nodes_are_compared() -> None:
    """What an upgrade or a colleague changed in the objects."""
    old = diagnosed()
    other = replace(API, vips=API.vips[:1], policy=TrafficPolicy.LOCAL)
    new = with_trial(old, "api", lambda one: replace(one, service=other))
    nodes = (*(old.cluster.nodes or ())[:2], Node(name=NodeName("node-9"), addresses=(), ready=False))
    new = replace(
        new,
        cluster=replace(new.cluster, nodes=nodes, pools=(Pool(name="lan", blocks=("10.0.0.0/24",)),), announcing=False),
    )

    found = {(topic, subject) for _, topic, subject, _, _ in lines(old, new)}

    assert found >= {
        ("address", "shop/api"),
        ("policy", "shop/api"),
        ("node", "node-3"),
        ("node", "node-9"),
        ("pool", "lan"),
        ("setting", "announcing"),
    }


def test_our_own_services_are_compared_by_name() -> None:
    """Each run has a namespace of its own; its Services are the same all the same."""
    old = PROFILES["cilium-1.20.2-dsr"]
    new = replace(
        old,
        trials=tuple(replace(t, service=replace(t.service, namespace="l2probe-12345678")) for t in old.trials),
    )

    assert changes(old, new) == ()


def saved(path: Path, evidence: Evidence) -> str:
    """Save a report."""
    path.write_text(render(report(evidence), "json"))
    return str(path)


def test_the_command_exits_with_one_when_something_got_worse(tmp_path: Path) -> None:
    """0 for better and for nothing, 1 for worse."""
    good = saved(tmp_path / "good.json", diagnosed())
    bad = saved(tmp_path / "bad.json", unheard(diagnosed()))
    run = CliRunner()

    worse, better, same = (
        run.invoke(command, ends, standalone_mode=False) for ends in ([good, bad], [bad, good], [good, good])
    )

    assert [worse.return_value, better.return_value, same.return_value] == [1, 0, 0]
    assert worse.output.startswith("PASS (2026-11-23T20:00:00Z) -> FAIL (2026-11-23T20:00:00Z)\n\nWORSE    verdict")
    assert same.output.endswith("Nothing changed.\n")
    assert all(len(line) <= 120 for line in worse.output.splitlines())


def test_the_json_is_one_document(tmp_path: Path) -> None:
    """For programs: both ends, whether it got worse, and every change."""
    good = saved(tmp_path / "good.json", diagnosed(datapath=Datapath.DSR))
    bad = saved(tmp_path / "bad.json", all_end(diagnosed(), Outcome.TIMEOUT, "api"))

    document = json.loads(CliRunner().invoke(command, ["-o", "json", good, bad], standalone_mode=False).output)

    assert document["schema"] == "l2probe/diff/v1"
    assert document["worse"] is True
    assert document["after"]["verdict"] == "fail"
    assert set(document["changes"][0]) == {"effect", "topic", "subject", "before", "after", "says"}


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"[]", b'{"schema": "other"}', b"\xff\xfe", b"a: [b"])
def test_an_unreadable_report_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    """Exit code 2 comes from the boundary; here it is a ReportError, never a traceback of another kind."""
    good = saved(tmp_path / "good.json", diagnosed())
    (tmp_path / "odd").write_bytes(content)

    result = CliRunner().invoke(command, [good, str(tmp_path / "odd")], standalone_mode=False)

    assert type(result.exception).__name__ == "ReportError"


def test_stdin_cannot_be_both() -> None:
    """Two dashes are a usage error."""
    result = CliRunner().invoke(command, ["-", "-"], standalone_mode=False)

    assert "stdin" in str(result.exception)
