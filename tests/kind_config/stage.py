"""A stage for the recipes: stand-ins for docker, kind, helm and kubectl, which record calls and answer by a table."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "kind-config"
NAMES = ("cilium", "metallb", "kube-vip")
COMMANDS = ("docker", "kind", "helm", "kubectl")

STAND_IN = """#!/usr/bin/env bash
command=${0##*/}
number=$(printf '%03d' "$(set -- "$STAGE_CALLS"/*.argv; [ -e "$1" ] && echo $# || echo 0)")
printf '%s\\n' "$command" "$@" >"$STAGE_CALLS/$number.argv"
printf '%s' "${KIND_EXPERIMENTAL_DOCKER_NETWORK-}" >"$STAGE_CALLS/$number.network"
case " $* " in *" --filename - "*) cat >"$STAGE_CALLS/$number.stdin" ;; esac
. "$STAGE_CALLS/answers"
answer "$command $*"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a stand-in: its words, what it read, and the docker network that kind was told to use."""

    argv: tuple[str, ...]
    stdin: str
    network: str

    @property
    def text(self) -> str:
        """The words as one line."""
        return " ".join(self.argv)


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """What a script did."""

    returncode: int
    stdout: str
    stderr: str
    calls: tuple[Call, ...]

    def called(self, *words: str) -> tuple[Call, ...]:
        """Return the calls that hold these words in this order, side by side."""
        return tuple(call for call in self.calls if f" {' '.join(words)} " in f" {call.text} ")

    def applied(self) -> tuple[str, ...]:
        """Return the manifests that kubectl was given, in order."""
        return tuple(call.stdin for call in self.called("apply", "--filename", "-"))


def network(name: str = "kind", subnet: str = "172.18.0.0/16", *, cluster: str, others: tuple[str, ...] = ()) -> str:
    """Return what `docker network inspect` prints: the IPv6 subnet first, as docker may list it."""
    hosts = subnet.split("/", maxsplit=1)[0].rsplit(".", maxsplit=1)[0]
    nodes = (f"{cluster}-control-plane", f"{cluster}-worker", f"{cluster}-worker2", *others)
    containers = {
        f"id{place}": {"Name": node, "IPv4Address": f"{hosts}.{place}/16", "IPv6Address": ""}
        for place, node in enumerate(nodes, start=2)
    }
    configs = [{"Subnet": "fc00:f853:ccd:e793::/64"}, {"Subnet": subnet, "Gateway": f"{hosts}.1"}]
    return json.dumps([{"Name": name, "Id": "0123456789abcdef", "IPAM": {"Config": configs}, "Containers": containers}])


@dataclass(slots=True)
class Stage:
    """Where a script performs. `answers` maps the shell pattern of a call to what it prints, or to its exit code."""

    directory: Path
    cluster: str
    subnet: str = "172.18.0.0/16"
    network: str = "kind"
    bridge: str = "br-not-on-this-host"
    existing: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    answers: dict[str, str | int] = field(default_factory=dict)

    def perform(self, script: str, *arguments: str, without: tuple[str, ...] = (), **env: str) -> Performance:
        """Run kind-config/SCRIPT with nothing on PATH but the stand-ins and the few tools that it uses."""
        calls = self.directory / "calls"
        shutil.rmtree(calls, ignore_errors=True)
        calls.mkdir()
        (calls / "answers").write_text(_answers([*self.answers.items(), *self._usual().items()]))
        path = self._programs(without)
        done = subprocess.run(
            [str(RECIPES / script), *arguments],
            env={"PATH": str(path), "HOME": str(self.directory), "STAGE_CALLS": str(calls), **env},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return Performance(
            returncode=done.returncode, stdout=done.stdout, stderr=done.stderr, calls=tuple(_recorded(calls))
        )

    def _usual(self) -> Mapping[str, str | int]:
        """Return what a healthy Docker and kind answer. The first pattern that fits wins: a test's own come first."""
        inspected = network(self.network, self.subnet, cluster=self.cluster, others=self.others)
        names = "\n".join(container["Name"] for container in json.loads(inspected)[0]["Containers"].values())
        inspect = f"docker network inspect {self.network}"
        return {
            "docker version *": "28.2.2\n",
            "kind version": "kind v0.32.0 go1.26.0 linux/amd64\n",
            "kind get clusters": "".join(f"{name}\n" for name in self.existing),
            f"{inspect} --format *range*": f"{names}\n\n",
            f"{inspect} --format *slice*": f"0123456789ab {self.bridge}\n",
            inspect: inspected,
            "docker network *": 1,
            "docker exec * readlink *": "cgroup:[4026530000]\n",
            "kubectl * get crd *": "v2 v2alpha1",
        }

    def _programs(self, without: tuple[str, ...]) -> Path:
        path = self.directory / "bin"
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        for tool in ("bash", "env", "dirname", "cat", "readlink"):
            found = shutil.which(tool)
            assert found is not None, f"the scripts use {tool}"
            (path / tool).symlink_to(found)
        _program(path / "python3", f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
        for command in COMMANDS:
            _program(path / command, STAND_IN)
        for command in without:
            (path / command).unlink()
        return path


def _program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def _answers(answers: Iterable[tuple[str, str | int]]) -> str:
    """Render the table as a shell function; what no pattern fits succeeds silently."""
    arms = []
    for pattern, said in answers:
        glob = "*".join(shlex.quote(part) if part else "" for part in pattern.split("*"))
        action = f"exit {said}" if isinstance(said, int) else f"printf %s {shlex.quote(said)}"
        arms.append(f"    {glob}) {action} ;;")
    return "\n".join(("answer() {", '  case "$1" in', *arms, "  esac", "}", ""))


def _recorded(calls: Path) -> list[Call]:
    recorded = []
    for path in sorted(calls.glob("*.argv")):
        stdin = path.with_suffix(".stdin")
        recorded.append(
            Call(
                argv=tuple(path.read_text().splitlines()),
                stdin=stdin.read_text() if stdin.exists() else "",
                network=path.with_suffix(".network").read_text(),
            )
        )
    return recorded


def have(command: str) -> bool:
    """Tell whether this machine has a command."""
    return shutil.which(command, path=os.environ.get("PATH")) is not None
