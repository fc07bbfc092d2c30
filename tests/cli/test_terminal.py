"""Progress on stderr, and what Ctrl-C does."""

from __future__ import annotations

import contextlib
import fcntl
import io
import itertools
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import textwrap
import threading
from pathlib import Path

import pytest

from l2probe.cli.progress import CLEAR_LINE, Progress
from l2probe.cli.signals import ONE_SECONDS
from l2probe.judge import conclude
from l2probe.report import render
from tests.judge.audited import on_the_wire
from tests.report.reports import REPORTS


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


def test_without_a_terminal_each_change_is_a_line() -> None:
    """Logs of CI show every step once."""
    stream = io.StringIO()
    progress = Progress(quiet=False, verbose=False, stream=stream)

    for text in ("one", "one", "two"):
        progress(text)
    progress.clear()

    assert stream.getvalue() == "one\ntwo\n"


def test_a_log_shows_a_topic_once() -> None:
    """Three Pods that become ready one after the other are one line in a log, and an updating one on a terminal."""
    log, terminal = io.StringIO(), Terminal()
    for stream in (log, terminal):
        progress = Progress(quiet=False, verbose=False, stream=stream)
        progress("waiting for 2 Pods", "Pods")
        progress("waiting for 1 Pod", "Pods")

    assert log.getvalue() == "waiting for 2 Pods\n"
    assert "waiting for 1 Pod" in terminal.getvalue()


def test_a_terminal_shows_one_updating_line_and_takes_it_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report begins on a clean line; a long step is cut to the width."""
    monkeypatch.setenv("COLUMNS", "20")
    stream = Terminal()
    progress = Progress(quiet=False, verbose=False, stream=stream)

    progress("short")
    progress("x" * 50)
    progress.clear()

    assert stream.getvalue() == f"{CLEAR_LINE}short{CLEAR_LINE}{'x' * 18}…{CLEAR_LINE}"


def test_verbose_keeps_every_step_on_a_terminal() -> None:
    """-v leaves the whole story on the screen."""
    stream = Terminal()
    Progress(quiet=False, verbose=True, stream=stream)("step")

    assert stream.getvalue() == "step\n"


def test_quiet_says_nothing() -> None:
    """-q is silence."""
    stream = Terminal()
    progress = Progress(quiet=True, verbose=False, stream=stream)
    progress("step")
    progress.clear()

    assert stream.getvalue() == ""


def on_a_terminal(columns: int, *args: str) -> list[str]:
    """Return the lines that `l2probe ARGS…` shows on a terminal of so many columns."""
    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    env = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    with subprocess.Popen([sys.executable, "-m", "l2probe", *args], stdout=terminal, env=env):
        os.close(terminal)
        shown = b""
        with contextlib.suppress(OSError):  # EIO: nobody holds the terminal any more
            while chunk := os.read(master, 65536):
                shown += chunk
    os.close(master)
    return shown.decode().splitlines()


@pytest.mark.parametrize(
    "args", [("lab", "profiles"), ("lab", "faults"), ("explain",), ("explain", "B07"), ("explain", "silent-leader")]
)
def test_what_is_listed_follows_a_narrow_terminal(args: tuple[str, ...]) -> None:
    """Text is wrapped at the terminal's width, and only there: a pipe gets whole lines. Code is never broken."""
    shown = on_a_terminal(64, *args)
    piped = subprocess.run(
        [sys.executable, "-m", "l2probe", *args], capture_output=True, text=True, check=True
    ).stdout.splitlines()

    fenced = itertools.accumulate(line.startswith("```") for line in shown)
    assert all(len(line) <= 64 for line, fences in zip(shown, fenced, strict=True) if not fences % 2)
    assert max(map(len, piped)) > 64
    assert sorted(" ".join(piped).split()) == sorted(" ".join(shown).split())


def test_a_diff_follows_a_narrow_terminal(tmp_path: Path) -> None:
    """Every line of a difference fits."""
    paths = [tmp_path / name for name in ("before.json", "after.json")]
    for path, name in zip(paths, ("pass", "foreign-owner"), strict=True):
        path.write_text(render(REPORTS[name], "json"))

    shown = on_a_terminal(64, "diff", *map(str, paths))

    assert len(shown) > 5
    assert max(map(len, shown)) <= 64


def test_an_audit_follows_a_narrow_terminal_and_a_pipe_gets_all_of_it(tmp_path: Path) -> None:
    """At 80 columns every line fits; -o wide and a pipe show each column, whole."""
    path = tmp_path / "audit.json"
    path.write_text(render(conclude(on_the_wire(), started="", duration_seconds=1.0, command="l2probe audit"), "json"))
    piped = subprocess.run(
        [sys.executable, "-m", "l2probe", "judge", str(path)], capture_output=True, text=True, check=False
    ).stdout

    narrow, wide = (on_a_terminal(80, "judge", *more, str(path)) for more in ((), ("-o", "wide")))

    assert max(len(line) for line in narrow if "\x1b" not in line) <= 80
    head = next(line for line in piped.splitlines() if line.startswith("VERDICT"))
    assert len(head) > 80
    assert head in wide


WAITER = textwrap.dedent(
    """
    import sys, threading
    from l2probe.cli.signals import interruptible
    with interruptible(("last words\\n", "{}\\n")) as asked:
        print("ready", flush=True)
        asked.wait()
        print("cleaning", flush=True)
        if sys.argv[1] == "slow":
            threading.Event().wait(60)
        sys.stdin.readline()
        print("clean")
    """
)


def started(mode: str) -> subprocess.Popen[str]:
    """Start a process that waits to be interrupted, then cleans up slowly or at once."""
    process = subprocess.Popen(
        [sys.executable, "-c", WAITER, mode],
        stdin=subprocess.DEVNULL if mode == "quick" else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_asks_to_clean_up(number: signal.Signals) -> None:
    """Ctrl-C once and SIGTERM: say so, clean up, leave."""
    with started("quick") as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=10)

    assert err == f"Interrupted by {number.name}: cleaning up (once more leaves at once).\n"
    assert out == "cleaning\nclean\n"
    assert process.returncode == 0


def test_a_second_signal_leaves_at_once_with_last_words() -> None:
    """Ctrl-C twice: no more cleaning; what is left is said, and the exit code is 2."""
    with started("slow") as process:
        assert process.stdout is not None
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "cleaning\n"
        threading.Event().wait(2 * ONE_SECONDS)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)

    assert err.endswith("leaves at once).\nlast words\n")
    assert out == "{}\n"
    assert process.returncode == 2


def test_signals_that_come_together_are_one_request() -> None:
    """A wrapper that signals the process and then its group does not cut the cleaning short."""
    with started("told") as process:
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate("both were sent\n", timeout=10)

    assert out == "cleaning\nclean\n"
    assert process.returncode == 0
