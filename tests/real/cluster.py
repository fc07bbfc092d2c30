"""The whole real cluster: up, down, status, and commands on its LAN. One at a time on a machine."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.real import announcer, certs, network
from tests.real.build import OPERATOR, built, cache, go, program
from tests.real.command import PATH, RealError, missing, run
from tests.real.control_plane import control_plane
from tests.real.hosts import CLIENT, CONTROL_PLANE, NODES, WORLD
from tests.real.images import PYTHON, archive
from tests.real.machine import API_IS_UP, PKI, cgroups, remove_cgroups, switch_on
from tests.real.node import PLUGINS, node

KUBECONFIG = WORLD / "kubeconfig"
KUBECTL = WORLD / "kubectl"
READY = WORLD / "ready"
PACKAGES = {
    "containerd": "containerd",
    "runc": "runc",
    "nft": "nftables",
    "iptables": "iptables",
    "ipset": "ipset",
    "conntrack": "conntrack",
    "etcd": "etcd-server",
    "busybox": "busybox-static",
    "openssl": "openssl",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "arping": "arping",
    "curl": "curl",
    "tcpdump": "tcpdump",
}
"""Programs that must be there, and the Debian packages that bring them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What is there: `up` and answering, or only `left`, the names of what an interrupted run left behind."""

    up: bool
    left: tuple[str, ...]


def obstacle() -> str | None:
    """Return in one sentence why no real cluster can run here, None if it can."""
    if os.geteuid() != 0:
        return "the real cluster needs root"
    if go() is None and not any((cache() / "bin").glob("kubernetes-*")):
        return "the real cluster is built with Go 1.24 or newer, and no go command was found"
    if packages := missing_packages():
        return f"the real cluster needs Debian packages that are not installed: apt-get install {' '.join(packages)}"
    return None


def missing_packages() -> tuple[str, ...]:
    """Return the Debian packages that must be installed first."""
    packages = [PACKAGES[each] for each in missing(tuple(PACKAGES))]
    files = {Path(PLUGINS, "host-local"): "containernetworking-plugins", Path(PYTHON): "python3"}
    return (*packages, *(package for file, package in files.items() if not file.exists()))


def build() -> None:
    """Build all programs and images, if they are not there yet; minutes the first time."""
    archive(built())
    announcer.released()
    program(OPERATOR)


def up() -> None:
    """Bring the cluster up, with MetalLB, a pool and an advertisement; a running one stays. RealError tells why not."""
    if reason := obstacle():
        raise RealError(f"{reason}.")
    programs = built()
    images = archive(programs)
    with _alone():
        if status().up:
            return
        _remove()
        _boot(programs, images)


def down() -> None:
    """Remove the cluster, whatever state it is in; nothing of it stays."""
    with _alone():
        _remove()


def status() -> Status:
    """Return what is there."""
    left = [str(network.namespace(each)) for each in network.NAMES if network.namespace(each).exists()]
    left += [str(each) for each in (WORLD, *cgroups()) if each.exists()]
    return Status(up=READY.exists() and not _ended() and _answers(), left=tuple(left))


def environment(kubeconfig: Path = KUBECONFIG) -> dict[str, str]:
    """Return the environment of a command on the client: this one, with a kubeconfig and kubectl on the PATH."""
    return {**os.environ, "KUBECONFIG": str(kubeconfig), "PATH": f"{os.environ.get('PATH', PATH)}:{PATH}:{WORLD}"}


def kubectl(*words: str, stdin: str = "", timeout: float = 60) -> str:
    """Run kubectl as administrator on the client and return what it printed; RealError with what it complained of."""
    argv = network.within("rc-client", str(KUBECTL), *words)
    return run(*argv, stdin=stdin, env=environment(), timeout=timeout)


def apply(*manifests: Mapping[str, object]) -> None:
    """Apply objects as administrator."""
    kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests}))


def until(ask: Callable[[], bool], what: str, *, seconds: float) -> None:
    """Ask again until the answer is yes; RealError naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not ask():
        if time.monotonic() > deadline:
            raise RealError(f"{what} did not come about within {seconds:g} s; see {WORLD / 'log'}")
        time.sleep(0.1)


def succeeds(*words: str) -> bool:
    """Return whether kubectl with these words succeeded."""
    try:
        kubectl(*words)
    except RealError:
        return False
    return True


def _boot(programs: Mapping[str, Path], images: Path) -> None:
    """Start everything in the order in which one thing needs another."""
    network.lay()
    certs.make(PKI)
    shutil.copy(PKI / "admin.kubeconfig", KUBECONFIG)
    KUBECTL.symlink_to(programs["kubectl"])
    switch_on(control_plane(programs))
    for host in NODES:
        switch_on(node(host, programs, images))
    until(lambda: succeeds("get", "--raw", "/readyz"), "a ready API server", seconds=90)
    apply(*(_node_object(host.name, host.pods) for host in NODES))
    API_IS_UP.touch()
    kubectl("apply", "--server-side", "-f", "-", stdin=announcer.manifests())
    kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=90s", timeout=100)
    for kind in ("deployment/controller", "daemonset/speaker"):
        kubectl("-n", announcer.NAMESPACE, "rollout", "status", kind, "--timeout=90s", timeout=100)
    until(_configured, "an address pool that MetalLB's webhook accepts", seconds=60)
    READY.touch()


def _configured() -> bool:
    """Give MetalLB its pool; its webhook refuses, or is not reached, until it has made itself a certificate."""
    try:
        apply(announcer.pool(), announcer.advertisement())
    except RealError:
        return False
    return True


def _node_object(name: str, pods: Sequence[str]) -> dict[str, object]:
    """Return a Node with its Pod network, made before its kubelet registers: afterwards nobody else would set it."""
    spec = {"podCIDR": pods[0], "podCIDRs": pods}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": spec}


def _ended() -> bool:
    """Return whether a program of a machine has ended: the API server says for a while that it is fine without etcd."""
    return any(" ended with " in log.read_text() for log in (WORLD / "log").glob("*.log"))


def _answers() -> bool:
    return network.laid(CONTROL_PLANE.name) and succeeds("get", "--raw", "/readyz")


def _remove() -> None:
    """Take everything away, in the order in which one thing holds another."""
    network.remove()
    deadline = time.monotonic() + 10
    while cgroups() and time.monotonic() < deadline:
        try:
            remove_cgroups()
        except OSError:
            time.sleep(0.1)
    shutil.rmtree(WORLD, ignore_errors=True)
    if left := status().left:
        raise RealError(f"could not remove {', '.join(left)}")


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the lock that lets only one process change the cluster; it goes with the process, however that ends."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def client(*argv: str) -> int:
    """Run a command on the client, on this terminal, and return its exit code; RealError when there is no cluster."""
    if not network.laid(CLIENT.name):
        raise RealError("the real cluster is not up: python -m tests.real up")
    return subprocess.run(network.within("rc-client", *argv), env=environment(), check=False).returncode
