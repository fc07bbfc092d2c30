"""The recipes as shell programs: they parse, shellcheck finds nothing, and none of them sleeps."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.kind_config.stage import NAMES, RECIPES, have

SCRIPTS = sorted(RECIPES.rglob("*.sh"))
STARTED = [path for path in SCRIPTS if path.name != "recipe.sh"]


def _name(path: Path) -> str:
    return str(path.relative_to(RECIPES))


def test_every_recipe_has_both_ways() -> None:
    """What can be brought up can be taken down."""
    assert {_name(path) for path in STARTED} == {f"{name}/{way}.sh" for name in NAMES for way in ("up", "down")}


@pytest.mark.parametrize("script", SCRIPTS, ids=_name)
def test_bash_parses_it(script: Path) -> None:
    """A script with a syntax error would stop half way through."""
    subprocess.run(["bash", "-n", str(script)], check=True, timeout=30)


@pytest.mark.skipif(not have("shellcheck"), reason="shellcheck is not installed here: apt-get install shellcheck")
def test_shellcheck_finds_nothing() -> None:
    """Quoting, unset variables and masked exit codes are held by shellcheck."""
    paths = [str(path) for path in SCRIPTS]
    done = subprocess.run(
        ["shellcheck", "--external-sources", *paths], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("script", STARTED, ids=_name)
def test_it_is_strict_and_can_be_started(script: Path) -> None:
    """An unset variable, a failed command or a failed part of a pipe ends a script; nothing goes on regardless."""
    lines = script.read_text().splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert next(line for line in lines if not line.startswith("#")) == "set -euo pipefail"
    assert os.access(script, os.X_OK)


@pytest.mark.parametrize("script", SCRIPTS, ids=_name)
def test_nothing_sleeps(script: Path) -> None:
    """What takes time is waited for by its condition."""
    assert not re.search(r"\bsleep\b", script.read_text())


@pytest.mark.parametrize("name", NAMES)
def test_the_help_lists_exactly_the_flags(name: str) -> None:
    """A flag that the help hides, or that it promises and the script refuses, is a defect."""
    for way in ("up", "down"):
        text = (RECIPES / name / f"{way}.sh").read_text()
        shown = text.split("<<'HELP'", 1)[1].split("\nHELP\n", 1)[0]
        flags = re.search(r"^FLAGS='(.*)'$", text, re.MULTILINE)
        assert flags is not None
        assert sorted(flags[1].split()) == sorted(re.findall(r"^  (--[a-z-]+) ", shown, re.MULTILINE))
