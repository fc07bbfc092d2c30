"""Complaints about fields, worded as apimachinery's validation/field does, and the syntax of names and labels."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from l2probe.lab.api.objects import Json, Obj, meta
from l2probe.lab.api.status import Cause

Syntax = Callable[[str], str | None]
"""Takes a text; returns what is wrong with it."""


def go_value(value: Json) -> str:
    """Return a value as Go's %#v-like form in messages."""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return "[]string{" + ", ".join(json.dumps(item) for item in value) + "}"
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def wrong(field: str, value: Json, why: str) -> Cause:
    """Return an Invalid value."""
    return Cause("FieldValueInvalid", field, f"Invalid value: {go_value(value)}: {why}")


def required(field: str, why: str = "") -> Cause:
    """Return a Required value."""
    return Cause("FieldValueRequired", field, f"Required value: {why}" if why else "Required value")


def unsupported(field: str, value: Json, allowed: Iterable[str]) -> Cause:
    """Return an Unsupported value."""
    values = ", ".join(json.dumps(each) for each in allowed)
    return Cause("FieldValueNotSupported", field, f"Unsupported value: {go_value(value)}: supported values: {values}")


def not_allowed(field: str, why: str) -> Cause:
    """Return a Forbidden field."""
    return Cause("FieldValueForbidden", field, f"Forbidden: {why}")


def duplicate(field: str, value: Json) -> Cause:
    """Return a Duplicate value."""
    return Cause("FieldValueDuplicate", field, f"Duplicate value: {go_value(value)}")


LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN: Final = rf"{LABEL}(\.{LABEL})*"
LABEL_1035: Final = "[a-z]([-a-z0-9]*[a-z0-9])?"
QUALIFIED: Final = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
CONFIG_KEY: Final = "[-._a-zA-Z0-9]+"
MAX_LABEL: Final = 63
MAX_SUBDOMAIN: Final = 253


def _syntax(pattern: str, longest: int, words: str) -> Syntax:
    expression = re.compile(rf"(?:{pattern})\Z")

    def check(text: str) -> str | None:
        if len(text) > longest:
            return f"must be no more than {longest} characters"
        return None if expression.match(text) else f"{words}, regex used for validation is '{pattern}')"

    return check


dns_label: Final = _syntax(
    LABEL,
    MAX_LABEL,
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc'",
)
dns_label_1035: Final = _syntax(
    LABEL_1035,
    MAX_LABEL,
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123'",
)
dns_subdomain: Final = _syntax(
    SUBDOMAIN,
    MAX_SUBDOMAIN,
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com'",
)
label_value: Final = _syntax(
    f"({QUALIFIED})?",
    MAX_LABEL,
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345'",
)
_name_part: Final = _syntax(
    QUALIFIED,
    MAX_LABEL,
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc'",
)
config_key: Final = _syntax(
    CONFIG_KEY,
    MAX_SUBDOMAIN,
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    "'key-name'",
)


def path_segment(text: str) -> str | None:
    """Names of RBAC objects: anything that can stand in a URL path."""
    if text in {".", ".."} or "/" in text or "%" in text:
        return "may not contain '/' or '%', nor be '.' or '..'"
    return None


def qualified_name(text: str) -> str | None:
    """Label and annotation keys: an optional DNS prefix, a slash, a name."""
    prefix, slash, name = text.rpartition("/")
    if slash and (complaint := dns_subdomain(prefix)):
        return f"prefix part {complaint}"
    return _name_part(name)


NAMES: Final[dict[tuple[str, str], Syntax]] = {
    ("", "services"): dns_label_1035,
    ("", "namespaces"): dns_label,
    ("rbac.authorization.k8s.io", "roles"): path_segment,
    ("rbac.authorization.k8s.io", "rolebindings"): path_segment,
    ("rbac.authorization.k8s.io", "clusterroles"): path_segment,
    ("rbac.authorization.k8s.io", "clusterrolebindings"): path_segment,
}


def label_causes(values: Json, field: str) -> Iterator[Cause]:
    """Judge a map of labels or a selector."""
    for key, value in (values or {}).items():
        if complaint := qualified_name(key):
            yield wrong(field, key, complaint)
        if complaint := label_value(value):
            yield wrong(field, value, complaint)


def metadata_causes(storage: tuple[str, str], obj: Obj) -> Iterator[Cause]:
    """Judge name, labels, annotations and finalizers."""
    name = str(meta(obj).get("name") or "")
    if not name:
        yield required("metadata.name", "name or generateName is required")
    elif complaint := NAMES.get(storage, dns_subdomain)(name):
        yield wrong("metadata.name", name, complaint)
    yield from label_causes(meta(obj).get("labels"), "metadata.labels")
    for key in meta(obj).get("annotations") or ():
        if complaint := qualified_name(key.lower()):
            yield wrong("metadata.annotations", key, complaint)
    for finalizer in meta(obj).get("finalizers") or ():
        if complaint := qualified_name(finalizer):
            yield wrong("metadata.finalizers", finalizer, complaint)
