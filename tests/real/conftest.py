"""Tests on a real Kubernetes with a real MetalLB. `make e2e` runs them; `make test` does not even collect them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real import cluster
from tests.real.prober import Prober, grant
from tests.real.scene import namespaces


def pytest_configure(config: pytest.Config) -> None:
    """Say what the marker means."""
    config.addinivalue_line("markers", "real: needs the real cluster (root, Go, Debian packages); see tests/real")


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Leave these tests alone unless they were asked for: they take over minutes, root and two processors."""
    wanted = os.environ.get("L2PROBE_E2E") == "1" or config.option.markexpr == "real"
    return None if wanted else True


@pytest.fixture(scope="session")
def possible() -> Iterator[None]:
    """Skip where no real cluster can run; take it down at the end, unless it was there before."""
    if reason := cluster.obstacle():
        pytest.skip(reason)
    before = cluster.status().up
    yield
    if not before:
        cluster.down()


@pytest.fixture
def real(possible: None) -> None:
    """Have the cluster up; at once when it is."""
    cluster.up()


@pytest.fixture
def l2probe(real: None, tmp_path: Path) -> Iterator[Prober]:
    """Return l2probe on the client, as a user who may do what l2probe says it needs, and nothing else."""
    grant()
    yield Prober(directory=tmp_path)
    if left := namespaces():
        cluster.kubectl("delete", "namespace", *left)
