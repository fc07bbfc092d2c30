"""The control plane's machine: etcd, kube-apiserver, kube-controller-manager and kube-scheduler with their flags."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.real.hosts import CONTROL_PLANE, POD_NETWORKS, SERVICE_NETWORKS
from tests.real.machine import API_IS_UP, PKI, Machine, Step, within_cache

ETCD = "http://127.0.0.1:2379"


def control_plane(programs: Mapping[str, Path]) -> Machine:
    """Return the machine. PodSecurity is among the API server's default admission plugins."""
    steps = (
        Step(name="etcd", argv=_etcd()),
        Step(name="kube-apiserver", argv=(within_cache(programs["kube-apiserver"]), *_apiserver())),
        Step(await_file=str(API_IS_UP)),
        Step(name="kube-controller-manager", argv=_controllers(programs["kube-controller-manager"])),
        Step(name="kube-scheduler", argv=_scheduler(programs["kube-scheduler"])),
    )
    return Machine(name=CONTROL_PLANE.name, steps=steps, files={})


def _etcd() -> tuple[str, ...]:
    """Without fsync: this cluster need not outlive a power cut, and a disk shared by others is slow."""
    return (
        "etcd",
        "--data-dir=/var/lib/etcd",
        "--unsafe-no-fsync",
        f"--listen-client-urls={ETCD}",
        f"--advertise-client-urls={ETCD}",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--log-level=warn",
    )


def _apiserver() -> tuple[str, ...]:
    """Endpoint routing lets the API server call webhooks by their Pods' addresses: no kube-proxy runs beside it."""
    return (
        f"--etcd-servers={ETCD}",
        f"--advertise-address={CONTROL_PLANE.address}",
        "--secure-port=6443",
        f"--tls-cert-file={PKI}/apiserver.crt",
        f"--tls-private-key-file={PKI}/apiserver.key",
        f"--client-ca-file={PKI}/ca.crt",
        f"--kubelet-client-certificate={PKI}/kubelet-client.crt",
        f"--kubelet-client-key={PKI}/kubelet-client.key",
        "--kubelet-preferred-address-types=InternalIP",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--enable-aggregator-routing",
        f"--service-cluster-ip-range={','.join(SERVICE_NETWORKS)}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={PKI}/service-accounts.pub",
        f"--service-account-signing-key-file={PKI}/service-accounts.key",
    )


def _controllers(program: Path) -> tuple[str, ...]:
    return (
        within_cache(program),
        *_as("controller-manager"),
        "--leader-elect=false",
        "--use-service-account-credentials",
        f"--root-ca-file={PKI}/ca.crt",
        f"--service-account-private-key-file={PKI}/service-accounts.key",
        f"--cluster-cidr={','.join(POD_NETWORKS)}",
        "--flex-volume-plugin-dir=/var/lib/volume-plugins",
    )


def _scheduler(program: Path) -> tuple[str, ...]:
    return (within_cache(program), *_as("scheduler"), "--leader-elect=false")


def _as(user: str) -> tuple[str, ...]:
    """Return the flags by which a component makes itself known to the API server and checks who asks it."""
    file = f"{PKI}/{user}.kubeconfig"
    return tuple(f"--{flag}={file}" for flag in ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"))
