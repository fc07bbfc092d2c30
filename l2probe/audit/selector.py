"""Label selectors as kubectl takes them with -l: =, ==, !=, in, notin, KEY, !KEY, joined by commas. Pure.

https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
"""

from __future__ import annotations

import re

from l2probe.errors import UsageError
from l2probe.model import Requirement

HINT = "Write what `kubectl get -l` takes: app=web,tier!=dev,env in (prod, test),!legacy."
_PREFIX = r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?"
_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_KEY = rf"(?P<key>(?:{_PREFIX}/)?{_NAME})"
"""A label's key and value, as the API server checks them."""
VALUE = re.compile(rf"(?:{_NAME})?")
TERMS = (
    (re.compile(rf"!\s*{_KEY}"), "DoesNotExist"),
    (re.compile(_KEY), "Exists"),
    (re.compile(rf"{_KEY}\s*==?\s*(?P<values>[^=!<>(),\s]*)"), "In"),
    (re.compile(rf"{_KEY}\s*!=\s*(?P<values>[^=!<>(),\s]*)"), "NotIn"),
    (re.compile(rf"{_KEY}\s+in\s*\((?P<values>[^()]*)\)"), "In"),
    (re.compile(rf"{_KEY}\s+notin\s*\((?P<values>[^()]*)\)"), "NotIn"),
)
COMMA = re.compile(r",(?![^()]*\))")
"""A comma that stands outside parentheses."""


def parse(text: str) -> tuple[Requirement, ...]:
    """Return the selector's terms; raises UsageError that names the term and the place of what does not parse."""
    terms = []
    at = 0
    for part in COMMA.split(text):
        terms.append(_term(part.strip(), text, at + len(part) - len(part.lstrip()) + 1))
        at += len(part) + 1
    return tuple(terms)


def _term(term: str, text: str, column: int) -> Requirement:
    for pattern, operator in TERMS:
        found = pattern.fullmatch(term)
        if found is not None:
            given = found.groupdict().get("values")
            values = () if given is None else tuple(value.strip() for value in given.split(","))
            if wrong := next((value for value in values if not VALUE.fullmatch(value)), None):
                raise UsageError(f"The selector {text!r} was wrong at column {column}: {wrong!r} is no value.", HINT)
            return Requirement(key=found["key"], operator=operator, values=values)
    said = f"{term!r} is no term" if term else "a term is missing"
    raise UsageError(f"The selector {text!r} was wrong at column {column}: {said}.", HINT)
