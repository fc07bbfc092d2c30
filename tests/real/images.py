"""The images that the Pods ask for, written by hand as one OCI archive: nothing can be pulled where the cluster runs.

Python comes from Debian's own packages, a shell from Debian's busybox, the rest are the programs of build.py. An image
has the name that containerd makes of the one in the Pod, so a Pod with imagePullPolicy IfNotPresent finds it.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.real.build import METALLB, cache
from tests.real.command import run, say

PAUSE = "l2probe.test/pause:1"
ECHO = "docker.io/library/python:3.13-alpine"
"""What containerd makes of `python:3.13-alpine`, the image that l2probe's Pods ask for."""
PYTHON = "/usr/bin/python3"
BUSYBOX = "/usr/bin/busybox"
APPLETS = ("sh", "cat", "env", "id", "ip", "ls", "nc", "ping", "ps", "sleep", "wget")
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
OCI = "application/vnd.oci.image"
DIRECTORIES = ("usr", "usr/bin", "usr/lib", "usr/lib64", "usr/local", "usr/local/bin", "etc")
LINKS = {"bin": "usr/bin", "sbin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image. `files`: path inside to the file of this machine, or to a link's target if it starts with "->"."""

    name: str
    files: Mapping[str, str]
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


def archive(programs: Mapping[str, Path]) -> Path:
    """Return the archive of all images, made anew when a program or one of Debian's packages changed."""
    images = (
        Image(name=PAUSE, files={"pause": str(programs["pause"])}, entrypoint=("/pause",)),
        *(
            Image(
                name=f"{METALLB_IMAGES}/{name}:{METALLB}", files={name: str(programs[name])}, entrypoint=(f"/{name}",)
            )
            for name in ("controller", "speaker")
        ),
        Image(name=ECHO, files=_python(), command=("python3",)),
    )
    file = cache() / f"images-{_fingerprint(images)}.tar"
    if not file.exists():
        for old in cache().glob("images-*"):
            old.unlink()
        say("making the images …")
        fresh = file.with_suffix(".new")
        _write(fresh, images)
        fresh.rename(file)
    return file


METALLB_IMAGES = "quay.io/metallb"
"""As MetalLB's own manifest names them."""


def _python() -> dict[str, str]:
    """Return the files of Debian's Python, of the libraries it needs, and of a shell."""
    program = Path(PYTHON).resolve()
    version = program.name.removeprefix("python")
    packages = (f"python{version}-minimal", f"libpython{version}-minimal", f"libpython{version}-stdlib")
    listed = [Path(each) for each in run("dpkg", "-L", *packages).splitlines()]
    files = {str(each).lstrip("/"): str(each) for each in listed if each.is_file() and "/share/" not in str(each)}
    files |= {compiled.lstrip("/"): compiled for compiled in _compiled(files.values())}
    binaries = [str(program), *(each for each in files.values() if each.endswith(".so"))]
    for library in sorted(set(re.findall(r"(/\S+) \(0x", run("ldd", *binaries)))):
        files["usr/" + library.removeprefix("/usr/").lstrip("/")] = str(Path(library).resolve())
    shell = {"usr/bin/busybox": BUSYBOX} | {f"usr/bin/{each}": "->busybox" for each in APPLETS}
    names = {f"usr/local/bin/{each}": f"->/usr/bin/{program.name}" for each in ("python", "python3")}
    return files | shell | names


def _compiled(sources: Iterable[str]) -> Iterator[str]:
    """Yield the byte code beside Python sources: without it each start in a read-only container compiles anew."""
    for source in map(Path, sources):
        if source.suffix == ".py":
            yield from map(str, (source.parent / "__pycache__").glob(f"{source.stem}.cpython-*[0-9].pyc"))


def _fingerprint(images: Iterable[Image]) -> str:
    """Return a hash over names, paths, sizes and times of all that goes in."""
    digest = hashlib.sha256(ARCHITECTURE.encode())
    for image in images:
        digest.update(repr((image.name, image.entrypoint, image.command)).encode())
        for path, source in sorted(image.files.items()):
            state = None if source.startswith("->") else Path(source).stat()
            digest.update(repr((path, source, state and (state.st_size, state.st_mtime_ns))).encode())
    return digest.hexdigest()[:12]


def _write(file: Path, images: Iterable[Image]) -> None:
    """Write the OCI image layout (github.com/opencontainers/image-spec, image-layout.md) as one tar file."""
    with tarfile.open(file, "w") as tar:
        manifests = [_add_image(tar, image) for image in images]
        _add(tar, "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
        _add(tar, "index.json", json.dumps({"schemaVersion": 2, "manifests": manifests}).encode())


def _add_image(tar: tarfile.TarFile, image: Image) -> dict[str, Any]:
    """Add an image's three blobs and return its line of the index."""
    layer = _layer(image.files)
    how = {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"], "Entrypoint": image.entrypoint, "Cmd": image.command}
    config = {
        "architecture": ARCHITECTURE,
        "os": "linux",
        "config": how,
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}.manifest.v1+json",
        "config": _blob(tar, f"{OCI}.config.v1+json", json.dumps(config).encode()),
        "layers": [_blob(tar, f"{OCI}.layer.v1.tar", layer)],
    }
    line = _blob(tar, f"{OCI}.manifest.v1+json", json.dumps(manifest).encode())
    return {**line, "annotations": {"io.containerd.image.name": image.name}}


def _layer(files: Mapping[str, str]) -> bytes:
    """Return a file system with `files` as an uncompressed tar."""
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w") as tar:
        for directory in (*DIRECTORIES, "tmp"):
            _enter(tar, directory, tarfile.DIRTYPE, mode=0o1777 if directory == "tmp" else 0o755)
        for link, target in LINKS.items():
            _enter(tar, link, tarfile.SYMTYPE, target=target)
        for path, source in sorted(files.items()):
            if source.startswith("->"):
                _enter(tar, path, tarfile.SYMTYPE, target=source.removeprefix("->"))
            else:
                _copy(tar, path, Path(source))
        _add(tar, "etc/passwd", b"root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
    return into.getvalue()


def _copy(tar: tarfile.TarFile, path: str, source: Path) -> None:
    """Add a file with its own time (byte code is valid only for a source of the same time), owned by root."""
    entry = tarfile.TarInfo(path)
    state = source.stat()
    entry.size, entry.mtime, entry.mode = state.st_size, int(state.st_mtime), state.st_mode & 0o755
    with source.open("rb") as content:
        tar.addfile(entry, content)


def _enter(tar: tarfile.TarFile, path: str, kind: bytes, *, mode: int = 0o777, target: str = "") -> None:
    """Add a directory or a symbolic link."""
    entry = tarfile.TarInfo(path)
    entry.type, entry.mode, entry.linkname = kind, mode, target
    tar.addfile(entry)


def _blob(tar: tarfile.TarFile, media: str, data: bytes) -> dict[str, Any]:
    """Add a blob under its digest and return its descriptor."""
    digest = _digest(data)
    _add(tar, f"blobs/sha256/{digest.removeprefix('sha256:')}", data)
    return {"mediaType": media, "digest": digest, "size": len(data)}


def _add(tar: tarfile.TarFile, path: str, data: bytes) -> None:
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode = len(data), 0o644
    tar.addfile(entry, io.BytesIO(data))


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
