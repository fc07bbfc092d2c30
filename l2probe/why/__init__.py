"""Why a finding was raised or was not: its rules are run again and watched, so nothing said here can differ from them.

Nothing is written down twice. The conditions are those that stand in the source of the rule, their values those that
they had, and the words the docstrings of what the rule asked.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from l2probe.errors import UsageError
from l2probe.judge import CODES, judge
from l2probe.judge.conclusion import rules_for
from l2probe.judge.finding import Rule
from l2probe.judge.prediction import AUDIT, PREDICTIONS
from l2probe.judge.table import API_RULES, WIRE_RULES
from l2probe.model import Evidence, Finding
from l2probe.why.tracing import Way, watch

CODE = re.compile(r"\b[A-Z]\d\d\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One rule: its name, where it stands, its sentence, and the ways it went; `ways` None: `unasked` says why not."""

    rule: str
    module: str
    sentence: str
    ways: tuple[Way, ...] | None
    unasked: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """The answer: what the report says with this code, and what each rule for it did."""

    code: str
    slug: str
    title: str
    raised: tuple[Finding, ...]
    rules: tuple[Watched, ...]


def why(evidence: Evidence, reference: str) -> Why:
    """Return why this code (or slug) is in the report on this evidence or is not; raises UsageError for another."""
    code = known(reference)
    asked = rules_for(evidence)
    return Why(
        code=code,
        slug=CODES[code].slug,
        title=CODES[code].title,
        raised=tuple(found for found in judge(evidence) if found.code == code),
        rules=tuple(watched(rule, evidence, code, asked=rule in asked) for rule in rules_of(code)),
    )


def watched(rule: Rule, evidence: Evidence, code: str, *, asked: bool) -> Watched:
    """Return what one rule did."""
    return Watched(
        rule=rule.__name__,
        module=rule.__module__,
        sentence=" ".join((rule.__doc__ or "").partition("\n")[0].split()),
        ways=watch(rule, unremembered(evidence), code) if asked else None,
        unasked="" if asked else unasked(rule, evidence),
    )


def unasked(rule: Rule, evidence: Evidence) -> str:
    """Return why `rules_for` left a rule out."""
    if rule in PREDICTIONS and evidence.command != AUDIT:
        return "only an audit foresees"
    if node := evidence.vantage.cluster_node:
        return f"this host is cluster node {node}, and from there nothing about the wire is true (V01)"
    return "nobody was asked on the wire"


def unremembered(evidence: Evidence) -> Evidence:
    """Return the same as another object: what the judge remembers by identity would not be looked at again."""
    return replace(evidence, cluster=replace(evidence.cluster))


def rules_of(code: str) -> Iterator[Rule]:
    """Yield the rules that can raise a code: those whose first sentence names it."""
    for rule in (*API_RULES, *WIRE_RULES, *PREDICTIONS):
        if code in codes_of(rule):
            yield rule


def codes_of(rule: Rule) -> frozenset[str]:
    """Return the codes that a rule says it raises."""
    return frozenset(CODE.findall((rule.__doc__ or "").partition("\n")[0]))


def known(reference: str) -> str:
    """Return the code that was meant; raises UsageError with the nearest ones when there is none."""
    slugs = {entry.slug: code for code, entry in CODES.items()}
    code = slugs.get(reference.lower(), reference.upper())
    if code in CODES:
        return code
    near = difflib.get_close_matches(reference.lower(), [*slugs, *map(str.lower, CODES)], n=3, cutoff=0.5)
    meant = ", ".join(f"{slugs[word]} {word}" if word in slugs else word.upper() for word in near)
    raise UsageError(
        f"There was no finding {reference!r}.",
        f"Did you mean {meant}? `l2probe explain` lists all." if meant else "`l2probe explain` lists all.",
    )
