"""Misbehaviour on demand: each kind is seen by the person as often as ordered, and never by the controllers."""

from __future__ import annotations

import http.client

import pytest

from tests.lab.api.client import CORE, DEFAULT, Server, config_map

PODS = f"{CORE}/pods"


@pytest.mark.parametrize(("kind", "code", "reason"), [("429", 429, "TooManyRequests"), ("500", 500, "InternalError")])
def test_an_error_is_answered_as_often_as_ordered(server: Server, kind: str, code: int, reason: str) -> None:
    """Two armed errors answer two requests with a Status; the third is served."""
    server.api.misbehave("GET", r"^/api/v1/pods", kind, times=2)
    answers = [server.get(PODS) for _ in range(3)]

    assert [answer.code for answer in answers] == [code, code, 200]
    assert (answers[0].body["kind"], answers[0].body["reason"]) == ("Status", reason)
    assert answers[0].headers.get("Retry-After") == ("1" if kind == "429" else None)


def test_a_dropped_request_never_happened(server: Server) -> None:
    """The connection is reset, nothing was stored, and the next request is served."""
    server.api.misbehave("POST", "/configmaps", "drop")
    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        server.ask("POST", f"{DEFAULT}/configmaps", config_map("a"))

    assert server.get(f"{DEFAULT}/configmaps/a").code == 404
    assert server.ask("POST", f"{DEFAULT}/configmaps", config_map("a")).code == 201


def test_a_hanging_request_gets_no_answer(server: Server) -> None:
    """The client's patience ends first; others are served meanwhile; closing the server does not wait."""
    server.api.misbehave("*", "/pods", "hang")
    with pytest.raises(TimeoutError):
        server.ask("GET", PODS, timeout=0.3)

    assert server.get(f"{CORE}/nodes").code == 200


def test_the_query_can_be_meant(server: Server) -> None:
    """A pattern sees path and query, so that watches can be spoilt and lists not."""
    server.api.misbehave("GET", r"pods\?.*watch=1", "500")

    assert [server.get(PODS).code, server.get(f"{PODS}?watch=1").code] == [200, 500]


def test_controllers_are_not_bothered(server: Server) -> None:
    """Requests with the system token pass, and do not use up what was ordered; behave() ends it all."""
    server.api.misbehave("*", ".*", "500", times=100)
    system = {"Authorization": f"Bearer {server.api.system_token}"}

    assert [server.ask("GET", PODS, headers=system).code, server.get(PODS).code] == [200, 500]
    server.api.behave()
    assert server.get(PODS).code == 200


def test_only_known_kinds(server: Server) -> None:
    """An unknown kind is a mistake of the caller."""
    with pytest.raises(ValueError, match="'slow' is none of 429, 500, hang, drop"):
        server.api.misbehave("GET", ".*", "slow")
