"""The command lines of etcd and kube-apiserver, and the files that they read. Starts nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from l2probe.lab import mounts
from l2probe.lab.addresses import HOME, LOOPBACK
from l2probe.lab.assets import Assets
from l2probe.lab.tls import Keys, new_key

PLACE = f"{HOME}/control-plane"
"""Keys, data and logs; a file system in memory of its own."""
MEBIBYTES = 1024
"""etcd reserves 128 at once for its log of writes, and ends when there is no room."""
PORT = 6443
SERVICE_NETWORKS = "10.96.0.0/16,fd00:10:96::/112"
"""As the embedded server gives them out."""
PERSON = ("kubernetes-admin", "kubeadm:cluster-admins")
"""User and group of the kubeconfig, as kubeadm calls them."""
_SYSTEM = ("system:kube-controller-manager", "system:masters")
_ETCD = f"http://{LOOPBACK}:2379"
_PEERS = f"http://{LOOPBACK}:2380"


def etcd(assets: Assets) -> tuple[str, ...]:
    """Return etcd's command line; without fsync, as memory does not outlive a power cut anyway."""
    return (
        assets.etcd,
        f"--data-dir={PLACE}/etcd",
        "--unsafe-no-fsync",
        f"--listen-client-urls={_ETCD}",
        f"--advertise-client-urls={_ETCD}",
        f"--listen-peer-urls={_PEERS}",
        "--log-level=warn",
    )


def kube_apiserver(assets: Assets) -> tuple[str, ...]:
    """Return kube-apiserver's command line: TLS, RBAC and every default admission plugin, PodSecurity among them."""
    return (
        assets.kube_apiserver,
        f"--etcd-servers={_ETCD}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={PORT}",
        # Nobody is told where it listens: the address only has to be one (RFC 5737).
        "--advertise-address=192.0.2.1",
        "--endpoint-reconciler-type=none",
        f"--tls-cert-file={PLACE}/server.crt",
        f"--tls-private-key-file={PLACE}/server.key",
        f"--token-auth-file={PLACE}/tokens",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--service-cluster-ip-range={SERVICE_NETWORKS}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={PLACE}/accounts.key",
        f"--service-account-signing-key-file={PLACE}/accounts.key",
        # A host name would have to be looked up, and there is nobody to ask.
        "--kubelet-preferred-address-types=InternalIP",
        "--kubelet-timeout=5s",
    )


def furnish(keys: Keys, *, token: str, system_token: str) -> None:
    """Make PLACE and write into it what both read, for their user's eyes only. OSError when the kernel refuses."""
    Path(PLACE).mkdir()
    mounts.mount_tmpfs(PLACE, mebibytes=MEBIBYTES)
    users = ((token, *PERSON), (system_token, *_SYSTEM))
    rows = [f'{secret},{user},{number},"{group}"\n' for number, (secret, user, group) in enumerate(users)]
    files: Mapping[str, bytes] = {
        "server.crt": keys.certificate_pem,
        "server.key": keys.key_pem,
        "accounts.key": new_key(),
        "tokens": "".join(rows).encode(),
    }
    for name, content in files.items():
        file = Path(PLACE, name)
        file.touch(0o600)
        file.write_bytes(content)
