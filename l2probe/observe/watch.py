"""One kind followed by list and watch: an up-to-date set of objects, told to a listener. Knows no kind.

The pattern of https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes: list, watch
from its resourceVersion, reconnect from the last one seen, list again after 410 Gone.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from l2probe.errors import ClusterError, NotAllowedError
from l2probe.observe.lists import fetch
from l2probe.observe.objects import Bare, Meta, Status, WatchEvent
from l2probe.observe.refusals import GONE, StatusError, one_line
from l2probe.observe.transport import Stream, Transport

MAX_FAILURES = 5
PAUSE_SECONDS = 0.1
"""Before a stream is opened anew, even when the server ended it properly; doubled by each failure in a row."""
BOOKMARK = "BOOKMARK"
DELETED = "DELETED"
ERROR = "ERROR"


class Shape(Protocol):
    """What every object has."""

    @property
    def metadata(self) -> Meta:
        """Return its metadata."""
        ...


T = TypeVar("T", bound=Shape)
T_contra = TypeVar("T_contra", contravariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[T]):
    """What to follow: path of the list, how to decode an object, and a selector query."""

    path: str
    shape: type[T]
    query: Mapping[str, str] = field(default_factory=dict)


class Listener(Protocol[T_contra]):
    """Who wants to know. Called from the watching thread."""

    def replaced(self, items: Sequence[T_contra]) -> None:
        """Take the whole set anew."""
        ...

    def changed(self, item: T_contra) -> None:
        """Take one object that was added or modified."""
        ...

    def deleted(self, item: T_contra) -> None:
        """Take one object's last state."""
        ...

    def failed(self, error: ClusterError) -> None:
        """Know that the watch is over because of an error."""
        ...


class Watch(Generic[T]):
    """A thread that follows one kind until it is closed or fails for good."""

    def __init__(self, transport: Transport, kind: Kind[T], listener: Listener[T]) -> None:
        self._transport = transport
        self._kind = kind
        self._listener = listener
        self._version: str | None = None
        self._failures = 0
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._stream: Stream | None = None
        self._thread = threading.Thread(target=self._run, name=f"watch {kind.path}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End at once; `join` waits for the thread."""
        self._stopping.set()
        with self._lock:
            if self._stream is not None:
                self._stream.close()

    def join(self, seconds: float) -> None:
        """Wait until the thread has ended; one whose server does not even begin to answer is left to its timeout."""
        self._thread.join(max(0.0, seconds))

    def _run(self) -> None:
        while not self._stopping.is_set():
            delay = PAUSE_SECONDS
            try:
                self._follow()
            except ClusterError as error:
                if self._stopping.is_set():
                    return
                self._failures += 1
                self._version = None if expired(error) else self._version
                if self._failures > MAX_FAILURES or not (passing(error) or expired(error)):
                    self._listener.failed(error)
                    return
                delay = PAUSE_SECONDS * 2**self._failures
            self._stopping.wait(delay)

    def _follow(self) -> None:
        if self._version is None:
            items, self._version = fetch(self._transport, self._kind.path, self._kind.shape, self._kind.query)
            self._listener.replaced(items)
        stream = self._transport.stream(self._kind.path, {**self._kind.query, "resourceVersion": self._version})
        try:
            if self._attach(stream):
                for line in stream:
                    self._take(line)
        finally:
            self._attach(None)
            stream.release()

    def _attach(self, stream: Stream | None) -> bool:
        """Let `close` reach the stream; False when it came before."""
        with self._lock:
            self._stream = stream
            return not self._stopping.is_set()

    def _take(self, line: bytes) -> None:
        event = self._transport.decode(line, WatchEvent, self._kind.path)
        if event.type == ERROR:
            status = self._transport.decode(event.object, Status, self._kind.path)
            raise StatusError(
                status.code, f"The watch of {self._kind.path} ended: {one_line(status.message)}.", "", None
            )
        if event.type == BOOKMARK:
            self._version = self._transport.decode(event.object, Bare, self._kind.path).metadata.resource_version
            return
        item = self._transport.decode(event.object, self._kind.shape, self._kind.path)
        self._version = item.metadata.resource_version
        self._failures = 0
        (self._listener.deleted if event.type == DELETED else self._listener.changed)(item)


def expired(error: ClusterError) -> bool:
    """Tell whether the resourceVersion is too old, so that only a new list helps."""
    return isinstance(error, StatusError) and error.status == GONE


def passing(error: ClusterError) -> bool:
    """Tell whether the same request may succeed later."""
    if isinstance(error, NotAllowedError):
        return False
    return not isinstance(error, StatusError) or error.again
