#!/usr/bin/env python3
"""Tells GitHub what a JSON report says: job summary, annotations, the verdict as an output. Standard library only.

    python3 .ci/summary.py report.json --exit-code 1

Appends Markdown to the file $GITHUB_STEP_SUMMARY (else prints it), prints `::error::` for each FAIL finding and
`::warning::` for each UNKNOWN one, and appends `verdict=` to the file $GITHUB_OUTPUT. It decides nothing: its own
exit code is 0 whatever the verdict. Everything in a report is foreign text and is escaped.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

Json = Mapping[str, object]

FLOWS = ("tcp4", "udp4", "tcp6", "udp6")
LEVELS = {"fail": "error", "unknown": "warning"}
"""GitHub's annotation level of a verdict; others get none."""
MOST_FINDINGS = 100
"""Findings in a summary: GitHub refuses one above 1 MiB."""
MOST_CHARACTERS = 2000
"""Characters of one foreign text in a summary."""


def load(path: Path) -> Json | None:
    """Read a report; None when there is none or it is no JSON object."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return cast("Json", document) if isinstance(document, dict) else None


def markdown(report: Json | None, exit_code: int) -> str:
    """Return the job summary."""
    if report is None or "findings" not in report:
        return f"## l2probe: no report\n\n{_code(_trouble(report, exit_code))}\n"
    findings = _mappings(report.get("findings"))
    parts = [f"## l2probe: {_text(report.get('verdict')).upper()}", _headline(report), _capabilities(report)]
    parts += [_findings(findings)] if findings else ["No findings."]
    parts += [f"{len(findings) - MOST_FINDINGS} more are in the report."] if len(findings) > MOST_FINDINGS else []
    return "\n\n".join(part for part in parts if part) + "\n"


def workflow_commands(report: Json | None, exit_code: int) -> Iterator[str]:
    """Yield GitHub workflow commands, one a line."""
    if report is None or "findings" not in report:
        yield _command("error", "l2probe", _trouble(report, exit_code))
        return
    for finding in _mappings(report.get("findings")):
        level = LEVELS.get(str(finding.get("verdict")))
        if level:
            yield _command(level, f"{finding.get('code')} {finding.get('slug')}", _sentence(finding))


def verdict(report: Json | None) -> str:
    """Return the report's verdict, `unknown` without a report."""
    value = str(report.get("verdict")) if report else ""
    return value if value in {"pass", "warn", "unknown", "fail"} else "unknown"


def _trouble(report: Json | None, exit_code: int) -> str:
    """Say why there is no report, in the words of l2probe's error document (l2probe/error/v1) where it left one."""
    words = f"{report.get('error', '')} {report.get('hint') or ''}".strip() if report else ""
    return words or f"l2probe ended with exit code {exit_code} and left no report."


def _sentence(finding: Json) -> str:
    about = _subject(finding)
    cause = finding.get("consequence_of")
    said = f"{about}: {finding.get('says')}" if about else str(finding.get("says"))
    because = f" (a consequence of {cause})" if cause else ""
    return f"{said}{because} {finding.get('remedy') or ''}".strip()


def _subject(finding: Json) -> str:
    subject = _mapping(finding.get("subject"))
    name = "/".join(str(subject[key]) for key in ("namespace", "name") if subject.get(key))
    return " ".join(part for part in (name, str(subject.get("address") or "")) if part)


def _headline(report: Json) -> str:
    cluster = _mapping(_mapping(report.get("evidence")).get("cluster"))
    words = [f"`{_text(report.get('command'))}`"] if report.get("command") else []
    words += [f"context {_text(cluster['context'])}"] if cluster.get("context") else []
    seconds = report.get("duration_seconds")
    words += [f"{seconds:.1f} s"] if isinstance(seconds, int | float) else []
    words += [_text(report["tool"])] if report.get("tool") else []
    return " · ".join(words)


