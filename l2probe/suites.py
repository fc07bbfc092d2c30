"""Suites: `probes/*.yaml` as frozen data, read strictly and refused with file, line and column.

A suite names what is asked and where its backends stand; it defines no check, has no expression and cannot skip the
teardown. The only module that reads YAML suites. It must not know Kubernetes objects or the network.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NoReturn

import yaml

from l2probe.errors import SuiteError
from l2probe.model import Flow, Placement, Protocol, TrafficPolicy

MAX_FILE_BYTES = 64 * 1024
SMALL_BYTES = 512
"""Smallest payload: a padded request must never be shorter than the answer (see workload/echo.py)."""
MAX_PAYLOAD_BYTES = 65_507
"""Largest UDP payload over IPv4 (RFC 768, RFC 791), which also fits the echo server's 64 KiB bound."""
FULL_UDP4_BYTES = 1472
"""A full Ethernet frame: MTU 1500 minus 20 (RFC 791) minus 8 (RFC 768)."""
FULL_UDP6_BYTES = 1452
"""Likewise with the 40-byte header of RFC 8200."""
FULL_TCP_BYTES = 4096
"""Several full-size segments both ways."""
REQUIRABLE = ("announced", "exclusive", "reachable", "source", "local", "payload")
"""Capabilities that `require:` and `--require` turn from a warning into a failure."""
DEFAULT = "smoke"

_NAME = r"^[a-z]([-a-z0-9]{0,22}[a-z0-9])?$"
_LABEL_KEY = r"^([a-z0-9A-Z]([-a-z0-9.]{0,251}[a-z0-9])?/)?[a-zA-Z0-9]([-_.a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$"
_LABEL_VALUE = r"^([a-zA-Z0-9]([-_.a-zA-Z0-9]{0,61}[a-zA-Z0-9])?)?$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """How long a request is: a number of bytes, or `full`, which depends on the flow."""

    size_bytes: int | None

    def of(self, flow: Flow) -> int:
        """Bytes of TCP or UDP payload for this flow kind."""
        if self.size_bytes is not None:
            return self.size_bytes
        return {Flow.UDP4: FULL_UDP4_BYTES, Flow.UDP6: FULL_UDP6_BYTES}.get(flow, FULL_TCP_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One LoadBalancer Service and what is asked of it. `families` None: those that the cluster has."""

    name: str
    policy: TrafficPolicy = TrafficPolicy.CLUSTER
    place: tuple[Placement, ...] = (Placement.ON_ANNOUNCER, Placement.OFF_ANNOUNCER)
    protocols: tuple[Protocol, ...] = (Protocol.TCP, Protocol.UDP)
    families: tuple[int, ...] | None = None
    payloads: tuple[Payload, ...] = (Payload(size_bytes=SMALL_BYTES), Payload(size_bytes=None))
    exchanges: int = 8
    source_ranges: tuple[str, ...] = ()

    def flows(self, available: Sequence[int]) -> tuple[Flow, ...]:
        """Return the flow kinds of this question on a cluster with these address families (4, 6)."""
        families = self.families if self.families is not None else tuple(available)
        return tuple(Flow(f"{protocol.lower()}{family}") for family in families for protocol in self.protocols)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A named set of questions. `backends`: echo Pods, each on a node of its own, as far as there are nodes."""

    name: str
    about: str
    questions: tuple[Question, ...]
    backends: int = 3
    node_selector: tuple[tuple[str, str], ...] = ()
    require: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a suite came from, for messages."""

    name: str

    def fail(self, node: yaml.Node, message: str, allowed: str = "") -> NoReturn:
        """Raise SuiteError that begins with file:line:column of the node."""
        mark = node.start_mark
        tail = f"; allowed: {allowed}" if allowed else ""
        raise SuiteError(f"{self.name}:{mark.line + 1}:{mark.column + 1}: {message}{tail}.")


@dataclass(frozen=True, slots=True)
class _Kind:
    """A type of value: how it is read and how editors are told about it (JSON Schema)."""

    read: Callable[[_Source, yaml.Node], Any]
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Key:
    """A key of a mapping."""

    kind: _Kind
    about: str
    required: bool = False


