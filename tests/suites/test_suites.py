"""Suites: what is shipped is right, what is wrong is refused at its line and column with what is allowed there."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from yaml import safe_load

from l2probe import suites
from l2probe.errors import SuiteError
from l2probe.judge.capabilities import REQUIRABLE
from l2probe.model import Flow, Placement, TrafficPolicy
from l2probe.suites import Payload, Question

HEAD = "suite: mine\nabout: Something.\n"
GOOD = HEAD + "questions:\n  - name: q\n"

ERRORS = [
    ("", "1:1: it is empty; allowed: suite,"),
    ("suite: [", "1:9: it is not YAML"),
    ("suite: \x00", "1:1: it is not YAML"),
    ("- a\n", "1:1: expected a suite, got a list"),
    ("about: x\n", "1:1: a suite lacks the key 'suite'; allowed: suite, about, backends"),
    (GOOD + "colour: red\n", "5:1: unknown key 'colour' in a suite; allowed: suite, about"),
    (GOOD + "    polcy: Local\n", "5:5: unknown key 'polcy' in a question; allowed: name, policy"),
    (GOOD + "    policy: local\n", "5:13: 'local' is not known here; allowed: Cluster, Local"),
    (GOOD + "    policy: [Local]\n", "5:13: expected one of Cluster, Local, got a list"),
    (GOOD + "    exchanges: many\n", "5:16: expected a whole number from 1 to 200, got 'many'"),
    (GOOD + "    exchanges: 0\n", "5:16: 0 is out of range; allowed: a whole number from 1 to 200"),
    (GOOD + "    exchanges: 0x10\n", "5:16: 0x10 is out of range"),
    (GOOD + "    payloads: [0]\n", "5:16: 0 is out of range; allowed: a whole number from 512 to 65507"),
    (GOOD + "    payloads: [large]\n", "5:16: 'large' is no payload; allowed: small, full, 512 to 65507"),
    (GOOD + "    protocols: TCP\n", "5:16: expected a list, got 'TCP'"),
    (GOOD + "    protocols: []\n", "5:16: 0 entries; allowed: 1 to 16 entries"),
    (GOOD + "    protocols: [TCP, TCP]\n", "5:22: 'TCP' stands here twice"),
    (GOOD + "    protocols: [SCTP]\n", "5:17: 'SCTP' is not known here; allowed: TCP, UDP"),
    (GOOD + "    families: [IPv5]\n", "5:16: 'IPv5' is not known here; allowed: IPv4, IPv6"),
    (GOOD + "    source-ranges: [192.0.2.1/24]\n", "5:21: '192.0.2.1/24' is no network"),
    (
        GOOD + "    families: [IPv6]\n    source-ranges: [192.0.2.0/24]\n",
        "4:5: source range 192.0.2.0/24 is of a family",
    ),
    (GOOD + "  - name: q\n    policy: Local\n", "5:5: a second question is called 'q'"),
    (GOOD + "backends: 1\n", "4:5: question 'q' needs a second backend off the announcer; allowed: backends: 2 to 20"),
    (GOOD + "backends: 1.5\n", "5:11: expected a whole number from 1 to 20, got '1.5'"),
    (GOOD + "require: [local]\n", "5:10: requires local, but no question has policy Local"),
    (GOOD + "    place: [any]\nrequire: [source]\n", "6:10: requires source, but no question proves it"),
    (GOOD + "require: [speed]\n", "5:11: 'speed' is not known here; allowed: announced, exclusive"),
    (GOOD + "node-selector: {'bad key': x}\n", "5:17: 'bad key' is not a label key"),
    (GOOD + "suite: again\n", "5:1: key 'suite' stands here twice"),
    ("suite: Mine\nabout: x\nquestions: [{name: q}]\n", "1:8: 'Mine' is not a name"),
    (HEAD + "questions: []\n", "3:12: 0 entries"),
    (HEAD + "questions: &a [*a]\n", "3:12: expected a question, got a list"),
    ("a: x\n" * 2, "2:1: key 'a' stands here twice"),
    ("suite: a\n---\nsuite: b\n", "2:1: it is not YAML"),
    ("[" * 60_000, "1:1: it is nested too deeply"),
]


@pytest.mark.parametrize(("text", "expected"), ERRORS, ids=[expected[:60] for _, expected in ERRORS])
def test_what_is_wrong_is_refused_at_its_place(text: str, expected: str) -> None:
    """Every error begins with file:line:column and says what is allowed there."""
    with pytest.raises(SuiteError) as caught:
        suites.parse(text, "mine.yaml")

    assert caught.value.message.startswith(f"mine.yaml:{expected}")


@given(st.text(max_size=200))
def test_no_text_makes_the_reader_crash(text: str) -> None:
    """Whatever a file holds, it is a suite or a SuiteError."""
    with contextlib.suppress(SuiteError):
        assert suites.parse(text, "x").questions


def test_defaults_are_what_a_short_suite_means() -> None:
    """Ten lines are enough: the rest has the meaning that the documentation gives it."""
    suite = suites.parse(GOOD + "  - name: l\n    policy: Local\n", "x")

    assert suite.backends == 3
    assert suite.questions[0] == Question(name="q")
    assert suite.questions[0].place == (Placement.ON_ANNOUNCER, Placement.OFF_ANNOUNCER)
    assert suite.questions[1] == Question(name="l", policy=TrafficPolicy.LOCAL, place=(Placement.OFF_ANNOUNCER,))


def test_everything_that_can_be_said_is_read() -> None:
    """Each key arrives where it belongs."""
    text = (
        "suite: all\nabout: Everything.\nbackends: 5\nnode-selector: {kubernetes.io/os: linux}\nrequire: [source]\n"
        "questions:\n  - name: q\n    policy: Cluster\n    place: [off-announcer]\n    protocols: [UDP]\n"
        "    families: [IPv6]\n    payloads: [full, 1280]\n    exchanges: 3\n    source-ranges: ['2001:db8::/32']\n"
    )

    suite = suites.parse(text, "x")

    assert (suite.backends, suite.node_selector, suite.require) == (5, (("kubernetes.io/os", "linux"),), ("source",))
    assert suite.questions[0].flows((4, 6)) == (Flow.UDP6,)
    assert suite.questions[0].payloads == (Payload(size_bytes=None), Payload(size_bytes=1280))
    assert suite.questions[0].source_ranges == ("2001:db8::/32",)


@pytest.mark.parametrize(("flow", "size"), [(Flow.UDP4, 1472), (Flow.UDP6, 1452), (Flow.TCP4, 4096), (Flow.TCP6, 4096)])
def test_a_full_payload_fills_a_frame_of_its_family(flow: Flow, size: int) -> None:
    """1500 bytes minus the headers of the family; TCP several segments."""
    assert Payload(size_bytes=None).of(flow) == size


def test_flows_follow_the_cluster_unless_named() -> None:
    """A suite that names no family asks for those that the cluster has."""
    assert Question(name="q").flows((4,)) == (Flow.TCP4, Flow.UDP4)
    assert Question(name="q", families=(4, 6)).flows((4,)) == (Flow.TCP4, Flow.UDP4, Flow.TCP6, Flow.UDP6)


def test_shipped_suites_are_found_smoke_first() -> None:
    """The five suites ship, readable, the default first."""
    assert [suite.name for suite in suites.shipped()] == ["smoke", "dsr", "dual-stack", "local", "mtu"]


@pytest.mark.parametrize("name", ["smoke", "dsr", "dual-stack", "local", "mtu"])
def test_a_suite_is_loaded_by_name_or_by_path(name: str) -> None:
    """A name finds what is shipped, a path finds the file, and both are the same."""
    path = suites.builtin() / f"{name}.yaml"

    assert suites.load(name) == suites.load(str(path))
    assert suites.load(name).name == name


def test_unknown_suite_names_those_there_are() -> None:
    """A typo is answered with the list."""
    with pytest.raises(SuiteError) as caught:
        suites.load("smok")

    assert "smok" in caught.value.message
    assert "smoke, dsr, dual-stack, local, mtu" in caught.value.hint


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    """Missing, binary and oversize files end as one sentence with the name."""
    binary, long = tmp_path / "b.yaml", tmp_path / "l.yaml"
    binary.write_bytes(b"\xff\xfe\xfa")
    long.write_text("#" * (suites.MAX_FILE_BYTES + 1))

    for path, words in ((tmp_path / "no.yaml", "No such file"), (binary, "not UTF-8"), (long, "longer than 65536")):
        with pytest.raises(SuiteError) as caught:
            suites.load(str(path))
        assert caught.value.message.startswith(str(path))
        assert words in caught.value.message


def test_schema_file_is_the_code() -> None:
    """Editors are told exactly what the reader accepts."""
    assert (suites.builtin() / "suite.schema.json").read_text() == suites.schema()


@pytest.mark.parametrize("name", ["smoke", "dsr", "dual-stack", "local", "mtu"])
def test_shipped_suites_meet_the_schema(name: str) -> None:
    """The schema accepts what the reader accepts."""
    document = safe_load((suites.builtin() / f"{name}.yaml").read_text())

    Draft202012Validator(json.loads(suites.schema())).validate(document)


@pytest.mark.parametrize("extra", ["colour: red\n", "backends: 0\n", "require: [speed]\n", "questions: []\n"])
def test_schema_refuses_what_the_reader_refuses(extra: str) -> None:
    """An editor underlines what the run would refuse."""
    document = safe_load(GOOD + extra)

    assert not Draft202012Validator(json.loads(suites.schema())).is_valid(document)


def test_requirable_capabilities_are_those_that_the_judge_knows() -> None:
    """A suite cannot require what nobody judges."""
    assert suites.REQUIRABLE == REQUIRABLE
