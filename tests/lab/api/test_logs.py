"""Logs: the server checks the question, the kubelet's source answers it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from l2probe.lab.api import LogQuery
from tests.lab.api.client import DEFAULT, Server, fixture, pod

LOG = f"{DEFAULT}/pods/web-1/log"
TWO = [{"name": "a", "image": "x"}, {"name": "b", "image": "x"}]


async def source(query: LogQuery) -> AsyncIterator[bytes]:
    """Say what was asked."""
    yield f"{query.namespace}/{query.pod}/{query.container} ".encode()
    yield f"follow={query.follow} previous={query.previous} tail={query.tail_lines}\n".encode()


def test_the_source_gets_the_question(server: Server) -> None:
    """Container, follow, previous and tailLines arrive; what the source yields is the answer, as text."""
    server.make(f"{DEFAULT}/pods", pod())
    server.api.serve_logs(source)
    plain, full = server.get(LOG), server.get(f"{LOG}?container=echo&follow=true&previous=1&tailLines=3")

    assert plain.data == b"default/web-1/echo follow=False previous=False tail=None\n"
    assert full.data == b"default/web-1/echo follow=True previous=True tail=3\n"
    assert plain.headers["Content-Type"] == "text/plain"


def test_without_a_kubelet_nothing_was_written(server: Server) -> None:
    """Before a source is registered the log is empty."""
    server.make(f"{DEFAULT}/pods", pod())

    assert (server.get(LOG).code, server.get(LOG).data) == (200, b"")


def test_a_container_that_never_started_has_no_log(server: Server) -> None:
    """The recorded 400 for a container whose image is missing."""
    server.make(f"{DEFAULT}/pods", pod("image-missing"))
    waiting = {"name": "echo", "state": {"waiting": {"reason": "ErrImageNeverPull"}}, "ready": False, "restartCount": 0}
    server.patch(f"{DEFAULT}/pods/image-missing/status", {"status": {"containerStatuses": [waiting]}})
    answer = server.get(f"{DEFAULT}/pods/image-missing/log")

    assert (answer.code, answer.body) == (400, fixture("pod-log-image-missing.json"))


def test_questions_that_have_no_answer(server: Server) -> None:
    """No Pod is 404; an unknown container, two containers and none named, and an unscheduled Pod are 400."""
    server.make(f"{DEFAULT}/pods", pod(containers=TWO))
    server.make(f"{DEFAULT}/pods", pod("unscheduled", node=None))
    answers = [server.get(path) for path in (f"{LOG}?container=c", LOG, f"{DEFAULT}/pods/unscheduled/log")]

    assert server.get(f"{DEFAULT}/pods/none/log").code == 404
    assert [answer.code for answer in answers] == [400, 400, 400]
    assert answers[1].body["message"] == "a container name must be specified for pod web-1, choose one of: [a b]"


def test_following_streams(server: Server) -> None:
    """Each chunk reaches the client when it is written, not when the log ends."""
    server.make(f"{DEFAULT}/pods", pod())
    gate = asyncio.Event()

    async def slow(_query: LogQuery) -> AsyncIterator[bytes]:
        yield b"first\n"
        await gate.wait()
        yield b"second\n"

    server.api.serve_logs(slow)
    response = server.open("GET", f"{LOG}?follow=true")
    first = response.readline()
    server.loop.call_soon_threadsafe(gate.set)

    assert (first, response.read()) == (b"first\n", b"second\n")
