""".ci/summary.py: what GitHub is told about a report, with every foreign character made harmless."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2probe.model import Verdict
from l2probe.report import load, render
from tests.ci.runner import ROOT

PROGRAM = ROOT / ".ci" / "summary.py"
RECORDED = json.loads(Path(__file__).with_name("fail.json").read_text())


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ci_summary", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


summary = _load()

texts = st.text(st.characters(codec="utf-8"), max_size=40)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
)


def findings_table(markdown: str) -> list[list[str]]:
    """Return the cells of the findings' table."""
    rows = markdown.split("| verdict | finding | about | what |\n", 1)[1].splitlines()[1:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows if row.startswith("|")]


def test_the_verdict_comes_first_and_capabilities_are_a_table() -> None:
    """Who opens the job sees the verdict, then what this cluster does."""
    lines = summary.markdown(RECORDED, 1).splitlines()
    assert lines[0] == "## l2probe: FAIL"
    assert "context kind-l2probe-cilium" in lines[2]
    assert "41.3 s" in lines[2]
    assert "| reachable | yes | yes | - | - |" in lines
    assert "| policy Local | dropped | unknown | unknown | unknown |" in lines
    assert "announced by: **l2probe-cilium-worker**, exclusive: **yes**, largest payload, bytes: **1400**" in lines


def test_every_finding_has_its_row_in_the_report_s_order() -> None:
    """Causes first, consequences marked, each with subject, sentence and remedy."""
    rows = findings_table(summary.markdown(RECORDED, 1))
    assert [row[0] for row in rows] == ["FAIL", "FAIL", "WARN", "UNKNOWN"]
    assert rows[0][1:3] == ["E03 dsr-not-effective", "l2probe-7f3a/source 172.18.255.200"]
    assert "a consequence of E03" in rows[1][1]
    assert "**Set externalTrafficPolicy: Cluster, or run a backend on every node that may announce.**" in rows[1][3]
    assert rows[2][2] == "-"


def test_the_evidence_can_be_unfolded() -> None:
    """Every finding names its evidence; it is one click away."""
    markdown = summary.markdown(RECORDED, 1)
    assert "<summary>E03 dsr-not-effective: evidence</summary>" in markdown
    assert "\n- The SYN-ACK came from 02:42:ac:12:00:03, the announcer's MAC." in markdown
    assert "D12 intermittent-loss: evidence" not in markdown


def test_foreign_text_is_only_text() -> None:
    """A Pod's name or a server's message makes no table cell, no HTML, no code and no command."""
    markdown = summary.markdown(RECORDED, 1)
    assert "evil &#124; &lt;script&gt; &#96;x&#96; &#42;y&#42; ::error::forged" in markdown
    assert "<script>" not in markdown


@given(says=texts)
def test_no_text_breaks_the_table(says: str) -> None:
    """Whatever a finding says, its row stays one row of four cells."""
    report = {**RECORDED, "findings": [{**RECORDED["findings"][0], "says": says}]}
    (row,) = findings_table(summary.markdown(report, 1))
    assert len(row) == 4


@given(title=texts, message=texts)
def test_a_workflow_command_is_one_line_with_one_title(title: str, message: str) -> None:
    """GitHub reads commands from any line that begins with `::`, so no message may begin another line."""
    line = summary._command("error", title, message)
    assert "\n" not in line
    assert "\r" not in line
    head, _, said = line.removeprefix("::error title=").partition("::")
    assert not set(":,") & set(head)
    assert said.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%") == message


def test_fail_is_an_error_unknown_a_warning_and_a_warning_nothing() -> None:
    """An annotation is for what ends the job; a consequence names its cause."""
    lines = list(summary.workflow_commands(RECORDED, 1))
    assert [line.split(" ", 1)[0] for line in lines] == ["::error", "::error", "::warning"]
    assert lines[1].startswith(
        "::error title=D01 local-policy-blackhole::l2probe-7f3a/local 172.18.255.201: Policy Local dropped"
    )
    assert "100%25 lost" in lines[1]
    assert "(a consequence of E03)" in lines[1]
    assert lines[2].endswith("%0A::error::forged Run as root.")


def test_a_clean_report_says_so() -> None:
    """No findings is a sentence, not an empty table."""
    report = {**RECORDED, "verdict": "pass", "findings": []}
    assert summary.markdown(report, 0).endswith("\n\nNo findings.\n")
    assert list(summary.workflow_commands(report, 0)) == []
    assert summary.verdict(report) == "pass"


def test_the_error_document_is_told_in_its_own_words() -> None:
    """With -o json a failure of ours leaves l2probe/error/v1 on standard output."""
    report = {"schema": "l2probe/error/v1", "error": "The API server refused us.", "hint": "Log in again."}
    assert list(summary.workflow_commands(report, 2)) == [
        "::error title=l2probe::The API server refused us. Log in again."
    ]
    assert "The API server refused us. Log in again." in summary.markdown(report, 2)
    assert summary.verdict(report) == "unknown"


def test_a_long_report_stays_below_github_s_limit() -> None:
    """GitHub drops a summary above 1 MiB; what was left out is counted."""
    finding = {**RECORDED["findings"][0], "says": "x" * 100_000, "because": ["y" * 100_000] * 3}
    markdown = summary.markdown({**RECORDED, "findings": [finding] * 300}, 1)
    assert len(markdown.encode()) < 1024 * 1024
    assert markdown.endswith("\n\n200 more are in the report.\n")


@given(report=st.dictionaries(st.sampled_from([*RECORDED, "error", "hint"]), values, max_size=6))
def test_any_json_object_is_told_without_a_crash(report: dict[str, Any]) -> None:
    """A report of another version, or a damaged one, still ends as a summary, and the verdict is one of four words."""
    assert summary.markdown(report, 2).startswith("## l2probe")
    assert all(line.startswith("::") and "\n" not in line for line in summary.workflow_commands(report, 2))
    assert summary.verdict(report) in {"pass", "warn", "unknown", "fail"}


@pytest.mark.parametrize("content", [None, b"", b"[]", b"{", b"\xff\xfe", b"Traceback (most recent call last):"])
def test_what_is_no_report_is_said_to_be_none(tmp_path: Path, content: bytes | None) -> None:
    """Outside GitHub it prints the summary; its own exit code is 0, the verdict is another step's."""
    path = tmp_path / "report.json"
    if content is not None:
        path.write_bytes(content)
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(path), "--exit-code", "2"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("## l2probe: no report\n")
    assert "::error title=l2probe::l2probe ended with exit code 2 and left no report." in done.stdout


def test_the_recorded_report_is_one_that_l2probe_reads() -> None:
    """The summary is tested on the contract, not on what somebody believed it to be."""
    report = load(Path(__file__).with_name("fail.json").read_bytes())
    assert report.verdict is Verdict.FAIL
    assert json.loads(render(report, "json"))["findings"] == RECORDED["findings"]
