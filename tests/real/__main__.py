"""`python -m tests.real up | down | status | client -- COMMAND…`: a real Kubernetes with a real MetalLB.

And for make: `build`, `packages` (what is missing), `obstacle` (why no cluster can run here; 1 if one can't) and
`assets` (where etcd, kube-apiserver and kubectl are, for KUBEBUILDER_ASSETS).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

from tests.real import cluster
from tests.real.build import assets
from tests.real.command import RealError, say


def main() -> int:
    """Do what the command line says; 0 done, 1 no (status, obstacle), 2 could not."""
    parser = argparse.ArgumentParser(prog="python -m tests.real", description=__doc__)
    parser.add_argument("what", choices=(*CHANGES, *QUESTIONS, "client"))
    parser.add_argument("command", nargs="*", help="after client: what to run there; a shell if nothing is given")
    given = parser.parse_args()
    try:
        if given.what == "client":
            return cluster.client(*(given.command or ("sh",)))
        if given.what in QUESTIONS:
            return QUESTIONS[given.what]()
        begun = time.monotonic()
        CHANGES[given.what]()
        say(f"{given.what} after {time.monotonic() - begun:.1f} s")
    except RealError as error:
        say(str(error))
        return 2
    return 0


def _status() -> int:
    status = cluster.status()
    if status.up:
        answer = f"up: export KUBECONFIG={cluster.KUBECONFIG}, or python -m tests.real client -- kubectl get nodes"
    else:
        answer = f"down; left behind: {', '.join(status.left)}" if status.left else "down, nothing left behind"
    return _answer(answer, good=status.up)


def _obstacle() -> int:
    reason = cluster.obstacle()
    return _answer(reason or "none", good=reason is None)


def _packages() -> int:
    return _answer(" ".join(cluster.missing_packages()), good=True)


def _assets() -> int:
    return _obstacle() if cluster.obstacle() else _answer(str(assets()), good=True)


def _answer(text: str, *, good: bool) -> int:
    sys.stdout.write(f"{text}\n")
    return 0 if good else 1


CHANGES: dict[str, Callable[[], None]] = {"build": cluster.build, "up": cluster.up, "down": cluster.down}
QUESTIONS: dict[str, Callable[[], int]] = {
    "status": _status,
    "packages": _packages,
    "obstacle": _obstacle,
    "assets": _assets,
}

if __name__ == "__main__":
    sys.exit(main())
