"""`l2probe run --echo agnhost` against the released agnhost, in the lab: what we read in its source is what it does."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.conftest import commander
from tests.real import build

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


@pytest.fixture
def images() -> Iterator[Path]:
    """Return a directory that every user may enter, with the program in it."""
    if build.go() is None:
        pytest.skip("no go command was found")
    directory = Path(tempfile.mkdtemp(prefix="l2probe-images-"))
    directory.chmod(0o755)
    shutil.copy(build.program(build.AGNHOST), directory / "agnhost")
    (directory / "agnhost").chmod(0o755)
    yield directory
    shutil.rmtree(directory)


def test_released_agnhost_proves_all_that_our_script_does(images: Path) -> None:
    """TCP and UDP in both families, small and full, and every size of the mtu suite; the client's address always."""
    ran = commander()(
        *("run", "--lab", "--echo", "agnhost", "-o", "json", "smoke", "mtu"), env={"L2PROBE_LAB_IMAGES": str(images)}
    )
    able = ran.report["capabilities"]

    assert ran.causes == ["D01"]
    assert set(able["reachable"].values()) == {True}
    assert set(able["source"].values()) == {"always"}
    assert able["largest_payload_bytes"] == 1452


def test_a_foreign_machine_does_not_pass_for_released_agnhost(images: Path) -> None:
    """What answers at our address without our Pod's hostname is named."""
    ran = commander()(
        *("run", "--lab", "--fault", "foreign-owner", "--echo", "agnhost", "-o", "json"),
        env={"L2PROBE_LAB_IMAGES": str(images)},
    )

    assert ran.causes[0] == "C03"
    assert ran.code == 1
