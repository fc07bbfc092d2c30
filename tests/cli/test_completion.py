"""What Tab offers, asked the way kubectl asks: words in; candidates and a directive out."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from l2probe.cli import candidates, cli
from l2probe.cli.candidates import CLUSTER_SECONDS
from l2probe.cli.kubectl import answer
from l2probe.lab import faults, profiles
from tests.observe.scripted import Api, hang, reply, serving

NO_FILES = ":4"
FILES_TOO = ":0"


@pytest.fixture
def api() -> Iterator[Api]:
    """Serve a scripted API."""
    with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the user's own kubeconfig out."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))


def offered(*words: str) -> list[str]:
    """Return the candidates alone."""
    return [line.partition("\t")[0] for line in answer(words).splitlines()[:-1]]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("ru",), ["run"]),
        (("run", "m"), ["mtu"]),
        (("run", "--require", "source,loc"), ["source,local"]),
        (("run", "-o", "j"), ["json"]),
        (("run", "--dry"), ["--dry-run"]),
        (("run", "--lab", "--profile", ""), list(profiles.PROFILES)),
        (("run", "--lab", "--fault", "silent"), ["silent-leader"]),
        (("lab", "fault", ""), list(faults.FAULTS)),
        (("lab", "up", "--profile", "metallb"), [name for name in profiles.PROFILES if name.startswith("metallb")]),
        (("explain", "b0"), [f"B0{number}" for number in range(1, 10)]),
        (("explain", "silent"), ["silent-leader"]),
        (("explain", "nothing-like-it"), []),
        (("completion", ""), ["bash", "zsh", "fish"]),
        (("run", "--interface", "l"), ["lo"]),
        ((), []),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, tuple) else "",
)
def test_names_of_the_package_are_offered(words: tuple[str, ...], expected: list[str]) -> None:
    """Suites, profiles, faults, codes and options come from the tables that the commands read."""
    found = offered(*words)

    assert [name for name in found if name in expected] == expected
    assert set(found) - set(expected) <= (set() if expected else {*found})


def test_descriptions_follow_a_tab() -> None:
    """A suite is offered with what it is about, a code with its slug."""
    assert answer(["explain", "B07"]) == f"B07\tsilent-leader\n{NO_FILES}"


@pytest.mark.parametrize(
    ("words", "directive"),
    [
        (("run", ""), FILES_TOO),
        (("run", "--pcap", ""), FILES_TOO),
        (("run", "--kubeconfig", ""), FILES_TOO),
        (("judge", ""), FILES_TOO),
        (("explain", ""), NO_FILES),
        (("run", "--context", ""), NO_FILES),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, tuple) else "",
)
def test_files_are_offered_where_a_file_is_wanted(words: tuple[str, ...], directive: str) -> None:
    """And only there: no directory listing among the codes."""
    assert answer(words).splitlines()[-1] == directive


def contexts_file(path: Path, *names: str) -> Path:
    """Write a kubeconfig with these contexts, of a cluster that is not there."""
    entries = [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in names]
    clusters = [{"name": name, "cluster": {"server": "http://192.0.2.1:9"}} for name in ("c", *names)]
    users = [{"name": name, "user": {}} for name in names]
    path.write_text(json.dumps({"contexts": entries, "clusters": clusters, "users": users}))
    return path


def test_contexts_of_all_files_are_offered_without_a_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """$KUBECONFIG may list files; one that is missing or broken hides none of the others."""
    broken = tmp_path / "broken"
    broken.write_text("{")
    paths = (
        contexts_file(tmp_path / "a", "lab", "edge"),
        tmp_path / "none",
        broken,
        contexts_file(tmp_path / "b", "lan"),
    )
    monkeypatch.setenv("KUBECONFIG", ":".join(map(str, paths)))

    assert offered("run", "--context", "l") == ["lab", "lan"]
    assert offered("cleanup", "--cluster", "l") == offered("diagnose", "--user", "l") == ["lab", "lan"]


def test_the_file_named_on_the_line_is_the_one_that_is_read(tmp_path: Path) -> None:
    """--kubeconfig wins over the environment, as when the command runs."""
    path = contexts_file(tmp_path / "mine", "mine")

    assert offered("cleanup", "--kubeconfig", str(path), "--context", "") == ["mine"]


def test_runs_that_left_something_are_offered(api: Api, tmp_path: Path) -> None:
    """`cleanup --run` offers ids, and tells the namespace."""
    labels = {"app.kubernetes.io/managed-by": "l2probe", "l2probe/run": "0badcafe"}
    items = [{"metadata": {"name": "l2probe-0badcafe", "namespace": "", "resourceVersion": "1", "labels": labels}}]
    api.on("GET /api/v1/namespaces", reply({"metadata": {"resourceVersion": "1"}, "items": items}))

    said = answer(["cleanup", "--kubeconfig", api.kubeconfig(tmp_path), "--run", "0"])

    assert said == f"0badcafe\tl2probe-0badcafe\n{NO_FILES}"


def test_a_cluster_that_hangs_costs_two_seconds_and_no_word(
    api: Api, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Who presses Tab neither waits for a dead cluster nor reads an error in the middle of the line."""
    api.on("GET /api/v1/namespaces", hang)
    began = time.monotonic()

    found = offered("cleanup", "--kubeconfig", api.kubeconfig(tmp_path), "--run", "")

    assert found == []
    assert time.monotonic() - began < CLUSTER_SECONDS + 1
    assert capfd.readouterr() == ("", "")


