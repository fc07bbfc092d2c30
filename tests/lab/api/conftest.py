"""A fresh API server for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.api.client import Server, serving


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Return a running server."""
    with serving(tmp_path) as running:
        yield running


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[Server]:
    """Return a server that remembers only four events of each kind."""
    with serving(tmp_path, history=4) as running:
        yield running