def _scalar(source: _Source, node: yaml.Node, tag: str, wanted: str) -> str:
    if not isinstance(node, yaml.ScalarNode) or node.tag != f"tag:yaml.org,2002:{tag}":
        source.fail(node, f"expected {wanted}, got {_describe(node)}")
    return str(node.value)


def _describe(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return f"{node.value[:40]!r}"
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"


def _text(pattern: str, wanted: str) -> _Kind:
    def read(source: _Source, node: yaml.Node) -> str:
        value = _scalar(source, node, "str", wanted)
        if not re.search(pattern, value):
            source.fail(node, f"{value[:80]!r} is not {wanted}", f"text that matches {pattern}")
        return value

    return _Kind(read, {"type": "string", "pattern": pattern})


def _number(low: int, high: int) -> _Kind:
    def read(source: _Source, node: yaml.Node) -> int:
        value = _scalar(source, node, "int", f"a whole number from {low} to {high}")
        if not re.fullmatch(r"-?(0|[1-9][0-9]{0,9})", value) or not low <= int(value) <= high:
            source.fail(node, f"{value[:20]} is out of range", f"a whole number from {low} to {high}")
        return int(value)

    return _Kind(read, {"type": "integer", "minimum": low, "maximum": high})


def _choice(values: Mapping[str, Any]) -> _Kind:
    def read(source: _Source, node: yaml.Node) -> object:
        value = _scalar(source, node, "str", f"one of {', '.join(values)}")
        if value not in values:
            source.fail(node, f"{value[:40]!r} is not known here", ", ".join(values))
        return values[value]

    return _Kind(read, {"enum": list(values)})


def _several(kind: _Kind, most: int = 16, least: int = 1) -> _Kind:
    def read(source: _Source, node: yaml.Node) -> tuple[object, ...]:
        if not isinstance(node, yaml.SequenceNode):
            source.fail(node, f"expected a list, got {_describe(node)}", "- one entry a line, or [a, b]")
        if not least <= len(node.value) <= most:
            source.fail(node, f"{len(node.value)} entries", f"{least} to {most} entries")
        values: list[object] = []
        for entry in node.value:
            value = kind.read(source, entry)
            if value in values:
                source.fail(entry, f"{_describe(entry)} stands here twice", "each entry once")
            values.append(value)
        return tuple(values)

    shape = {"type": "array", "items": kind.schema, "minItems": least, "maxItems": most, "uniqueItems": True}
    return _Kind(read, shape)


def _pairs(source: _Source, node: yaml.Node, wanted: str) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode):
        source.fail(node, f"expected {wanted}, got {_describe(node)}", "key: value")
    found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
    for key, value in node.value:
        name = _scalar(source, key, "str", "a key")
        if name in found:
            source.fail(key, f"key {name!r} stands here twice", "each key once")
        found[name] = (key, value)
    return found


def _labels(source: _Source, node: yaml.Node) -> tuple[tuple[str, str], ...]:
    key_kind, value_kind = _text(_LABEL_KEY, "a label key"), _text(_LABEL_VALUE, "a label value")
    pairs = _pairs(source, node, "a mapping of labels")
    return tuple((key_kind.read(source, key), value_kind.read(source, value)) for key, value in pairs.values())


def _payload(source: _Source, node: yaml.Node) -> Payload:
    if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":int"):
        return Payload(size_bytes=_number(SMALL_BYTES, MAX_PAYLOAD_BYTES).read(source, node))
    sizes = {"small": Payload(size_bytes=SMALL_BYTES), "full": Payload(size_bytes=None)}
    if not isinstance(node, yaml.ScalarNode) or node.value not in sizes:
        source.fail(node, f"{_describe(node)} is no payload", f"small, full, {SMALL_BYTES} to {MAX_PAYLOAD_BYTES}")
    return sizes[node.value]


def _network(source: _Source, node: yaml.Node) -> str:
    value = _scalar(source, node, "str", "a CIDR")
    try:
        return str(ipaddress.ip_network(value))
    except ValueError as error:
        source.fail(node, f"{value[:60]!r} is no network ({error})", 'a CIDR such as "192.0.2.0/24"')


