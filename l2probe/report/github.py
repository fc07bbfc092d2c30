"""The report as workflow commands of GitHub Actions, one a line: what stands beside the job in its list of checks.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from collections.abc import Iterator

from l2probe.judge.finding import whom
from l2probe.model import Finding, Report, Verdict

LEVELS = {Verdict.FAIL: "error", Verdict.UNKNOWN: "warning"}
"""Of the findings that end the job; others get no annotation."""


def workflow_commands(report: Report) -> Iterator[str]:
    """Yield one workflow command for each finding that is FAIL or UNKNOWN."""
    for found in report.findings:
        if found.verdict in LEVELS:
            yield command(LEVELS[found.verdict], f"{found.code} {found.slug}", said(found))


def said(found: Finding) -> str:
    """Return a finding in one sentence."""
    about = f"{whom(found)}: " if whom(found) else ""
    after = f" (a consequence of {found.consequence_of})" if found.consequence_of else ""
    return f"{about}{found.says}{after} {found.remedy}"


def command(level: str, title: str, message: str) -> str:
    """Return a workflow command, escaped as GitHub's toolkit does: percent, line ends, in the title colon and comma."""
    return f"::{level} title={data(title).replace(':', '%3A').replace(',', '%2C')}::{data(message)}"


def data(text: str) -> str:
    """Return a text in which nothing ends the line."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
