"""How each echo server is spoken to, and when an answer counts as our Pod's. Pure; every answer is untrusted.

Our script proves the run's secret with an HMAC. agnhost and whoami hold none: of them an answer counts when it repeats
the question's random text and gives a hostname with the mark that this run drew for its Pods. That rules out a machine
that has the address by accident, and an old answer; not one that asks our Pod and passes its words on.
"""

from __future__ import annotations

import secrets
from collections.abc import Generator
from dataclasses import dataclass
from typing import ClassVar, Protocol

import msgspec

from l2probe.model import Dialect
from l2probe.observe import answer, client_address
from l2probe.observe.answer import Seen

NONCE_BYTES = 16
UNPROVEN = "the answer did not prove that our Pod gave it"

Turns = Generator[tuple[bytes, ...] | None, bytes, Seen]
"""A talk over UDP: yields datagrams to send, and is sent each that comes back.

(): that was right, listen on. None: that was somebody else's, listen on.
"""


class Question(Protocol):
    """One question with a fresh nonce; `payload_bytes` is the size of what carries it."""

    @property
    def payload_bytes(self) -> int:
        """Bytes of payload that the first request carries."""
        ...

    def request(self, host: str) -> bytes:
        """Return what to send over TCP to this host."""
        ...

    def response(self, received: bytes) -> Seen | None:
        """Return what our Pod saw; None while the answer is incomplete. Raises ValueError when it is not our Pod's."""
        ...

    def turns(self) -> Turns:
        """Return the talk over UDP."""
        ...


class Voice(Protocol):
    """A way to ask."""

    def question(self, payload_bytes: int) -> Question:
        """Return a new question of about this size."""
        ...


def voice(dialect: Dialect, *, secret: bytes, mark: str) -> Voice:
    """Return the way to speak to this echo server; `secret` is our script's, `mark` ends the hostname of our Pods."""
    match dialect:
        case Dialect.SCRIPT:
            return Script(secret=secret)
        case Dialect.AGNHOST:
            return Agnhost(mark=mark)
        case Dialect.WHOAMI:
            return Whoami(mark=mark)


def nonce() -> str:
    """Return a fresh random text in lower case, for agnhost lowers what it echoes over UDP."""
    return secrets.token_hex(NONCE_BYTES)


def pod_of(hostname: str, mark: str) -> str | None:
    """Return the name of our Pod with this hostname; None when it is not one of ours."""
    name, _, ending = hostname.rpartition("-")
    return name if mark and name and ending == mark else None


