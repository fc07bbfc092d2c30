"""Making a Finding: its slug and references come from its code, its subject from the Service."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from l2probe.judge.case import Case
from l2probe.judge.codes import CODES, references
from l2probe.judge.words import count, listing
from l2probe.model import Evidence, Finding, Ip, Subject, Verdict

BY_NAME = 2
"""How many Services a title names."""
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


def seen_of(found: Finding, services: Iterable[str]) -> Finding:
    """Return the finding with each Service (namespace/name) that it was seen of, where they are several."""
    parts = [name.partition("/") for name in dict.fromkeys(services)]
    subjects = tuple(Subject(namespace=namespace, name=name) for namespace, _, name in parts)
    return replace(found, subjects=subjects) if len(subjects) > 1 else found


def words(subject: Subject) -> str:
    """Return a subject in words: the Service, with its address where one is named."""
    return " ".join(filter(None, (service(subject), subject.address)))


def service(subject: Subject) -> str:
    """Return namespace/name; "" where it is about no Service."""
    return "/".join(filter(None, (subject.namespace, subject.name)))


def whom(found: Finding) -> str:
    """Return whom a finding is about: a Service with its address, two by name, more by number; "" for the cluster."""
    several = tuple(dict.fromkeys(service(subject) for subject in found.subjects if subject.name))
    if len(several) > BY_NAME:
        return f"{count(len(several), 'Service')}{f' in {found.subject.namespace}' if found.subject.namespace else ''}"
    return listing(several) if len(several) > 1 else words(found.subject)


def called(found: Finding) -> str:
    """Return what a finding is called; of a code that only a newer version knows, its slug."""
    known = CODES.get(found.code)
    return known.title if known else found.slug
