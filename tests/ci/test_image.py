"""docs/image/Containerfile: what it copies exists, and it stays root without file capabilities."""

from __future__ import annotations

import shlex
import tomllib
from fnmatch import fnmatch

import pytest

from tests.ci.runner import ROOT

IMAGE = ROOT / "docs" / "image"


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Containerfile with their text, continued lines joined."""
    joined = (IMAGE / "Containerfile").read_text().replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def texts(word: str) -> list[str]:
    """Return the texts of all instructions of this word."""
    return [rest for found, rest in instructions() if found == word]


def sources() -> list[str]:
    """Return what is copied from the repository."""
    copies = [shlex.split(rest) for rest in texts("COPY") if not rest.startswith("--from=")]
    return [source for copy in copies for source in copy[:-1]]


def test_it_copies_what_the_build_reads_and_nothing_else() -> None:
    """Package, probes, metadata; the build context lets exactly that through."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(sources()) == {"pyproject.toml", project["readme"], *project["license-files"], "l2probe", "probes"}
    ignore = (IMAGE / "Containerfile.dockerignore").read_text().splitlines()
    assert {line.removeprefix("!") for line in ignore if line.startswith("!")} == set(sources())
    assert "*" in ignore


@pytest.mark.parametrize("source", sources())
def test_what_it_copies_exists(source: str) -> None:
    """COPY of a missing path fails the build."""
    assert (ROOT / source).exists()


def test_every_package_folder_is_copied() -> None:
    """A package of pyproject.toml that lies elsewhere would be missing in the image."""
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {tool["package-dir"].get(name, name.replace(".", "/")) for name in tool["packages"]}
    assert all(any(folder == source or fnmatch(folder, f"{source}/*") for source in sources()) for folder in folders)


def test_it_is_root_without_file_capabilities() -> None:
    """With `setcap` not even --help starts under --cap-drop ALL; without root nobody hands out NET_RAW."""
    assert texts("USER") == ["0:0"]
    assert not [rest for rest in texts("RUN") if "setcap" in rest]


def test_the_entry_point_is_a_script_of_the_project() -> None:
    """The exec form, so that signals reach l2probe and not a shell."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert texts("ENTRYPOINT") == ['["l2probe"]']
    assert "l2probe" in scripts


def test_both_stages_have_the_same_slim_python() -> None:
    """A virtual environment works only with the interpreter that made it."""
    bases = [rest.split()[0] for rest in texts("FROM")]
    assert len(bases) == 2
    assert bases[0] == bases[1]
    assert fnmatch(bases[0], "python:3.*-slim")


def test_the_last_stage_installs_nothing() -> None:
    """What is needed to build stays in the build stage."""
    words = [word for word, _ in instructions()]
    last = len(words) - words[::-1].index("FROM")
    assert "RUN" not in words[last:]


def test_every_run_line_drops_everything_but_net_raw() -> None:
    """The README's lines are copied by people."""
    readme = (IMAGE / "README.md").read_text().replace("\\\n", " ")
    runs = [line for line in readme.splitlines() if line.startswith("$ docker run")]
    assert len(runs) == 2
    for line in runs:
        assert "--cap-drop ALL --cap-add NET_RAW" in line
        assert "--privileged" not in line
