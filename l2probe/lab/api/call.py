"""What a request asks for: its URL, verb and query, read before anything is done. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from l2probe.lab.api.kinds import Kind, Kinds
from l2probe.lab.api.reading import STRICT, WARN, Options
from l2probe.lab.api.status import ApiError, bad_request, invalid, method_not_allowed, no_such_resource

TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
FALSE: Final = frozenset({"", "0", "f", "F", "false", "FALSE", "False"})
VERBS: Final = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
VALIDATIONS: Final = ("Ignore", STRICT, WARN)
LONGEST_MANAGER: Final = 128


class NoSuchPage(Exception):  # noqa: N818 - not an error of the API machinery: the text answer of the HTTP mux
    """Nothing is served below this path."""


def flag(query: Mapping[str, str], name: str) -> bool:
    """Read a boolean as Go's strconv.ParseBool does; 400 when it is none."""
    text = query.get(name, "")
    if text not in TRUE | FALSE:
        raise bad_request(f'strconv.ParseBool: parsing "{text}": invalid syntax')
    return text in TRUE


def number(query: Mapping[str, str], name: str) -> int:
    """Read a number, 0 when it is absent; 400 when it is none."""
    text = query.get(name, "")
    try:
        return int(text or 0)
    except ValueError as error:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request for a resource. `verb` is the RBAC verb; `name` is empty for collections."""

    verb: str
    kind: Kind
    namespace: str
    name: str
    subresource: str
    query: Mapping[str, str]

    @property
    def resource(self) -> str:
        """The resource as RBAC names it: `pods` or `pods/log`."""
        return f"{self.kind.plural}/{self.subresource}" if self.subresource else self.kind.plural


def _group_version(parts: list[str]) -> tuple[str, str, list[str]]:
    if parts[:1] == ["api"] and len(parts) > 2:  # noqa: PLR2004 - /api/v1/resource
        return "", parts[1], parts[2:]
    if parts[:1] == ["apis"] and len(parts) > 3:  # noqa: PLR2004 - /apis/group/version/resource
        return parts[1], parts[2], parts[3:]
    raise NoSuchPage


def _split_namespace(rest: list[str]) -> tuple[str, list[str]]:
    within = rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in {"status", "finalize"}  # noqa: PLR2004
    return (rest[1], rest[2:]) if within else ("", rest)


def locate(kinds: Kinds, path: str) -> tuple[Kind, str, str, str]:
    """Return kind, namespace, name and subresource of a URL path; NoSuchPage or 404 when nothing is served there."""
    group, version, rest = _group_version([part for part in path.split("/") if part])
    if version not in kinds.versions(group):
        raise NoSuchPage
    namespace, rest = _split_namespace(rest)
    kind = kinds.find(group, version, rest[0])
    if kind is None or len(rest) > 3:  # noqa: PLR2004 - resource/name/subresource
        if any(each.custom for each in kinds.of(group, version)):
            raise NoSuchPage
        raise no_such_resource()
    name, subresource = (*rest[1:], "", "")[:2]
    if bool(namespace) and not kind.namespaced:
        raise no_such_resource()
    if subresource and subresource not in kind.actions and not (subresource == "status" and kind.status):
        raise no_such_resource()
    return kind, namespace, name, subresource


def verb_of(method: str, name: str, query: Mapping[str, str]) -> str:
    """Return the RBAC verb of a request."""
    verb = VERBS.get(method)
    if verb is None:
        raise method_not_allowed()
    if name:
        return verb
    if verb == "get":
        return "watch" if flag(query, "watch") else "list"
    return "deletecollection" if verb == "delete" else verb


def read_call(kinds: Kinds, method: str, path: str, query: Mapping[str, str]) -> Call:
    """Return what a request asks for; NoSuchPage, 400, 404 or 405 when that does not exist."""
    kind, namespace, name, subresource = locate(kinds, path)
    verb = verb_of(method, name, query)
    if verb == "get" and name and not subresource and flag(query, "watch"):
        verb = "watch"
    if not subresource and verb not in kind.verbs:
        raise method_not_allowed()
    if kind.namespaced and not namespace and verb not in {"list", "watch"} and kind.verbs != ("create",):
        raise method_not_allowed()
    if not name and verb in {"update", "patch"}:
        raise method_not_allowed()
    return Call(verb=verb, kind=kind, namespace=namespace, name=name, subresource=subresource, query=query)


def write_options(query: Mapping[str, str], agent: str, *, applying: bool) -> Options:
    """Read the options of a write; 400 or 422 when they are malformed. `agent` is the User-Agent header."""
    dry_run, validation = query.get("dryRun", ""), query.get("fieldValidation") or WARN
    if dry_run not in {"", "All"}:
        raise invalid("meta.k8s.io", "WriteOptions", "", ())
    if validation not in VALIDATIONS:
        raise bad_request(
            f'fieldValidation: Unsupported value: "{validation}": supported values: "Ignore", "Strict", "Warn"'
        )
    manager = query.get("fieldManager") or ""
    if applying and not manager:
        message = 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", message)
    fallback = agent.partition("/")[0][:LONGEST_MANAGER] or "unknown"
    force = flag(query, "force")
    return Options(dry_run=bool(dry_run), validation=validation, manager=manager or fallback, force=force)
