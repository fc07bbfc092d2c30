"""The installed command, from a directory that has nothing to do with the repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import l2probe

LAB_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))


def run(bin_dir: Path, cwd: Path, *argv: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a program of the venv in this directory, without the repository on any path."""
    environ = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "PYTHONHOME"}}
    return subprocess.run(
        [str(bin_dir / argv[0]), *argv[1:]],
        cwd=cwd,
        env={**environ, "PATH": LAB_PATH},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.package
def test_the_installed_package_is_the_one_that_runs(bin_dir: Path, tmp_path: Path) -> None:
    """These tests would prove nothing if the command found the repository."""
    done = run(bin_dir, tmp_path, "python", "-c", "import l2probe; print(l2probe.__file__)")

    assert Path(done.stdout.strip()).is_relative_to(bin_dir.parent)


@pytest.mark.package
@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (("l2probe", "--help"), "Usage: l2probe [OPTIONS] [COMMAND]"),
        (("python", "-m", "l2probe", "--help"), "Usage: l2probe [OPTIONS] [COMMAND]"),
        (("kubectl-l2probe", "--help"), "Usage: kubectl l2probe [OPTIONS] [COMMAND]"),
        (("kubectl-l2probe", "run", "--help"), "Usage: kubectl l2probe run [OPTIONS]"),
        (("l2probe", "--version"), f"l2probe, version {l2probe.__version__}"),
        (("l2probe", "run", "--list"), "smoke "),
        (("l2probe", "explain", "D01"), "# D01: "),
        (("l2probe", "run", "--dry-run"), "apiVersion: v1\n"),
        (("l2probe", "lab", "profiles"), "cilium-"),
        (("kubectl_complete-l2probe", "run", "smo"), "smoke\t"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, tuple) else "",
)
def test_what_needs_no_cluster_works_anywhere(
    bin_dir: Path, tmp_path: Path, argv: tuple[str, ...], expected: str
) -> None:
    """Suites, catalogue and echo server come out of the wheel, silently."""
    done = run(bin_dir, tmp_path, *argv)

    assert done.returncode == 0
    assert done.stdout.startswith(expected)
    assert done.stderr == ""


@pytest.mark.package
def test_a_mistake_as_plugin_points_at_the_plugins_help(bin_dir: Path, tmp_path: Path) -> None:
    """Who typed `kubectl l2probe` is told to type that again."""
    done = run(bin_dir, tmp_path, "kubectl-l2probe", "run", "--nope")

    assert done.returncode == 2
    assert "See `kubectl l2probe run --help`." in done.stderr


@pytest.mark.package
@pytest.mark.lab
def test_the_installed_wheel_does_the_main_job_in_the_lab(bin_dir: Path, tmp_path: Path) -> None:
    """`l2probe run --lab` needs nothing but what was installed."""
    if shutil.which("nft", path=LAB_PATH) is None:
        pytest.skip("the lab needs nft: apt-get install nftables")

    done = run(bin_dir, tmp_path, "l2probe", "run", "--lab", "-o", "json", timeout=100)

    print(done.stderr)
    report = json.loads(done.stdout)
    assert done.returncode == 0
    assert report["capabilities"]["source"]["tcp4"] == "always"
    assert list(tmp_path.iterdir()) == []
