"""What a condition of a rule rests on: values, where they came from, and what the judge's predicates answered.

Rules are pure, so an expression of theirs may be evaluated again with the values of its moment. While that is done the
interpreter reports what was asked (sys.setprofile); the docstring of a predicate says in words what it asks.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from inspect import unwrap
from types import FrameType, FunctionType
from typing import Any

from l2probe.model import Evidence
from l2probe.why.source import read
from l2probe.why.values import shown

JUDGE = "l2probe.judge."
MOST_FACTS = 12
MOST_ALIKE = 4
"""Answers of one predicate that are shown of one condition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that a condition rests on: its words in the source, its value, and what it means."""

    text: str
    value: str
    meaning: str = ""


def facts(
    decisive: tuple[ast.expr, ...], line: int, function: FunctionType, given: Mapping[str, Any]
) -> tuple[Fact, ...]:
    """Return what a decided condition on this line rests on: values of its parts, where they came from, what was asked.

    `given`: the names of the function at that moment.
    """
    values, text = dict(given), read(function)
    found: dict[Fact, None] = {}
    for part in decisive:
        for expression in telling(part, values):
            value = evaluated(expression, values)
            if isinstance(value, Unknown):
                continue
            source = ast.unparse(expression)
            origin = text.origin(source, line)
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
        function = asked(frame) if event == "return" else None
        if function is None or str(function.__annotations__.get("return")) not in {"bool", "bool | None"}:
            return
        if sum(fact.meaning == sentence(function) for fact in found) < MOST_ALIKE:
            found.append(Fact(text=question(function, frame), value=shown(value), meaning=sentence(function)))

    before = sys.getprofile()
    sys.setprofile(returned)
    try:
        things = evaluated(expression, values)
        if isinstance(things, Iterator):
            list(things)
    finally:
        sys.setprofile(before)
    return list(dict.fromkeys(found))


def asked(frame: FrameType) -> FunctionType | None:
    """Return the judge's function that a frame answers for, also when it only remembers the answer (`case.once`)."""
    look = frame.f_locals.get("look") if frame.f_code.co_name == "remembered" else None
    if isinstance(look, FunctionType):
        return look if look.__module__.startswith(JUDGE) else None
    return function_of(frame)


def question(function: FunctionType, frame: FrameType) -> str:
    """Return a call as it would be written, with the arguments that tell."""
    names, local = function.__code__.co_varnames[: function.__code__.co_argcount], frame.f_locals
    given = (local["asked"], *local["args"]) if "look" in local else [local.get(name) for name in names]
    return f"{function.__name__}({', '.join(shown(value) for value in given if not isinstance(value, Evidence))})"


class Unknown:
    """The value of what cannot be evaluated by itself, such as a comprehension's own variable."""


def evaluated(expression: ast.expr, values: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever the judge has
    """Return an expression's value with these names."""
    code = compile(ast.fix_missing_locations(ast.Expression(body=expression)), "<condition>", "eval")
    try:
        return eval(code, values)  # noqa: S307 - our own source, as it stands
    except Exception:  # noqa: BLE001 - what cannot be evaluated out of its place is left out
        return Unknown()


def function_of(frame: FrameType) -> FunctionType | None:
    """Return the judge's function that runs in a frame, or None."""
    named = frame.f_globals.get(frame.f_code.co_name)
    found = unwrap(named) if callable(named) else named
    ours = isinstance(found, FunctionType) and found.__code__ is frame.f_code and found.__module__.startswith(JUDGE)
    return found if ours and isinstance(found, FunctionType) else None
