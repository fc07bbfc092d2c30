"""HTTP answers: JSON bodies, Status for every refusal, warnings, and the plain texts of the HTTP mux."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus

from aiohttp import web
from multidict import CIMultiDict

from l2probe.lab.api.objects import Json, encoded
from l2probe.lab.api.status import ApiError

JSON = "application/json"


def json_answer(
    value: Json,
    *,
    code: int = HTTPStatus.OK,
    media: str = JSON,
    warnings: Iterable[str] = (),
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Return a JSON answer; each warning becomes a Warning header (RFC 7234, code 299)."""
    fields = CIMultiDict(headers or {})
    fields["Content-Type"] = media
    fields["Cache-Control"] = "no-cache, private"
    for warning in warnings:
        text = "".join(each if each.isprintable() else "?" for each in warning)
        text = text.replace("\\", "\\\\").replace('"', '\\"')
        fields.add("Warning", f'299 - "{text}"')
    return web.Response(status=code, body=encoded(value), headers=fields)


def status_answer(error: ApiError) -> web.Response:
    """Return the Status of a refusal."""
    return json_answer(error.body(), code=error.code, headers=error.headers)


def no_such_page() -> web.Response:
    """Return what the mux says where nothing is served: text, not a Status."""
    return web.Response(status=HTTPStatus.NOT_FOUND, text="404 page not found\n")
