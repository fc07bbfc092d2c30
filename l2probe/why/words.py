"""The answer to "why?" as text for a terminal: what the report says, then each rule, each way, and where it stopped."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator

from l2probe.judge.words import count
from l2probe.model import Finding
from l2probe.why import Watched, Why
from l2probe.why.tracing import Step, Way

MOST_WAYS = 8
MOST_STOPS = 3
"""Conditions that are shown of a way on which several ended, as one for each address."""


def words(answer: Why, width: int) -> str:
    """Return the answer, wrapped to `width` columns, ending with a newline."""
    blocks = [wrap(f"{answer.code} {answer.slug}: {answer.title}.", width), *fate(answer, width)]
    blocks += [block for rule in answer.rules for block in rule_words(rule, width)]
    return "\n\n".join(blocks) + "\n"


def fate(answer: Why, width: int) -> Iterator[str]:
    """Yield what the report says with this code."""
    if not answer.raised:
        yield "Not raised."
    for found in answer.raised:
        yield wrap(raised(found), width)


def raised(found: Finding) -> str:
    """Return in what way a finding is in the report."""
    if found.consequence_of is None:
        return f"Raised as {found.verdict.upper()}: {found.says}"
    return (
        f"Raised as {found.verdict.upper()}, and shown as a consequence of {found.consequence_of}, which explains it: "
        f"{found.says}"
    )


def rule_words(rule: Watched, width: int) -> Iterator[str]:
    """Yield a rule with its sentence, then its ways: those that raised it, then those that came furthest."""
    yield wrap(f"Rule {rule.rule} in {rule.module}. {rule.sentence}", width)
    if rule.ways is None:
        yield wrap(f"It was not asked: {rule.unasked}.", width, 2)
        return
    if not rule.ways:
        yield wrap("It found nothing to look at.", width, 2)
    ways = sorted(rule.ways, key=lambda way: (not way.raised, -sum(step.passed for step in way.steps)))
    yield from (way_words(way, width) for way in ways[:MOST_WAYS])
    if len(ways) > MOST_WAYS:
        yield wrap(f"{count(len(ways) - MOST_WAYS, 'more way')} did not come further.", width, 2)


def way_words(way: Way, width: int) -> str:
    """Return one way: what it passed, and unless it raised the finding, where it stopped."""
    lines = [wrap(f"{way.about or 'The cluster as a whole'}: {ending(way)}.", width, 2)]
    lines += [
        wrap(f"{text}{f' ({times} times)' if times > 1 else ''}", width, 4, 6)
        for text, times in Counter(passed(step) for step in way.steps if step.passed).items()
    ]
    if not way.raised:
        stops = [step for step in way.steps if not step.passed]
        lines += [line for step in stops[:MOST_STOPS] for line in stop_words(step, width)]
        lines += [wrap(f"{len(stops) - MOST_STOPS} more like these.", width, 4)] if len(stops) > MOST_STOPS else []
    return "\n".join(lines)


def ending(way: Way) -> str:
    """Return how a way ended."""
    if way.pattern:
        return "the pattern fitted" if all(step.passed for step in way.steps) else "the pattern did not fit"
    instead = f", {' and '.join(way.instead)} was raised" if way.instead else ""
    silent = ", though nothing here spoke against it" if all(step.passed for step in way.steps) else ""
    return "raised" if way.raised else f"not raised{instead or silent}"


def passed(step: Step) -> str:
    """Return a condition that let the way go on."""
    return f"+ {'held' if step.held else 'did not hold, so it went on'}: {step.text}"


def stop_words(step: Step, width: int) -> Iterator[str]:
    """Yield the condition at which a way stopped, with what it rests on; what was asked is explained once."""
    yield wrap(f"- {'held, so it stopped' if step.held else 'had nothing or did not hold'}: {step.text}", width, 4, 6)
    explained: set[str] = set()
    for fact in step.facts:
        meaning = "" if fact.meaning in explained else fact.meaning
        explained.add(fact.meaning)
        yield wrap(f"{fact.text}: {fact.value}", width, 6, 8)
        if meaning:
            yield wrap(f"({meaning})", width, 8)


def wrap(text: str, width: int, indent: int = 0, rest: int | None = None) -> str:
    """Return text wrapped to a width, indented; the lines after the first by `rest`."""
    return textwrap.fill(
        text,
        width,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent if rest is None else rest),
        break_long_words=False,
        break_on_hyphens=False,
    )
