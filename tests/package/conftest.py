"""The distribution as a user gets it: built once a session from a copy of the tree, installed into a venv of its own.

What the wheel needs of others comes from the environment that runs the tests, through one path file: the wheel's own
contents are proven here, not the package index. An editable l2probe there stays out, because the path files of a
directory that was itself added by a path file are not read (https://docs.python.org/3/library/site.html).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHIPPED = ("l2probe", "probes", "pyproject.toml", "README.md", "LICENSE", "setup.cfg")
BUILD = """
import os, sys, tarfile
from setuptools import build_meta
out = sys.argv[1]
sdist = build_meta.build_sdist(out)
with tarfile.open(os.path.join(out, sdist)) as archive:
    safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # Debian 12's Python does not know it yet
    archive.extractall(out, **safely)
os.chdir(os.path.join(out, sdist.removesuffix(".tar.gz")))
build_meta.build_wheel(out)
"""
"""The hooks that every front end calls (PEP 517); the wheel is built from the sdist, so that the sdist is whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """What was built, and what the builder said."""

    sdist: Path
    wheel: Path
    said: str


@pytest.fixture(scope="session")
def distribution(tmp_path_factory: pytest.TempPathFactory) -> Distribution:
    """Build sdist and wheel from a copy, with every warning of Python an error."""
    place = tmp_path_factory.mktemp("build")
    tree = place / "tree"
    tree.mkdir()
    for name in SHIPPED:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, tree / name)
    out = place / "out"
    out.mkdir()
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", BUILD, str(out)],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(_backend(place)), "PYTHONDONTWRITEBYTECODE": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Distribution(sdist=next(out.glob("*.tar.gz")), wheel=next(out.glob("*.whl")), said=done.stdout + done.stderr)


def _backend(place: Path) -> Path:
    """Install what [build-system] requires, as every front end does; skip where no package index can be reached."""
    requires = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    target = place / "backend"
    command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--target", str(target)]
    done = subprocess.run([*command, *requires], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"pip could not install {', '.join(requires)}: {done.stderr.strip().splitlines()[-1]}")
    return target


@pytest.fixture(scope="session")
def bin_dir(distribution: Distribution, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into a new venv; the path of its bin directory."""
    venv = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    site = venv / f"lib/python{sysconfig.get_python_version()}/site-packages"
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", "--python", str(venv / "bin/python"), "-q", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "install", "--no-deps", "--no-index", "--ignore-installed", str(distribution.wheel)], check=True
    )
    return venv / "bin"
