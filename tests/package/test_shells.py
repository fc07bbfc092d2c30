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
    "bash": "source <({0} completion bash); echo rea''dy",
    "zsh": "autoload -Uz compinit; compinit -u -D; source <({0} completion zsh); echo rea''dy",
    "fish": "{0} completion fish | source; echo rea''dy",
}
"""What a user writes into the shell's start file, for a program; the quotes keep the echo of the line from matching."""
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
def terminal(shell: str, bin_dir: Path, home: Path, program: str) -> Iterator[Terminal]:
    """Start an interactive shell in which this program's completion is installed."""
    for needed in (shell, program):
        if shutil.which(needed, path=f"{bin_dir}{os.pathsep}{os.environ['PATH']}") is None:
            pytest.skip(f"this test needs {needed} on PATH")
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
        running.type(SETUP[shell].format(program) + "\r")
        running.expect("ready")
        yield running
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(descriptor)


@pytest.mark.parametrize("shell", SHELLS)
def test_tab_completes_in_a_real_shell(shell: str, bin_dir: Path, tmp_path: Path) -> None:
    """A command, an option, a finding and a context, each from its beginning."""
    (tmp_path / "config").write_text('{"contexts": [{"name": "edge-of-the-lan", "context": {}}]}')

    with terminal(shell, bin_dir, tmp_path, "l2probe") as line:
        line.type("l2probe expl\tsilent-l\t\r")
        line.expect("# B07")
        line.type("l2probe run --lis\t\r")
        line.expect("smoke ")
        line.type("l2probe run --context edge\t")
        line.expect("-of-the-lan")


@pytest.mark.kubectl
@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_tab_completes_behind_kubectl_in_a_real_shell(shell: str, bin_dir: Path, tmp_path: Path) -> None:
    """Who has kubectl's completion has ours, with nothing more installed; bash wants its package bash-completion."""
    with terminal(shell, bin_dir, tmp_path, "kubectl") as line:
        line.type("kubectl l2probe expl\tsilent-l\t\r")
        line.expect("# B07")