_PAYLOAD = _Kind(
    _payload,
    {"anyOf": [{"enum": ["small", "full"]}, {"type": "integer", "minimum": SMALL_BYTES, "maximum": MAX_PAYLOAD_BYTES}]},
)
_LABELS = _Kind(_labels, {"type": "object", "additionalProperties": {"type": "string", "pattern": _LABEL_VALUE}})
_NAME_KIND = _text(_NAME, "a name of at most 24 lower-case letters, digits and hyphens that begins with a letter")
_PLACES = {str(place): place for place in Placement}

_QUESTION_KEYS: Mapping[str, _Key] = {
    "name": _Key(_NAME_KIND, "What the Service is called, after the suite's name.", required=True),
    "policy": _Key(_choice({str(policy): policy for policy in TrafficPolicy}), "externalTrafficPolicy (Cluster)."),
    "place": _Key(_several(_choice(_PLACES)), "Where the backend stands, seen from the announcer, one trial each."),
    "protocols": _Key(_several(_choice({str(p): p for p in Protocol})), "Transports (both)."),
    "families": _Key(_several(_choice({"IPv4": 4, "IPv6": 6})), "Address families (those that the cluster has)."),
    "payloads": _Key(_several(_PAYLOAD), "Payload sizes in bytes: small (512), full (a full frame), or a number."),
    "exchanges": _Key(_number(1, 200), "Exchanges of the first payload for each flow and place (8)."),
    "source-ranges": _Key(_several(_Kind(_network, {"type": "string"})), "loadBalancerSourceRanges of the Service."),
}


def _question(source: _Source, node: yaml.Node) -> Question:
    values = _mapping(source, node, _QUESTION_KEYS, "a question")
    if values.get("policy") is TrafficPolicy.LOCAL:
        # On the announcer policy Local behaves as Cluster does; the question is what happens elsewhere.
        values.setdefault("place", (Placement.OFF_ANNOUNCER,))
    return Question(**values)


_QUESTION = _Kind(_question, {"$ref": "#/$defs/question"})
_SUITE_KEYS: Mapping[str, _Key] = {
    "suite": _Key(_NAME_KIND, "The suite's name.", required=True),
    "about": _Key(_text(r"\S", "a sentence"), "One sentence: what it proves.", required=True),
    "backends": _Key(_number(1, 20), "Echo Pods, each on a node of its own (3)."),
    "node-selector": _Key(_LABELS, "Labels of the nodes on which echo Pods may run."),
    "require": _Key(_several(_choice({name: name for name in REQUIRABLE})), "Capabilities without which it fails."),
    "questions": _Key(_several(_QUESTION), "One LoadBalancer Service each.", required=True),
}


def _mapping(source: _Source, node: yaml.Node, keys: Mapping[str, _Key], wanted: str) -> dict[str, Any]:
    pairs = _pairs(source, node, wanted)
    for name, (key, _) in pairs.items():
        if name not in keys:
            source.fail(key, f"unknown key {name[:40]!r} in {wanted}", ", ".join(keys))
    for name, entry in keys.items():
        if entry.required and name not in pairs:
            source.fail(node, f"{wanted} lacks the key {name!r}", ", ".join(keys))
    return {name.replace("-", "_"): keys[name].kind.read(source, value) for name, (_, value) in pairs.items()}


def _fits_together(source: _Source, node: yaml.Node, suite: Suite) -> None:
    """Refuse combinations that no cluster could satisfy, pointing at the value that asks for them."""
    pairs = _pairs(source, node, "a suite")
    names = [question.name for question in suite.questions]
    for number, question in enumerate(suite.questions):
        spot = pairs["questions"][1].value[number]
        if question.name in names[:number]:
            source.fail(spot, f"a second question is called {question.name!r}", "a name of its own for each question")
        if suite.backends == 1 and Placement.OFF_ANNOUNCER in question.place:
            source.fail(
                spot, f"question {question.name!r} needs a second backend off the announcer", "backends: 2 to 20"
            )
        for cidr in question.source_ranges:
            if question.families is not None and ipaddress.ip_network(cidr).version not in question.families:
                source.fail(
                    spot, f"source range {cidr} is of a family that is not asked", "ranges of the families asked"
                )
    _requires_what_is_asked(source, pairs, suite)


