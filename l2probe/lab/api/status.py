"""What the API server says when it refuses: ApiError carries a metav1.Status in the real server's words.

Wording from k8s.io/apimachinery pkg/api/errors and from recordings of v1.34.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from l2probe.lab.api.objects import Obj


@dataclass(frozen=True, slots=True)
class Resource:
    """A group and a plural, as Status details and RBAC messages name them."""

    group: str
    plural: str

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def details(self, name: str = "") -> Obj:
        """Return Status.details of this resource."""
        named = {"name": name} if name else {}
        return {**named, **({"group": self.group} if self.group else {}), "kind": self.plural}


@dataclass(frozen=True, slots=True)
class Cause:
    """One field that is wrong. `reason` is a metav1.CauseType such as FieldValueInvalid."""

    reason: str
    field: str
    message: str

    def body(self) -> Obj:
        """Return the entry of Status.details.causes."""
        return {"reason": self.reason, "message": self.message, "field": self.field}


class ApiError(Exception):
    """An answer that is not the object asked for."""

    def __init__(
        self,
        code: HTTPStatus,
        reason: str,
        message: str,
        details: Obj | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = int(code)
        self.reason = reason
        self.message = message
        self.details = details
        self.headers = dict(headers or {})

    def body(self) -> Obj:
        """Return the metav1.Status."""
        status: Obj = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        return {**status, "code": self.code}


def success(details: Obj) -> Obj:
    """Return the Status that answers a delete without an object."""
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def unauthorized() -> ApiError:
    """Return the answer to a missing or unknown token."""
    return ApiError(HTTPStatus.UNAUTHORIZED, "Unauthorized", "Unauthorized")


def bad_request(message: str) -> ApiError:
    """Return 400 with this message."""
    return ApiError(HTTPStatus.BAD_REQUEST, "BadRequest", message)


def forbidden(resource: Resource, name: str, why: str) -> ApiError:
    """Return 403: RBAC, admission or quota."""
    subject = f'{resource} "{name}"' if name else str(resource)
    return ApiError(HTTPStatus.FORBIDDEN, "Forbidden", f"{subject} is forbidden: {why}", resource.details(name))


def not_found(resource: Resource, name: str) -> ApiError:
    """Return 404 of an object."""
    return ApiError(HTTPStatus.NOT_FOUND, "NotFound", f'{resource} "{name}" not found', resource.details(name))


def no_such_resource() -> ApiError:
    """Return 404 of a resource, version or subresource that is not served below a served group."""
    message = "the server could not find the requested resource"
    return ApiError(HTTPStatus.NOT_FOUND, "NotFound", message, {})


def method_not_allowed() -> ApiError:
    """Return 405."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(HTTPStatus.METHOD_NOT_ALLOWED, "MethodNotAllowed", message, {})


def already_exists(resource: Resource, name: str) -> ApiError:
    """Return 409 of a create."""
    message = f'{resource} "{name}" already exists'
    return ApiError(HTTPStatus.CONFLICT, "AlreadyExists", message, resource.details(name))


def conflict(resource: Resource, name: str, why: str) -> ApiError:
    """Return 409 of an update or delete whose precondition does not hold."""
    message = f'Operation cannot be fulfilled on {resource} "{name}": {why}'
    return ApiError(HTTPStatus.CONFLICT, "Conflict", message, resource.details(name))


STALE = "the object has been modified; please apply your changes to the latest version and try again"


def apply_conflict(message: str, causes: Iterable[Cause]) -> ApiError:
    """Return 409 of a server-side apply that would take other managers' fields."""
    return ApiError(HTTPStatus.CONFLICT, "Conflict", message, {"causes": [cause.body() for cause in causes]})


def invalid(group: str, kind: str, name: str, causes: Iterable[Cause]) -> ApiError:
    """Return 422 with every cause."""
    found = list(causes)
    texts = [f"{cause.field}: {cause.message}" for cause in found]
    joined = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    qualified = f"{kind}.{group}" if group else kind
    details = {
        **({"name": name} if name else {}),
        **({"group": group} if group else {}),
        "kind": kind,
        "causes": [cause.body() for cause in found],
    }
    message = f'{qualified} "{name}" is invalid: {joined}'
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", message, details)


def expired(message: str) -> ApiError:
    """Return 410: the history that was asked for is gone."""
    return ApiError(HTTPStatus.GONE, "Expired", message)


def unsupported_media(message: str) -> ApiError:
    """Return 415."""
    return ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message)


def too_large(limit: int) -> ApiError:
    """Return 413; `limit` in bytes."""
    message = f"Request entity too large: limit is {limit}"
    return ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "RequestEntityTooLarge", message)


def too_many(resource: str) -> ApiError:
    """Return 429 as the real server sends it when it is overloaded, with Retry-After of one second."""
    message = "too many requests, please try again later"
    details = {"retryAfterSeconds": 1, **({"kind": resource} if resource else {})}
    return ApiError(HTTPStatus.TOO_MANY_REQUESTS, "TooManyRequests", message, details, {"Retry-After": "1"})


def internal(message: str) -> ApiError:
    """Return 500."""
    text = f"Internal error occurred: {message}"
    details = {"causes": [{"message": message}]}
    return ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError", text, details)
