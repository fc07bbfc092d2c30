"""Fixtures of the edges' tests: a scripted API server, and recorded objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from l2probe.observe.access import Access
from l2probe.observe.kube import Api as Kube
from l2probe.observe.kube import connect
from tests.observe.scripted import Api, serving

Connect = Callable[..., Kube]


@pytest.fixture
def api() -> Iterator[Api]:
    """Return a server that answers what the test tells it to."""
    with serving() as running:
        yield running


@pytest.fixture
def kube(api: Api, tmp_path: Path) -> Iterator[Connect]:
    """Return a function that connects to the scripted server; its calls take a second at most unless told."""
    opened: list[Kube] = []

    def connected(*, request_timeout: float = 1.0, **user: object) -> Kube:
        opened.append(connect(Access(kubeconfig=api.kubeconfig(tmp_path, **user), request_timeout=request_timeout)))
        return opened[-1]

    yield connected
    for each in opened:
        each.close()