def _capabilities(report: Json) -> str:
    found = _mapping(report.get("capabilities"))
    if not found:
        return ""
    rows = [f"| | {' | '.join(FLOWS)} |", f"|---|{'---|' * len(FLOWS)}"]
    for key, label in (
        ("reachable", "reachable"),
        ("source", "client's source address"),
        ("local_policy", "policy Local"),
    ):
        values = _mapping(found.get(key))
        rows.append(f"| {label} | {' | '.join(_text(values.get(flow)) for flow in FLOWS)} |")
    facts = (
        ("announced by", "announced_by"),
        ("exclusive", "exclusive"),
        ("largest payload, bytes", "largest_payload_bytes"),
    )
    said = ", ".join(f"{label}: **{_text(found.get(key))}**" for label, key in facts)
    return "\n".join([*rows, "", said])


def _findings(findings: Sequence[Json]) -> str:
    rows = ["| verdict | finding | about | what |", "|---|---|---|---|"]
    details = []
    for finding in findings[:MOST_FINDINGS]:
        code = f"{_text(finding.get('code'))} {_text(finding.get('slug'))}"
        cause = f"<br>a consequence of {_text(finding['consequence_of'])}" if finding.get("consequence_of") else ""
        said = f"{_text(finding.get('says'))}<br>**{_text(finding.get('remedy'))}**"
        rows.append(
            f"| {_text(finding.get('verdict')).upper()} | {code}{cause} | {_text(_subject(finding) or None)} | {said} |"
        )
        lines = finding.get("because")
        seen = "".join(f"\n- {_text(line)}" for line in lines) if isinstance(lines, list) else ""
        details.append(f"<details><summary>{code}: evidence</summary>\n{seen}\n\n</details>" if seen else "")
    return "\n".join([*rows, "", *filter(None, details)])


def _text(value: object) -> str:
    """Return a value as Markdown that is nothing but text, on one line; it may stand in a table."""
    known = {None: "-", True: "yes", False: "no"}
    said = known[value] if value is None or isinstance(value, bool) else str(value)
    said = " ".join(said[:MOST_CHARACTERS].split())
    for raw, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "&#124;"), ("`", "&#96;"), ("[", "&#91;")):
        said = said.replace(raw, escaped)
    return said.replace("*", "&#42;").replace("_", "&#95;") if value is not None else said


def _code(text: str) -> str:
    return f"<pre>{_text(text)}</pre>"


def _command(level: str, title: str, message: str) -> str:
    """Return a workflow command, escaped as GitHub's toolkit does: percent, line ends, in the title colon and comma."""

    def data(text: str) -> str:
        return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")

    return f"::{level} title={data(title).replace(':', '%3A').replace(',', '%2C')}::{data(message)}"


def _mapping(value: object) -> Json:
    return cast("Json", value) if isinstance(value, dict) else {}


def _mappings(value: object) -> list[Json]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _append(variable: str, text: str) -> bool:
    """Append to the file that an environment variable names; False when it is not set."""
    path = os.environ.get(variable)
    if not path:
        return False
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(text)
    return True


def main(argv: Sequence[str] | None = None) -> int:
    """Write summary, annotations and output; exit code 0 (2 on wrong usage)."""
    parser = argparse.ArgumentParser(description="Tell GitHub what an l2probe JSON report says.")
    parser.add_argument("report", type=Path, help="what `l2probe run -o json` wrote")
    parser.add_argument("--exit-code", type=int, required=True, help="what l2probe ended with")
    arguments = parser.parse_args(argv)
    report = load(arguments.report)
    summary = markdown(report, arguments.exit_code)
    if not _append("GITHUB_STEP_SUMMARY", summary):
        sys.stdout.write(summary)
    for line in workflow_commands(report, arguments.exit_code):
        sys.stdout.write(f"{line}\n")
    _append("GITHUB_OUTPUT", f"verdict={verdict(report)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
