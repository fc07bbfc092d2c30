"""The report for a person: verdict first, capabilities with their proof, findings cause first."""

from __future__ import annotations

from collections.abc import Iterator

from l2probe.judge import AUDIT, DIAGNOSE, EXISTING, on_wire, unproven
from l2probe.judge.existing import besides
from l2probe.judge.finding import called, whom
from l2probe.judge.order import PREDICTED
from l2probe.judge.words import listing, seconds
from l2probe.model import Evidence, Finding, Report, Verdict
from l2probe.report.checked import checked, summary
from l2probe.report.inventory import STEPS, inventory, totals, unfinished
from l2probe.report.layout import GAP, NARROWEST, grid, wrap
from l2probe.report.narrow import drawn, fitted
from l2probe.report.proofs import rows
from l2probe.report.seen import CLAIMED, seen

COLORS = {Verdict.PASS: "32", Verdict.WARN: "33", Verdict.UNKNOWN: "35", Verdict.FAIL: "31"}
MOST_OPEN = 10
"""Open questions of an audit that are printed."""


def table(report: Report, *, color: bool, width: int, wide: bool, whole: bool = False) -> str:
    """Return the report as text; `width` in columns, `wide` adds the evidence it rests on.

    `whole`: no terminal shows it, so that the table of all Services is complete, however wide it is.
    """
    width = max(width, NARROWEST)
    if report.evidence.command == DIAGNOSE:
        return diagnosis(report, color=color, width=width, wide=wide)
    if report.evidence.command == AUDIT:
        return audit(report, color=color, width=width, wide=wide, whole=whole)
    blocks = [headline(report, color=color, width=width), capability_table(report, width)]
    if report.findings:
        blocks.append("\n\n".join(findings(report, color=color, width=width, wide=wide)))
    blocks.append(open_questions(report, width))
    if report.notes:
        blocks.append("\n".join(["WORTH KNOWING", *(wrap(line, width, "- ") for line in report.notes)]))
    if wide:
        blocks += evidence_tables(report, width)
    return "\n\n".join(filter(None, blocks)) + "\n"


def diagnosis(report: Report, *, color: bool, width: int, wide: bool) -> str:
    """Return what is wrong first, then what was found good, then what could not be known from here."""
    blocks = [headline(report, color=color, width=width)]
    if report.findings:
        blocks.append("\n\n".join(findings(report, color=color, width=width, wide=wide)))
    if good := tuple(checked(report)):
        blocks.append("\n".join(["CHECKED AND GOOD", *(wrap(line, width, "- ") for line in good)]))
    if lines := still_open(report):
        blocks.append("\n".join(["NOT KNOWN FROM HERE", *(wrap(line, width, "- ") for line in lines)]))
    if wide:
        blocks += evidence_tables(report, width)
    return "\n\n".join(filter(None, blocks)) + "\n"


def audit(report: Report, *, color: bool, width: int, wide: bool, whole: bool) -> str:
    """Return every Service in one table, then the findings, what else is worth knowing, and what stayed open."""
    shown = services(report.evidence, color=color, width=None if wide or whole else width)
    blocks = [headline(report, color=color, width=width), shown]
    if report.findings:
        blocks.append("\n\n".join(findings(report, color=color, width=width, wide=wide)))
    for title, lines in (("WORTH KNOWING", report.notes), ("NOT KNOWN FROM HERE", still_open(report))):
        if lines:
            blocks.append("\n".join([title, *(wrap(line, width, "- ") for line in lines)]))
    if wide:
        blocks += evidence_tables(report, width)
    return "\n\n".join(filter(None, blocks)) + "\n"


def still_open(report: Report) -> tuple[str, ...]:
    """Return what could not be known, as a reader of this command's report needs it."""
    said = tuple(unproven(report.evidence, report.capabilities, report.findings))
    if report.evidence.command == AUDIT:
        return unfinished(iter(said), MOST_OPEN)
    return (*said, *besides(report.evidence)) if report.evidence.command == DIAGNOSE else said


def services(evidence: Evidence, *, color: bool, width: int | None) -> str:
    """Return the table of all Services, each line with its verdict's colour; `width` None: complete, however wide."""
    table = fitted(inventory(evidence), width, STEPS)
    words = {verdict.upper(): verdict for verdict in Verdict}
    lines = []
    for line, word in drawn(table):
        lines.append(paint(word, words[word], color=color) + line[len(word) :] if word in words else line)
    if table.left_out and width is not None:
        left = listing(heading.lower() for heading in table.left_out)
        lines.append(wrap(f"(Left out for want of room: {left}; -o wide shows all.)", width, ""))
    return "\n".join(lines)


def paint(text: str, verdict: Verdict, *, color: bool) -> str:
    """Return the text in the verdict's colour, bold."""
    return f"\x1b[1;{COLORS[verdict]}m{text}\x1b[0m" if color else text


