"""The installed plugin under a real kubectl."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.package, pytest.mark.kubectl]


def kubectl(bin_dir: Path, tmp_path: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run kubectl with the venv's programs on PATH and no cluster."""
    if shutil.which("kubectl") is None:
        pytest.skip("this test needs kubectl on PATH")
    return subprocess.run(
        ["kubectl", *argv],
        cwd=tmp_path,
        env={
            "PATH": f"{bin_dir}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "KUBECONFIG": str(tmp_path / "none"),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_kubectl_lists_the_plugin(bin_dir: Path, tmp_path: Path) -> None:
    """It is found, and kubectl warns neither of a name taken nor of a file that cannot be run."""
    done = kubectl(bin_dir, tmp_path, "plugin", "list")

    assert str(bin_dir / "kubectl-l2probe") in done.stdout.splitlines()
    assert "l2probe" not in done.stderr


def test_kubectl_runs_the_plugin_as_itself(bin_dir: Path, tmp_path: Path) -> None:
    """Usage says what was typed; arguments and exit codes pass through."""
    done = kubectl(bin_dir, tmp_path, "l2probe", "run", "--help")
    wrong = kubectl(bin_dir, tmp_path, "l2probe", "run", "--nope")

    assert done.stdout.startswith("Usage: kubectl l2probe run [OPTIONS]")
    assert wrong.returncode == 2
    assert "See `kubectl l2probe run --help`." in wrong.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("run", "sm"), ["smoke\t", ":0"]),
        (("explain", "B0"), [*(f"B0{number}\t" for number in range(1, 10)), ":4"]),
        (("run", "--dry"), ["--dry-run\t", ":4"]),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, tuple) else "",
)
def test_kubectl_completes_the_plugin(
    bin_dir: Path, tmp_path: Path, words: tuple[str, ...], expected: list[str]
) -> None:
    """The completion of kubectl asks kubectl_complete-l2probe, and takes its candidates and directive."""
    done = kubectl(bin_dir, tmp_path, "__complete", "l2probe", *words)

    lines = done.stdout.splitlines()
    assert [line[: len(start)] for line, start in zip(lines, expected, strict=True)] == expected
