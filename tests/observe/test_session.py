"""How a login becomes connections: TLS, credentials and proxies are kubectl's, held against kubectl itself."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives import serialization

from l2probe.errors import ClusterError
from l2probe.observe.access import Access
from l2probe.observe.kube import connect
from tests.observe.kubectl import kubectls
from tests.observe.relays import relaying
from tests.observe.scripted import Api, recorded, reply, self_signed, serving

VERSION = "GET /version"
ME = self_signed("me")
OTHER = self_signed("other")
NAMED = "cluster.example"
Entry = dict[str, Any]


def encoded(pem: str) -> str:
    """Return PEM as a kubeconfig embeds it."""
    return base64.b64encode(pem.encode()).decode()


@pytest.fixture
def server() -> Iterator[Api]:
    """Return an API server with TLS that takes the client certificate of "me" and notes it."""
    with serving(tls=True, clients=ME[0] + OTHER[0]) as running:
        running.on(VERSION, reply(recorded("metallb/version.json")))
        yield running


def config(directory: Path, cluster: Mapping[str, object], user: Mapping[str, object]) -> Path:
    """Write a kubeconfig of one context."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": dict(cluster)}],
        "users": [{"name": "it", "user": dict(user)}],
    }
    path = directory / "config"
    path.write_text(json.dumps(document))
    return path


def files(directory: Path) -> None:
    """Write what kubeconfigs name beside themselves."""
    written = {"me.pem": ME[0], "me.key": ME[1], "other.key": OTHER[1], "token": " from-file\n", "junk": "junk"}
    for name, content in written.items():
        (directory / name).write_text(content)


def told(server: Api) -> list[tuple[str | None, str | None]]:
    """Return as whom the server was asked, by header and by certificate, and forget it; some kubectls ask twice."""
    who = [(asked.headers.get("authorization"), asked.certificate) for asked in server.asked]
    server.asked.clear()
    return list(dict.fromkeys(who))


def ours(path: Path) -> None:
    """Ask for the version, with the proxy settings of the environment."""
    api = connect(Access(kubeconfig=str(path)))
    try:
        api.version()
    finally:
        api.close()


