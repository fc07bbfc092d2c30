"""Making a Finding: its slug and references come from its code, its subject from the Service."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from l2probe.judge.case import Case
from l2probe.judge.codes import CODES, references
from l2probe.model import Evidence, Finding, Ip, Subject, Verdict

Rule = Callable[[Evidence], Iterator[Finding]]
"""Reads all Evidence, yields what it found; nothing where it found nothing."""


def finding(
    code: str, verdict: Verdict, *, says: str, because: Sequence[str], remedy: str, subject: Subject | None = None
) -> Finding:
    """Return a Finding of this code; empty observations are left out."""
    return Finding(
        code=code,
        slug=CODES[code].slug,
        verdict=verdict,
        says=says,
        because=tuple(dict.fromkeys(filter(None, because))),
        remedy=remedy,
        subject=subject or Subject(),
        references=references(code),
    )


def about(case: Case, addresses: Iterable[Ip] = ()) -> Subject:
    """Return the Service, with its address where it is a single one."""
    found = tuple(dict.fromkeys(addresses))
    only = found[0] if len(found) == 1 else ""
    return Subject(namespace=case.service.namespace, name=case.service.name, address=only)
