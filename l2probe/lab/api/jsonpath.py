"""The part of JSONPath that printer columns use: fields, indexes, wildcards and `[?(@.field=="value")]`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from l2probe.lab.api.objects import Json, Obj, dig

STEP: Final = re.compile(
    r"""\.(?P<field>[A-Za-z0-9_$-]+(?:\\\.[A-Za-z0-9_$/-]+)*)
      | \[\s*(?P<index>\d+)\s*\]
      | \[\s*'(?P<quoted>[^']*)'\s*\]
      | (?P<all>\[\*\]|\.\*)
      | \[\?\(\s*@\.(?P<key>[A-Za-z0-9_.]+)\s*(?P<op>==|!=)\s*(?P<value>"[^"]*"|'[^']*'|[^)\s]+)\s*\)\]""",
    re.VERBOSE,
)


@cache
def _steps(path: str) -> tuple[re.Match[str], ...]:
    text, place, steps = path.strip().removeprefix("{").removesuffix("}").removeprefix("$"), 0, []
    while place < len(text):
        match = STEP.match(text, place)
        if match is None:
            return ()
        steps.append(match)
        place = match.end()
    return tuple(steps)


def _matching(items: Json, step: re.Match[str]) -> Iterator[Json]:
    wanted = step["value"].strip("\"'")
    for item in items if isinstance(items, list) else ():
        value = dig(item, *step["key"].split("."))
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if (text == wanted) is (step["op"] == "=="):
            yield item


def _walk(value: Json, step: re.Match[str]) -> Iterator[Json]:
    name = step["field"] or step["quoted"]
    if name is not None:
        key = name.replace("\\.", ".")
        if isinstance(value, dict) and key in value:
            yield value[key]
    elif step["index"] is not None:
        if isinstance(value, list) and int(step["index"]) < len(value):
            yield value[int(step["index"])]
    elif step["all"] is not None:
        yield from value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    else:
        yield from _matching(value, step)


def found(obj: Obj, path: str) -> Json:
    """Return the first value at `path` (apiextensions prints one value a column), None when there is none."""
    steps = _steps(path)
    values: list[Json] = [obj] if steps else []
    for step in steps:
        values = [inner for value in values for inner in _walk(value, step)]
    return values[0] if values else None
