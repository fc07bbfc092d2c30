"""A login -> connections that carry its credential, with TLS and proxies as client-go sets them up.

What the Kubernetes documents leave open is client-go's own (rest/config.go, transport/transport.go, net/http's
ProxyFromEnvironment); tests hold it against kubectl.
"""

from __future__ import annotations

import base64
import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import urllib3
from urllib3.exceptions import InsecureRequestWarning
from urllib3.util import make_headers, parse_url
from urllib3.util.ssl_ import create_urllib3_context

from l2probe.errors import ClusterError
from l2probe.observe.kubeconfig import Login
from l2probe.observe.oidc import id_token
from l2probe.observe.plugin import Credential, credential
from l2probe.observe.proxies import proxy_for
from l2probe.observe.refusals import one_line
from l2probe.observe.transport import Headers, Session

CONNECTIONS = 32
CREDENTIALS = ("token", "tokenFile", "username", "client-certificate", "client-certificate-data")
MAX_CREDENTIAL_BYTES = 1024 * 1024


def open_session(login: Login) -> Session:
    """Return an authenticated pool of connections; no request is made, but an exec plugin runs.

    Raises ClusterError when what the login names cannot be used.
    """
    plugin = None if _names_credential(login.user) else credential(login)
    try:
        pool = _pool(login, _tls(login, plugin))
        headers = _authorization(login, plugin)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"The credentials in {login.source} were not usable: {one_line(_words(error))}.", "Log in again."
        ) from error
    return Session(pool=pool, headers=(*headers, *login.impersonation), expires=plugin.expires if plugin else None)


def _names_credential(user: Mapping[str, object]) -> bool:
    """Tell whether a kubeconfig's user holds a credential itself: then kubectl asks no plugin."""
    return any(user.get(key) for key in CREDENTIALS)


def _words(error: Exception) -> str:
    """Return what went wrong and with which file."""
    if not isinstance(error, OSError) or isinstance(error, ssl.SSLError):
        return str(error)
    return f"{error.strerror}: {error.filename}" if error.filename else f"{error.strerror}"


def _pool(login: Login, tls: ssl.SSLContext | None) -> urllib3.PoolManager:
    name = login.cluster.get("tls-server-name")
    settings: dict[str, Any] = {"maxsize": CONNECTIONS, "ssl_context": tls, "server_hostname": name or None}
    proxy = proxy_for(login.server, login.cluster.get("proxy-url"), os.environ)
    if proxy is None:
        return urllib3.PoolManager(**settings)
    if proxy.startswith("socks5"):
        from urllib3.contrib.socks import SOCKSProxyManager  # noqa: PLC0415 - few need it

        return SOCKSProxyManager(proxy.replace("socks5:", "socks5h:", 1), **settings)  # names are the proxy's, as in Go
    auth = unquote(parse_url(proxy).auth or "")
    return urllib3.ProxyManager(proxy, proxy_headers=make_headers(proxy_basic_auth=auth or None), **settings)


def _tls(login: Login, plugin: Credential | None) -> ssl.SSLContext | None:
    """Return how the server is verified and who we are to it; None for plain HTTP."""
    if not login.server.startswith("https:"):
        return None
    context = create_urllib3_context()
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # Python 3.13 asks more of old clusters' CAs than kubectl does
    authority = _pem(login.cluster, "certificate-authority")
    if login.cluster.get("insecure-skip-tls-verify") is True:
        if authority:
            raise ValueError("insecure-skip-tls-verify and a certificate-authority exclude each other")
        urllib3.disable_warnings(InsecureRequestWarning)  # the kubeconfig's owner chose so, and knows
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif authority:
        context.load_verify_locations(cadata=authority.decode("ascii", "replace"))
    else:
        context.load_default_certs()
    _introduce(context, login, plugin)
    return context


def _introduce(context: ssl.SSLContext, login: Login, plugin: Credential | None) -> None:
    """Let the context present the client certificate of plugin or kubeconfig, if there is one."""
    certificate = _pem(login.user, "client-certificate")
    key = _pem(login.user, "client-key")
    if plugin and plugin.certificate and plugin.key:
        certificate, key = plugin.certificate.encode(), plugin.key.encode()
    if not certificate and not key:
        return
    if not certificate or not key:
        raise ValueError("a client certificate needs its key, and a key its certificate")
    with _memory_file(certificate) as chain, _memory_file(key) as private:
        context.load_cert_chain(chain, private, password=b"")  # an encrypted key is an error, never a question


def _pem(entry: Mapping[str, object], key: str) -> bytes:
    """Return what a file holds or is embedded; b"" where neither is named. Raises ValueError where both are."""
    data, path = entry.get(f"{key}-data"), entry.get(key)
    if data and path:
        raise ValueError(f"{key} and {key}-data exclude each other")
    if isinstance(data, str) and data:
        return base64.b64decode(data)
    return _content(Path(path)) if isinstance(path, str) and path else b""


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_CREDENTIAL_BYTES)


@contextmanager
def _memory_file(content: bytes) -> Iterator[str]:
    """Offer the content as a file that never touches a disk: ssl takes a certificate chain from files only."""
    descriptor = os.memfd_create("l2probe", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _authorization(login: Login, plugin: Credential | None) -> Headers:
    """Return the header that says who asks; () where a certificate does, or nobody is named.

    A token's file comes before the token, for it is the fresher one.
    """
    user = login.user
    path, token, name = user.get("tokenFile"), user.get("token"), user.get("username")
    if isinstance(path, str) and path:
        return _bearer(_content(Path(path)).decode().strip())
    if isinstance(token, str) and token:
        return _bearer(token)
    if isinstance(name, str) and name:
        return (("Authorization", make_headers(basic_auth=f"{name}:{user.get('password') or ''}")["authorization"]),)
    if plugin and plugin.token:
        return _bearer(plugin.token)
    return _bearer(id_token(login) if "auth-provider" in user else "")


def _bearer(token: str) -> Headers:
    return (("Authorization", f"Bearer {token}"),) if token else ()
