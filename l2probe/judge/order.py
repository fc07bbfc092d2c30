"""Cause before consequence: which finding explains which, merged and sorted for the reader. Adds no finding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from l2probe.judge.finding import service
from l2probe.judge.table import RANK
from l2probe.judge.words import listing
from l2probe.model import Finding, Subject, Verdict

SEVERITY = (Verdict.PASS, Verdict.WARN, Verdict.UNKNOWN, Verdict.FAIL)
PREDICTED = "Predicted from the API"
"""How the basis of a finding begins that nobody saw happen."""
SAID = 16
"""Observations that one finding shows before the rest becomes a number."""

TRAFFIC = tuple(code for code in RANK if code[0] in "DE")
APART = frozenset({"D02", "D13"})
"""What the API itself says of backends and of rules: no fault of the address or of who announces it changes that."""
LOSS = tuple(code for code in RANK if code[0] == "D" and code not in APART)
"""What an address explains that is not answered for; an answer that shows what the Pod saw came from another one."""
DELIVERY = tuple(code for code in LOSS if code not in {"D06", "D12"})
"""What a second owner explains: loss at one of two is a pattern (D03), loss without one or of large packets alone has
another cause; and what the Pod saw was proven through a node's MAC."""
FOUND = tuple(code for code in LOSS if code != "D01")
"""What an address explains that some clients cannot find; who was refused by its announcer had found it."""
SILENCE = ("B06", "B07", "B14", "B11", "B12")
OWNERSHIP = ("C03", "C06", "C01", "C04", "V06", "C02")

EXPLAINS: Mapping[str, tuple[str, ...]] = {
    "V01": (*TRAFFIC, *OWNERSHIP, *SILENCE, "V02", "V03", "V04"),
    "A06": ("A05", "A08", "A07", "V04", "A01", "B05", "B03", "C05", *SILENCE, "C07", *OWNERSHIP, *LOSS),
    "A05": ("V04", "C05", *SILENCE, "C07", *OWNERSHIP, *LOSS),
    "A08": ("C05", *SILENCE, "C07", *OWNERSHIP, *LOSS),
    "A07": ("V02", "V04", *SILENCE, *OWNERSHIP, *FOUND, "V03"),
    "V02": ("E01", "E05", "V03", "V04"),
    "A04": ("A01",),
    "A03": ("A01",),
    "A02": ("A01",),
    "A01": (*SILENCE, *LOSS),
    "B04": (*SILENCE, *LOSS),
    "B01": ("B02", *SILENCE, *LOSS),
    "B02": (*SILENCE, *LOSS),
    "B09": (*SILENCE, *LOSS),
    "B05": (*SILENCE, *LOSS),
    "B03": (*SILENCE, "B10", *LOSS),
    "B08": ("B06", "C04"),
    "C05": (*SILENCE, "C04", *LOSS),
    "B06": LOSS,
    "B07": LOSS,
    "B13": (*LOSS, "D02"),
    "B14": LOSS,
    "B11": FOUND,
    "B12": FOUND,
    "C03": ("C01", "C04", "V06", *DELIVERY, "E05"),
    "C06": ("C01", "C04", *DELIVERY),
    "C01": ("C04", *DELIVERY),
    "C07": ("C01", "C04", *DELIVERY),
    "C04": ("D01",),
    "C02": ("D08",),
    "F01": ("C04", "F02", "F04", "F03", "D03", "D04", "D12", "D01"),
    "F02": ("F03",),
    "F04": ("F03",),
    "D02": ("D03", "D04", "D11", "D12", "D01"),
    "D07": ("D03", "D04", "D05", "D06", "D12", "D11"),
    "D09": ("D03", "D04", "D05", "D06", "D12"),
    "D13": ("D03", "D04", "D12"),
    "D03": ("D04", "D05", "D06", "D12", "D01", "D10"),
    "D11": ("D12", "D01"),
    "D06": ("D12",),
    "D05": ("D12",),
    "D04": ("D12",),
    "D12": ("D10",),
    "E03": ("E01", "E02", "E04", "E05"),
    "E02": ("E05",),
    "E04": ("E05",),
    "E01": ("E05",),
}
"""What each code explains. A finding explains only what is no worse than itself."""

PREDICTING = ("A05", "A06", "A08", "A07", "B05", "B08", "B09", "C07")
"""Codes whose warning says what may come: that explains nothing that is there already."""


def arrange(findings: Iterable[Finding], *, apart: bool = False) -> tuple[Finding, ...]:
    """Merge what is the same, mark consequences, sort: worst cause first, each followed by its consequences.

    `apart`: the Services have nothing in common, so what is wrong with one explains nothing about another.
    """
    if apart:
        marked = merge(mark(list(findings)))
    else:
        merged = merge(findings)
        marked = [replace(found, consequence_of=cause_of(found, merged)) for found in merged]
    return tuple(sorted(marked, key=lambda found: position(found, marked)))