def test_an_exec_plugin_that_talks_is_not_heard(api: Api, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A login that complains on stderr would tear the line apart."""
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", "echo no >&2; exit 1"]}
    config = api.kubeconfig(tmp_path, exec=plugin)

    assert offered("cleanup", "--kubeconfig", config, "--run", "") == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_asks_the_program_by_its_variable(shell: str) -> None:
    """What the script sets is what the program listens to, whatever name it was started by."""
    done = CliRunner().invoke(cli, ["completion", shell], prog_name="kubectl l2probe")

    assert done.exit_code == 0
    assert f"_L2PROBE_COMPLETE={shell}_complete" in done.stdout
    assert "kubectl" not in done.stdout


@pytest.mark.parametrize("name", ["run", "diagnose", "judge", "cleanup"])
def test_every_name_can_be_completed(name: str) -> None:
    """A new option that takes the name or id of something that exists gets candidates."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    silent = [
        param.opts
        for param in command.params
        if isinstance(param, click.Option) and param.metavar in {"NAME", "ID"} and param._custom_shell_complete is None
    ]

    assert silent == []


@click.command("ask")
@click.option("--kubeconfig")
@click.option("-n", "--namespace", shell_complete=candidates.namespaces)
@click.argument("service", shell_complete=candidates.services)
def ask(**_: str) -> None:
    """Take the parameters that name what is in the cluster."""


def test_namespaces_and_services_of_the_cluster_are_offered(api: Api, tmp_path: Path) -> None:
    """Only Services of type LoadBalancer, as NAMESPACE/NAME, with the address they have."""
    namespaces = [{"metadata": {"name": name}} for name in ("default", "web")]
    services = [service("web", "shop", "LoadBalancer", "192.0.2.40"), service("web", "db", "ClusterIP", "")]
    api.on("GET /api/v1/namespaces", reply({"metadata": {"resourceVersion": "1"}, "items": namespaces}))
    api.on("GET /api/v1/services", reply({"metadata": {"resourceVersion": "1"}, "items": services}))
    line = ["--kubeconfig", api.kubeconfig(tmp_path)]
    completing = ShellComplete(ask, {}, "ask", "")

    assert [item.value for item in completing.get_completions([*line, "-n"], "w")] == ["web"]
    found = completing.get_completions(line, "")
    assert [(item.value, item.help) for item in found] == [("web/shop", "192.0.2.40")]


def service(namespace: str, name: str, kind: str, address: str) -> dict[str, object]:
    """Return a Service as the API sends it."""
    given = [{"ip": address}] if address else []
    return {
        "metadata": {"namespace": namespace, "name": name, "resourceVersion": "1"},
        "spec": {"type": kind, "ports": [{"port": 80, "protocol": "TCP"}]},
        "status": {"loadBalancer": {"ingress": given}},
    }
