"""The kubeconfig's old auth-provider `oidc`: its ID token, renewed when it expired. Only it needs `kubernetes`.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#using-kubectl. Newer kubeconfigs name an exec
plugin instead; the providers of the clouds are gone from kubectl since 1.26.
"""

from __future__ import annotations

import base64
import math
import time
from collections.abc import Mapping

import msgspec

from l2probe.errors import ClusterError
from l2probe.observe.kubeconfig import Login
from l2probe.observe.refusals import one_line


class _Claims(msgspec.Struct):
    exp: float = math.inf


def id_token(login: Login) -> str:
    """Return the ID token of the login's auth-provider; raises ClusterError when it has none, or it was not renewed.

    The renewed token is not written to the kubeconfig: we read only.
    """
    provider = login.user.get("auth-provider")
    if not isinstance(provider, Mapping) or provider.get("name") != "oidc":
        name = provider.get("name") if isinstance(provider, Mapping) else provider
        raise ClusterError(
            f"The auth-provider {name!r} in {login.source} is not known; kubectl knows oidc alone since 1.26.",
            "Use the exec plugin of your provider.",
        )
    return _renewed({"auth-provider": dict(provider)}, login.source)


def _renewed(user: Mapping[str, object], source: str) -> str:
    """Return the token that the official client finds or fetches; it takes long to import, hence here."""
    from kubernetes.client import Configuration  # noqa: PLC0415
    from kubernetes.config import load_kube_config_from_dict  # noqa: PLC0415

    configuration = Configuration()
    document = {
        "current-context": "login",
        "contexts": [{"name": "login", "context": {"cluster": "login", "user": "login"}}],
        "clusters": [{"name": "login", "cluster": {}}],
        "users": [{"name": "login", "user": dict(user)}],
    }
    try:
        load_kube_config_from_dict(document, client_configuration=configuration, persist_config=False)
    except Exception as error:  # whatever the provider's answer made of the client
        raise ClusterError(
            f"The ID token in {source} was not renewed: {one_line(str(error))}.", "Log in again."
        ) from error
    token = str(configuration.api_key.get("BearerToken") or "").removeprefix("Bearer ")
    if not token or _is_expired(token):
        raise ClusterError(f"The ID token in {source} expired, and its issuer gave no other.", "Log in again.")
    return token


def _is_expired(token: str) -> bool:
    """Tell whether a JSON Web Token says that its time is over (RFC 7519, exp); the official client would send it."""
    try:
        middle = token.split(".")[1]
        claims = msgspec.json.decode(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)), type=_Claims)
    except (IndexError, ValueError, msgspec.MsgspecError):
        return False  # whatever it is, the server will say
    return claims.exp <= time.time()
