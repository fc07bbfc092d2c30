"""The kubectl programs to compare with."""

from __future__ import annotations

import os
import shutil

import pytest


def kubectls() -> list[str]:
    """Return the kubectl programs that make or the machine offers; skip the test where there is none."""
    offered = [path for path in os.environ.get("L2PROBE_KUBECTL", "").split(":") if path]
    found = offered or [path for path in [shutil.which("kubectl")] if path]
    if not found:
        pytest.skip("no kubectl: set L2PROBE_KUBECTL or PATH")
    return found
