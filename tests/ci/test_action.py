"""action.yml: its steps run here as plain shell, with a stand-in for `l2probe run` that leaves a report.

What judges that report for the summary is l2probe itself.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from l2probe.report import render
from tests.ci.runner import ACTION, EXPRESSION, Runner, load
from tests.report.reports import REPORTS

FOUND = render(REPORTS["foreign-owner"], "json")


def program(path: Path, text: str) -> None:
    """Write an executable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """Return a runner on which python installs a stand-in for l2probe, and sudo only changes PATH and HOME."""
    python = f"""#!/bin/sh
printf '%s\\n' "$*" >>"$CALLS/python"
case "$*" in
  "-m venv "*) mkdir -p "$3/bin" && cp "$CALLS/l2probe" "$3/bin/l2probe" && cp "$0" "$3/bin/python" ;;
  "-m pip "*) ;;
  *) exec {shlex.quote(sys.executable)} "$@" ;;
esac
"""
    probe = f"""#!/bin/sh
[ "$1" != judge ] || exec {shlex.quote(sys.executable)} -P -c 'from l2probe.cli import main; main()' "$@"
printf '%s\\n' "$@" >"$CALLS/l2probe.argv"
printf '%s\\n' "${{KUBECONFIG-}}" >"$CALLS/l2probe.kubeconfig"
while [ $# -gt 0 ]; do
  case $1 in --junit-file) echo '<testsuites/>' >"$2" ;; --html) echo '<!doctype html>' >"$2" ;; esac
  case $1 in --pcap) echo pcap >"$2" ;; esac
  shift
done
[ ! -e "$CALLS/report" ] || cat "$CALLS/report"
exit "$(cat "$CALLS/exit-code")"
"""
    # As sudo does: PATH and HOME are not the caller's, unless `env` sets them.
    sudo = """#!/bin/sh
printf '%s\\n' "$*" >>"$CALLS/sudo"
[ "$1" != -E ] || shift
HOME=/root PATH=/usr/bin:/bin exec "$@"
"""
    calls = tmp_path / "calls"
    program(tmp_path / "bin/python3", python)
    program(tmp_path / "bin/sudo", sudo)
    program(calls / "l2probe", probe)
    (calls / "report").write_text(FOUND)
    (calls / "exit-code").write_text("1")
    return Runner(directory=tmp_path, env={"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "CALLS": str(calls)})


def argv(runner: Runner) -> list[str]:
    """Return how l2probe was called."""
    return (runner.directory / "calls/l2probe.argv").read_text().splitlines()


def test_it_is_a_composite_action_as_github_reads_one() -> None:
    """Name and description, composite, a shell for each script, an id for each step that has outputs."""
    action = load(ACTION)
    assert action["name"]
    assert action["description"]
    assert action["runs"]["using"] == "composite"
    steps = action["runs"]["steps"]
    assert all(step["shell"] == "bash" for step in steps if "run" in step)
    assert all({"description", "default"} <= set(declared) for declared in action["inputs"].values())
    ids = {step.get("id") for step in steps}
    for output in action["outputs"].values():
        (expression,) = EXPRESSION.findall(output["value"])
        assert expression.split(".")[1] in ids


def test_no_input_is_written_into_a_script() -> None:
    """A branch name or a suite name with a quote in it would be run; as environment variables they are data."""
    assert not [step["name"] for step in load(ACTION)["runs"]["steps"] if "${{" in step.get("run", "")]


def test_the_reports_are_uploaded_before_the_verdict_ends_the_job(runner: Runner) -> None:
    """A proven fault must not hide its own report: passing the exit code on is the last step, alone."""
    steps = load(ACTION)["runs"]["steps"]
    assert steps[-1]["run"].strip() == 'exit "$STATUS"'
    upload = steps[-2]
    assert upload["uses"].startswith("actions/upload-artifact@v")
    runner.run()
    directory = Path(runner.resolve(upload["with"]["path"]))
    assert {path.name for path in directory.iterdir()} == {"report.json", "junit.xml", "report.html"}


def test_it_installs_its_own_checkout(runner: Runner) -> None:
    """The version that runs is the version of the action, not whatever a registry has."""
    runner.run()
    installed = (runner.directory / "calls/python").read_text().splitlines()
    root = str(ACTION.parent)
    assert installed[0] == f"-m venv {runner.directory}/l2probe"
    assert installed[1] == f"-m pip install --quiet --disable-pip-version-check {root}"


@pytest.mark.parametrize("code", [0, 1, 2])
def test_the_exit_code_passes_through(runner: Runner, code: int) -> None:
    """The job ends with l2probe's own code (proven good, broken, could not tell), after everything else ran."""
    (runner.directory / "calls/exit-code").write_text(str(code))
    assert runner.run() == code
    assert runner.outputs["run"]["exit-code"] == str(code)
    assert [step.returncode for step in runner.steps.values()] == [0, 0, 0, code]


def test_outputs_and_summary(runner: Runner) -> None:
    """Verdict and paths as outputs, and as job summary the Markdown that the product itself writes."""
    runner.env = {**runner.env, "GITHUB_ACTIONS": "true"}
    assert runner.run() == 1
    outputs = {name: runner.resolve(output["value"]) for name, output in load(ACTION)["outputs"].items()}
    assert outputs["verdict"] == "fail"
    assert outputs["exit-code"] == "1"
    assert Path(outputs["report"]).read_text() == FOUND
    assert Path(outputs["junit"]).read_text() == "<testsuites/>\n"
    assert Path(outputs["html"]).read_text() == "<!doctype html>\n"
    assert runner.summary == render(REPORTS["foreign-owner"], "markdown")
    assert "::error" not in runner.steps["Summarise"].stderr  # the findings stand beside the job already


@pytest.mark.parametrize("left", [None, "", "{", '{"schema": "l2probe/error/v1", "error": "x <b> `y`", "hint": ""}\n'])
def test_a_crash_without_a_report_is_told_and_passed_on(runner: Runner, left: str | None) -> None:
    """No report is a summary with the exit code and what was left instead, as text; not a step that fails."""
    report = runner.directory / "calls/report"
    report.unlink() if left is None else report.write_text(left)
    (runner.directory / "calls/exit-code").write_text("2")
    assert runner.run() == 2
    assert runner.summary.startswith("## l2probe: no report\n\nl2probe ended with exit code 2 and left no report.\n\n")
    assert all(line.startswith("    ") for line in runner.summary.splitlines()[4:])
    assert (left or "").strip() in runner.summary
    assert runner.outputs["summary"]["verdict"] == "unknown"


def test_inputs_become_options(runner: Runner) -> None:
    """Suites may be separated by blanks and newlines, and a glob in them stays what it is."""
    runner.inputs = {
        "suites": "smoke  ./my*.yaml\n  dsr",
        "context": "kind-l2probe-cilium",
        "interface": "br-1",
        "require": "source,local",
        "pcap": "true",
        "directory": "out put",
    }
    runner.run()
    out = runner.directory / "out put"
    assert argv(runner) == [
        *("run", "smoke", "./my*.yaml", "dsr", "-o", "json", "--junit-file", f"{out}/junit.xml"),
        *("--html", f"{out}/report.html"),
        *(
            "--context",
            "kind-l2probe-cilium",
            "--interface",
            "br-1",
            "--require",
            "source,local",
            "--pcap",
            f"{out}/frames.pcap",
        ),
    ]


def test_without_inputs_nothing_is_chosen_for_the_user(runner: Runner) -> None:
    """An empty option would mean something else than none."""
    runner.run()
    directory = runner.directory / "l2probe-report"
    assert argv(runner) == [
        *("run", "-o", "json", "--junit-file", f"{directory}/junit.xml", "--html", f"{directory}/report.html"),
    ]


def test_a_hostile_input_is_one_word(runner: Runner) -> None:
    """What looks like shell reaches l2probe as it was written."""
    hostile = '"; touch pwned; $(touch pwned) `touch pwned`'
    runner.inputs = {"context": hostile}
    runner.run()
    assert argv(runner)[-1] == hostile
    assert not list(runner.directory.rglob("pwned"))


@pytest.mark.parametrize(
    "inputs", [{}, {"suites": "smoke dsr", "context": "c", "interface": "i", "require": "source", "pcap": "true"}]
)
def test_l2probe_takes_these_options(runner: Runner, inputs: dict[str, str]) -> None:
    """What the action passes is what the command line really has."""
    from l2probe.cli.run import command  # noqa: PLC0415 - the tool itself, only here

    runner.inputs = inputs
    runner.run()
    context: Any = command.make_context("run", argv(runner)[1:])
    assert isinstance(context, click.Context)
    assert context.params["output"] == "json"


def test_sudo_keeps_path_and_kubeconfig_and_gives_the_files_back(runner: Runner) -> None:
    """Root's PATH and HOME have neither l2probe nor the kubeconfig, and the upload must read what root wrote."""
    runner.run()
    ran, gave_back = (runner.directory / "calls/sudo").read_text().splitlines()
    assert ran.startswith(
        f"-E env PATH={runner.env['PATH']} KUBECONFIG={runner.directory}/.kube/config "
        f"{runner.directory}/l2probe/bin/l2probe run "
    )
    assert gave_back == f"chown -R {os.getuid()}:{os.getgid()} {runner.directory}/l2probe-report"
    assert (runner.directory / "calls/l2probe.kubeconfig").read_text() == f"{runner.directory}/.kube/config\n"


def test_a_kubeconfig_of_the_job_is_kept(runner: Runner) -> None:
    """KUBECONFIG wins over the default path, under sudo too."""
    runner.env = {**runner.env, "KUBECONFIG": "/a:/b"}
    runner.run()
    assert (runner.directory / "calls/l2probe.kubeconfig").read_text() == "/a:/b\n"


def test_without_sudo_none_is_called(runner: Runner) -> None:
    """A container job is root already and may have no sudo."""
    runner.inputs = {"sudo": "false"}
    assert runner.run() == 1
    assert not (runner.directory / "calls/sudo").exists()


def test_a_failed_installation_ends_it(runner: Runner) -> None:
    """Nothing runs, and nothing is summarised, when l2probe could not be installed."""
    program(runner.directory / "bin/python3", "#!/bin/sh\nexit 3\n")
    assert runner.run() == 3
    assert list(runner.steps) == ["Install l2probe"]
