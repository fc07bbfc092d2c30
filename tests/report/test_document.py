"""Reports as documents: the contract's keys, the schema, the way back, and files that are no report."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest
import yaml

from l2probe.errors import ReportError
from l2probe.judge import judge
from l2probe.report import document as documents
from l2probe.report import load, render, schema
from tests.report.reports import REPORTS

KEYS = (
    "schema",
    "tool",
    "command",
    "started",
    "duration_seconds",
    "verdict",
    "capabilities",
    "findings",
    "evidence",
    "notes",
)
FINDING_KEYS = (
    "code",
    "slug",
    "verdict",
    "says",
    "because",
    "remedy",
    "subject",
    "references",
    "consequence_of",
    "subjects",
)
FLOWS = ["tcp4", "udp4", "tcp6", "udp6"]


def parsed(name: str) -> dict[str, Any]:
    """Return the JSON document."""
    document: dict[str, Any] = json.loads(render(REPORTS[name], "json"))
    return document


@pytest.mark.parametrize("name", REPORTS)
def test_the_contract_has_these_keys_in_this_order(name: str) -> None:
    """Readers rely on the keys of section 7 of the design."""
    document = parsed(name)

    assert tuple(document) == KEYS
    assert document["schema"] == "l2probe/report/v1"
    assert list(document["capabilities"]["source"]) == FLOWS
    assert tuple(document["findings"][0] if document["findings"] else parsed("mtu")["findings"][0]) == FINDING_KEYS


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("output", ["json", "yaml"])
def test_a_saved_report_comes_back_and_is_judged_alike(name: str, output: str) -> None:
    """What was rendered is read back as the same report, and its evidence gives the same findings."""
    back = load(render(REPORTS[name], output).encode())

    assert back == REPORTS[name]
    assert judge(back.evidence) == REPORTS[name].findings


@pytest.mark.parametrize("name", REPORTS)
def test_json_and_yaml_say_the_same(name: str) -> None:
    """Both are one document with the same content."""
    assert yaml.safe_load(render(REPORTS[name], "yaml")) == parsed(name)


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_fits_the_schema(name: str) -> None:
    """The generated JSON Schema accepts what is rendered."""
    jsonschema.Draft202012Validator(schema()).validate(parsed(name))


def test_the_schema_is_shipped_and_current() -> None:
    """report.schema.json equals what the dataclasses give; `python -m l2probe.report.document` renews it."""
    shipped = (files("l2probe.report") / "report.schema.json").read_text()

    assert shipped == documents.schema_text()
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda d: d.pop("verdict"), id="a key is missing"),
        pytest.param(lambda d: d.update(verdict="fine"), id="an unheard-of verdict"),
        pytest.param(lambda d: d["capabilities"]["reachable"].update(tcp4="yes"), id="a word for a truth"),
        pytest.param(lambda d: d.update(schema="l2probe/report/v2"), id="another schema"),
    ],
)
def test_the_schema_refuses(change: Callable[[dict[str, Any]], object]) -> None:
    """What does not fit is refused by the schema and by the reader."""
    document = parsed("mtu")
    change(document)

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema())
    with pytest.raises(ReportError):
        load(json.dumps(document).encode())


FOREIGN: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "blank": (b" \n", "empty"),
    "cut off": (render(REPORTS["mtu"], "json").encode()[:5000], "not readable JSON"),
    "a list": (b"[]", "no l2probe report"),
    "another document": (b'{"kind": "List", "items": []}', "no l2probe report"),
    "another schema": (b'{"schema": "l2probe/report/v9"}', "l2probe/report/v9"),
    "an error of ours": (b'{"schema": "l2probe/error/v1", "error": "x"}', "l2probe/error/v1"),
    "a table": (render(REPORTS["mtu"], "table").encode(), "no l2probe report|neither JSON nor YAML"),
    "binary": (bytes(range(256)), "neither JSON nor YAML"),
    "deeply nested": (b"[" * 100_000, "not readable JSON"),
    "wrong type deep inside": (
        render(REPORTS["mtu"], "json").replace('"payload_bytes": 512', '"payload_bytes": "512"', 1).encode(),
        r"payload_bytes|exchanges",
    ),
    "YAML aliases": (b"a: &x [1]\nb: *x\n", "aliases"),
    "YAML cut off": (b"schema: 'l2probe", "neither JSON nor YAML"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_that_is_no_report_is_said_to_be_none(name: str) -> None:
    """Each ends in a ReportError that says what is wrong, and nothing else."""
    data, says = FOREIGN[name]

    with pytest.raises(ReportError, match=says) as caught:
        load(data)

    assert caught.value.hint
    assert len(str(caught.value)) < 400


def test_a_file_that_is_too_long_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is checked before anything is parsed."""
    monkeypatch.setattr(documents, "MAX_BYTES", 100)

    with pytest.raises(ReportError, match="longer than 100 bytes"):
        load(b"{" * 101)


def test_unknown_keys_of_newer_minor_versions_are_passed_over() -> None:
    """A report with a key that this version does not know is still read."""
    document = parsed("pass") | {"later": 1}

    assert load(json.dumps(document).encode()) == REPORTS["pass"]


def test_manifests_become_a_stream_of_documents() -> None:
    """`--dry-run` prints one YAML document for each manifest, without anchors."""
    labels = {"a": "b"}

    text = documents.to_yaml(({"kind": "A", "labels": labels}, {"kind": "B", "labels": labels, "list": ("x",)}))

    assert list(yaml.safe_load_all(text)) == [
        {"kind": "A", "labels": {"a": "b"}},
        {"kind": "B", "labels": {"a": "b"}, "list": ["x"]},
    ]
    assert "&" not in text


def test_importing_the_report_is_cheap() -> None:
    """`l2probe --help` may import the package: msgspec, yaml and tabulate come only with the form that needs them."""
    heavy = "{'msgspec', 'yaml', 'tabulate', 'asyncio'}"
    program = f"import sys, l2probe.report, l2probe.judge; print(*{heavy} & set(sys.modules))"

    done = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True, check=True)

    assert done.stdout.split() == []
