"""Keys, certificates and kubeconfigs of one cluster, made with openssl for as long as it lives."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.real.command import run
from tests.real.hosts import API, CONTROL_PLANE, FIRST_SERVICE, NODES

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
CONTEXT = "real"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A certificate: whom it names (`user` and `group` as Kubernetes reads them) and, for a server, its addresses."""

    file: str
    user: str
    group: str = ""
    addresses: str = ""


API_ADDRESSES = (
    f"IP:{CONTROL_PLANE.address},IP:127.0.0.1,IP:{FIRST_SERVICE},DNS:localhost,DNS:kubernetes,"
    "DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
)
LEAVES = (
    Leaf(file="apiserver", user="kube-apiserver", addresses=API_ADDRESSES),
    Leaf(file="kubelet-client", user="kube-apiserver-kubelet-client", group="system:masters"),
    Leaf(file="admin", user="real-admin", group="system:masters"),
    Leaf(file="prober", user="prober"),
    Leaf(file="controller-manager", user="system:kube-controller-manager"),
    Leaf(file="scheduler", user="system:kube-scheduler"),
    Leaf(file="proxy", user="system:kube-proxy"),
    *(Leaf(file=node.name, user=f"system:node:{node.name}", group="system:nodes") for node in NODES),
)
"""`prober` is a user with no right at all: what a test grants it is what l2probe has."""


def make(into: Path) -> None:
    """Write a new authority, `ca.crt`, and for each leaf a key, a certificate and a kubeconfig into `into`."""
    into.mkdir(parents=True)
    into.chmod(0o700)
    written = ("-keyout", into / "ca.key", "-out", into / "ca.crt")
    _openssl("req", "-x509", *KEY, "-days", "30", "-subj", "/CN=real", *written)
    _openssl("genrsa", "-out", into / "service-accounts.key", "2048")
    _openssl("rsa", "-in", into / "service-accounts.key", "-pubout", "-out", into / "service-accounts.pub")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda leaf: _leaf(into, leaf), LEAVES))


def _leaf(into: Path, leaf: Leaf) -> None:
    """Sign one certificate and write the kubeconfig that uses it."""
    key, certificate = into / f"{leaf.file}.key", into / f"{leaf.file}.crt"
    group = f"/O={leaf.group}" if leaf.group else ""
    names = ("-addext", f"subjectAltName={leaf.addresses}") if leaf.addresses else ()
    authority = ("-CA", into / "ca.crt", "-CAkey", into / "ca.key", "-days", "30")
    subject = ("-subj", f"{group}/CN={leaf.user}", "-addext", "basicConstraints=CA:FALSE", *names)
    _openssl("req", "-x509", *KEY, *authority, *subject, "-keyout", key, "-out", certificate)
    (into / f"{leaf.file}.kubeconfig").write_text(_kubeconfig(leaf.user, into / "ca.crt", key, certificate))


def _kubeconfig(user: str, authority: Path, key: Path, certificate: Path) -> str:
    """Return a kubeconfig that needs no other file."""
    cluster = {"server": API, "certificate-authority-data": _encoded(authority)}
    proof = {"client-certificate-data": _encoded(certificate), "client-key-data": _encoded(key)}
    whole = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTEXT,
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": user}}],
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": user, "user": proof}],
    }
    return json.dumps(whole, indent=1)


def _encoded(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()


def _openssl(*words: str | Path) -> None:
    run("openssl", *map(str, words))
