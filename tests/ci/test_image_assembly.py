"""The container image, carried out in a chroot, and its entry point started with few privileges."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ci.runner import ROOT

SCRIPT = Path(__file__).with_name("assemble.sh")


@pytest.mark.skipif(
    not os.environ.get("L2PROBE_TEST_IMAGE"),
    reason="set L2PROBE_TEST_IMAGE=1 to assemble the image: half a minute, and a package registry",
)
@pytest.mark.timeout(300)
def test_the_image_can_be_assembled_and_its_entry_point_starts(tmp_path: Path) -> None:
    """Neither --help nor --list needs a capability; a raw socket needs NET_RAW and nothing else."""
    unshare = shutil.which("unshare")
    assert unshare is not None, "apt-get install util-linux"
    as_root = [] if os.getuid() == 0 else ["--map-root-user"]
    python = str(Path(sys.base_exec_prefix) / "bin" / "python3")
    done = subprocess.run(
        [unshare, *as_root, "--mount", "--propagation", "private", str(SCRIPT), str(ROOT), str(tmp_path), python],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: l2probe ")
    assert "\nsmoke " in done.stdout
    assert done.stdout.splitlines()[-2:] == ["raw socket", "refused"]
