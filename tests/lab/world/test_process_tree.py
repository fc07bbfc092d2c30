"""However a lab dies, nothing is left of it; signals reach the command inside once, and its exit code comes back."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
from pathlib import Path

import pytest

from tests.lab.world.processes import (
    ANY_PROGRAM,
    COUNT,
    HEAD,
    PREFIX,
    members,
    namespace,
    possible,
    relays,
    run,
    started,
    wait_gone,
)
from tests.lab.world.stage import ROOT

pytestmark = pytest.mark.lab


@pytest.fixture(autouse=True)
def _needs_namespaces() -> None:
    possible()


HOLD = """
sleep = lambda client, _: entering.become(("sleep", "300"), client)
plan = session._plan("cilium-1.19-dsr", (), session.EMBEDDED, inner=sleep)
pid, line = holder.start(plan)
seen = {"outer": os.getpid(), "holder": pid}
while "started" not in seen:
    seen |= line.hear()[0]
print(json.dumps(seen), flush=True)
time.sleep(300)
"""


@pytest.mark.parametrize("victim", ["outer", "holder", "world", "inner"])
def test_killing_any_process_of_a_lab_ends_all_of_it(victim: str, tmp_path: Path) -> None:
    """After kill -9 of one process none is left in the lab's PID namespace, and no file."""
    with started(HOLD, env={"TMPDIR": str(tmp_path)}) as outer:
        assert outer.stdout is not None
        seen = json.loads(outer.stdout.readline())
        pids = {
            "outer": seen["outer"],
            "holder": seen["holder"],
            "world": seen["ready"]["pid"],
            "inner": seen["started"],
        }
        place = namespace(pids["world"])
        lab = members(place)
        assert {pids["world"], pids["inner"]} < set(lab), "launcher and Pods run there too"
        assert place != namespace(os.getpid())

        os.kill(pids[victim], signal.SIGKILL)

        # Our own child is a zombie until we leave the block; the holder is one until outer waits.
        assert wait_gone(*lab)
        assert members(place) == []
    assert wait_gone(pids["holder"])
    assert list(tmp_path.iterdir()) == []
    assert not Path("/run/l2probe").exists()


def inside(program: str) -> str:
    """Return a script that runs a Python program by `run_inside` and exits with its code."""
    arguments = f'[sys.executable, "-c", {program!r}]'
    return f'{ANY_PROGRAM}sys.exit(session.run_inside({arguments}, profile="cilium-1.19-dsr", faults=()))'


def test_each_signal_reaches_the_command_once_and_its_exit_code_comes_back() -> None:
    """SIGINT, SIGTERM and a second SIGINT to the outer process arrive inside one by one; the lab ignores them."""
    with started(inside(COUNT.format(enough=3))) as outer:
        assert outer.stdout is not None
        said = [outer.stdout.readline().strip()]
        assert relays(outer.pid)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            outer.send_signal(number)
            said.append(outer.stdout.readline().strip())

        assert said == ["running", "got SIGINT", "got SIGTERM", "got SIGINT"]
        assert outer.wait(timeout=15) == 5


def test_stop_and_continue_take_the_command_along() -> None:
    """The terminal's stop signal stops outer and command; continuing outer continues both."""
    program = COUNT.format(enough=1).replace("signal.SIGTERM)", "signal.SIGTERM, signal.SIGCONT)")
    with started(inside(program)) as outer:
        assert outer.stdout is not None
        assert outer.stdout.readline() == "running\n"
        assert relays(outer.pid)
        outer.send_signal(signal.SIGTSTP)
        _, status = os.waitpid(outer.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)

        outer.send_signal(signal.SIGCONT)

        assert outer.stdout.readline() == "got SIGCONT\n"
        assert outer.wait(timeout=15) == 5


def test_control_c_on_a_terminal_reaches_the_command_once() -> None:
    """The terminal sends SIGINT to the whole foreground group; the command, which sees the terminal, gets it once."""
    program = COUNT.format(enough=2).replace('print("running"', 'print("running", sys.stdout.isatty()')
    leader, follower = pty.openpty()
    # setsid -c makes the pty the controlling terminal, as a shell's is.
    outer = subprocess.Popen(
        ("setsid", "-c", *PREFIX, HEAD + inside(program)), cwd=ROOT, stdin=follower, stdout=follower, stderr=follower
    )
    os.close(follower)
    try:
        with os.fdopen(leader, "r+b", buffering=0) as terminal:
            said = until(terminal.fileno(), b"running True")
            assert relays(outer.pid)
            os.write(terminal.fileno(), b"\x03")
            said = until(terminal.fileno(), b"got SIGINT")
            assert said.count(b"got") == 1
            os.write(terminal.fileno(), b"\x03")
            until(terminal.fileno(), b"got SIGINT")
            assert outer.wait(timeout=15) == 5
    finally:
        outer.kill()
        outer.wait()


def until(descriptor: int, words: bytes) -> bytes:
    """Read from a terminal until the words came; return all that did."""
    said = b""
    while words not in said:
        ready, _, _ = select.select([descriptor], [], [], 20)
        assert ready, f"only {said!r} came"
        said += os.read(descriptor, 4096)
    return said


@pytest.mark.parametrize(
    ("program", "code"), [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", 137), ("", 0)]
)
def test_the_exit_code_is_the_commands(program: str, code: int) -> None:
    """An exit status passes through; death by signal N is 128 + N, as in a shell."""
    assert run(inside(program)).returncode == code


def test_a_signal_while_the_lab_boots_ends_it() -> None:
    """SIGTERM before the command has started leaves with 128 + 15 and leaves nothing."""
    script = f"""
import threading
from l2probe.lab import passing
begin = passing.Relay.__enter__
def entered(self):
    found = begin(self)
    os.kill(os.getpid(), signal.SIGTERM)
    return found
passing.Relay.__enter__ = entered
{inside("print('ran')")}
"""
    done = run(script)

    assert done.returncode == 143
    assert "ran" not in done.stdout


LOOK = """
import json, os, pathlib
print(json.dumps({
    "kubeconfig": os.environ["KUBECONFIG"],
    "proxies": [name for name in os.environ if name.lower().endswith("_proxy")],
    "interfaces": sorted(os.listdir("/sys/class/net")),
    "mode": oct(os.stat(os.environ["KUBECONFIG"]).st_mode & 0o777),
    "lab": [name for name in os.environ if "LAB" in name.upper() and name != "PYTEST_LAB"],
    "cwd": os.getcwd(),
}))
"""


def test_the_command_inside_sees_a_client_and_no_lab() -> None:
    """It has a private kubeconfig, no proxy, the client's interfaces, our working directory, no hint of a lab."""
    done = run(f'os.environ["HTTPS_PROXY"] = os.environ["no_proxy"] = "x"\n{inside(LOOK)}')
    seen = json.loads(done.stdout)

    assert seen == {
        "kubeconfig": "/run/l2probe/kubeconfig",
        "proxies": [],
        "interfaces": ["eth0", "lo"],
        "mode": "0o600",
        "lab": [],
        "cwd": str(ROOT),
    }


def test_a_world_that_breaks_while_booting_is_an_error_with_its_reason() -> None:
    """What goes wrong in the lab's first process is told by the outer one, and nothing is left."""
    script = f"""
from l2probe.lab import world
def build(**_): raise OSError(5, "disk on fire")
world.build = build
{inside("print('ran')")}
"""
    done = run(script)

    assert "LabError" in done.stderr
    assert "disk on fire" in done.stderr
    assert "ran" not in done.stdout
