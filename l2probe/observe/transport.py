"""HTTP to the API server: bounded, retried, and every failure one sentence. Knows no Kubernetes object but Status.

429, 5xx and dropped connections are tried again within the time of one call, as the API's conventions ask
(https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

import msgspec
import urllib3
from urllib3 import HTTPHeaderDict
from urllib3.exceptions import HTTPError
from urllib3.response import HTTPResponse

from l2probe.errors import ClusterError
from l2probe.observe.refusals import StatusError, UnreachableError, refused, unreachable

MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_LINE_BYTES = 8 * 1024 * 1024
CHUNK_BYTES = 256 * 1024
ATTEMPTS = 5
FIRST_DELAY_SECONDS = 0.1
STREAM_SECONDS = 300
SILENCE_SECONDS = 30.0
"""How long a stream may outlive the time that the server was asked to keep it."""
UNAUTHORIZED = 401
FIRST_ERROR = 300
T = TypeVar("T")
Headers = tuple[tuple[str, str], ...]
"""Names and values; a name may come more than once, as Impersonate-Group does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """An authenticated pool. `headers` carry the credential; `expires` (Unix seconds) is when it must be made anew."""

    pool: urllib3.PoolManager
    headers: Headers
    expires: float | None = None


class Transport:
    """Requests to one API server; safe to use from many threads."""

    def __init__(self, login: Callable[[], Session], *, server: str, timeout: float) -> None:
        self.server = server
        self.timeout = timeout
        self._login = login
        self._session: Session | None = None
        self._lock = threading.Lock()
        self._closing = threading.Event()

    def close(self) -> None:
        """Close the idle connections; retries that wait give up."""
        self._closing.set()
        if self._session is not None:
            self._session.pool.clear()

    def get(self, path: str, shape: type[T], query: Mapping[str, str] | None = None) -> T:
        """Return the object at a path, decoded; raises ClusterError, StatusError or NotAllowedError."""
        return self.decode(self.call("GET", path, query=query), shape, path)

    def decode(self, body: bytes | msgspec.Raw, shape: type[T], path: str) -> T:
        """Return a decoded body; raises ClusterError when it is not what the path promises."""
        try:
            return msgspec.json.decode(body, type=shape)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise ClusterError(
                f"The API server {self.server} answered {path} with what is no Kubernetes JSON ({error}).",
                "Check that the kubeconfig's server is a Kubernetes API server and that no proxy answers for it.",
            ) from error

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
    ) -> bytes:
        """Return the body of a successful answer, `timeout` seconds later at most; every other answer is raised."""
        deadline = time.monotonic() + self.timeout
        target = f"{path}?{urlencode(query)}" if query else path
        content = None if body is None else msgspec.json.encode(body)
        tried = 0
        while True:
            try:
                return self._once(method, target, content, content_type, deadline)
            except (StatusError, UnreachableError) as error:
                error.repeated = tried > 0
                tried += 1
                delay = error.retry_after or FIRST_DELAY_SECONDS * 2**tried
                if not error.again or tried == ATTEMPTS or time.monotonic() + delay > deadline:
                    raise
                if self._closing.wait(delay):
                    raise

    def _once(self, method: str, target: str, content: bytes | None, content_type: str, deadline: float) -> bytes:
        left = max(0.01, deadline - time.monotonic())
        headers = {"Content-Type": content_type} if content is not None else {}
        response = self._open(method, target, headers, content, urllib3.Timeout(connect=left, read=left))
        return self._read(response, f"{method} {target}", deadline)

    def _read(self, response: HTTPResponse, what: str, deadline: float) -> bytes:
        body = bytearray()
        try:
            while chunk := response.read1(CHUNK_BYTES):
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise ClusterError(
                        f"The API server {self.server} answered {what} with more than {MAX_BODY_BYTES >> 20} MiB.",
                        "Check that the kubeconfig's server is a Kubernetes API server.",
                    )
                if time.monotonic() > deadline:
                    raise self._slow(what)
        except (HTTPError, OSError) as error:
            raise unreachable(self.server, what, error, self.timeout) from error
        finally:
            if not response.closed:
                response.close()
            response.release_conn()
        if response.status >= FIRST_ERROR:
            raise refused(self.server, what, response.status, bytes(body), response.headers.get("Retry-After"))
        return bytes(body)

    def _slow(self, what: str) -> UnreachableError:
        return UnreachableError(
            f"The API server {self.server} did not finish its answer to {what} within {self.timeout:g} s.",
            "Try again, or raise --request-timeout.",
        )

    def _open(
        self, method: str, target: str, headers: Mapping[str, str], content: bytes | None, timeout: urllib3.Timeout
    ) -> HTTPResponse:
        """Put a request; a session that the server does not accept any more is replaced once."""
        session = self._authenticated(None)
        response = self._put(session, method, target, body=content, headers=headers, timeout=timeout)
        if response.status != UNAUTHORIZED:
            return response
        response.close()
        session = self._authenticated(session)
        return self._put(session, method, target, body=content, headers=headers, timeout=timeout)

    def _put(
        self,
        session: Session,
        method: str,
        target: str,
        *,
        body: bytes | None,
        headers: Mapping[str, str],
        timeout: urllib3.Timeout,
    ) -> HTTPResponse:
        try:
            response = session.pool.request(
                method,
                self.server + target,
                body=body,
                headers=_all(session.headers, headers),
                timeout=timeout,
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (HTTPError, OSError, ValueError) as error:
            raise unreachable(self.server, f"{method} {target}", error, self.timeout) from error
        assert isinstance(response, HTTPResponse)
        return response

    def _authenticated(self, refused_session: Session | None) -> Session:
        """Return a session; a new one when there is none, it expired, or the server refused it just now."""
        with self._lock:
            session = self._session
            expired = session is not None and session.expires is not None and session.expires < time.time()
            if session is None or expired or session is refused_session:
                session = self._session = self._login()
            return session

    def stream(self, path: str, query: Mapping[str, str]) -> Stream:
        """Open a watch; raises like `call`. The caller must close it."""
        whole = {**query, "watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(STREAM_SECONDS)}
        target = f"{path}?{urlencode(whole)}"
        timeout = urllib3.Timeout(connect=self.timeout, read=self.timeout)
        response = self._open("GET", target, {}, None, timeout)
        if response.status >= FIRST_ERROR:
            self._read(response, f"GET {target}", time.monotonic() + self.timeout)
        sock = getattr(response.connection, "sock", None)
        if sock is not None:
            sock.settimeout(STREAM_SECONDS + SILENCE_SECONDS)  # from here on silence is no failure
        return Stream(self.server, path, response)


def _all(credential: Headers, headers: Mapping[str, str]) -> HTTPHeaderDict:
    every = HTTPHeaderDict({"Accept": "application/json", "User-Agent": "l2probe", **headers})
    for name, value in credential:
        every.add(name, value)
    return every


class Stream:
    """The lines of one open watch."""

    def __init__(self, server: str, path: str, response: HTTPResponse) -> None:
        self._server = server
        self._path = path
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        """Yield lines until the server ends the stream or someone closes it; raises UnreachableError when it broke."""
        rest = b""
        try:
            while chunk := self._response.read1(CHUNK_BYTES):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (line for line in lines if line.strip())
                if len(rest) > MAX_LINE_BYTES:
                    raise UnreachableError(
                        f"The API server {self._server} sent an event of more than {MAX_LINE_BYTES >> 20} MiB "
                        f"on {self._path}.",
                        "Look for a huge object there.",
                    )
        except (HTTPError, OSError, ValueError) as error:
            raise unreachable(self._server, f"GET {self._path}", error, SILENCE_SECONDS) from error

    def close(self) -> None:
        """End the stream at once, from any thread; a reader that waits sees its end."""
        try:
            self._response.shutdown()
        except (ValueError, RuntimeError, OSError):
            return  # it ended by itself

    def release(self) -> None:
        """Close the connection; only for the thread that reads."""
        self._response.close()