def theirs(kubectl: str, path: Path, environ: Mapping[str, str] = {}) -> bool:
    """Ask for the version with kubectl; return whether it got an answer."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(path.parent), **environ}
    command = (kubectl, "--kubeconfig", str(path), "get", "--raw", "/version", "--request-timeout=5s")
    return subprocess.run(command, env=environment, capture_output=True, check=False, timeout=60).returncode == 0


PLUGIN = {"apiVersion": "client.authentication.k8s.io/v1", "command": "./grant", "interactiveMode": "Never"}
CERTIFICATE = {"client-certificate-data": encoded(ME[0]), "client-key-data": encoded(ME[1])}
USERS: dict[str, tuple[Entry, bool]] = {
    "token": ({"token": "t"}, True),
    "token file": ({"tokenFile": "token"}, True),
    "token and its file": ({"token": "t", "tokenFile": "token"}, True),
    "token file that is not there": ({"tokenFile": "absent"}, False),
    "password": ({"username": "u", "password": "p:w"}, True),
    "user name alone": ({"username": "u"}, True),
    "certificate files": ({"client-certificate": "me.pem", "client-key": "me.key"}, True),
    "embedded certificate": (CERTIFICATE, True),
    "both files and embedded": ({"client-certificate": "me.pem", "client-key": "me.key", **CERTIFICATE}, False),
    "certificate and token": ({"token": "t", **CERTIFICATE}, True),
    "certificate without key": ({"client-certificate": "me.pem"}, False),
    "key without certificate": ({"client-key": "me.key"}, False),
    "key of another": ({"client-certificate": "me.pem", "client-key": "other.key"}, False),
    "certificate that is none": ({"client-certificate": "junk", "client-key": "me.key"}, False),
    "plugin": ({"exec": PLUGIN}, True),
    "plugin and token": ({"exec": PLUGIN, "token": "t"}, True),
    "plugin and certificate": ({"exec": PLUGIN, **CERTIFICATE}, True),
}


@pytest.mark.kubectl
@pytest.mark.parametrize("case", USERS)
def test_the_server_is_asked_as_whom_kubectl_would_ask(tmp_path: Path, server: Api, case: str) -> None:
    """Header and certificate are the same, and what kubectl does not take is an error before any request."""
    user, fine = USERS[case]
    files(tmp_path)
    granted = json.dumps({"apiVersion": PLUGIN["apiVersion"], "kind": "ExecCredential", "status": {"token": "granted"}})
    (tmp_path / "grant").write_text(f"#!/bin/sh\necho '{granted}'\n")
    (tmp_path / "grant").chmod(0o755)
    path = config(tmp_path, {"server": server.url, "certificate-authority-data": encoded(server.ca_pem)}, user)

    who = asked_by(lambda: ours(path), server, fine=fine)

    for kubectl in kubectls():
        assert theirs(kubectl, path) is fine, kubectl
        assert told(server) == who or not fine, kubectl


def asked_by(ask: Callable[[], None], server: Api, *, fine: bool) -> list[tuple[str | None, str | None]]:
    """Return as whom the server was asked; it must be an error for people where it is not `fine`."""
    if fine:
        ask()
    else:
        with pytest.raises(ClusterError) as caught:
            ask()
        assert caught.value.hint
    return told(server)


CLUSTERS: dict[str, tuple[Entry, bool]] = {
    "authority embedded": ({"certificate-authority-data": "CA"}, True),
    "authority file": ({"certificate-authority": "ca.pem"}, True),
    "both file and embedded": ({"certificate-authority-data": "CA", "certificate-authority": "ca.pem"}, False),
    "authority file that is not there": ({"certificate-authority": "absent"}, False),
    "authority that is none": ({"certificate-authority": "junk"}, False),
    "authority of others": ({"certificate-authority": "me.pem"}, False),
    "the machine's authorities": ({}, False),
    "unverified": ({"insecure-skip-tls-verify": True}, True),
    "unverified with an authority": ({"insecure-skip-tls-verify": True, "certificate-authority": "ca.pem"}, False),
    "another name": ({"certificate-authority": "ca.pem", "tls-server-name": "elsewhere.example"}, False),
}


@pytest.mark.kubectl
@pytest.mark.parametrize("case", CLUSTERS)
def test_a_server_is_trusted_as_kubectl_trusts_it(tmp_path: Path, server: Api, case: str) -> None:
    """Nothing is sent to a server whose certificate kubectl would not take."""
    cluster, fine = CLUSTERS[case]
    files(tmp_path)
    (tmp_path / "ca.pem").write_text(server.ca_pem)
    entry = {key: encoded(server.ca_pem) if value == "CA" else value for key, value in cluster.items()}
    path = config(tmp_path, {"server": server.url, **entry}, {"token": "t"})

    who = asked_by(lambda: ours(path), server, fine=fine)

    assert bool(who) is fine
    for kubectl in kubectls():
        assert theirs(kubectl, path) is fine, kubectl
        assert told(server) == who, kubectl


@pytest.mark.kubectl
def test_the_name_in_the_certificate_may_be_another_than_the_address(tmp_path: Path) -> None:
    """tls-server-name is what the certificate is held against."""
    with serving(tls=True, name=NAMED) as server:
        server.on(VERSION, reply(recorded("metallb/version.json")))
        trusted = {"server": server.url, "certificate-authority-data": encoded(server.ca_pem)}
        path = config(tmp_path, trusted | {"tls-server-name": NAMED}, {"token": "t"})
        ours(path)
        assert all(theirs(kubectl, path) for kubectl in kubectls())
        path = config(tmp_path, trusted, {"token": "t"})
        with pytest.raises(ClusterError, match="certificate"):
            ours(path)
        assert not any(theirs(kubectl, path) for kubectl in kubectls())


@pytest.mark.kubectl
@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_a_proxy_of_the_kubeconfig_is_gone_through(tmp_path: Path, scheme: str) -> None:
    """The proxy is asked for the server by name, with its own credentials; no NO_PROXY overrules it."""
    with (
        serving(tls=True, name=NAMED) as server,
        relaying(urlsplit(server.url).port or 0, socks=scheme != "http") as relay,
    ):
        server.on(VERSION, reply(recorded("metallb/version.json")))
        who = "u:p%40w@" if scheme == "http" else ""
        entry = {"server": f"https://{NAMED}:6443", "certificate-authority-data": encoded(server.ca_pem)}
        path = config(tmp_path, entry | {"proxy-url": f"{scheme}://{who}127.0.0.1:{relay.port}"}, {"token": "t"})

        ours(path)

        asked = list(dict.fromkeys(relay.asked))
        assert asked[0][0] == f"{NAMED}:6443"
        assert bool(asked[0][1]) is (scheme == "http")
        for kubectl in kubectls():
            relay.asked.clear()
            assert theirs(kubectl, path, {"NO_PROXY": "*"}), kubectl
            assert list(dict.fromkeys(relay.asked)) == asked, kubectl


ENVIRONMENTS: dict[str, dict[str, str]] = {
    "none": {},
    "https": {"HTTPS_PROXY": "http://RELAY"},
    "small letters": {"https_proxy": "http://RELAY"},
    "no scheme": {"HTTPS_PROXY": "RELAY"},
    "the other scheme": {"HTTP_PROXY": "http://RELAY"},
    "all": {"ALL_PROXY": "http://RELAY"},
    "everything direct": {"HTTPS_PROXY": "http://RELAY", "NO_PROXY": "*"},
    "the address": {"HTTPS_PROXY": "http://RELAY", "NO_PROXY": "10.1.2.3, 0.0.0.0"},
    "its network": {"HTTPS_PROXY": "http://RELAY", "no_proxy": "0.0.0.0/8"},
    "another network": {"HTTPS_PROXY": "http://RELAY", "NO_PROXY": "10.0.0.0/8,example.com"},
    "its port": {"HTTPS_PROXY": "http://RELAY", "NO_PROXY": "0.0.0.0:PORT"},
    "another port": {"HTTPS_PROXY": "http://RELAY", "NO_PROXY": "0.0.0.0:1"},
}


@pytest.mark.kubectl
@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
@pytest.mark.parametrize("case", ENVIRONMENTS)
def test_a_proxy_of_the_environment_is_gone_through_where_kubectl_does(
    tmp_path: Path, server: Api, monkeypatch: pytest.MonkeyPatch, case: str, host: str
) -> None:
    """HTTPS_PROXY and NO_PROXY mean what they mean to Go, and the loopback is never behind a proxy."""
    port = urlsplit(server.url).port or 0
    path = config(
        tmp_path,
        {"server": f"https://{host}:{port}", "certificate-authority-data": encoded(server.ca_pem)},
        {"token": "t"},
    )
    with relaying(port) as relay:
        filled = {
            name: value.replace("RELAY", f"127.0.0.1:{relay.port}").replace("PORT", str(port))
            for name, value in ENVIRONMENTS[case].items()
        }
        for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.lower(), raising=False)
        for name, value in filled.items():
            monkeypatch.setenv(name, value)

        ours(path)

        through = list(dict.fromkeys(relay.asked))
        for kubectl in kubectls():
            relay.asked.clear()
            assert theirs(kubectl, path, filled), kubectl
            assert list(dict.fromkeys(relay.asked)) == through, kubectl


def test_a_proxy_of_an_unknown_kind_is_refused(tmp_path: Path, server: Api) -> None:
    """The error names the place and the kinds that there are."""
    path = config(tmp_path, {"server": server.url, "proxy-url": "ftp://127.0.0.1:1"}, {"token": "t"})

    with pytest.raises(ClusterError, match=r"proxy-url has the scheme 'ftp'.*http, https or socks5"):
        ours(path)


def test_an_encrypted_key_asks_nobody(tmp_path: Path, server: Api) -> None:
    """OpenSSL would ask for a passphrase on the terminal; as for kubectl, such a key is an error."""
    private = serialization.load_pem_private_key(ME[1].encode(), None)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    key = private.private_bytes(*form, serialization.BestAvailableEncryption(b"secret")).decode()
    trusted = {"server": server.url, "certificate-authority-data": encoded(server.ca_pem)}
    path = config(tmp_path, trusted, CERTIFICATE | {"client-key-data": encoded(key)})

    with pytest.raises(ClusterError, match="were not usable"):
        ours(path)


ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount"
IN_POD = f"""
mount -t tmpfs run /run && mkdir -p {ACCOUNT} && cp ca.crt token namespace {ACCOUNT} && exec "$@"
"""
OURS = """
from l2probe.observe.access import Access
from l2probe.observe.kube import connect
api = connect(Access())
api.version()
print(api.namespace, api.context)
"""


@pytest.mark.kubectl
def test_in_a_pod_the_service_account_asks(tmp_path: Path, server: Api) -> None:
    """Without a kubeconfig, server, authority, token and namespace are the Pod's, as for kubectl."""
    tried = subprocess.run(("unshare", "-rm", "mount", "-t", "tmpfs", "x", "/run"), capture_output=True, check=False)
    if tried.returncode:
        pytest.skip("no user namespaces: nobody can play a Pod's files here")
    for name, content in {"ca.crt": server.ca_pem, "token": "pod-token\n", "namespace": "mine"}.items():
        (tmp_path / name).write_text(content)
    url = urlsplit(server.url)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "KUBERNETES_SERVICE_HOST": url.hostname or "",
        "KUBERNETES_SERVICE_PORT": str(url.port),
    }

    def in_pod(*argv: str) -> str:
        command = ("unshare", "-rm", "sh", "-c", IN_POD, "sh", *argv)
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, check=True, timeout=60)
        return done.stdout.decode()

    assert in_pod(sys.executable, "-c", OURS) == "mine None\n"
    who = told(server)
    assert who == [("Bearer pod-token", None)]
    for kubectl in kubectls():
        in_pod(kubectl, "get", "--raw", "/version")
        assert told(server) == who, kubectl


