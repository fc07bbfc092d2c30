"""The report as JUnit XML in the subset that every reader takes (xunit2): what CI systems show.

A test case has classname, name and time only; names are unique; a message stands in its attribute and in the text,
because GitLab reads only the text and Jenkins shows the attribute. UNKNOWN is an error, WARN passes with a word in
system-out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from l2probe.judge import AUDIT, asks_local, asks_source, unproven
from l2probe.model import Finding, LocalPolicy, Report, Source, Verdict
from l2probe.report.inventory import lines_of

FAMILIES = {
    "A": "address",
    "B": "announcement",
    "C": "ownership",
    "D": "delivery",
    "E": "client address",
    "F": "stability",
    "V": "vantage",
}
CAPABILITIES, FINDINGS, SERVICES = "l2probe.capabilities", "l2probe.findings", "l2probe.services"
ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even escaped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One test case. `text` is shown where it does not pass cleanly; `skipped` marks what nobody asked."""

    classname: str
    name: str
    verdict: Verdict
    text: str = ""
    skipped: bool = False


def junit(report: Report) -> str:
    """Return a JUnit XML document with one test suite, ending with a newline."""
    found = tuple(checks(report))
    suite = ET.Element(
        "testsuite",
        name="l2probe",
        tests=str(len(found)),
        failures=str(sum(check.verdict is Verdict.FAIL for check in found)),
        errors=str(sum(check.verdict is Verdict.UNKNOWN for check in found)),
        skipped=str(sum(check.skipped for check in found)),
        time=f"{report.duration_seconds:.3f}",
        timestamp=report.started,
    )
    for check in found:
        suite.append(element(check))
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def element(check: Check) -> ET.Element:
    """Return one test case."""
    case = ET.Element("testcase", classname=check.classname, name=check.name, time="0.000")
    text = ILLEGAL.sub("\ufffd", check.text)
    kind = {Verdict.FAIL: "failure", Verdict.UNKNOWN: "error"}.get(check.verdict)
    if check.skipped:
        ET.SubElement(case, "skipped", message=text)
    elif kind is not None:
        ET.SubElement(case, kind, message=text.partition("\n")[0], type=check.verdict.value).text = text
    elif text:
        ET.SubElement(case, "system-out").text = text
    return case


def checks(report: Report) -> Iterator[Check]:
    """Yield one check for each capability and flow kind (of an audit: each Service), then one for each family.

    A family in which there are only consequences passes: its cause fails in another one.
    """
    yield from service_checks(report) if report.evidence.command == AUDIT else capability_checks(report)
    for letter, family in FAMILIES.items():
        found = [finding for finding in report.findings if finding.code.startswith(letter)]
        causes = [finding.verdict for finding in found if finding.consequence_of is None]
        worst = max(causes, key=list(Verdict).index, default=Verdict.PASS)
        text = "\n\n".join(map(finding_text, found))
        yield Check(classname=FINDINGS, name=family, verdict=worst, text=text)
    open_questions = "\n".join(unproven(report.evidence, report.capabilities, report.findings))
    yield Check(
        classname=FINDINGS,
        name="everything asked was answered",
        verdict=Verdict.UNKNOWN if open_questions else Verdict.PASS,
        text=open_questions,
    )


def service_checks(report: Report) -> Iterator[Check]:
    """Yield each Service with its verdict; one of which nothing was proven was not asked for."""
    for line in lines_of(report.evidence):
        yield Check(
            classname=SERVICES,
            name=line.case.name,
            verdict=line.verdict or Verdict.PASS,
            text="\n\n".join(map(finding_text, line.findings)) or ("" if line.verdict else "not asked on the wire"),
            skipped=line.verdict is None,
        )


def finding_text(found: Finding) -> str:
    """Return a finding in full: what, why, what to do, where to read more."""
    because = "".join(f"\n- {line}" for line in found.because)
    after = f" (a consequence of {found.consequence_of})" if found.consequence_of else ""
    head = f"{found.verdict.upper()} {found.code} {found.slug}{after}: {found.says}"
    return f"{head}{because}\nFix: {found.remedy}\nSee: {', '.join(found.references)}"


def capability_checks(report: Report) -> Iterator[Check]:
    """Yield what this cluster can do, as checks."""
    able, evidence = report.capabilities, report.evidence
    yield truth("announced", value=True if able.announced_by else None, said="")
    yield truth("exclusive", value=able.exclusive, said="several answered at once")
    for flow in evidence.flows:
        yield truth(
            f"reachable {flow}",
            value=getattr(able.reachable, flow),
            said="did not arrive everywhere, or far too much of it was lost",
        )
    for flow in evidence.flows:
        kept: Source = getattr(able.source, flow)
        state = None if kept is Source.UNKNOWN else kept is Source.ALWAYS
        yield graded(report, "source", f"source {flow}", kept, good=state, asked=asks_source(evidence))
    for flow in evidence.flows:
        fate: LocalPolicy = getattr(able.local_policy, flow)
        state = None if fate is LocalPolicy.UNKNOWN else fate in {LocalPolicy.SERVED, LocalPolicy.MOVED}
        yield graded(report, "local", f"local {flow}", fate, good=state, asked=asks_local(evidence))
    size = able.largest_payload_bytes
    udp = any(flow.startswith("udp") for flow in evidence.flows)
    yield graded(report, "payload", "payload", "none passed", good=None if size is None else True, asked=udp)


def truth(name: str, *, value: bool | None, said: str) -> Check:
    """Return a check of something that is true, false or not known."""
    if value is None:
        return Check(classname=CAPABILITIES, name=name, verdict=Verdict.UNKNOWN, text=f"{name}: not known")
    if value:
        return Check(classname=CAPABILITIES, name=name, verdict=Verdict.PASS)
    return Check(classname=CAPABILITIES, name=name, verdict=Verdict.FAIL, text=f"{name}: {said}")


def graded(report: Report, requirement: str, name: str, said: str, *, good: bool | None, asked: bool) -> Check:
    """Return a check of something that may be missing: a failure only for those who require it.

    What nobody asked is skipped; what was asked and is not known is an error.
    """
    required = requirement in report.evidence.required
    if good is None and not (asked or required):
        return Check(classname=CAPABILITIES, name=name, verdict=Verdict.PASS, text="not asked", skipped=True)
    if good is not False:
        return truth(name, value=good, said=said)
    missing = Verdict.FAIL if required else Verdict.WARN
    return Check(classname=CAPABILITIES, name=name, verdict=missing, text=f"{name}: {said}")
