"""Reports as one JSON or YAML document, read back bounded and strictly, and their JSON Schema."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import yaml

from l2probe.errors import ReportError
from l2probe.judge import SCHEMA
from l2probe.model import Report

MAX_BYTES = 64 * 1024 * 1024
"""No report of ours is near this long; a longer file is something else."""
HINT = "Save one with `l2probe run -o json`."
SCHEMA_ID = "urn:l2probe:report:v1"


def to_json(report: Report) -> str:
    """Return one indented JSON document."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"


def report_yaml(report: Report) -> str:
    """Return one YAML document with the same content as the JSON."""
    return to_yaml((msgspec.to_builtins(report),))


def to_yaml(documents: Iterable[object]) -> str:
    """Return a stream of YAML documents of plain dicts, lists and scalars; tuples become lists, no aliases."""
    plain = [json.loads(json.dumps(document)) for document in documents]
    return yaml.dump_all(plain, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)


class _Plain(yaml.SafeDumper):
    """Writes what is the same object twice out twice: nobody reads anchors at 3 a.m."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


class _NoAliases(yaml.SafeLoader):
    """Reads no aliases: a few bytes of them can stand for gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.events.AliasEvent):
            raise ReportError("The file holds YAML aliases, which no report has.", HINT)
        return super().compose_node(parent, index)


def load(data: bytes) -> Report:
    """Return the Report in a JSON or YAML document.

    Raises ReportError: too long, empty, cut off, not a report, of another schema, or with a value of the wrong type.
    """
    if len(data) > MAX_BYTES:
        raise ReportError(f"The file was longer than {MAX_BYTES} bytes.", HINT)
    if not data.strip():
        raise ReportError("The file was empty.", HINT)
    document = _parse(data)
    _check_schema(document)
    try:
        report: Report = msgspec.convert(document, Report, strict=True)
    except msgspec.ValidationError as error:
        raise ReportError(f"The report does not fit its schema: {error}.", HINT) from error
    return report


def _parse(data: bytes) -> object:
    """Read JSON; what does not begin like it is read as YAML."""
    try:
        if data.lstrip()[:1] in {b"{", b"["}:
            return msgspec.json.decode(data)
        return yaml.load(data, Loader=_NoAliases)  # noqa: S506 - a SafeLoader that reads less
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ReportError(f"The file is not readable JSON: {error}.", HINT) from error
    except (yaml.YAMLError, ValueError) as error:
        raise ReportError(f"The file is neither JSON nor YAML: {_first_line(error)}.", HINT) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def _check_schema(document: object) -> None:
    found = document.get("schema") if isinstance(document, Mapping) else None
    if found is None:
        raise ReportError("The file is no l2probe report: it has no schema.", HINT)
    if found != SCHEMA:
        raise ReportError(
            f"The report has schema {found!r}; this version reads {SCHEMA!r}.", "Use the l2probe that wrote it."
        )


def schema() -> Mapping[str, Any]:
    """Return the JSON Schema (2020-12) of a report, generated from the dataclasses of model.py."""
    generated = msgspec.json.schema(Report)
    generated["$defs"]["Report"]["properties"]["schema"] = {"const": SCHEMA}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "l2probe report",
        **generated,
    }


def schema_text() -> str:
    """Return the schema as it is shipped in report.schema.json."""
    return json.dumps(schema(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