def jwt(**claims: object) -> str:
    """Return an unsigned JSON Web Token."""
    parts = ({"alg": "none"}, claims)
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join((*coded, "x"))


def oidc(issuer: Api, token: str) -> Entry:
    """Return a kubeconfig's user with the oidc auth-provider."""
    settings = {
        "client-id": "l2probe",
        "client-secret": "s",
        "id-token": token,
        "refresh-token": "again",
        "idp-issuer-url": issuer.url,
        "idp-certificate-authority-data": encoded(issuer.ca_pem),
    }
    return {"auth-provider": {"name": "oidc", "config": settings}}


@pytest.mark.kubectl
def test_an_id_token_is_sent_as_long_as_it_is_good(tmp_path: Path, server: Api) -> None:
    """The old auth-provider oidc works as with kubectl."""
    token = jwt(exp=int(time.time()) + 3600)
    trusted = {"server": server.url, "certificate-authority-data": encoded(server.ca_pem)}
    path = config(tmp_path, trusted, oidc(server, token))

    ours(path)

    assert told(server) == [(f"Bearer {token}", None)]
    for kubectl in kubectls():
        assert theirs(kubectl, path)
        assert told(server) == [(f"Bearer {token}", None)], kubectl


def test_an_expired_id_token_is_renewed_and_the_kubeconfig_left_alone(tmp_path: Path, server: Api) -> None:
    """The issuer is asked for another one, and what the user wrote stays as it is."""
    fresh = jwt(exp=int(time.time()) + 3600)
    server.on(
        "GET /.well-known/openid-configuration", reply({"issuer": server.url, "token_endpoint": f"{server.url}/token"})
    )
    server.on(
        "POST /token",
        reply({"id_token": fresh, "access_token": "unused", "refresh_token": "next", "token_type": "Bearer"}),
    )
    trusted = {"server": server.url, "certificate-authority-data": encoded(server.ca_pem)}
    path = config(tmp_path, trusted, oidc(server, jwt(exp=1)))
    before = path.read_text()

    ours(path)

    assert server.requests("POST /token")[0].body["refresh_token"] == "again"
    assert server.requests(VERSION)[0].headers["authorization"] == f"Bearer {fresh}"
    assert path.read_text() == before


def test_an_issuer_that_refuses_is_an_error(tmp_path: Path, server: Api) -> None:
    """An expired token is never sent instead."""
    trusted = {"server": server.url, "certificate-authority-data": encoded(server.ca_pem)}

    with pytest.raises(ClusterError, match="ID token"):
        ours(config(tmp_path, trusted, oidc(server, jwt(exp=1))))
    assert server.requests(VERSION) == []


def test_a_provider_that_is_gone_from_kubectl_is_named(tmp_path: Path, server: Api) -> None:
    """The error says what took its place."""
    with pytest.raises(ClusterError, match=r"'gcp'.*not known") as caught:
        ours(config(tmp_path, {"server": server.url}, {"auth-provider": {"name": "gcp"}}))
    assert "exec plugin" in (caught.value.hint or "")
