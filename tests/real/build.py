"""The programs of the real cluster, built from released source and kept in the cache; must start none of them.

Each Go module beside this file pins a release. A program's file name carries the hash of what it was built from, so a
changed module is built anew and an unchanged one never twice.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.real.command import PATH, RealError, say

HERE = Path(__file__).parent
KUBERNETES = "v1.34.4"
METALLB = "v0.15.2"
COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl", "kubelet")

ENVTEST = ("kube-apiserver", "kubectl")
"""What setup-envtest installs of these, beside etcd."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program to build: `package` inside the Go module in directory `module`."""

    name: str
    module: str
    package: str = "."
    link: tuple[str, ...] = ()


PROGRAMS = (
    Program(
        name="kubernetes",
        module="kubernetes",
        link=(
            f"k8s.io/component-base/version.gitVersion={KUBERNETES}",
            "k8s.io/component-base/version.gitMajor=1",
            "k8s.io/component-base/version.gitMinor=34",
        ),
    ),
    Program(name="controller", module="metallb", package="go.universe.tf/metallb/controller"),
    Program(name="speaker", module="metallb", package="go.universe.tf/metallb/speaker"),
    Program(name="pause", module="pause"),
)
OPERATOR = Program(name="operator", module="cilium", package="github.com/cilium/cilium/operator")
"""Cilium's operator: its LB IPAM gives addresses without any agent. Only the tests of lb_ipam.py start it."""

AGNHOST = Program(name="agnhost", module="agnhost")
"""The netexec of Kubernetes' e2e image, for `l2probe run --echo agnhost`; only test_agnhost.py starts it."""


def cache() -> Path:
    """Return where all that is built once is kept: L2PROBE_REAL_CACHE, else below XDG_CACHE_HOME or ~/.cache."""
    given = os.environ.get("L2PROBE_REAL_CACHE")
    if given:
        return Path(given).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "l2probe" / "real"


def go() -> str | None:
    """Return the path of the go command, None where there is none; /usr/local/go is where Go's own archive puts it."""
    return shutil.which("go", path=f"{os.environ.get('PATH', '')}:{PATH}:/usr/local/go/bin")


def built() -> dict[str, Path]:
    """Return each program's file by its name, building the missing ones. The first build takes minutes; it says so.

    Kubernetes' components are links to one program, which decides by the name it is started by.
    """
    programs = {each.name: program(each) for each in PROGRAMS}
    links = cache() / "bin" / programs["kubernetes"].name.replace("kubernetes", "links")
    links.mkdir(exist_ok=True)
    for name in COMPONENTS:
        link = links / name
        if not link.exists():
            link.unlink(missing_ok=True)
            link.symlink_to(Path("..") / programs["kubernetes"].name)
        programs[name] = link
    return programs


def assets() -> Path:
    """Return a directory as controller-runtime's envtest wants one: etcd, kube-apiserver and kubectl."""
    etcd = shutil.which("etcd", path=f"{os.environ.get('PATH', '')}:{PATH}")
    if etcd is None:
        raise RealError("no etcd was found; install etcd-server")
    programs = built()
    into = cache() / "bin" / "assets"
    into.mkdir(exist_ok=True)
    for name, file in {"etcd": Path(etcd), **{name: programs[name] for name in ENVTEST}}.items():
        link = into / name
        link.unlink(missing_ok=True)
        link.symlink_to(file)
    return into


def program(wanted: Program) -> Path:
    """Return a program's file in the cache, built if it is not there; RealError when it cannot be."""
    into = cache() / "bin"
    into.mkdir(parents=True, exist_ok=True)
    file = into / f"{wanted.name}-{_fingerprint(wanted)}"
    if not file.exists():
        for old in into.glob(f"{wanted.name}-*"):
            old.unlink()
        fresh = file.with_suffix(".new")
        say(f"building {wanted.name} …")
        link = " ".join(["-s", "-w", *(f"-X {each}" for each in wanted.link)])
        _go(wanted.module, "build", "-trimpath", "-o", str(fresh), "-ldflags", link, wanted.package)
        fresh.rename(file)
    return file


def module_file(module: str, dependency: str, path: str) -> str:
    """Return the text of file `path` of `dependency`, in the version that the Go module in directory `module` pins."""
    found = _go(module, "list", "-m", "-f", "{{.Dir}}", dependency).strip()
    return (Path(found) / path).read_text()


def _fingerprint(program: Program) -> str:
    """Return a hash over all that decides what the program becomes, but the Go release."""
    digest = hashlib.sha256(repr(program).encode())
    for file in sorted((HERE / program.module).iterdir()):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _go(module: str, *words: str) -> str:
    """Run the go command in a module's directory, gently, and return what it printed; GOFLAGS of the caller count."""
    command = go()
    if command is None:
        raise RealError("no go command was found; install Go 1.24 or newer")
    env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": f"{os.environ.get('GOFLAGS', '')} -buildvcs=false"}
    argv: Sequence[str] = ("nice", "-n", "19", command, "-C", str(HERE / module), *words)
    done = subprocess.run(argv, env=env, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise RealError(f"go {' '.join(words[:1])} failed in {module} (see above)")
    return done.stdout