def mark(each: Sequence[Finding]) -> tuple[Finding, ...]:
    """Mark as consequences what another finding about the same Service, or about more than one, explains."""
    near = neighbourhoods(each)
    return tuple(
        replace(one, consequence_of=cause_of(one, covering(one, each) if one.subjects else near[service_of(one)]))
        for one in each
    )


def covering(several: Finding, each: Sequence[Finding]) -> list[Finding]:
    """Return the findings that may explain what several Services suffer: of a code that each of them has."""
    met: dict[str, set[Service]] = {}
    for one in each:
        met.setdefault(one.code, set()).add(service_of(one))
    all_of_them = {(subject.namespace, subject.name) for subject in several.subjects}
    return [one for one in each if service_of(one) is None or all_of_them <= met[one.code]]


def merge(findings: Iterable[Finding]) -> list[Finding]:
    """Join findings of the same code and verdict: one broken policy is one finding, not one for each Service."""
    groups: dict[tuple[str, Verdict, str | None], list[Finding]] = {}
    for found in findings:
        groups.setdefault((found.code, found.verdict, found.consequence_of), []).append(found)
    return [joined(group) for group in groups.values()]


Service = tuple[str, str] | None
"""Namespace and name; None stands for more than one Service."""


def service_of(found: Finding) -> Service:
    """Return which Service a finding is about."""
    return (found.subject.namespace, found.subject.name) if found.subject.name else None


def neighbourhoods(each: Sequence[Finding]) -> Mapping[Service, list[Finding]]:
    """Return for each Service the findings that may explain its own: those about it, and those about more than one."""
    found: dict[Service, list[Finding]] = {None: list(each)}
    wide = [one for one in each if service_of(one) is None]
    for one in each:
        if (service := service_of(one)) is not None:
            found.setdefault(service, list(wide)).append(one)
    return found


def joined(group: list[Finding]) -> Finding:
    """Return the first finding, with what was seen of all."""
    first = group[0]
    lines = list(dict.fromkeys(line for found in group for line in found.because))
    if len(lines) > SAID:
        lines = [*lines[:SAID], f"{len(lines) - SAID} more observations like these."]
    told = {word.strip(".,;:()") for word in first.says.split()}
    others = [
        where for found in group[1:] if (where := spot(found.subject)) and not told.issuperset(where.split(" at "))
    ]
    predicted = any(line.startswith(PREDICTED) for line in lines)
    also = f" The same {'is predicted' if predicted else 'was seen'} of {listing(others)}." if others else ""
    subjects = [subject for found in group for subject in found.subjects or (found.subject,)]
    return replace(
        first,
        says=first.says + also,
        because=tuple(lines),
        subject=common(subjects),
        subjects=tuple(dict.fromkeys(subjects)) if len(set(subjects)) > 1 else (),
    )


def spot(subject: Subject) -> str:
    """Return a subject within a sentence: "shop/web at 198.51.100.41"."""
    return " at ".join(filter(None, (service(subject), subject.address)))


def common(subjects: list[Subject]) -> Subject:
    """Return what all subjects share."""
    first = subjects[0]
    return Subject(
        namespace=first.namespace if all(s.namespace == first.namespace for s in subjects) else "",
        name=first.name if all((s.namespace, s.name) == (first.namespace, first.name) for s in subjects) else "",
        address=first.address if all(s.address == first.address for s in subjects) else "",
    )


def cause_of(found: Finding, merged: list[Finding]) -> str | None:
    """Return the first code in rank that explains this finding, or None."""
    causes = {other.code for other in merged if explains(other, found)}
    return next((code for code in RANK if code in causes), None)


def explains(cause: Finding, consequence: Finding) -> bool:
    """Whether one finding explains another that is no worse."""
    no_worse = SEVERITY.index(consequence.verdict) <= SEVERITY.index(cause.verdict)
    predicted = cause.code in PREDICTING and cause.verdict is Verdict.WARN
    known = consequence.code in EXPLAINS.get(cause.code, ())
    return known and no_worse and not predicted and not is_elsewhere(cause, consequence)


def is_elsewhere(cause: Finding, consequence: Finding) -> bool:
    """Whether each is about one address, and not the same: IPv6 that is silent explains nothing lost over IPv4.

    Family A is about addresses that changed or that are wanted: there the other one is the point.
    """
    mine, other = cause.subject.address, consequence.subject.address
    return cause.code[0] != "A" and bool(mine) and bool(other) and mine != other


def position(found: Finding, marked: list[Finding]) -> tuple[int, int, int, int]:
    """Causes by severity and rank, consequences right behind their cause."""
    root = root_of(found, marked)
    depth = 0 if root is found else 1
    return (-SEVERITY.index(root.verdict), RANK.index(root.code), depth, RANK.index(found.code))


def root_of(found: Finding, marked: list[Finding]) -> Finding:
    """Return the cause at the end of the chain."""
    seen = {found.code}
    while found.consequence_of is not None and found.consequence_of not in seen:
        seen.add(found.consequence_of)
        found = max((f for f in marked if f.code == found.consequence_of), key=lambda f: SEVERITY.index(f.verdict))
    return found
