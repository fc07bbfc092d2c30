"""Why a request to the API server brought nothing: each way it can fail as one sentence with a remedy. Pure."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

import msgspec
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from l2probe.errors import ClusterError, NotAllowedError

UNAUTHORIZED = 401
FORBIDDEN = 403
NOT_FOUND = 404
CONFLICT = 409
GONE = 410
BUSY = frozenset({429, 500, 502, 503, 504})
"""Statuses after which the same request may be put again."""
MAX_MESSAGE_CHARACTERS = 500


class StatusError(ClusterError):
    """The server answered with an error status; the message holds its own words. `repeated`: it was tried before."""

    def __init__(self, status: int, message: str, hint: str, retry_after: float | None) -> None:
        super().__init__(message, hint)
        self.status = status
        self.again = status in BUSY
        self.retry_after = retry_after
        self.repeated = False


class UnreachableError(ClusterError):
    """No answer came. `again`: the connection broke, so the same request may be put again."""

    retry_after: float | None = None

    def __init__(self, message: str, hint: str, *, again: bool = False) -> None:
        super().__init__(message, hint)
        self.again = again
        self.repeated = False


class _Status(msgspec.Struct):
    message: str = ""


def refused(server: str, what: str, status: int, body: bytes, retry_after: str | None) -> ClusterError:
    """Return the error for an answer with an error status; `retry_after` is that header's value."""
    said = server_message(body)
    if status == FORBIDDEN or "admission webhook" in said:
        return NotAllowedError(f"The API server {server} did not allow {what}: {said}.", "Ask for this right.")
    if status == UNAUTHORIZED:
        hint = "Log in again: the token or certificate in the kubeconfig is wrong or has expired."
        return StatusError(status, f"The API server {server} did not accept our credentials ({said}).", hint, None)
    seconds = float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else None
    hint = "Try again later." if status in BUSY else ""
    return StatusError(status, f"The API server {server} answered {what} with {status}: {said}.", hint, seconds)


def server_message(body: bytes) -> str:
    """Return what the server said in a Status object or in text: one line, bounded, without control characters."""
    try:
        text = msgspec.json.decode(body, type=_Status).message
    except (msgspec.MsgspecError, RecursionError):
        text = body[:MAX_MESSAGE_CHARACTERS].decode(errors="replace")
    return one_line(text).rstrip(".") or "no message"


def one_line(text: str) -> str:
    """Return untrusted text as one printable line of at most MAX_MESSAGE_CHARACTERS."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:MAX_MESSAGE_CHARACTERS]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A kind of failure: the errors that show it, what to say, what to do. `again`: the same request may succeed."""

    errors: tuple[type[Exception], ...]
    says: str
    remedy: str
    again: bool = False


TROUBLES = (
    Trouble(
        errors=(ProxyError,),
        says="The proxy before the API server {server} failed: {reason}.",
        remedy="Check proxy-url in the kubeconfig and HTTPS_PROXY.",
    ),
    Trouble(
        errors=(NameResolutionError,),
        says="The name of the API server {server} did not resolve.",
        remedy="Check DNS and the server in the kubeconfig.",
    ),
    Trouble(
        errors=(SSLError, ssl.SSLError),
        says="The TLS connection to the API server {server} failed: {reason}.",
        remedy="Check certificate-authority and server in the kubeconfig, and this machine's clock.",
    ),
    Trouble(
        errors=(NewConnectionError,),
        says="The API server {server} was not reachable: {reason}.",
        remedy="Check that the server in the kubeconfig is right and reachable from here.",
        again=True,
    ),
    Trouble(
        errors=(ConnectTimeoutError,),
        says="The API server {server} did not accept a connection within {timeout:g} s.",
        remedy="Check routes and firewalls between here and there.",
    ),
    Trouble(
        errors=(ReadTimeoutError, TimeoutError),
        says="The API server {server} did not answer {what} within {timeout:g} s.",
        remedy="Try again, or raise --request-timeout.",
    ),
    Trouble(
        errors=(LocationValueError,),
        says="The server address {server} in the kubeconfig was not usable.",
        remedy="Correct it.",
    ),
)
DROPPED = Trouble(
    errors=(Exception,),
    says="The API server {server} dropped {what}: {reason}.",
    remedy="Try again; look at the API server and at load balancers before it.",
    again=True,
)


def unreachable(server: str, what: str, error: Exception, timeout: float) -> UnreachableError:
    """Return the error for a request that got no answer; the first kind in TROUBLES that fits, else it was dropped."""
    kind = next((each for each in TROUBLES if isinstance(error, each.errors)), DROPPED)
    says = kind.says.format(server=server, what=what, reason=_reason(error), timeout=timeout)
    return UnreachableError(says, kind.remedy, again=kind.again)


def _reason(error: Exception) -> str:
    """Return the innermost reason of a urllib3 error."""
    inner: BaseException = error
    while isinstance(inner, HTTPError) and inner.args and isinstance(inner.args[-1], Exception):
        inner = inner.args[-1]
    return one_line(getattr(inner, "strerror", None) or str(inner).rpartition(": ")[2]) or type(inner).__name__
