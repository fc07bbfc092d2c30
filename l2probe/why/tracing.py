"""Runs a rule and watches which of its conditions held. The rule is unchanged and knows nothing of it.

The interpreter reports each line (sys.settrace). Where one is a condition, its operands are evaluated again with the
values of that moment: rules are pure, so asking twice changes nothing.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import FrameType, FunctionType
from typing import Any, cast

from l2probe.judge.case import Case
from l2probe.judge.finding import Rule
from l2probe.model import Evidence, Finding
from l2probe.why.facts import Fact, Unknown, evaluated, facts, function_of
from l2probe.why.source import Choice, Condition, Text, bound, operands_of, read


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A condition that was met on the way. `held`: as it stands; `passed`: the way went on towards the finding.

    A loop "holds" when there is something to go over.
    """

    text: str
    held: bool
    passed: bool
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way through a rule: what it was about, what it met, and whether it ended in this code.

    `about`: a Service, "" for the cluster as a whole, or the `pattern` in the traffic that was compared. `instead`: the
    other codes that it ended in.
    """

    about: str
    pattern: bool
    steps: tuple[Step, ...]
    raised: bool
    instead: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happened next: a condition was decided (`truth`; of a loop: whether it had anything), or a finding came."""

    about: str
    pattern: bool = False
    condition: Condition | None = None
    function: FunctionType | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    decisive: tuple[ast.expr, ...] = ()
    truth: bool = False
    found: Finding | None = None


def watch(rule: Rule, evidence: Evidence, code: str) -> tuple[Way, ...]:
    """Return the ways that a rule went over this evidence, with regard to this code."""
    events = Watcher(code).run(rule, evidence)
    groups: dict[str, list[Event]] = {}
    for event in events:
        groups.setdefault(event.about, []).append(event)
    return tuple(way(about, tuple(group), code) for about, group in groups.items())


def way(about: str, events: tuple[Event, ...], code: str) -> Way:
    """Return one way; a finding of another code is not what was asked for."""
    steps = [step(event) for event in events if event.condition is not None]
    codes = dict.fromkeys(event.found.code for event in events if event.found is not None)
    return Way(
        about=about,
        pattern=events[0].pattern,
        steps=tuple(dict.fromkeys(steps)),
        raised=code in codes,
        instead=tuple(one for one in codes if one != code),
    )


def step(event: Event) -> Step:
    """Return a decided condition with what it rests on."""
    condition, function = event.condition, cast("FunctionType", event.function)
    assert condition is not None
    parts = event.decisive
    text = f" {condition.joined} ".join(ast.unparse(part) for part in parts)
    passed = event.truth is not condition.leaves
    text = f"for each of {text}" if condition.loop else text
    return Step(text=text, held=event.truth, passed=passed, facts=facts(parts, condition.line, function, event.values))


class Watcher:
    """Collects events while a rule runs."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.events: list[Event] = []

    def run(self, rule: Rule, evidence: Evidence) -> list[Event]:
        """Run the rule to its end."""
        before = sys.gettrace()
        sys.settrace(self._called)
        try:
            for found in rule(evidence):
                self.events.append(Event(about=self._about(found), found=found))
        finally:
            sys.settrace(before)
        return self.events

    def _about(self, found: Finding) -> str:
        """Return the way that a finding ends: the last one, unless that was about something else."""
        name = "/".join(filter(None, (found.subject.namespace, found.subject.name)))
        last = self.events[-1].about if self.events else name
        return last if last in {name, ""} or not name else name

    def _called(self, frame: FrameType, event: str, _: object) -> Callable[..., Any] | None:
        """Watch the lines of what yields findings, and of what was asked about this code."""
        function = function_of(frame)
        if event != "call" or function is None:
            return None
        about_code = any(getattr(value, "code", None) == self.code for value in frame.f_locals.values())
        if "Finding" not in str(function.__annotations__.get("return")) and not about_code:
            return None
        return Lines(self.events, function).reached


class Lines:
    """The lines of one call."""

    def __init__(self, events: list[Event], function: FunctionType) -> None:
        self._events = events
        self._function = function
        self._text = read(function)
        self._last: Condition | Choice | None = None

    def reached(self, frame: FrameType, event: str, _: object) -> Callable[..., Any]:
        """Note a condition when its first line is reached."""
        if event == "line":
            self._note(self._text, frame)
        return self.reached

    def _note(self, text: Text, frame: FrameType) -> None:
        found = text.conditions.get(frame.f_lineno) or text.choices.get(frame.f_lineno)
        again = found is self._last and not (isinstance(found, Condition) and found.loop)
        self._last = found
        values = {**frame.f_globals, **frame.f_locals}
        if isinstance(found, Condition) and not again:
            self._events.extend(decided(found, self._function, values))
        elif isinstance(found, Choice) and not again:
            self._events.extend(chosen(found, found.parts, self._function, values))


def decided(condition: Condition, function: FunctionType, values: dict[str, Any]) -> Iterator[Event]:
    """Yield how a condition is about to be decided; of a loop only that it has nothing."""
    if condition.loop:
        things = evaluated(condition.operands[0], values)
        if isinstance(things, Unknown) or any(True for _ in things):
            return
        decision: tuple[bool, tuple[ast.expr, ...]] | None = (False, condition.operands)
    else:
        decision = outcome(condition, values)
    if decision is None:
        return
    truth, decisive = decision
    name, pattern = about(values)
    yield Event(
        about=name,
        pattern=pattern,
        condition=condition,
        function=function,
        values=values,
        decisive=decisive,
        truth=truth,
    )


def chosen(
    choice: Choice, parts: tuple[ast.comprehension, ...], function: FunctionType, values: dict[str, Any]
) -> Iterator[Event]:
    """Yield how a comprehension over Services decides about each; others say too much, and stand in the facts."""
    things = evaluated(parts[0].iter, values) if parts else ()
    for thing in () if isinstance(things, Unknown) else tuple(things):
        names = {**values, **bound(parts[0].target, thing)}
        if not isinstance(names.get("case"), Case):
            return
        events: list[Event] = []
        for test in parts[0].ifs:
            joined, operands = operands_of(test)
            condition = Condition(line=choice.line, loop=False, leaves=False, joined=joined, operands=operands)
            events += decided(condition, function, names)
        stopped = next((number for number, event in enumerate(events, 1) if not event.truth), None)
        yield from events[:stopped]
        if stopped is None:
            yield from chosen(choice, parts[1:], function, names)


def about(values: Mapping[str, Any]) -> tuple[str, bool]:
    """Return what the values at hand are about: a Service, a pattern (True), or "" for neither."""
    if isinstance(case := values.get("case"), Case):
        return case.name, False
    where = getattr(values.get("pattern"), "where", "")
    return str(where), bool(where)


def outcome(condition: Condition, values: dict[str, Any]) -> tuple[bool, tuple[ast.expr, ...]] | None:
    """Return whether a condition holds and the operands that decided it, evaluated from left to right.

    None where one cannot be evaluated by itself.
    """
    ends = {"or": True, "and": False}.get(condition.joined)
    truth = False
    for operand in condition.operands:
        value = evaluated(operand, values)
        if isinstance(value, Unknown):
            return None
        truth = bool(value)
        if truth is ends:
            return truth, (operand,)
    return truth, condition.operands
