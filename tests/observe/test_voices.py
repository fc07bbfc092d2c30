"""What each echo server is asked, and that only our own Pods' answers count: pure, byte for byte."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2probe.model import Dialect
from l2probe.observe.answer import Seen, http_bodies
from l2probe.observe.voices import (
    Agnhost,
    AgnhostQuestion,
    Question,
    Script,
    Turns,
    Whoami,
    WhoamiQuestion,
    pod_of,
    voice,
)

MARK = "0123456789abcdef0123"
OURS = f"echo-on-4-{MARK}"
SEEN = Seen(client="198.51.100.100", port=41040, pod="echo-on-4", node="")


def http(body: str, *, chunked: bool = False, status: str = "200 OK") -> bytes:
    """Return a response as Go's server writes it."""
    if not chunked:
        return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    parts = [body[start : start + 7] for start in range(0, len(body), 7)]
    data = "".join(f"{len(part):x}\r\n{part}\r\n" for part in (*parts, ""))
    return f"HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n{data}".encode()


def agnhost(question: AgnhostQuestion, hostname: str = OURS, client: str = "198.51.100.100:41040") -> bytes:
    """Return agnhost's three answers."""
    return http(question.text, chunked=True) + http(hostname) + http(client)


def asked(size: int = 512) -> AgnhostQuestion:
    """Return a question to agnhost."""
    found = Agnhost(mark=MARK).question(size)
    assert isinstance(found, AgnhostQuestion)
    return found


def whoami(question: WhoamiQuestion, **changes: str) -> bytes:
    """Return whoami's answer."""
    said = {"hostname": OURS, "ip": ["10.0.0.1"], "url": question.path, "remoteAddr": "198.51.100.100:41040"}
    return http(json.dumps({**said, **changes}))


def whoami_asked(size: int = 512) -> WhoamiQuestion:
    """Return a question to whoami."""
    found = Whoami(mark=MARK).question(size)
    assert isinstance(found, WhoamiQuestion)
    return found


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("size", [512, 1024, 1460, 8000])
def test_a_question_is_as_long_as_was_asked_and_fresh(dialect: Dialect, size: int) -> None:
    """Sizes are what the mtu suite compares; an old answer must not fit a new question."""
    speaker = voice(dialect, secret=b"s" * 32, mark=MARK)
    one, other = speaker.question(size), speaker.question(size)

    assert one.payload_bytes == size
    assert one.request("10.0.0.1") != other.request("10.0.0.1")


@pytest.mark.parametrize("size", [512, 1460])
def test_agnhost_is_asked_three_things_over_one_connection(size: int) -> None:
    """The echo carries the payload; hostname and client follow on the same connection, so the same Pod answers."""
    question = asked(size)
    request = question.request("[2001:db8::1]").decode()

    assert re.findall(r"(?:POST|GET) (\S+) HTTP/1.1", request) == ["/echo", "/hostname", "/clientip"]
    form = request.partition("\r\n\r\n")[2][:size]
    assert form == f"msg={question.text}&"
    assert request.count("Host: [2001:db8::1]\r\n") == 3
    assert request.endswith("Connection: close\r\n\r\n")


def test_our_pod_s_answer_is_read_wherever_it_is_cut() -> None:
    """Chunked and not, one response behind the other: nothing before the last byte, and then everything."""
    question = asked()
    whole = agnhost(question)

    assert all(question.response(whole[:length]) is None for length in range(len(whole)))
    assert question.response(whole) == SEEN


def test_whoami_s_answer_is_read_wherever_it_is_cut() -> None:
    """One JSON object that repeats our URL."""
    question = whoami_asked()
    whole = whoami(question)

    assert all(question.response(whole[:length]) is None for length in range(len(whole)))
    assert question.response(whole) == SEEN


@pytest.mark.parametrize("hostname", ["", "agnhost-7", MARK, f"-{MARK}", f"echo-1-{MARK[:-1]}", f"echo-1-{MARK}x"])
def test_another_machine_s_hostname_is_a_wrong_answer(hostname: str) -> None:
    """The same image on another machine, or another run's Pod, does not pass for ours."""
    question, other = asked(), whoami_asked()

    with pytest.raises(ValueError, match="is none that this run gave"):
        question.response(agnhost(question, hostname=hostname))
    with pytest.raises(ValueError, match="is none that this run gave"):
        other.response(whoami(other, hostname=hostname))


def test_without_a_mark_nobody_is_ours() -> None:
    """A missing mark must not make everybody a Pod of ours."""
    assert pod_of("echo-1-", "") is None
    assert pod_of("echo-1", "") is None


def test_an_old_answer_is_a_wrong_answer() -> None:
    """What repeats another question's text proves nothing about this one."""
    question, old = asked(), asked()
    other, older = whoami_asked(), whoami_asked()

    with pytest.raises(ValueError, match="did not prove"):
        question.response(agnhost(old))
    with pytest.raises(ValueError, match="did not prove"):
        other.response(whoami(older))


def test_a_client_that_is_no_address_is_a_wrong_answer() -> None:
    """Nothing that cannot be a client is reported as one."""
    question = asked()

    with pytest.raises(ValueError, match="the client address was"):
        question.response(agnhost(question, client="unix:@"))


@pytest.mark.parametrize(
    "received",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        http("x", status="404 Not Found"),
        http("x", status="302 Found"),
        b"HTTP/1.1 200 OK\r\n\r\nno length",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 9000,
        b"HTTP/1.1 x OK\r\n\r\n",
    ],
)
def test_what_is_no_answer_of_theirs_is_refused(received: bytes) -> None:
    """Another server, an error, an endless or unbounded body."""
    with pytest.raises(ValueError, match=r"^its? "):
        http_bodies(received, 1)


@given(
    received=st.binary(max_size=300), start=st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", http("a"), http("b" * 20)])
)
def test_no_bytes_break_the_reader(received: bytes, start: bytes) -> None:
    """It is somebody else's traffic: bodies, not yet, or ValueError."""
    questions: list[Question] = [asked(), whoami_asked(), Script(secret=b"s" * 32).question(512)]
    for question in questions:
        try:
            found = question.response(start + received)
        except ValueError:
            continue
        assert found is None


def talk(turns: Turns, *said: bytes) -> tuple[list[tuple[bytes, ...] | None], Seen | None]:
    """Play the server: return what was sent for each datagram, and the end if it came."""
    sent = [next(turns)]
    for datagram in said:
        try:
            sent.append(turns.send(datagram))
        except StopIteration as end:
            found: Seen = end.value
            return sent, found
    return sent, None


def test_agnhost_over_udp_is_asked_the_rest_once_the_echo_came() -> None:
    """The payload's fate is told by the echo; what follows is sent twice, and comes in any order."""
    question = asked(1472)
    echo = question.text.encode()
    sent, found = talk(question.turns(), echo, echo, b"198.51.100.100:41040", OURS.encode())

    assert found == SEEN
    assert sent == [(b"echo " + echo,), (b"hostname", b"clientip") * 1 + (b"hostname", b"clientip"), (), ()]
    assert len(b"echo " + echo) == 1472


def test_over_udp_only_ours_is_right() -> None:
    """Before the echo everything else is wrong; after it another machine's hostname is."""
    question = asked()
    echo = question.text.encode()
    sent, found = talk(question.turns(), b"noise", OURS.encode(), echo, b"agnhost-7", b"", b"198.51.100.100:41040")

    assert found is None
    assert sent[1:] == [None, None, AgnhostQuestion.FOLLOW_UPS, None, None, ()]
