"""JSON documents in which a few values are absurd, of another type, gone or doubled."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

ABSURD: tuple[Any, ...] = (
    "",
    " ",
    "x" * 3000,
    "not an address",
    "999.1.1.1",
    "fe80::1%eth0",
    "::ffff:198.51.100.40",
    "1:2:3:4:5:6:7:8:9",
    "0/0",
    "-",
    "a-b-c",
    "\u202e\x1b[31m\x00",
    "\ud800",
    "{}{0}%s%(x)s",
    "2026-99-99T99:99:99Z",
    0,
    -1,
    10**12,
    10**400,
    -1e308,
    1e308,
    0.5,
    True,
    None,
    [],
    {},
    [[]],
    [None],
    ["x", "y"],
    {"x": "y"},
)


Change = tuple[int, str, int]
"""The number of a place, what is done there, and the number of the value to set."""
DEEDS = ("alike", "alike", "alike", "alike", "other", "drop", "double")
CHANGES = st.lists(
    st.tuples(st.integers(0, 100_000), st.sampled_from(DEEDS), st.integers(0, 1000)), min_size=1, max_size=4
)


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:  # noqa: ANN401 - any JSON
    """Return the path of every value in a document."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, child in children for place in places(child, (*path, key)))]


def mangled(document: Any, changes: list[Change]) -> Any:  # noqa: ANN401 - any JSON
    """Return the document with these changes."""
    where = [place for place in places(document) if place]
    document = copy.deepcopy(document)
    for number, deed, choice in changes if where else ():
        *before, last = where[number % len(where)]
        holder = document
        try:
            for key in before:
                holder = holder[key]
            if deed == "drop":
                del holder[last]
            elif deed == "double" and isinstance(holder, list):
                holder += holder[: last + 1]
            else:
                alike = [value for value in ABSURD if type(value) is type(holder[last])] if deed == "alike" else ABSURD
                holder[last] = copy.deepcopy(alike[choice % len(alike)])
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    return document