def headline(report: Report, *, color: bool, width: int) -> str:
    """Return the verdict with one sentence, and where it was seen."""
    word = report.verdict.upper()
    text = wrap(sentence(report), width, f"{word:<8}")
    return paint(word, report.verdict, color=color) + text[len(word) :] + "\n" + wrap(setting(report), width, " " * 8)


def sentence(report: Report) -> str:
    """Return what the report says, in one sentence."""
    causes = [found for found in report.findings if found.consequence_of is None]
    leading = [found for found in causes if found.verdict is report.verdict]
    if leading:
        titles = [f"{called(found)} ({found.code}{foretold(found)})" for found in leading]
        return f"{'; '.join(titles[:3])}{f'; and {len(titles) - 3} more' if len(titles) > 3 else ''}."  # noqa: PLR2004 - three are a sentence
    if not on_wire(report.evidence):
        return f"Nothing is predicted to go wrong ({totals(report.evidence)}); only the wire proves it (--on-wire)."
    if report.verdict is Verdict.UNKNOWN:
        return next(iter(unproven(report.evidence, report.capabilities, report.findings)), "Nothing was proven.")
    return summary(report) if report.evidence.command in EXISTING else "All that was asked is proven."


def foretold(found: Finding) -> str:
    """Return that a finding is a prediction; "" for what was seen."""
    return ", predicted" if any(line.startswith(PREDICTED) for line in found.because) else ""


def setting(report: Report) -> str:
    """Return which cluster was probed from where."""
    cluster, vantage = report.evidence.cluster, report.evidence.vantage
    implementation = " ".join(filter(None, (cluster.implementation, cluster.implementation_version)))
    mode = f" ({cluster.datapath})" if cluster.datapath else ""
    parts = (
        report.tool,
        cluster.context or "",
        f"Kubernetes {cluster.server_version}" if cluster.server_version else "",
        f"{implementation}{mode}" if implementation else "",
        f"from {vantage.interface} {listing(vantage.addresses[:2])}".strip() if vantage.interface else "",
        "" if on_wire(report.evidence) else "from the API alone",
        totals(report.evidence) if report.evidence.command == AUDIT else "",
        seconds(report.duration_seconds),
    )
    return " · ".join(filter(None, parts))


def capability_table(report: Report, width: int) -> str:
    """Return what this cluster does, with the proof."""
    lines = [(row.capability, row.result, row.proof) for row in rows(report)]
    head = ("CAPABILITY", "RESULT", "PROOF")
    taken = max(*(len(line[0]) for line in lines), len(head[0]) + GAP) + GAP
    result = min(max(*(len(line[1]) for line in lines), len(head[1]) + GAP), width // 4)
    return grid(head, lines, (None, result, max(20, width - taken - result - GAP)))


def findings(report: Report, *, color: bool, width: int, wide: bool) -> Iterator[str]:
    """Yield each finding; consequences are indented below their cause."""
    for found in report.findings:
        if found.consequence_of is None:
            yield cause(found, color=color, width=width, wide=wide)
        else:
            yield consequence(found, color=color, width=width, wide=wide)


def cause(found: Finding, *, color: bool, width: int, wide: bool) -> str:
    """Return a finding with its evidence and its remedy."""
    pad = " " * 8
    subject = whom(found)
    word = found.verdict.upper()
    title = wrap(f"{found.code} {found.slug}{f' · {subject}' if subject else ''}", width, f"{word:<8}")
    lines = [paint(word, found.verdict, color=color) + title[len(word) :], wrap(found.says, width, pad)]
    lines += [wrap(line, width, f"{pad}· ") for line in found.because]
    lines.append(wrap(found.remedy, width, f"{pad}Fix: "))
    see = found.references if wide else found.references[:1]
    lines += [f"{pad}See: {see[0]}", *(f"{pad}     {link}" for link in see[1:])] if see else []
    return "\n".join(lines)


def consequence(found: Finding, *, color: bool, width: int, wide: bool) -> str:
    """Return a consequence: shorter, for its cause is what must be mended."""
    pad = " " * 8
    word = found.verdict.upper()
    title = f"{word} {found.code} {found.slug}, a consequence of {found.consequence_of}"
    lines = [f"{pad}{paint(word, found.verdict, color=color)}{title[len(word) :]}", wrap(found.says, width, pad)]
    lines += [wrap(line, width, f"{pad}· ") for line in found.because] if wide else []
    return "\n".join(lines)


def open_questions(report: Report, width: int) -> str:
    """Return what could not be known."""
    lines = list(unproven(report.evidence, report.capabilities, report.findings))
    if not lines:
        return ""
    return "\n".join(["NOT KNOWN", *(wrap(line, width, "- ") for line in lines)])


def evidence_tables(report: Report, width: int) -> Iterator[str]:
    """Yield what was seen: who answered, what was claimed, what came of the traffic."""
    for shown in seen(report.evidence):
        limits = (None, None, max(20, width - 50)) if shown.title == CLAIMED else (None,) * len(shown.head)
        yield f"{shown.title.upper()}\n" + grid([word.upper() for word in shown.head], shown.lines, limits)
