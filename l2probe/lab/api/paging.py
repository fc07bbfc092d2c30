"""Lists: selection, pages of `limit` objects, and continue tokens that expire with the history."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from l2probe.lab.api.call import number
from l2probe.lab.api.kinds import Kind
from l2probe.lab.api.objects import Obj, encoded, name_of, namespace_of
from l2probe.lab.api.selectors import selector
from l2probe.lab.api.status import ApiError, bad_request, expired
from l2probe.lab.api.store import Store

EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list "
    "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
    "results. Continuing with the provided token results in an inconsistent list - objects that were created, "
    "modified, or deleted between the time the first chunk was returned and now may show up in the list."
)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list and its ListMeta."""

    items: list[Obj]
    metadata: Obj


def _token(revision: int, last: Obj) -> str:
    start = {"v": "meta.k8s.io/v1", "rv": revision, "start": [namespace_of(last), name_of(last)]}
    return base64.urlsafe_b64encode(encoded(start)).decode().rstrip("=")


def _start(token: str) -> tuple[int, tuple[str, str]]:
    try:
        value = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, name = value["start"]
        return int(value["rv"]), (str(namespace), str(name))
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise bad_request(f"continue key is not valid: {error}") from error


def check_revision(store: Store, query: Mapping[str, str]) -> None:
    """Refuse a resourceVersion that is malformed (400) or in the future (504 Timeout)."""
    wanted = number(query, "resourceVersion")
    if wanted > store.revision:
        message = f"Too large resource version: {wanted}, current: {store.revision}"
        cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        raise ApiError(
            HTTPStatus.GATEWAY_TIMEOUT, "Timeout", f"Timeout: {message}", {"causes": [cause], "retryAfterSeconds": 1}
        )


def page(store: Store, kind: Kind, namespace: str, query: Mapping[str, str]) -> Page:
    """Return the objects that the query selects; 400, 410 or 504 when it cannot be answered."""
    check_revision(store, query)
    test = selector(kind, query.get("labelSelector", ""), query.get("fieldSelector", ""))
    items = [obj for obj in store.objects(kind.storage, namespace) if test is None or test(obj)]
    revision, token = store.revision, query.get("continue", "")
    if token:
        revision, last = _start(token)
        if revision < store.log(kind.storage).expired:
            raise expired(EXPIRED)
        items = [obj for obj in items if (namespace_of(obj), name_of(obj)) > last]
    metadata: Obj = {"resourceVersion": str(revision)}
    limit = number(query, "limit")
    if 0 < limit < len(items):
        metadata["continue"] = _token(revision, items[limit - 1])
        if test is None:
            metadata["remainingItemCount"] = len(items) - limit
        items = items[:limit]
    return Page(items, metadata)
