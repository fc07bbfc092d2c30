"""Tab in real, interactive shells on a terminal of their own: what the user typed becomes what the user meant."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.package

SHELLS = {
    "bash": ("bash", "--norc", "--noprofile", "-i"),
    "zsh": ("zsh", "-f", "-i"),
    "fish": ("fish", "--no-config", "-i"),
}
SETUP = {
    "bash": "source <(l2probe completion bash); echo rea''dy",
    "zsh": "autoload -Uz compinit; compinit -u -D; source <(l2probe completion zsh); echo rea''dy",
    "fish": "l2probe completion fish | source; echo rea''dy",
}
SECONDS = 20.0


class Terminal:
    """A shell on a pseudo-terminal."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._seen = ""

    def type(self, text: str) -> None:
        """Type these keys."""
        os.write(self._descriptor, text.encode())

    def expect(self, text: str) -> None:
        """Read until this text appeared after what was expected before."""
        deadline = time.monotonic() + SECONDS
        while text not in self._seen:
            left = deadline - time.monotonic()
            ready = select.select([self._descriptor], [], [], max(0.0, left))[0]
            assert ready, f"{text!r} did not appear in {self._seen!r}"
            self._seen += os.read(self._descriptor, 65536).decode(errors="replace")
        self._seen = self._seen.partition(text)[2]


@contextmanager
def terminal(shell: str, bin_dir: Path, home: Path) -> Iterator[Terminal]:
    """Start an interactive shell with completion installed as the README says."""
    environ = {
        "PATH": f"{bin_dir}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "TERM": "dumb" if shell != "fish" else "xterm",
        "LC_ALL": "C.UTF-8",
        "KUBECONFIG": str(home / "config"),
    }
    pid, descriptor = pty.fork()
    if pid == 0:
        os.chdir(home)
        os.execvpe(SHELLS[shell][0], SHELLS[shell], environ)
    try:
        running = Terminal(descriptor)
        running.type(f"{SETUP[shell]}\r")
        running.expect("ready")
        yield running
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(descriptor)


@pytest.mark.parametrize("shell", SHELLS)
def test_tab_completes_in_a_real_shell(shell: str, bin_dir: Path, tmp_path: Path) -> None:
    """A command, an option, a finding and a context, each from its beginning."""
    if shutil.which(shell) is None:
        pytest.skip(f"this test needs {shell}: apt-get install {shell}")
    (tmp_path / "config").write_text('{"contexts": [{"name": "edge-of-the-lan", "context": {}}]}')

    with terminal(shell, bin_dir, tmp_path) as line:
        line.type("l2probe expl\tsilent-l\t\r")
        line.expect("# B07")
        line.type("l2probe run --lis\t\r")
        line.expect("smoke ")
        line.type("l2probe run --context edge\t")
        line.expect("-of-the-lan")
