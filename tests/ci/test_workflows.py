""".github/workflows: what they run exists, shellcheck accepts it, and nothing foreign is written into a script."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ci.runner import ACTION, ROOT, SHELL, WORKFLOWS, load
from tests.kind_config.stage import have

FILES = sorted(WORKFLOWS.glob("*.yml"))


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every step of the workflows and of the action, with a name for messages."""
    for path in FILES:
        for job, entry in load(path)["jobs"].items():
            for place, step in enumerate(entry["steps"]):
                yield f"{path.name}:{job}:{step.get('name', place)}", step
    for step in load(ACTION)["runs"]["steps"]:
        yield f"action.yml:{step['name']}", step


SCRIPTS = [pytest.param(step["run"], id=name) for name, step in steps() if "run" in step]


def test_there_are_the_two_workflows() -> None:
    """One for the project's own tests, one for a real cluster on kind."""
    assert [path.name for path in FILES] == ["kind.yml", "test.yml"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_workflow_may_only_read_and_ends_some_time(path: Path) -> None:
    """The token writes nothing, and a job that hangs does not run for six hours."""
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert all(job["timeout-minutes"] <= 30 for job in workflow["jobs"].values())
    assert all(job["runs-on"] == "ubuntu-24.04" for job in workflow["jobs"].values())


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_expression_stands_in_a_script(script: str) -> None:
    """GitHub writes an expression's value into the script before the shell reads it."""
    assert "${{" not in script


@pytest.mark.parametrize("script", SCRIPTS)
def test_bash_parses_every_script(script: str) -> None:
    """A syntax error would show itself on GitHub only."""
    subprocess.run([*SHELL, "-n"], input=script, text=True, check=True, timeout=30)


@pytest.mark.skipif(not have("shellcheck"), reason="shellcheck is not installed here: apt-get install shellcheck")
@pytest.mark.parametrize("script", SCRIPTS)
def test_shellcheck_finds_nothing_in_a_script(script: str) -> None:
    """Quoting in a step is held as in a file."""
    done = subprocess.run(
        ["shellcheck", "--shell=bash", "-"], input=script, capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stdout


def test_every_foreign_action_has_a_version() -> None:
    """An action without a version is whatever its branch is today."""
    used = {step["uses"] for _, step in steps() if "uses" in step}
    assert all(re.fullmatch(r"\./|[\w.-]+/[\w.-]+@v\d+(\.\d+\.\d+)?", name) for name in used), used


def test_the_tests_run_on_every_supported_python() -> None:
    """The matrix begins with requires-python, and `make test` is the only way in."""
    job = load(WORKFLOWS / "test.yml")["jobs"]["make-test"]
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert 'requires-python = ">=3.11"' in (ROOT / "pyproject.toml").read_text()
    assert job["steps"][-1]["run"].strip() == ".ci/run"
    assert (ROOT / ".ci/run").exists()


def test_user_namespaces_are_allowed_before_the_lab_needs_them() -> None:
    """Ubuntu 24.04 keeps them from unknown programs; where there is no such switch the step does nothing."""
    named = [step.get("name") for step in load(WORKFLOWS / "test.yml")["jobs"]["make-test"]["steps"]]
    assert named.index("Allow user namespaces") < named.index("Test")


def test_the_kind_job_takes_down_what_it_brought_up() -> None:
    """By hand and weekly; down runs whatever the probe said, and the probe is this checkout's own action."""
    workflow = load(WORKFLOWS / "kind.yml")
    assert set(workflow["on"]) == {"workflow_dispatch", "schedule"}
    by_name = {step.get("name", step.get("uses")): step for step in workflow["jobs"]["probe"]["steps"]}
    assert by_name["Up"]["run"].strip() == '"kind-config/$RECIPE/up.sh"'
    assert by_name["Probe"]["uses"] == "./"
    assert set(by_name["Probe"]["with"]) <= set(load(ACTION)["inputs"])
    assert by_name["Down"] == {
        "name": "Down",
        "if": "always()",
        "shell": "bash",
        "run": '"kind-config/$RECIPE/down.sh"\n',
    }


def test_the_kind_job_offers_the_recipes_that_there_are() -> None:
    """A recipe or a mode in the menu that is no folder or no values file would fail after five minutes."""
    inputs = load(WORKFLOWS / "kind.yml")["on"]["workflow_dispatch"]["inputs"]
    for recipe in inputs["recipe"]["options"]:
        assert (ROOT / "kind-config" / recipe / "up.sh").exists()
    for datapath in inputs["datapath"]["options"]:
        assert (ROOT / "kind-config" / "cilium" / f"values-{datapath}.yaml").exists()


def test_kind_is_the_release_that_the_recipes_were_written_for() -> None:
    """The node image's digest belongs to that release."""
    (installed,) = (
        step["with"]["version"] for name, step in steps() if str(step.get("uses")).startswith("helm/kind-action@")
    )
    assert f"KIND_VERSION={installed}\n" in (ROOT / "kind-config" / "recipe.sh").read_text()


def test_the_kind_job_runs_suites_that_there_are() -> None:
    """A suite that was renamed would be found out once a week."""
    steps_of_job = load(WORKFLOWS / "kind.yml")["jobs"]["probe"]["steps"]
    (suites,) = (step["with"]["suites"] for step in steps_of_job if step.get("uses") == "./")
    named = {
        word for text in re.findall(r"&& '([^']*)' \|\| '([^']*)'", suites) for group in text for word in group.split()
    }
    assert named == {"smoke", "dsr"}
    assert all((ROOT / "probes" / f"{name}.yaml").exists() for name in named)
