"""What is in the sdist and the wheel."""

from __future__ import annotations

import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

import l2probe
from tests.package.conftest import ROOT, SHIPPED, Distribution

pytestmark = pytest.mark.package
DATA_SUFFIXES = {".py", ".md", ".json", ".yaml", ".gz", ".typed", ".j2", ".css"}


def contents(wheel: Path) -> set[str]:
    """Return the names in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def tree(folder: str, installed: str) -> set[str]:
    """Return the files of a folder of the repository as the wheel should name them."""
    base = ROOT / folder
    found = (path for path in base.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {f"{installed}/{path.relative_to(base)}" for path in found if path.suffix in DATA_SUFFIXES}


def test_the_build_says_nothing_alarming(distribution: Distribution) -> None:
    """Neither Python nor setuptools warns: a warning of today is tomorrow's broken release."""
    alarming = [
        line for line in distribution.said.splitlines() if "warning" in line.lower() or "deprecat" in line.lower()
    ]

    assert alarming == []


def test_the_wheel_has_every_module_and_data_file_of_the_tree(distribution: Distribution) -> None:
    """A package that somebody forgot to list is missed here and not by a user."""
    wanted = tree("l2probe", "l2probe") | tree("probes", "l2probe/probes")

    assert wanted - contents(distribution.wheel) == set()
    assert {
        "l2probe/py.typed",
        "l2probe/probes/smoke.yaml",
        "l2probe/probes/suite.schema.json",
        "l2probe/report/report.schema.json",
        "l2probe/report/report.html.j2",
        "l2probe/report/report.css",
        "l2probe/catalogue/B07.md",
        "l2probe/lab/api/schema.json.gz",
        "l2probe/lab/api/NOTICE",
    } <= contents(distribution.wheel)


def test_the_wheel_has_one_top_level_package(distribution: Distribution) -> None:
    """No top-level `probes` or `tests` that would collide with somebody else's."""
    metadata = f"l2probe-{l2probe.__version__}.dist-info"

    assert {name.split("/")[0] for name in contents(distribution.wheel)} == {"l2probe", metadata}


def test_the_sdist_has_what_a_build_and_a_reader_need(distribution: Distribution) -> None:
    """Sources, suites, README and licence; the wheel of these tests was built from it."""
    with tarfile.open(distribution.sdist) as archive:
        names = {name.partition("/")[2].partition("/")[0] for name in archive.getnames()}

    assert set(SHIPPED) <= names
    assert "tests" not in names


def test_metadata_says_version_licence_and_extras(distribution: Distribution) -> None:
    """The version comes from one place; the lab's libraries and the tests' stay out unless asked for."""
    with zipfile.ZipFile(distribution.wheel) as archive:
        folder = f"l2probe-{l2probe.__version__}.dist-info"
        metadata = message_from_bytes(archive.read(f"{folder}/METADATA"))
        assert f"{folder}/licenses/LICENSE" in archive.namelist()

    needed = [need for need in metadata.get_all("Requires-Dist", []) if "extra ==" not in need]
    assert metadata["Version"] == l2probe.__version__
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    assert not [need for need in needed if need.startswith(("aiohttp", "pyroute2", "cryptography", "pytest"))]
    assert {"lab", "test"} <= set(metadata.get_all("Provides-Extra", []))
