"""The login of an image registry, read from a Secret that the user named; no other key of it is looked at."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from l2probe.errors import ClusterError
from l2probe.observe.refusals import NOT_FOUND, StatusError
from l2probe.observe.transport import Transport

KEYS = {"kubernetes.io/dockerconfigjson": ".dockerconfigjson", "kubernetes.io/dockercfg": ".dockercfg"}
"""The one key of each type (https://kubernetes.io/docs/concepts/configuration/secret/#docker-config-secrets)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryLogin:
    """A Secret's type, its one key, and that key's value in base64, which no message shows."""

    type: str
    key: str
    value: str = field(repr=False)


class _Secret(msgspec.Struct):
    type: str = ""
    data: dict[str, str] = {}


def pull_secret(transport: Transport, namespace: str, name: str) -> RegistryLogin:
    """Return the login in a Secret; raises ClusterError when it is not there or none, NotAllowedError when denied."""
    try:
        found = transport.get(f"/api/v1/namespaces/{namespace}/secrets/{name}", _Secret)
    except StatusError as error:
        if error.status == NOT_FOUND:
            raise ClusterError(
                f"Secret {namespace}/{name} was not found.", f"See `kubectl get secrets --namespace {namespace}`."
            ) from error
        raise
    key = KEYS.get(found.type)
    if key is None or key not in found.data:
        raise ClusterError(
            f"Secret {namespace}/{name} held no login of an image registry: its type was {found.type or 'empty'}.",
            "Make one with `kubectl create secret docker-registry`.",
        )
    return RegistryLogin(type=found.type, key=key, value=found.data[key])
