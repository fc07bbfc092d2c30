"""The command line as a translator: argv in; exit code, stdout and stderr out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner, Result

from l2probe.cli import COMMANDS, cli, wants_json
from l2probe.cli.inside import LAB_OPTIONS, unparse
from l2probe.cli.lab import LIBRARIES
from l2probe.cli.options import DEFAULT_PROFILE
from l2probe.lab import profiles

HEAVY = (
    "kubernetes",
    "scapy",
    "msgspec",
    "tabulate",
    "yaml",
    "aiohttp",
    "pyroute2",
    "cryptography",
    "asyncio",
    "http.client",
)


def l2probe(*argv: str) -> Result:
    """Run a command line in this process."""
    return CliRunner().invoke(cli, list(argv), prog_name="l2probe")


def every_command(group: click.Group, *path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its full name."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield " ".join((*path, name)), command
        if isinstance(command, click.Group):
            yield from every_command(command, *path, name)


ALL = dict(every_command(cli))
OPTIONS = [
    pytest.param(option, id=f"{name} {option.opts[0]}")
    for name, command in ALL.items()
    for option in command.params
    if isinstance(option, click.Option)
]


@pytest.mark.parametrize("argv", [("--help",), ("run", "--help"), ("--version",)], ids=" ".join)
def test_help_imports_nothing_heavy(argv: tuple[str, ...]) -> None:
    """Help is instant: the libraries of cluster, wire, reports and lab stay out."""
    code = "import sys\ntry:\n import l2probe.__main__\nfinally:\n print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, check=False)

    loaded = set(done.stderr.split())
    assert done.returncode == 0
    assert not set(HEAVY) & loaded


def test_the_table_of_commands_says_what_the_commands_say() -> None:
    """The help that imports nothing does not drift from the help that does."""
    context = click.Context(cli)
    said = {name: ALL[name].get_short_help_str(limit=200) for name in cli.list_commands(context)}

    assert said == COMMANDS


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_has_help(option: click.Option) -> None:
    """No flag without a word about it."""
    assert option.help


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("walk",), "No such command 'walk'."),
        (("run", "--nope"), "No such option '--nope'."),
        (("run", "no-such-suite"), "There was no suite named 'no-such-suite'."),
        (("run", "./no-such-file.yaml"), "no-such-file.yaml: the suite could not be read: No such file or directory."),
        (("run", "smoke", "smoke"), "Suite smoke was named twice."),
        (("run", "--profile", "x"), "--profile and --fault need --lab."),
        (("audit", "--fault", "x"), "--profile and --fault need --lab."),
        (("audit", "--control-plane", "envtest"), "--control-plane needs --lab."),
        (("diagnose", "--control-plane", "envtest", "x/y"), "--control-plane needs --lab."),
        (("run", "--lab", "--context", "x"), "--lab brings its own cluster; leave --context out."),
        (("diagnose", "--lab", "--as", "x", "--user", "y"), "its own cluster; leave --user and --as out."),
        (
            ("cleanup", "--request-timeout", "soon"),
            "'soon' is no duration; write 10, 30s, 1m or 1m30s, and 0 for none.",
        ),
        (("cleanup", "--request-timeout", "-1s"), "'-1s' is no duration; write 10, 30s, 1m or 1m30s"),
        (("run", "--node-selector", "disk"), "Invalid value for '--node-selector': 'disk' is not KEY=VALUE."),
        (("run", "--toleration", "a:Never"), "Invalid value for '--toleration': 'a:Never' is not KEY[=VALUE]"),
        (
            ("run", "--image-pull-secret", "a"),
            "Invalid value for '--image-pull-secret': 'a' is not NAMESPACE/NAME of a",
        ),
        (("run", "--image-pull-secret", "../x"), "'../x' is not NAMESPACE/NAME of a Secret."),
        (("run", "--image-pull-secret", "a/b/c"), "'a/b/c' is not NAMESPACE/NAME of a Secret."),
        (("run", "--require", "speed"), "Invalid value for '--require': 'speed' is no capability; allowed: announced,"),
        (("run", "--timeout", "0"), "Invalid value for '--timeout': 0.0 is not in the range 1<=x<=3600."),
        (("run", "--timeout", "abc"), "Invalid value for '--timeout': 'abc' is not a valid number of seconds."),
        (("judge", __file__), f"{__file__}: The file is "),
        (("judge",), "Missing argument 'FILE...'."),
        (("judge", "no-such-report.json"), "no-such-report.json could not be read: No such file or directory."),
        (("judge", "--junit-file", "x", "a", "b"), "-o json, --junit-file and --html take one report at a time."),
        (("explain", "Z99"), "There was no finding 'Z99' in the catalogue."),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, tuple) else "",
)
def test_wrong_usage_is_one_sentence_a_hint_and_two(argv: tuple[str, ...], message: str) -> None:
    """Everything that keeps us from observing exits with 2, says why on stderr, and nothing on stdout."""
    result = l2probe(*argv)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert message in result.stderr.splitlines()[0]


def test_the_list_of_findings_says_what_each_is_and_a_slip_what_was_meant() -> None:
    """Codes and slugs are names for those who know them; the list is for those who do not."""
    listed = l2probe("explain").stdout.splitlines()

    assert "B07  silent-leader                      The lease is held and fresh, and nobody answers." in listed
    assert "Did you mean silent-leader?" in l2probe("explain", "silent-leadr").stderr


@pytest.mark.parametrize("argv", [(), ("lab",)], ids=["l2probe", "l2probe lab"])
def test_no_command_shows_help_and_proves_nothing(argv: tuple[str, ...]) -> None:
    """An empty command line is no success."""
    result = l2probe(*argv)

    assert result.exit_code == 2
    assert "Commands:" in result.stdout


@pytest.mark.parametrize(
    "options", [("-o", "json"), ("-ojson",), ("--output=json",), ("--output", "json")], ids=" ".join
)
def test_for_json_even_an_error_is_one_document(options: tuple[str, ...]) -> None:
    """A pipeline that reads JSON gets JSON, whatever happens."""
    result = l2probe("run", "no-such-suite", *options)

    document = json.loads(result.stdout)
    assert result.exit_code == 2
    assert document["schema"] == "l2probe/error/v1"
    assert document["error"] == "There was no suite named 'no-such-suite'."
    assert "smoke" in document["hint"]


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["run"], False),
        (["run", "-o", "yaml"], False),
        (["run", "-o"], False),
        (["json"], False),
        (["run", "-o", "json", "--nope"], True),
    ],
)
def test_json_is_recognised_in_unparsable_lines_too(*, argv: list[str], expected: bool) -> None:
    """Whether JSON is wanted must be known before the line is parsed."""
    assert wants_json(argv) is expected


def test_list_shows_the_shipped_suites() -> None:
    """A line for each suite, the default first; as JSON one document."""
    lines = l2probe("run", "--list").stdout.splitlines()
    document = json.loads(l2probe("run", "--list", "-o", "json").stdout)

    assert [line.split()[0] for line in lines] == ["smoke", "dsr", "dual-stack", "local", "mtu"]
    assert [suite["suite"] for suite in document] == ["smoke", "dsr", "dual-stack", "local", "mtu"]


def test_dry_run_prints_every_object_and_needs_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifests are YAML that kubectl takes, in an order in which it can create them."""
    monkeypatch.setenv("KUBECONFIG", "/nonexistent")

    result = l2probe(
        "run", "--dry-run", "--image", "my/python:1", "--node-selector", "a=b,c=d", "--toleration", "t=v:NoExecute"
    )

    objects = list(yaml.safe_load_all(result.stdout))
    kinds = [each["kind"] for each in objects]
    pod = objects[kinds.index("Pod")]["spec"]
    assert result.exit_code == 0
    assert kinds[0] == "Namespace"
    assert (kinds.count("Service"), kinds.count("Pod")) == (2, 3)
    assert pod["containers"][0]["image"] == "my/python:1"
    assert pod["nodeSelector"] == {"a": "b", "c": "d"}
    assert pod["tolerations"] == [{"key": "t", "operator": "Equal", "value": "v", "effect": "NoExecute"}]


