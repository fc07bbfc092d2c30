"""Runs a rule and watches which of its conditions held. The rule is unchanged and knows nothing of it.

The interpreter reports each line (sys.settrace). Where one is a condition, its operands are evaluated again with the
values of that moment: rules are pure, so asking twice changes nothing. What the operands asked is then followed for the
answers of predicates, whose docstrings say in words what was asked.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from types import CodeType, FrameType, FunctionType
from typing import Any

from l2probe.judge.case import Case
from l2probe.judge.finding import Rule
from l2probe.model import Evidence, Finding
from l2probe.why.source import Condition, read
from l2probe.why.values import shown

JUDGE = "l2probe.judge."
MOST_FACTS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that a condition rests on: its words in the source, its value, and what it means."""

    text: str
    value: str
    meaning: str = ""


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
    return tuple(way(about, tuple(group), code) for about, group in groupby(events, key=lambda event: event.about))


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
    condition = event.condition
    assert condition is not None
    parts = event.decisive
    text = f" {condition.joined} ".join(ast.unparse(part) for part in parts)
    passed = event.truth is not condition.leaves
    text = f"for each of {text}" if condition.loop else text
    return Step(text=text, held=event.truth, passed=passed, facts=facts(event))


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
        self._last: Condition | None = None

    def reached(self, frame: FrameType, event: str, _: object) -> Callable[..., Any]:
        """Note a condition when its first line is reached."""
        condition = self._text.conditions.get(frame.f_lineno) if event == "line" else None
        again = condition is not None and condition is self._last and not condition.loop
        if event == "line":
            self._last = condition
        if condition is not None and not again:
            self._events.extend(decided(condition, self._function, frame))
        return self.reached


def function_of(frame: FrameType) -> FunctionType | None:
    """Return the judge's function that runs in a frame, or None."""
    found = frame.f_globals.get(frame.f_code.co_name)
    ours = isinstance(found, FunctionType) and found.__code__ is frame.f_code and found.__module__.startswith(JUDGE)
    return found if ours and isinstance(found, FunctionType) else None


def decided(condition: Condition, function: FunctionType, frame: FrameType) -> Iterator[Event]:
    """Yield how a condition is about to be decided; of a loop only that it has nothing."""
    values = {**frame.f_globals, **frame.f_locals}
    if condition.loop:
        things = evaluated(condition.operands[0], values)
        if isinstance(things, Unknown) or any(True for _ in things):
            return
        truth, decisive = False, condition.operands  # what is gone over stops a way only when it is empty
    else:
        truth, decisive = outcome(condition, values)
    name, pattern = about(frame)
    yield Event(
        about=name,
        pattern=pattern,
        condition=condition,
        function=function,
        values=values,
        decisive=decisive,
        truth=truth,
    )


def about(frame: FrameType) -> tuple[str, bool]:
    """Return what a frame is about: a Service, a pattern (True), or "" for neither."""
    local = frame.f_locals
    if isinstance(case := local.get("case"), Case):
        return case.name, False
    where = getattr(local.get("pattern"), "where", "")
    return str(where), bool(where)


def outcome(condition: Condition, values: dict[str, Any]) -> tuple[bool, tuple[ast.expr, ...]]:
    """Return whether a condition holds and the operands that decided it, evaluated from left to right."""
    ends = {"or": True, "and": False}.get(condition.joined)
    truth = False
    for operand in condition.operands:
        truth = bool(evaluated(operand, values))
        if truth is ends:
            return truth, (operand,)
    return truth, condition.operands


class Unknown:
    """The value of what cannot be evaluated by itself, such as a comprehension's own variable."""

    def __bool__(self) -> bool:
        """Nothing is not true."""
        return False


def evaluated(expression: ast.expr, values: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever the judge has
    """Return an expression's value with these names."""
    code = compile(ast.fix_missing_locations(ast.Expression(body=expression)), "<condition>", "eval")
    try:
        return eval(code, values)  # noqa: S307 - our own source, as it stands
    except Exception:  # noqa: BLE001 - what cannot be evaluated out of its place is left out
        return Unknown()


def facts(event: Event) -> tuple[Fact, ...]:
    """Return what a decided condition rests on: the values of its parts, where they came from, what was asked."""
    assert event.function is not None
    assert event.condition is not None
    values = dict(event.values)
    text = read(event.function)
    found: dict[Fact, None] = {}
    for part in event.decisive:
        for expression in telling(part, values):
            value = evaluated(expression, values)
            if isinstance(value, Unknown):
                continue
            source = ast.unparse(expression)
            origin = text.origin(source, event.condition.line)
            traced = origin if origin is not None and asks(origin) else expression
            where = f"{source} = {ast.unparse(traced)}" if traced is origin else source
            found[Fact(text=where, value=shown(value), meaning=meaning(traced, values))] = None
            found |= dict.fromkeys(answers(traced, values))
    return tuple(found)[:MOST_FACTS]


def asks(expression: ast.expr) -> bool:
    """Whether an expression calls something or chooses from something, so that it tells more than its name."""
    return any(isinstance(node, ast.Call | ast.comprehension) for node in ast.walk(expression))


def telling(expression: ast.expr, values: Mapping[str, Any]) -> Iterator[ast.expr]:
    """Yield the calls, attributes and names that an expression is made of, the outermost only."""
    match expression:
        case ast.Constant():
            return
        case ast.Call() | ast.Attribute() | ast.Subscript():
            yield expression
        case ast.Name(id=name):
            if not isinstance(values.get(name), FunctionType | type) and not hasattr(builtins, name):
                yield expression
        case ast.NamedExpr(value=value):
            yield value
        case ast.GeneratorExp() | ast.ListComp() | ast.SetComp():
            yield expression
        case _:
            for child in ast.iter_child_nodes(expression):
                if isinstance(child, ast.expr):
                    yield from telling(child, values)


def meaning(expression: ast.expr, values: Mapping[str, Any]) -> str:
    """Return the docstring's sentence of the outermost judge's function that an expression calls."""
    for node in ast.walk(expression):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            function = values.get(node.func.id)
            if isinstance(function, FunctionType) and function.__module__.startswith(JUDGE):
                return sentence(function)
    return ""


def sentence(function: FunctionType) -> str:
    """Return the first paragraph of a docstring, as a noun where it says what is returned."""
    said = " ".join((function.__doc__ or "").strip().partition("\n\n")[0].split())
    return said.removeprefix("Return ").removeprefix("Yield ")


def answers(expression: ast.expr, values: dict[str, Any]) -> list[Fact]:
    """Return what predicates answered while an expression is evaluated: each question once, in order."""
    found: list[Fact] = []

    def returned(frame: FrameType, event: str, value: object) -> None:
        function = function_of(frame) if event == "return" else None
        if function is not None and str(function.__annotations__.get("return")) in {"bool", "bool | None"}:
            found.append(Fact(text=question(frame), value=shown(value), meaning=sentence(function)))

    before = sys.getprofile()
    sys.setprofile(returned)
    try:
        things = evaluated(expression, values)
        if isinstance(things, Iterator):
            list(things)
    finally:
        sys.setprofile(before)
    return list(dict.fromkeys(found))


def question(frame: FrameType) -> str:
    """Return a call as it would be written, with the arguments that tell."""
    code: CodeType = frame.f_code
    given = [frame.f_locals.get(name) for name in code.co_varnames[: code.co_argcount]]
    return f"{code.co_name}({', '.join(shown(value) for value in given if not isinstance(value, Evidence))})"
