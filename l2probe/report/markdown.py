"""The report as Markdown: what a job summary, a ticket or a merge request shows. Every text is made harmless.

GitHub, GitLab and Gitea read it alike: tables, <details> and character references of GitHub Flavored Markdown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from l2probe.judge import AUDIT, DIAGNOSE, EXISTING
from l2probe.judge.finding import called, whom
from l2probe.model import Finding, Report
from l2probe.report.checked import checked
from l2probe.report.inventory import inventory
from l2probe.report.proofs import rows
from l2probe.report.seen import Shown, seen
from l2probe.report.table import sentence, setting, still_open

MOST_FINDINGS = 100
"""GitHub drops a job summary above 1 MiB."""
MOST_LINES = 200
"""Lines of one table of evidence."""
MOST_CHARACTERS = 2000
"""Characters of one text."""
ENTITIES = {ord(character): f"&#{ord(character)};" for character in "&<>|`[]*_~\\#@"}
"""What Markdown, HTML or a forge would read as more than text; a mention calls somebody."""


def markdown(report: Report) -> str:
    """Return the report as Markdown, ending with a newline."""
    command = report.evidence.command
    diagnosis = command == DIAGNOSE
    services = inventory(report.evidence) if command == AUDIT else None
    parts = [
        f"## l2probe: {report.verdict.upper()}",
        f"**{text(sentence(report))}**",
        text(setting(report)),
        "" if command in EXISTING else grid(("Capability", "Result", "Proof"), capabilities(report)),
        evidence(services) if services else "",
        *map(finding, report.findings[:MOST_FINDINGS]),
        more(len(report.findings) - MOST_FINDINGS, "findings"),
        items("Checked and good", tuple(checked(report))) if diagnosis else "",
        items("Worth knowing", report.notes),
        items("Not known", still_open(report)),
        *map(evidence, seen(report.evidence)),
        f"Command: {text(report.command)}",
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def capabilities(report: Report) -> Iterator[tuple[str, str, str]]:
    """Yield what this cluster does, one line each."""
    return ((row.capability, row.result, row.proof) for row in rows(report))


def finding(found: Finding) -> str:
    """Return one finding: a heading, what was found, the fix, and the evidence folded."""
    after = f", a consequence of {found.consequence_of}" if found.consequence_of else ""
    subject = f" · {text(whom(found))}" if whom(found) else ""
    head = f"### {found.verdict.upper()} {found.code}: {text(called(found))}{after}"
    seen_lines = "\n".join(f"- {text(line)}" for line in found.because)
    folded = f"<details><summary>Evidence</summary>\n\n{seen_lines}\n\n</details>" if seen_lines else ""
    links = " · ".join(f"<{link}>" for link in found.references if link.startswith("https://"))
    parts = (head, f"`{found.slug}`{subject}", text(found.says), f"**Fix:** {text(found.remedy)}", folded, links)
    return "\n\n".join(filter(None, parts))


def evidence(table: Shown) -> str:
    """Return a folded table of evidence."""
    rest = more(len(table.lines) - MOST_LINES, "lines")
    body = "\n\n".join(filter(None, (grid(table.head, table.lines[:MOST_LINES]), rest)))
    return f"<details><summary>{table.title} ({len(table.lines)})</summary>\n\n{body}\n\n</details>"


def grid(head: Sequence[str], lines: Iterator[Sequence[str]] | Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    rule = "|".join("---" for _ in head)
    drawn = [f"| {' | '.join(map(text, line))} |" for line in lines]
    return "\n".join([f"| {' | '.join(head)} |", f"|{rule}|", *drawn])


def items(title: str, lines: Sequence[str]) -> str:
    """Return a list with its heading; "" without a line."""
    return "\n".join([f"### {title}", "", *(f"- {text(line)}" for line in lines)]) if lines else ""


def more(number: int, what: str) -> str:
    """Return how many were left out; "" for none."""
    return f"{number} more {what} are in the JSON report." if number > 0 else ""


def text(value: str) -> str:
    """Return a value as Markdown that is nothing but text, on one line; it may stand in a table."""
    line = " ".join("".join(c if c.isprintable() else " " for c in value[:MOST_CHARACTERS]).split())
    return line.translate(ENTITIES).replace("://", "&#58;//").replace("www.", "www&#46;")