def test_dry_run_of_an_image_says_what_it_exposes_and_what_is_not_shown() -> None:
    """Agnhost's shell is no surprise, and the fence is named although its addresses are not known without a cluster."""
    result = l2probe("run", "--dry-run", "--echo", "agnhost", "dsr")

    assert result.exit_code == 0
    assert "hostname: echo-1-" in result.stdout
    assert "kind: Secret" not in result.stdout
    assert result.stderr.startswith("warning: agnhost runs any command that is sent to /shell")
    assert "Not shown: loadBalancerSourceRanges" in result.stderr


def test_a_suite_of_which_nothing_can_be_asked_is_refused(tmp_path: Path) -> None:
    """Whoami speaks no UDP: a suite that asks nothing else would prove nothing."""
    suite = tmp_path / "udp.yaml"
    suite.write_text("suite: udp\nabout: UDP only.\nquestions: [{name: q, policy: Cluster, protocols: [UDP]}]\n")
    result = l2probe("run", "--dry-run", "--echo", "whoami", str(suite))

    assert result.exit_code == 2
    assert "Suite udp asks UDP only, which whoami does not speak." in result.stderr


def test_dry_run_names_the_secret_that_it_would_copy() -> None:
    """Pods refer to the copy; its content is not read, so it is not shown, and stderr says so."""
    result = l2probe("run", "--dry-run", "--image-pull-secret", "team/registry")

    pods = [each for each in yaml.safe_load_all(result.stdout) if each["kind"] == "Pod"]
    assert all(pod["spec"]["imagePullSecrets"] == [{"name": "l2probe-pull"}] for pod in pods)
    assert result.stderr == "Not shown: Secret l2probe-pull, a copy of team/registry.\n"


def test_dry_run_as_json_is_one_list() -> None:
    """-o json stays one document."""
    assert json.loads(l2probe("run", "--dry-run", "-o", "json").stdout)["kind"] == "List"