def _requires_what_is_asked(source: _Source, pairs: Mapping[str, tuple[yaml.Node, yaml.Node]], suite: Suite) -> None:
    local = [q for q in suite.questions if q.policy is TrafficPolicy.LOCAL]
    remote = [q for q in suite.questions if q not in local and Placement.OFF_ANNOUNCER in q.place]
    if "local" in suite.require and not local:
        source.fail(
            pairs["require"][1], "requires local, but no question has policy Local", "a question with policy: Local"
        )
    if "source" in suite.require and not remote:
        source.fail(
            pairs["require"][1],
            "requires source, but no question proves it",
            "a question with policy: Cluster and place: [off-announcer]",
        )


def parse(text: str, name: str) -> Suite:
    """Read a suite from YAML text; `name` is the file's, for messages. Raises SuiteError with file:line:column."""
    source = _Source(name)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        spot = f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"
        raise SuiteError(f"{name}:{spot}: it is not YAML: {error.problem or error.context}.") from error
    except yaml.YAMLError as error:
        raise SuiteError(f"{name}:1:1: it is not YAML: {str(error).splitlines()[0]}.") from error
    except RecursionError as error:
        raise SuiteError(f"{name}:1:1: it is nested too deeply for a suite.") from error
    if node is None:
        raise SuiteError(f"{name}:1:1: it is empty; allowed: {', '.join(_SUITE_KEYS)}.")
    values = _mapping(source, node, _SUITE_KEYS, "a suite")
    suite = Suite(name=values.pop("suite"), **values)
    _fits_together(source, node, suite)
    return suite


def builtin() -> Traversable:
    """Find the suites shipped with l2probe: inside the package once installed, beside it in a checkout."""
    inside = files("l2probe") / "probes"
    return inside if inside.is_dir() else Path(__file__).parents[1] / "probes"


def shipped() -> tuple[Suite, ...]:
    """Read all suites shipped with l2probe, the default first, then by name."""
    found = [parse(_read(entry), entry.name) for entry in builtin().iterdir() if entry.name.endswith(".yaml")]
    return tuple(sorted(found, key=lambda suite: (suite.name != DEFAULT, suite.name)))


def load(reference: str) -> Suite:
    """Read a shipped suite by name, or a suite file by path (anything with a slash or `.yaml`).

    Raises SuiteError when there is none of that name, or the file cannot be read or is wrong.
    """
    if "/" in reference or reference.endswith((".yaml", ".yml")):
        return parse(_read(Path(reference)), reference)
    suites = {suite.name: suite for suite in shipped()}
    if reference not in suites:
        hint = f"Shipped suites: {', '.join(suites)}. A file needs a path such as ./{reference}.yaml."
        raise SuiteError(f"There was no suite named {reference!r}.", hint)
    return suites[reference]


def _read(entry: Traversable) -> str:
    try:
        with entry.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        text = data.decode()
    except OSError as error:
        raise SuiteError(f"{entry}: the suite could not be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SuiteError(f"{entry}:1:1: the suite is not UTF-8 text.") from error
    if len(data) > MAX_FILE_BYTES:
        raise SuiteError(f"{entry}: the suite is longer than {MAX_FILE_BYTES} bytes.")
    return text


def _object(keys: Mapping[str, _Key]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [name for name, key in keys.items() if key.required],
        "properties": {name: {**key.kind.schema, "description": key.about} for name, key in keys.items()},
    }


def schema() -> str:
    """Return the JSON Schema of a suite as text, as shipped in probes/suite.schema.json (for editors)."""
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "l2probe suite",
        **_object(_SUITE_KEYS),
        "$defs": {"question": _object(_QUESTION_KEYS)},
    }
    return json.dumps(whole, indent=2) + "\n"
