"""A very small GitHub runner: reads action.yml and workflows, and runs a composite action's shell steps as it does."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
ACTION = ROOT / "action.yml"
WORKFLOWS = ROOT / ".github" / "workflows"
SHELL = ("bash", "--noprofile", "--norc", "-eo", "pipefail")
"""What GitHub starts for `shell: bash` in an action."""
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


def load(path: Path) -> dict[str, Any]:
    """Read a workflow or an action; `on` stays a word (YAML 1.1 takes it for true)."""
    document = yaml.safe_load(path.read_text())
    assert isinstance(document, dict)
    return {"on" if key is True else str(key): value for key, value in document.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a shell step did."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(slots=True, kw_only=True)
class Runner:
    """Runs the steps of action.yml one after the other, with these inputs and this environment."""

    directory: Path
    inputs: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    steps: dict[str, Step] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The job summary."""
        path = self.directory / "summary.md"
        return path.read_text() if path.exists() else ""

    def run(self) -> int:
        """Run step after step until one fails, as GitHub does; return the last exit code."""
        for step in load(ACTION)["runs"]["steps"]:
            if "run" not in step:
                continue
            done = self._shell(step)
            self.steps[step["name"]] = done
            if done.returncode:
                return done.returncode
        return 0

    def resolve(self, text: str) -> str:
        """Replace `${{ inputs.x }}` and `${{ steps.x.outputs.y }}`; anything else is an error."""
        return EXPRESSION.sub(lambda found: self._value(found[1]), text)

    def _value(self, expression: str) -> str:
        match expression.split("."):
            case ["inputs", name]:
                declared = load(ACTION)["inputs"][name]
                return str(self.inputs.get(name, declared["default"]))
            case ["steps", step, "outputs", name]:
                return self.outputs.get(step, {}).get(name, "")
            case _:
                raise AssertionError(f"an expression that this runner does not know: {expression}")

    def _shell(self, step: Mapping[str, Any]) -> Step:
        script = self.directory / "step.sh"
        script.write_text(step["run"])
        written = self.directory / "output"
        written.write_text("")
        done = subprocess.run(
            [*SHELL, str(script)],
            cwd=self.directory,
            env={
                "GITHUB_ACTION_PATH": str(ROOT),
                "GITHUB_OUTPUT": str(written),
                "GITHUB_STEP_SUMMARY": str(self.directory / "summary.md"),
                "RUNNER_TEMP": str(self.directory),
                "HOME": str(self.directory),
                **self.env,
                **{name: self.resolve(value) for name, value in step.get("env", {}).items()},
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        pairs = (line.split("=", maxsplit=1) for line in written.read_text().splitlines())
        self.outputs[step.get("id", step["name"])] = dict(pairs)
        return Step(returncode=done.returncode, stdout=done.stdout, stderr=done.stderr)
