"""One exchange with an echo Pod: a question, and an answer that only our Pod gives."""

from __future__ import annotations

import socket
from dataclasses import dataclass, replace
from functools import partial

from l2probe.model import Exchange, Ip, NodeName, Outcome, Protocol
from l2probe.observe import client_address, steps
from l2probe.observe.answer import Seen
from l2probe.observe.steps import READ, WRITE, OverError, Steps, Waiting, WrongError
from l2probe.observe.voices import Question, Voice

CHUNK_BYTES = 64 * 1024
MAX_WRONG = 64
"""After so many foreign datagrams nobody waits for ours: a flood must not outlast the time of an exchange."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question to put to a VIP: `payload_bytes` of TCP or UDP payload, answered within `timeout` seconds."""

    protocol: Protocol
    vip: Ip
    port: int
    payload_bytes: int
    timeout: float = 1.5


def attempt(request: Request, voice: Voice) -> Steps:
    """Return the steps of one exchange with a fresh question and source port."""
    question = voice.question(request.payload_bytes)
    blank = steps.begun(request.protocol, request.vip, request.port, question.payload_bytes)
    return (yield from steps.attempt(blank, partial(_talk, blank, question)))


def _talk(blank: Exchange, question: Question, sock: socket.socket) -> Steps:
    talk = _tcp if blank.protocol is Protocol.TCP else _udp
    seen = yield from talk(sock, blank, question)
    node = NodeName(seen.node) if seen.node else None
    return replace(blank, seen=client_address.plain(seen.client), pod=seen.pod, node=node)


def _tcp(sock: socket.socket, blank: Exchange, question: Question) -> Waiting[Seen]:
    yield from steps.connected(sock, blank.vip, blank.port)
    host = f"[{blank.vip}]" if ":" in blank.vip else blank.vip
    unsent = memoryview(question.request(host))
    while unsent:
        if not (yield sock, WRITE):
            raise OverError(f"connected, {len(unsent)} bytes could not be sent")
        unsent = unsent[sock.send(unsent) :]
    return (yield from _http_answer(sock, question))


def _http_answer(sock: socket.socket, question: Question) -> Waiting[Seen]:
    received = b""
    while True:
        if not (yield sock, READ):
            came = f"only {len(received)} bytes came back" if received else "no answer came"
            raise OverError(f"connected, but {came}")  # a part of an answer accuses nobody: the rest may be lost
        chunk = _receive(sock)
        if chunk is None:
            continue
        received += chunk
        try:
            seen = question.response(received)
        except ValueError as error:
            raise WrongError(Outcome.WRONG_ANSWER, str(error)) from error
        if seen is not None:
            return seen
        if not chunk:
            raise WrongError(Outcome.RESET, f"the connection was closed after {len(received)} bytes")


def _udp(sock: socket.socket, blank: Exchange, question: Question) -> Waiting[Seen]:
    sock.connect((blank.vip, blank.port))
    turns = question.turns()
    sending = next(turns)
    wrong = right = 0
    while True:
        for datagram in sending or ():
            sock.send(datagram)
        if wrong >= MAX_WRONG or not (yield sock, READ):
            if wrong:
                raise WrongError(Outcome.WRONG_ANSWER, f"{wrong} answers did not prove that our Pod gave them")
            raise OverError(f"{right} answers came, and not all" if right else "no answer came")
        received = _receive(sock)
        sending = ()
        if received is None:
            continue
        try:
            sending = turns.send(received)
        except StopIteration as end:
            seen: Seen = end.value
            return seen
        wrong, right = wrong + (sending is None), right + (sending is not None)


def _receive(sock: socket.socket) -> bytes | None:
    """Receive some bytes; None when the kernel woke us for a datagram that it then found to be damaged."""
    try:
        return sock.recv(CHUNK_BYTES)
    except BlockingIOError:
        return None