def seen(hostname: str, client: str, mark: str) -> Seen:
    """Return what an image said; raises ValueError when it is not one of our Pods or what it saw is no address."""
    pod, address = pod_of(hostname, mark), client_address.parse(client)
    if pod is None:
        raise ValueError(f"the hostname {hostname[:60]!r} is none that this run gave")
    if address is None:
        raise ValueError(f"the client address was {client[:60]!r}")
    return Seen(client=address[0], port=address[1] or 0, pod=pod, node="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """Our own echo server."""

    secret: bytes

    def question(self, payload_bytes: int) -> Question:
        """See `Voice`."""
        fresh = nonce()
        return ScriptQuestion(secret=self.secret, nonce=fresh, body=answer.question(self.secret, fresh, payload_bytes))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptQuestion:
    """One JSON object each way, see `answer`."""

    secret: bytes
    nonce: str
    body: bytes

    @property
    def payload_bytes(self) -> int:
        """See `Question`."""
        return len(self.body)

    def request(self, host: str) -> bytes:
        """See `Question`."""
        return answer.http_request(host, self.body)

    def response(self, received: bytes) -> Seen | None:
        """See `Question`."""
        body = answer.http_body(received)
        if body is None:
            return None
        found = self._verified(body)
        if found is None:
            raise ValueError(UNPROVEN)
        return found

    def turns(self) -> Turns:
        """See `Question`."""
        datagram = yield (self.body,)
        while (found := self._verified(datagram)) is None:
            datagram = yield None
        return found

    def _verified(self, body: bytes) -> Seen | None:
        found = answer.verified(self.secret, self.nonce, len(self.body), body)
        return found if found is not None and client_address.plain(found.client) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agnhost:
    """Kubernetes' e2e image, `agnhost netexec`."""

    mark: str

    def question(self, payload_bytes: int) -> Question:
        """See `Voice`."""
        return AgnhostQuestion(mark=self.mark, text=padded(nonce(), payload_bytes - len(AgnhostQuestion.ECHO)))


def padded(text: str, length: int) -> str:
    """Return a text filled to a length in characters."""
    return text.ljust(length, "x")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgnhostQuestion:
    """It gives one thing at a time: the echo of our text, its hostname, the client; all over one connection or socket.

    The echo is the question whose fate is told. What follows over UDP is sent twice, so that the loss of one datagram
    is not counted thrice.
    """

    ECHO: ClassVar = b"echo "
    FORM: ClassVar = b"msg="
    FOLLOW_UPS: ClassVar = (b"hostname", b"clientip", b"hostname", b"clientip")
    BODIES: ClassVar = 3

    mark: str
    text: str

    @property
    def payload_bytes(self) -> int:
        """See `Question`."""
        return len(self.ECHO) + len(self.text)

    def request(self, host: str) -> bytes:
        """See `Question`."""
        form = self.FORM + self.text.encode() + b"&"  # as long as the datagram
        fields = (f"Host: {host}", "Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(form)}")
        echo = "\r\n".join(("POST /echo HTTP/1.1", *fields, "", "")).encode() + form
        return echo + get("/hostname", host) + get("/clientip", host, "Connection: close")

    def response(self, received: bytes) -> Seen | None:
        """See `Question`."""
        bodies = answer.http_bodies(received, self.BODIES)
        if bodies is None:
            return None
        echoed, hostname, client = (body.decode("latin-1") for body in bodies)
        if echoed != self.text:
            raise ValueError(UNPROVEN)
        return seen(hostname, client, self.mark)

    def turns(self) -> Turns:
        """See `Question`."""
        echoed = self.text.encode()
        datagram = yield (self.ECHO + echoed,)
        while datagram != echoed:
            datagram = yield None
        hostname = client = ""
        datagram = yield self.FOLLOW_UPS
        while True:
            said = datagram.decode("latin-1")
            hostname = said if pod_of(said, self.mark) else hostname
            client = said if client_address.parse(said) else client
            if hostname and client:
                return seen(hostname, client, self.mark)
            # A copy of the echo may come late; anything else that is neither is another machine's hostname.
            datagram = yield () if said and said in {hostname, client, self.text} else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Whoami:
    """Traefik's whoami; it speaks no UDP."""

    mark: str

    def question(self, payload_bytes: int) -> Question:
        """See `Voice`."""
        return WhoamiQuestion(mark=self.mark, path=padded(f"/api?{nonce()}", payload_bytes))


class _Said(msgspec.Struct):
    hostname: str
    url: str
    client: str = msgspec.field(name="remoteAddr")


@dataclass(frozen=True, slots=True, kw_only=True)
class WhoamiQuestion:
    """One GET: the answer repeats its URL, and with it our text."""

    mark: str
    path: str

    @property
    def payload_bytes(self) -> int:
        """See `Question`."""
        return len(self.path)

    def request(self, host: str) -> bytes:
        """See `Question`."""
        return get(self.path, host, "Connection: close")

    def response(self, received: bytes) -> Seen | None:
        """See `Question`."""
        bodies = answer.http_bodies(received, 1)
        if bodies is None:
            return None
        try:
            said = msgspec.json.decode(bodies[0], type=_Said)
        except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
            raise ValueError(UNPROVEN) from error
        if said.url != self.path:
            raise ValueError(UNPROVEN)
        return seen(said.hostname, said.client, self.mark)

    def turns(self) -> Turns:
        """Nobody asks it over UDP; if somebody did, nothing would count as its answer."""
        while True:
            yield None


def get(path: str, host: str, *fields: str) -> bytes:
    """Return a GET request (RFC 9112)."""
    return "\r\n".join((f"GET {path} HTTP/1.1", f"Host: {host}", *fields, "", "")).encode()
