"""Every Service of an audit in one line, the worst first: where it stands, and which finding speaks of it first."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from l2probe.judge.case import Case, answered, cases, claims, once, vips
from l2probe.judge.conclusion import by_service
from l2probe.judge.existing import connects
from l2probe.judge.order import SEVERITY
from l2probe.judge.owners import contenders, owners
from l2probe.judge.prediction import on_wire
from l2probe.judge.table import RANK
from l2probe.judge.words import count, listing
from l2probe.model import Evidence, Finding, Trial, Verdict
from l2probe.report.narrow import Step
from l2probe.report.seen import Shown

UNPROVEN = "unproven"
"""What is said of a Service of which nothing bad is foreseen and nothing was proven: no verdict."""
HEAD = ("Verdict", "Service", "Address", "Policy", "Claimed by", "Seen at", "On announcer", "Finding")
SEEN_AT = 5
"""The column that only the wire can fill."""
STEPS = (
    Step(heading="Address", fold=re.compile(", ")),
    Step(heading="Seen at", fold=re.compile(r", | (?=and )")),
    Step(heading="Finding", fold=re.compile(r" (?=and \d)")),
    Step(heading="Service", fold=re.compile("/"), least=20),
    Step(heading="Policy"),
    Step(heading="On announcer"),
    Step(heading="Finding", fold=re.compile(r"^\w+ | (?=and \d)")),
    Step(heading="Claimed by"),
    Step(heading="Seen at"),
)
"""What a terminal that is too narrow costs, the least first: the findings below say what stands in the columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One Service. `verdict` None: unproven; `findings`: those about it, the first to be read first."""

    case: Case
    verdict: Verdict | None
    findings: tuple[Finding, ...]

    @property
    def order(self) -> tuple[int, int, str]:
        """Worst first, then as a reader wants the findings, then by name."""
        severity = SEVERITY.index(self.verdict) if self.verdict is not None else 0.5
        rank = RANK.index(self.findings[0].code) if self.findings else len(RANK)
        return int(-2 * severity), rank, self.case.name


def inventory(evidence: Evidence) -> Shown:
    """Return the table of all Services."""
    wired = on_wire(evidence)
    lines = [cells(line) for line in lines_of(evidence)]
    if not wired:
        lines = [(*line[:SEEN_AT], *line[SEEN_AT + 1 :]) for line in lines]
    head = HEAD if wired else (*HEAD[:SEEN_AT], *HEAD[SEEN_AT + 1 :])
    return Shown(title="Services", head=head, lines=tuple(lines))


@once
def lines_of(evidence: Evidence) -> tuple[Line, ...]:
    """Return every Service, the worst first."""
    found, wired = by_service(evidence), on_wire(evidence)
    each = (
        line_of(case, found.get((case.service.namespace, case.service.name), ()), wired) for case in cases(evidence)
    )
    return tuple(sorted(each, key=lambda line: line.order))


def line_of(case: Case, findings: tuple[Finding, ...], wired: bool) -> Line:  # noqa: FBT001 - internal
    """Return one Service with its verdict: its worst finding; else what the wire proved, if it was asked."""
    worst = max((one.verdict for one in findings), key=SEVERITY.index) if findings else None
    if worst is None and wired and vips(case):
        worst = Verdict.PASS if proven(case) else Verdict.UNKNOWN
    return Line(case=case, verdict=worst, findings=findings)


def proven(case: Case) -> bool:
    """Whether each address was answered for by one node alone, and every connect arrived."""
    alone = all(
        len(who := owners(case, vip)) == 1 and who[0].node is not None and not contenders(case, vip)
        for vip in vips(case)
    )
    tried = connects(case.trials[-1])
    return alone and bool(tried) and all(map(answered, tried))


def cells(line: Line) -> tuple[str, ...]:
    """Return the line's cells, in the order of HEAD."""
    case, trial = line.case, line.case.trials[-1]
    return (
        line.verdict.upper() if line.verdict else UNPROVEN,
        case.name,
        ", ".join(vips(case) or case.service.hostnames) or "pending",
        case.service.policy.value,
        claimed(case),
        heard(case, trial),
        backends(trial),
        said(line.findings),
    )


def claimed(case: Case) -> str:
    """Return whom the control plane named last."""
    history = claims(case)
    if history is None:
        return "not read"
    return (history[-1].holder if history else None) or "nobody"


def heard(case: Case, trial: Trial) -> str:
    """Return who answered on the wire."""
    if trial.replies is None:
        return "not asked"
    return listing(owner.label for vip in vips(case) for owner in owners(case, vip)) or "nobody"


def backends(trial: Trial) -> str:
    """Return how many of the ready backends stand on the announcer; a Pod with two addresses is one."""
    if trial.service.backends is None:
        return "not read"
    ready = {backend.pod or backend.address: backend.node for backend in trial.service.backends if backend.ready}
    here = "?" if trial.announcer is None else [*ready.values()].count(trial.announcer)
    return f"{here} of {len(ready)}"


def said(findings: tuple[Finding, ...]) -> str:
    """Return the first finding, and how many causes there are besides."""
    if not findings:
        return ""
    others = len({one.code for one in findings if one.consequence_of is None} - {findings[0].code})
    return f"{findings[0].code} {findings[0].slug}{f' and {others} more' if others else ''}"


def totals(evidence: Evidence) -> str:
    """Return "300 Services: 2 FAIL, 12 WARN, 286 unproven"."""
    lines = lines_of(evidence)
    counted = Counter(line.verdict.upper() if line.verdict else UNPROVEN for line in lines)
    words = (*(verdict.upper() for verdict in reversed(SEVERITY)), UNPROVEN)
    shares = ", ".join(f"{counted[word]} {word}" for word in words if counted[word])
    return f"{count(len(lines), 'Service')}: {shares}"


def unfinished(lines: Iterator[str], most: int) -> tuple[str, ...]:
    """Return the first lines of many, and how many more there are."""
    every = tuple(lines)
    rest = len(every) - most
    return (*every[:most], *((f"{rest} more like these.",) if rest > 0 else ()))
