"""The last words of up.sh: where the client must stand, and a command that l2probe really takes."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click
import pytest

from tests.kind_config.stage import NAMES, Stage


@pytest.fixture
def cilium(tmp_path: Path) -> Stage:
    """Return a machine on which nothing was brought up yet."""
    return stage(tmp_path, "cilium")


def stage(tmp_path: Path, recipe: str, *, answers: dict[str, str | int] | None = None) -> Stage:
    """Return a machine on which this recipe was not brought up yet."""
    return Stage(tmp_path, f"l2probe-{recipe}", answers=answers or {})


def commands_of(text: str) -> list[list[str]]:
    """Return the l2probe command lines in the last words, split as a shell does."""
    joined = text.replace("\\\n", " ")
    lines = [shlex.split(line) for line in joined.splitlines() if " l2probe run" in line]
    return [line[len(line) - 1 - line[::-1].index("l2probe") + 1 :] for line in lines]


@pytest.mark.parametrize("recipe", NAMES)
@pytest.mark.parametrize("bridge", ["lo", "br-not-on-this-host"])
def test_the_printed_command_is_one_that_l2probe_takes(tmp_path: Path, recipe: str, bridge: str) -> None:
    """What the recipe tells the reader to run parses, in both places where a client can stand."""
    from l2probe.cli.run import command  # noqa: PLC0415 - the tool itself, only here

    there = stage(tmp_path, recipe)
    there.bridge = bridge
    done = there.perform(f"{recipe}/up.sh")
    (line,) = commands_of(done.stdout)
    assert line[0] == "run"
    context = command.make_context("run", line[1:])
    assert isinstance(context, click.Context)
    assert context.params["interface"] == ("lo" if bridge == "lo" else "eth0")


def test_on_the_segment_the_client_stands_on_this_host(cilium: Stage) -> None:
    """The bridge is an interface of this host, the gateway of the segment; sudo must keep PATH and kubeconfig."""
    cilium.bridge = "lo"
    done = cilium.perform("cilium/up.sh")
    assert "Stand on this host" in done.stdout
    assert 'sudo -E env "PATH=$PATH" "KUBECONFIG=${KUBECONFIG:-$HOME/.kube/config}" l2probe run' in done.stdout
    assert "--context kind-l2probe-cilium --interface lo --require source" in done.stdout


def test_off_the_segment_the_client_stands_in_a_container(cilium: Stage) -> None:
    """Docker Desktop: the bridge is in a machine of its own, so a container on the network is the client."""
    done = cilium.perform("cilium/up.sh")
    assert "Stand in a container on the docker network kind" in done.stdout
    assert "--network kind --cap-drop ALL --cap-add NET_RAW" in done.stdout
    assert "kind get kubeconfig --internal --name l2probe-cilium" in done.stdout


def test_a_bridge_without_a_name_of_its_own_is_called_after_its_network(cilium: Stage) -> None:
    """Docker names it br- and the first twelve digits of the id."""
    cilium.bridge = ""
    assert "interface br-0123456789ab" in cilium.perform("cilium/up.sh").stdout


def test_only_dsr_requires_the_source_address(cilium: Stage) -> None:
    """SNAT does not promise it, hybrid not for UDP: requiring it there would fail a cluster that does as configured."""
    wanted = {
        datapath: "--require source" in cilium.perform("cilium/up.sh", "--datapath", datapath).stdout
        for datapath in ("dsr", "snat", "hybrid")
    }
    assert wanted == {"dsr": True, "snat": False, "hybrid": False}


def test_a_shared_cgroup_namespace_is_warned_of(cilium: Stage) -> None:
    """There Cilium's socket LB may translate the host's own connections, and a probe from the host proves nothing."""
    assert "warning" not in cilium.perform("cilium/up.sh").stderr
    cilium.answers["docker exec * readlink *"] = f"{Path('/proc/self/ns/cgroup').readlink()}\n"
    done = cilium.perform("cilium/up.sh")
    assert done.returncode == 0
    assert "warning: the nodes share this host's cgroup namespace" in done.stderr


@pytest.mark.parametrize("recipe", NAMES)
def test_standard_output_is_the_last_words_only(tmp_path: Path, recipe: str) -> None:
    """What the tools say goes to standard error, so that a job can keep the last words."""
    chatty: dict[str, str | int] = {
        "helm *": "CHATTER\n",
        "kubectl * rollout *": "CHATTER\n",
        "kubectl * apply *": "CHATTER\n",
        "kind create *": "CHATTER\n",
    }
    done = stage(tmp_path, recipe, answers=chatty).perform(f"{recipe}/up.sh")
    assert done.stdout.startswith(f"Ready: kind cluster l2probe-{recipe}, ")
    assert "CHATTER" in done.stderr
    assert "CHATTER" not in done.stdout


def test_the_scripts_do_not_depend_on_where_they_are_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They find their own files."""
    monkeypatch.chdir(os.sep)
    assert stage(tmp_path, "cilium").perform("cilium/up.sh").returncode == 0
