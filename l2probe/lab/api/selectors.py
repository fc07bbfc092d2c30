"""Label and field selectors as list and watch take them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from l2probe.lab.api.kinds import Kind
from l2probe.lab.api.objects import Obj, dig, labels
from l2probe.lab.api.status import bad_request

Test = Callable[[Obj], bool]

_SET: Final = re.compile(r"^(?P<key>[^\s!=,()]+)\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)$")
_EQUAL: Final = re.compile(r"^(?P<key>[^\s!=<>,()]+)\s*(?P<op>==|!=|=)\s*(?P<value>[^\s!=<>,()]*)$")
_EXISTS: Final = re.compile(r"^(?P<not>!\s*)?(?P<key>[A-Za-z0-9][-A-Za-z0-9_./]*)$")

FIELDS: Final = {
    "": ("metadata.name", "metadata.namespace"),
    "Pod": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    "Event": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    "Service": ("spec.clusterIP", "spec.type"),
    "Secret": ("type",),
    "Namespace": ("status.phase",),
    "Node": ("spec.unschedulable",),
}


def split_terms(text: str) -> list[str]:
    """Split at the commas that stand outside parentheses."""
    return [term.strip() for term in re.split(r",(?![^(]*\))", text) if term.strip()]


def _in(key: str, values: frozenset[str | None], *, wanted: bool) -> Test:
    return lambda obj: (labels(obj).get(key) in values) is wanted


def _exists(key: str, *, wanted: bool) -> Test:
    return lambda obj: (key in labels(obj)) is wanted


def _label_test(term: str) -> Test:
    if match := _SET.match(term):
        values = frozenset[str | None](value.strip() for value in match["values"].split(","))
        return _in(match["key"], values, wanted=match["op"] == "in")
    if match := _EQUAL.match(term):
        return _in(match["key"], frozenset({match["value"]}), wanted=match["op"] != "!=")
    if match := _EXISTS.match(term):
        return _exists(match["key"], wanted=match["not"] is None)
    raise bad_request(f'unable to parse requirement: found "{term}", expected: a label requirement')


def _field_value(kind: Kind, obj: Obj, field: str) -> str:
    if (kind.kind, field) == ("Event", "source"):
        return str(dig(obj, "source", "component") or obj.get("reportingComponent") or "")
    value = dig(obj, *field.split("."))
    if isinstance(value, bool) or field in {"spec.unschedulable", "spec.hostNetwork"}:
        return str(bool(value)).lower()
    return "" if value is None else str(value)


def _field_test(kind: Kind, term: str) -> Test:
    match = _EQUAL.match(term)
    if match is None:
        raise bad_request(f"invalid selector: '{term}'; can't understand '{term}'")
    field, value, equal = match["key"], match["value"], match["op"] != "!="
    if field not in FIELDS[""] + (() if kind.custom else FIELDS.get(kind.kind, ())):
        raise bad_request(f"field label not supported: {field}")
    return lambda obj: (_field_value(kind, obj, field) == value) is equal


def selector(kind: Kind, label_selector: str, field_selector: str) -> Test | None:
    """Return a test for objects, None when everything is selected; 400 when a selector is malformed or unsupported."""
    tests = [_label_test(term) for term in split_terms(label_selector)]
    tests += [_field_test(kind, term) for term in split_terms(field_selector)]
    return (lambda obj: all(test(obj) for test in tests)) if tests else None