def test_without_a_kubeconfig_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No cluster is not a broken cluster."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))

    for command in ("run", "cleanup"):
        result = l2probe(command)
        assert result.exit_code == 2
        assert "No kubeconfig was found" in result.stderr


def kubeconfig(folder: Path, server: str) -> Path:
    """Write a kubeconfig for this server."""
    path = folder / "config"
    document = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    path.write_text(json.dumps(document))
    return path


def test_an_unreachable_api_is_one_sentence(tmp_path: Path) -> None:
    """Connection refused: what, where, and exit code 2; a traceback never."""
    config = kubeconfig(tmp_path, "http://127.0.0.1:9")

    result = l2probe("run", "--kubeconfig", str(config), "--request-timeout", "1", "-q", "-o", "json")

    assert result.exit_code == 2
    assert "127.0.0.1:9" in json.loads(result.stdout)["error"]
    assert "Traceback" not in result.stderr


def test_an_unknown_context_is_one_sentence(tmp_path: Path) -> None:
    """A typo in --context names the context."""
    config = kubeconfig(tmp_path, "http://127.0.0.1:9")

    result = l2probe("run", "--kubeconfig", str(config), "--context", "nope")

    assert result.exit_code == 2
    assert "nope" in result.stderr


def test_a_defect_of_ours_is_a_sentence_and_never_exit_code_one() -> None:
    """Our crash must not be read as a broken network; -v shows the traceback."""

    @click.command("crash")
    def crash() -> None:
        raise ZeroDivisionError("no")

    quiet, loud = (_with_command(crash, *argv) for argv in ((), ("-v",)))
    assert quiet.exit_code == loud.exit_code == 2
    assert quiet.stderr.splitlines()[0] == "error: l2probe itself failed: ZeroDivisionError: no"
    assert "Traceback" in loud.stderr
    assert "Traceback" not in quiet.stderr


def _with_command(command: click.Command, *argv: str) -> Result:
    command.params = [click.Option(["-v", "verbose"], is_flag=True, expose_value=False)]
    group = type(cli)(name="l2probe", commands={"crash": command}, invoke_without_command=True)
    group.get_command = lambda ctx, cmd_name: command  # type: ignore[method-assign]
    return CliRunner().invoke(group, ["crash", *argv])


def test_a_closed_pipe_is_no_traceback() -> None:
    """`l2probe run --dry-run | head -1` ends in silence."""
    line = f"{sys.executable} -m l2probe run --dry-run | head -1"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True, env=os.environ)

    assert done.stdout == "apiVersion: v1\n"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], []),
        (["--lab", "--profile", "p", "--fault=f", "--fault", "g"], []),
        (["--lab", "-o", "json", "smoke"], ["--output=json", "--", "smoke"]),
        (
            ["--strict", "--lab", "--node-selector", "a=b", "--node-selector=c=d"],
            ["--strict", "--node-selector=a=b", "--node-selector=c=d"],
        ),
        (
            ["--toleration", "t=v:NoExecute", "--require", "source,local"],
            ["--require=source,local", "--toleration=t=v:NoExecute"],
        ),
        (["--lab", "-qv", "./a b.yaml", "mtu"], ["--verbose", "--quiet", "--", "./a b.yaml", "mtu"]),
    ],
    ids=" ".join,
)
def test_the_line_inside_the_lab_is_the_line_without_the_lab(argv: list[str], expected: list[str]) -> None:
    """The tool inside gets the very words of the user, minus those that made the lab."""
    command = ALL["run"]
    context = command.make_context("run", list(argv), resilient_parsing=True)

    assert sorted(unparse(context, argv, without=LAB_OPTIONS)) == sorted(expected)


def test_the_default_profile_is_that_of_the_lab() -> None:
    """What help says is what the lab plays."""
    assert DEFAULT_PROFILE == profiles.DEFAULT


def test_without_its_libraries_the_lab_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain install leaves the lab's libraries out; that is no defect, and the way to them is named."""
    monkeypatch.setitem(sys.modules, "aiohttp", None)

    for argv in (("lab", "up"), ("run", "--lab")):
        result = l2probe(*argv)
        assert result.exit_code == 2
        assert result.stderr == (
            "error: The lab needs aiohttp, not installed here.\nhint: Install them: `pip install 'l2probe[lab]'`.\n"
        )


def test_the_labs_libraries_are_those_of_its_extra() -> None:
    """What is looked for is what `l2probe[lab]` brings."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    extra = project["optional-dependencies"]["lab"]

    assert sorted(LIBRARIES) == sorted(need.partition(">")[0] for need in extra)


def test_lab_lists_profiles_and_faults() -> None:
    """Both lists come from the lab's own tables."""
    listed = json.loads(l2probe("lab", "profiles", "-o", "json").stdout)

    assert [each["name"] for each in listed] == list(profiles.PROFILES)
    listed = json.loads(l2probe("lab", "faults", "-o", "json").stdout)
    shown = {each["name"]: (each["raises"], each["command"]) for each in listed}
    assert shown["silent-leader"] == ("B07", "l2probe run --lab --fault silent-leader")
    assert ["silent-leader", "B07"] in [line.split()[:2] for line in l2probe("lab", "faults").stdout.splitlines()]
