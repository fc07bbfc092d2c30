"""Where the real control plane's programs are, by the convention of controller-runtime's envtest. Starts nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from l2probe.errors import UsageError

VARIABLE = "KUBEBUILDER_ASSETS"
DIRECTORY = "/usr/local/kubebuilder/bin"
"""Where envtest looks when the variable is not set (controller-runtime, pkg/internal/testing/process)."""
CONTROL_PLANES = ("embedded", "envtest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assets:
    """The files of both programs."""

    etcd: str
    kube_apiserver: str


def find(environ: Mapping[str, str]) -> Assets:
    """Return the programs; UsageError names the one that is missing, the variable, and what to install."""
    return Assets(etcd=_program("etcd", environ), kube_apiserver=_program("kube-apiserver", environ))


def _program(name: str, environ: Mapping[str, str]) -> str:
    own = environ.get(f"TEST_ASSET_{name.upper().replace('-', '_')}")
    file = Path(own) if own else Path(environ.get(VARIABLE) or DIRECTORY, name)
    if os.access(file, os.X_OK) and file.is_file():
        return str(file.absolute())
    where = f"{VARIABLE}={environ[VARIABLE]}" if environ.get(VARIABLE) else f"{VARIABLE} is not set"
    raise UsageError(
        f"--control-plane envtest needs {name}, and {file} is no program ({where}).",
        f"Set {VARIABLE} to a directory with etcd and kube-apiserver; envtest's own tool installs one: "
        'export KUBEBUILDER_ASSETS="$(setup-envtest use -p path)".',
    )
