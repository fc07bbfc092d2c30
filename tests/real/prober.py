"""l2probe as its user runs it: the real command, on the client of the LAN, with its own rights and no others."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from l2probe import rights
from l2probe.run.preflight import CLAIMS, NEEDED, WANTED
from tests.real import cluster, network
from tests.real.machine import PKI, REPOSITORY

KUBECONFIG = PKI / "prober.kubeconfig"
READS = (
    ("get", "services", ""),
    ("list", "namespaces", ""),
    ("list", "daemonsets", "apps"),
    ("get", "configmaps", ""),
    ("list", "ciliumloadbalancerippools", "cilium.io"),
    ("list", "ciliuml2announcementpolicies", "cilium.io"),
    ("list", "ipaddresspools", "metallb.io"),
    ("list", "l2advertisements", "metallb.io"),
    ("list", "bgpadvertisements", "metallb.io"),
    ("list", "servicel2statuses", "metallb.io"),
    ("watch", "servicel2statuses", "metallb.io"),
)
"""What it reads beside the rights that its preflight names: namespaces for `cleanup`, an announcer's orders for `run`.
Cilium's kinds are not there, but who may not list them cannot know that."""
ALL = (*NEEDED, *WANTED, *READS, *CLAIMS["metallb"])
Triple = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A finished command."""

    code: int
    stdout: str
    stderr: str

    @property
    def report(self) -> dict[str, Any]:
        """The one JSON document on stdout."""
        document: dict[str, Any] = json.loads(self.stdout)
        return document

    @property
    def codes(self) -> set[str]:
        """The codes of all findings."""
        return {finding["code"] for finding in self.report["findings"]}

    @property
    def causes(self) -> list[str]:
        """The codes of findings that no other finding explains, the first one first."""
        return [finding["code"] for finding in self.report["findings"] if not finding["consequence_of"]]

    @property
    def trials(self) -> list[dict[str, Any]]:
        """The evidence's trials."""
        trials: list[dict[str, Any]] = self.report["evidence"]["trials"]
        return trials


@dataclass(frozen=True, slots=True, kw_only=True)
class Prober:
    """Starts l2probe. `directory`: where it may write."""

    directory: Path

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start `l2probe WORDS…` and return the process, its output in pipes."""
        return subprocess.Popen(
            network.within("rc-client", sys.executable, "-m", "l2probe", *words),
            cwd=REPOSITORY,
            env=cluster.environment(KUBECONFIG),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words: str, timeout: float = 150) -> Ran:
        """Run `l2probe WORDS…` to its end."""
        with self.start(*words) as process:
            try:
                stdout, stderr = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        sys.stderr.write(stderr)
        return Ran(code=process.returncode, stdout=stdout, stderr=stderr)


def grant(triples: Iterable[Triple] = ALL, *, without: Triple | None = None) -> None:
    """Give the prober exactly these rights (verb, resource, group), but for `without`."""
    rules = [
        {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
        for verb, resource, group in triples
        if (verb, resource, group) != without
    ]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "prober"}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "prober"}
    cluster.apply(
        _rbac("ClusterRole", rules=rules),
        _rbac("ClusterRoleBinding", roleRef=role, subjects=[subject]),
    )


@contextmanager
def printed(command: str) -> Iterator[None]:
    """Give the prober what `l2probe rbac --for COMMAND` prints, and no other right; take it away at the end."""
    grant(())
    objects = rights.manifests(command, rights.Holder(user="prober"))
    cluster.apply(*objects)
    try:
        yield
    finally:
        listed = {"apiVersion": "v1", "kind": "List", "items": objects}
        cluster.kubectl("delete", "-f", "-", stdin=json.dumps(listed))


def _rbac(kind: str, **content: object) -> dict[str, object]:
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": "prober"}, **content}
