"""One call to the API server: retried where that is right, bounded always, and each failure one sentence."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from l2probe.errors import ClusterError, NotAllowedError
from l2probe.observe import transport
from l2probe.observe.access import Access
from l2probe.observe.kube import connect
from l2probe.observe.refusals import StatusError
from tests.observe.conftest import Connect
from tests.observe.scripted import (
    Answer,
    Api,
    begin_and_hang,
    drop,
    giant,
    hang,
    recorded,
    reply,
    serving,
    status,
)

VERSION = "GET /version"
FINE = reply(recorded("metallb/version.json"))


def test_version_is_read_with_the_token(api: Api, kube: Connect) -> None:
    """The server's gitVersion is returned, and the request carried the kubeconfig's token."""
    api.on(VERSION, FINE)

    assert kube().version() == "v1.34.4"
    assert api.asked[0].headers["authorization"] == "Bearer secret"


def test_calls_share_a_connection(api: Api, kube: Connect) -> None:
    """One call after the other needs one connection: a TLS handshake for each would cost more than the call."""
    api.on(VERSION, FINE)
    connected = kube()

    for _ in range(5):
        connected.version()

    assert len({asked.client for asked in api.asked}) == 1


@pytest.mark.parametrize(
    "trouble",
    [status(429, "slow down", {"Retry-After": "0"}), status(500, "etcd"), status(503, "starting"), drop],
    ids=["429", "500", "503", "dropped"],
)
def test_a_passing_trouble_is_tried_again(api: Api, kube: Connect, trouble: Answer) -> None:
    """Once too busy, broken or dropped, the same request succeeds."""
    api.on(VERSION, trouble, FINE)

    assert kube().version() == "v1.34.4"
    assert len(api.asked) == 2


def test_retry_after_is_honoured(api: Api, kube: Connect) -> None:
    """A busy server is left alone for as long as it asked."""
    api.on(VERSION, status(429, "slow down", {"Retry-After": "1"}), FINE)
    began = time.monotonic()

    assert kube(request_timeout=3.0).version() == "v1.34.4"
    assert time.monotonic() - began >= 1.0


def test_retry_after_longer_than_the_call_may_take_is_an_error_at_once(api: Api, kube: Connect) -> None:
    """Nobody waits an hour because a server said so."""
    api.on(VERSION, status(429, "too many requests", {"Retry-After": "3600"}))

    with pytest.raises(ClusterError, match=r"answered GET /version with 429: too many requests\."):
        kube().version()
    assert len(api.asked) == 1


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (status(500, "etcd is gone"), r"with 500: etcd is gone\."),
        (drop, r"dropped GET /version: "),
        (hang, r"did not answer GET /version within 0\.7 s"),
        (begin_and_hang, r"did not answer GET /version within 0\.7 s"),
        (reply(b"<html>login</html>"), r"answered /version with what is no Kubernetes JSON"),
        (reply(b"[" * 100_000), r"answered /version with what is no Kubernetes JSON"),
        (reply({}), r"no Kubernetes JSON .*git"),
        (reply(b"", 302, {"Location": "https://example.org/"}), r"answered GET /version with 302"),
        (status(401, "Unauthorized"), r"did not accept our credentials \(Unauthorized\)"),
    ],
    ids=["500", "drop", "hang", "half", "html", "deep", "empty", "redirect", "401"],
)
def test_a_lasting_trouble_is_one_sentence_in_bounded_time(api: Api, kube: Connect, answer: Answer, says: str) -> None:
    """Whatever the server does, the call ends in its time with an error that names server and request, and a hint."""
    api.on(VERSION, answer)
    began = time.monotonic()

    with pytest.raises(ClusterError, match=says) as caught:
        kube(request_timeout=0.7).version()

    assert api.url in caught.value.message
    assert caught.value.hint or isinstance(caught.value, StatusError)
    assert time.monotonic() - began < 2.5


def test_a_body_without_end_is_cut_off(api: Api, kube: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer longer than the bound is refused while it is being read."""
    monkeypatch.setattr(transport, "MAX_BODY_BYTES", 1 << 20)
    api.on(VERSION, giant(64 << 20))

    with pytest.raises(ClusterError, match="more than 1 MiB"):
        kube(request_timeout=10.0).version()


def test_denied_is_its_own_kind_of_error_with_the_servers_words(api: Api, kube: Connect) -> None:
    """403 raises NotAllowedError and is not tried again."""
    api.on(VERSION, reply(recorded("metallb/status-403-limited-nodes.json"), 403))

    with pytest.raises(NotAllowedError, match="nodes is forbidden: User"):
        kube().version()
    assert len(api.asked) == 1


def test_control_characters_of_a_server_do_not_reach_the_terminal(api: Api, kube: Connect) -> None:
    """What a server says is printed as one printable line."""
    api.on(VERSION, status(400, "a\x1b[31mred\r\nline"))

    with pytest.raises(ClusterError) as caught:
        kube().version()
    assert "a [31mred line" in caught.value.message


def test_nothing_listens_there(tmp_path: Path) -> None:
    """A refused connection names the server, soon."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        unused = Api(url=f"http://127.0.0.1:{closed.getsockname()[1]}")
    began = time.monotonic()

    with pytest.raises(ClusterError, match=r"127\.0\.0\.1:\d+ was not reachable: .*refused"):
        connect(Access(kubeconfig=unused.kubeconfig(tmp_path))).version()
    assert time.monotonic() - began < 5


def test_an_unknown_name_is_said_to_be_unknown(tmp_path: Path) -> None:
    """A server name that does not resolve is told apart from a server that is down."""
    nowhere = Api(url="http://api.invalid:6443")

    with pytest.raises(ClusterError, match=r"did not resolve|not reachable"):
        connect(Access(kubeconfig=nowhere.kubeconfig(tmp_path), request_timeout=2.0)).version()


def test_tls_with_the_right_authority(tmp_path: Path) -> None:
    """The certificate-authority of the kubeconfig, relative to it, verifies the server."""
    with serving(tls=True) as api:
        api.on(VERSION, FINE)

        assert connect(Access(kubeconfig=api.kubeconfig(tmp_path))).version() == "v1.34.4"


def test_tls_with_a_stranger_is_an_error_that_says_so(tmp_path: Path) -> None:
    """A server that the authority did not sign is refused before a token is sent."""
    with serving(tls=True) as api, serving(tls=True) as stranger:
        stranger.on(VERSION, FINE)
        api.url = stranger.url

        with pytest.raises(ClusterError, match=r"TLS connection .* failed: .*certificate"):
            connect(Access(kubeconfig=api.kubeconfig(tmp_path))).version()
        assert stranger.asked == []
