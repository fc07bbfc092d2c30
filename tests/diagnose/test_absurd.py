"""A diagnosis of a cluster whose API serves absurd objects: an answer or a sentence, never a traceback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from l2probe.diagnose import Plan, diagnose
from l2probe.diagnose.reading import Reading
from l2probe.diagnose.subjects import Wish
from l2probe.errors import L2ProbeError
from l2probe.judge import conclude
from l2probe.observe.access import Access
from l2probe.observe.kube import connect
from l2probe.report import render
from tests.diagnose.played import World
from tests.diagnose.test_reading import LEASES, lease, listed
from tests.mangling import CHANGES, Change, mangled
from tests.observe import test_survey as clusters
from tests.observe.scripted import Api, recorded, reply, serving

OBJECTS: dict[str, Any] = {
    "GET /api/v1/nodes": json.loads(recorded("metallb/nodes.json")),
    "GET /api/v1/services": json.loads(recorded("cilium/services.json")),
    clusters.SLICES: json.loads(recorded("metallb/endpointslices.json")),
    clusters.POOLS: json.loads(recorded("cilium/ippools.json")),
    clusters.POLICIES: json.loads(recorded("cilium/l2announcementpolicies.json")),
    clusters.CONFIG: {"metadata": {"name": "cilium-config"}, "data": clusters.L2},
    LEASES: listed(lease("cilium-l2announce-shop-api", "node-1"), lease("cilium-l2announce-shop-web", "node-2")),
}


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    """Return a server that answers what the test tells it to."""
    with serving() as running:
        yield running


@pytest.fixture(scope="module")
def reading(api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reading]:
    """Return a reader of that server."""
    where: Path = tmp_path_factory.mktemp("absurd")
    opened = connect(Access(kubeconfig=api.kubeconfig(where), request_timeout=5.0))
    yield Reading(opened.transport, context="test", namespace="here")
    opened.close()


@settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(changes=st.dictionaries(st.sampled_from(sorted(OBJECTS)), CHANGES, min_size=1, max_size=2))
def test_absurd_objects_are_an_answer_or_a_sentence(
    api: Api, reading: Reading, changes: dict[str, list[Change]]
) -> None:
    """Whatever stands in an object: a report in words, or an error that says what could not be read."""
    clusters.cilium(api, **clusters.L2)
    for what, document in OBJECTS.items():
        api.on(what, reply(mangled(document, changes.get(what, []))))
    edges = replace(World().edges(), api=reading)

    with suppress(L2ProbeError):
        evidence = diagnose(Plan(wish=Wish(words=(), everything=True)), edges)
        report = conclude(evidence, started="2026-11-26T11:00:00Z", duration_seconds=1.0, command="l2probe diagnose")
        for output in ("wide", "json"):
            assert render(report, output).encode()
