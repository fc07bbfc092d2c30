"""Whole lists of a kind, page by page (https://kubernetes.io/docs/reference/using-api/api-concepts/)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from l2probe.errors import ClusterError
from l2probe.observe.objects import Page
from l2probe.observe.refusals import GONE, NOT_FOUND, StatusError
from l2probe.observe.transport import Transport

PAGE_SIZE = 500
MAX_PAGES = 1000
T = TypeVar("T")


def fetch(
    transport: Transport, path: str, shape: type[T], query: Mapping[str, str] | None = None
) -> tuple[list[T], str]:
    """Return all objects and the list's resourceVersion; a list that expires between two pages is begun anew once.

    Raises StatusError (404 when the kind does not exist), NotAllowedError or ClusterError.
    """
    try:
        return _pages(transport, path, shape, query or {})
    except StatusError as error:
        if error.status != GONE:
            raise
        return _pages(transport, path, shape, query or {})


def _pages(transport: Transport, path: str, shape: type[T], query: Mapping[str, str]) -> tuple[list[T], str]:
    page_shape: Any = Page[shape]  # type: ignore[valid-type]
    items: list[T] = []
    more = {"limit": str(PAGE_SIZE)}
    for _ in range(MAX_PAGES):
        page: Page[T] = transport.get(path, page_shape, {**query, **more})
        items += page.items or ()
        if not page.metadata.continue_:
            return items, page.metadata.resource_version
        more["continue"] = page.metadata.continue_
    raise ClusterError(f"The list {path} did not end after {MAX_PAGES} pages.", "Look at the API server.")


def fetch_if_served(
    transport: Transport, path: str, shape: type[T], query: Mapping[str, str] | None = None
) -> list[T] | None:
    """Return all objects; None when the server does not serve the kind (no such API group, version or resource)."""
    try:
        return fetch(transport, path, shape, query)[0]
    except StatusError as error:
        if error.status == NOT_FOUND:
            return None
        raise
