"""A finished report: its exit code, its files, and what is said about a namespace that stayed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from l2probe.cli import GITHUB, complain, execute
from l2probe.cli.deliver import annotate, check_writable, exit_code, write_files, write_junit
from l2probe.errors import UsageError
from l2probe.judge import conclude
from l2probe.model import Cluster, Evidence, NodeName, Report, Vantage, Verdict
from l2probe.report import render
from l2probe.run import Ran
from tests.run.played import plan

EVIDENCE = Evidence(
    cluster=Cluster(implementation="cilium"), vantage=Vantage(interface="eth0", cluster_node=NodeName("node-1"))
)


def report(verdict: Verdict) -> Report:
    """Return a report with this verdict."""
    concluded = conclude(EVIDENCE, started="2026-01-01T00:00:00Z", duration_seconds=1.0, command="l2probe run")
    return replace(concluded, verdict=verdict)


@pytest.mark.parametrize(
    ("verdict", "normal", "strict"),
    [(Verdict.PASS, 0, 0), (Verdict.WARN, 0, 1), (Verdict.UNKNOWN, 2, 2), (Verdict.FAIL, 1, 1)],
)
def test_exit_code_is_the_verdict(verdict: Verdict, normal: int, strict: int) -> None:
    """0 proven good, 1 proven broken, 2 could not tell; --strict makes a warning broken."""
    assert exit_code(report(verdict), strict=False) == normal
    assert exit_code(report(verdict), strict=True) == strict


def test_junit_appears_whole(tmp_path: Path) -> None:
    """The file is XML, and no temporary one stays beside it."""
    write_junit(report(Verdict.WARN), tmp_path / "x.xml")

    assert ET.parse(tmp_path / "x.xml").getroot().tag == "testsuites"
    assert [path.name for path in tmp_path.iterdir()] == ["x.xml"]


def test_every_file_that_was_asked_for_appears_and_no_other(tmp_path: Path) -> None:
    """--junit-file and --html stand beside each other; neither is written unasked."""
    write_files(report(Verdict.WARN), junit_file=None, html_file=None)
    write_files(report(Verdict.WARN), junit_file=tmp_path / "x.xml", html_file=tmp_path / "x.html")

    assert {path.name for path in tmp_path.iterdir()} == {"x.xml", "x.html"}
    assert (tmp_path / "x.html").read_text().startswith("<!doctype html>\n")


@pytest.mark.parametrize(("value", "expected"), [("true", 1), ("", 0), ("false", 0)])
def test_findings_stand_beside_the_job_in_github_actions_only(
    value: str, expected: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """V01 ends the job, so it is an annotation there; elsewhere nobody wants such a line. stdout is the report's."""
    monkeypatch.setenv(GITHUB, value)
    annotate(report(Verdict.UNKNOWN))
    out, err = capsys.readouterr()

    assert out == ""
    assert err.count("::warning title=V01 on-a-cluster-node::") == expected


def test_a_failure_of_ours_is_an_error_line_in_github_actions(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A job that ends without a report says beside itself why."""
    monkeypatch.setenv(GITHUB, "true")
    complain([], "No cluster\nanswered.", "Look at it.")

    assert capsys.readouterr().err.splitlines()[-1] == "::error title=l2probe::No cluster%0Aanswered. Look at it."


def test_junit_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """A missing directory is told with the file's name."""
    with pytest.raises(UsageError, match=r"x\.xml could not be written: No such file or directory"):
        write_junit(report(Verdict.WARN), tmp_path / "no" / "x.xml")


@pytest.mark.parametrize(
    ("code", "broken", "expected"),
    [
        pytest.param(0, False, 2, id="a pass that left something is no success"),
        pytest.param(1, True, 1, id="a proven failure stays one"),
    ],
)
def test_a_run_that_could_not_clean_up(
    *, code: int, broken: bool, expected: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is left is said, with the command that removes it."""
    ran = Ran(evidence=EVIDENCE, leftover="Namespace l2probe-0badcafe was still terminating after 60 s.")

    assert execute._mention_leftover(plan(), ran, code, broken=broken) == expected
    assert "l2probe cleanup --run 0badcafe" in capsys.readouterr().err


def test_keep_names_the_command_that_removes(capsys: pytest.CaptureFixture[str]) -> None:
    """--keep changes no exit code."""
    assert execute._mention_leftover(plan(keep=True), Ran(evidence=EVIDENCE), 0, broken=False) == 0
    assert capsys.readouterr().err == (
        "Kept namespace l2probe-0badcafe. Remove it with `l2probe cleanup --run 0badcafe`.\n"
    )


@pytest.mark.parametrize(
    ("path", "why"),
    [("absent/report.xml", "no directory"), (".", "it is a directory")],
    ids=["no such directory", "a directory"],
)
def test_a_file_that_cannot_be_written_is_refused_before_anything_is_done(tmp_path: Path, path: str, why: str) -> None:
    """Nobody waits for a run whose report then has no place."""
    with pytest.raises(UsageError, match=why):
        check_writable(None, tmp_path / path)


def test_a_full_device_is_not_a_broken_network(tmp_path: Path) -> None:
    """A report that could not be written exits with 2, in one sentence."""
    saved = tmp_path / "report.json"
    saved.write_text(render(report(Verdict.WARN), "json"))
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "l2probe", "judge", str(saved), "-o", "json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert done.returncode == 2
    assert done.stderr.startswith("error: stdout could not be written")
