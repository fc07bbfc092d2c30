"""What stands in the source of a rule: its conditions and loops by line, and where each name got its value."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import FunctionType
from typing import Any

NOTHING = frozenset({"None", "()", "False"})
"""What a function returns that found nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """An `if` or a `for` of a function. `leaves`: when it holds, the function goes no further here.

    `operands`: the parts of an `and` or `or`, else the whole; `joined`: "and", "or" or "".
    """

    line: int
    loop: bool
    leaves: bool
    joined: str
    operands: tuple[ast.expr, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A comprehension that a name is given: what it goes over, and the conditions of each."""

    line: int
    parts: tuple[ast.comprehension, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A function as it is written: conditions and choices by each line that they stand on, assignments by name."""

    conditions: Mapping[int, Condition]
    choices: Mapping[int, Choice] = field(default_factory=dict)
    assigned: Mapping[str, tuple[tuple[int, ast.expr], ...]] = field(default_factory=dict)

    def origin(self, name: str, line: int) -> ast.expr | None:
        """Return the expression that last gave a name its value above a line (or on it)."""
        found = [expression for at, expression in self.assigned.get(name, ()) if at <= line]
        return found[-1] if found else None


@cache
def read(function: FunctionType) -> Text:
    """Return the text of a function; an empty one where its source is not at hand."""
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        return Text(conditions={})
    ast.increment_lineno(tree, first - 1)
    found = [condition for node in ast.walk(tree) if (condition := condition_of(node)) is not None]
    assigned: dict[str, list[tuple[int, ast.expr]]] = {}
    for node in ast.walk(tree):
        for name, value in values_of(node):
            assigned.setdefault(name, []).append((value.lineno, value))
    return Text(
        conditions={line: one for one in found for line in span(one)},
        choices=dict(choices(tree)),
        assigned={name: tuple(sorted(values, key=lambda pair: pair[0])) for name, values in assigned.items()},
    )


def choices(tree: ast.AST) -> Iterator[tuple[int, Choice]]:
    """Yield each comprehension with conditions that a name is given, by each line of its statement."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and (parts := parts_of(node.value)):
            choice = Choice(line=node.lineno, parts=parts)
            yield from ((line, choice) for line in range(node.lineno, (node.end_lineno or node.lineno) + 1))


def parts_of(value: ast.expr) -> tuple[ast.comprehension, ...]:
    """Return the parts of a comprehension, or of one that is made a tuple at once; () where nothing is chosen."""
    match value:
        case ast.ListComp(generators=parts) | ast.SetComp(generators=parts) | ast.GeneratorExp(generators=parts):
            return tuple(parts) if any(part.ifs for part in parts) else ()
        case ast.Call(args=[ast.GeneratorExp() as inner]):
            return parts_of(inner)
        case _:
            return ()


def bound(target: ast.expr, thing: Any) -> Mapping[str, Any]:  # noqa: ANN401 - whatever is gone over
    """Return the names that a comprehension's target gives to one thing."""
    match target:
        case ast.Name(id=name):
            return {name: thing}
        case ast.Tuple(elts=names) if isinstance(thing, tuple) and len(names) == len(thing):
            return {name.id: part for name, part in zip(names, thing, strict=True) if isinstance(name, ast.Name)}
        case _:
            return {}


def operands_of(test: ast.expr) -> tuple[str, tuple[ast.expr, ...]]:
    """Return how the operands of a test are joined ("and", "or" or ""), and them."""
    if isinstance(test, ast.BoolOp):
        return ("or" if isinstance(test.op, ast.Or) else "and"), tuple(test.values)
    return "", (test,)


def span(condition: Condition) -> range:
    """Return the lines on which a condition stands."""
    return range(condition.line, max(part.end_lineno or part.lineno for part in condition.operands) + 1)


def condition_of(node: ast.AST) -> Condition | None:
    """Return the condition that a statement is, if it is one."""
    match node:
        case ast.If(test=test):
            joined, operands = operands_of(test)
            return condition(node, operands, joined=joined, leaves=leaving(node))
        case ast.For(iter=iterated):
            return condition(node, (iterated,), loop=True)
        case _:
            return None


def condition(
    node: ast.stmt, operands: tuple[ast.expr, ...], *, joined: str = "", leaves: bool = False, loop: bool = False
) -> Condition:
    """Return a condition at the line where its statement begins."""
    return Condition(line=node.lineno, loop=loop, leaves=leaves, joined=joined, operands=operands)


def leaving(node: ast.If) -> bool:
    """Whether the body of an `if` ends the way: continue, break, or a return of nothing found."""
    last = node.body[-1]
    returned = ast.unparse(last.value or ast.Constant(None)) if isinstance(last, ast.Return) else ""
    return returned in NOTHING or isinstance(last, ast.Continue | ast.Break)


def values_of(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield each name that a statement or a walrus gives a value, with the expression that it comes from."""
    match node:
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)) if len(names) == len(values):
            pairs = zip(names, values, strict=True)
            yield from ((name.id, value) for name, value in pairs if isinstance(name, ast.Name))
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=value):
            yield from ((name.id, value) for name in names if isinstance(name, ast.Name))
        case (
            ast.Assign(targets=[ast.Name(id=name)], value=value) | ast.NamedExpr(target=ast.Name(id=name), value=value)
        ):
            yield name, value
        case _:
            return
