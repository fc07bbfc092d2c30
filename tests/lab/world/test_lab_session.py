"""The lab that stays: up, found again, worked in, broken, mended, down; and killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from tests.lab.world.processes import COUNT, members, namespace, possible, run, started, wait_gone
from tests.lab.world.stage import ROOT

pytestmark = pytest.mark.lab


@pytest.fixture(autouse=True)
def _needs_namespaces() -> None:
    possible()


def facts(script: str) -> dict[str, object]:
    """Run a script in a network namespace of its own; return the JSON that it printed last."""
    done = run(script)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_without_a_lab_every_question_has_an_answer() -> None:
    """Down without up is no error, status is None, and work in it is refused with what to type."""
    seen = facts("""
def refusal(action):
    try: action()
    except session.LabError as problem: return str(problem)
print(json.dumps({
    "down": session.down(), "status": session.status(),
    "inside": refusal(lambda: session.inside(["true"])), "heal": refusal(session.heal),
}))
""")

    assert seen == {
        "down": False,
        "status": None,
        "inside": "No lab is up. l2probe lab up",
        "heal": "No lab is up. l2probe lab up",
    }


def test_a_lab_stays_until_it_is_taken_down() -> None:
    """Up twice is one lab; another profile is refused; after down no process of it is left, and up works again."""
    seen = facts("""
from tests.lab.world.processes import members, namespace
first, again = session.up("cilium-1.19-dsr", []), session.up("cilium-1.19-dsr", [])
try: session.up("cilium-1.17-dsr", []); other = "up"
except session.LabError as problem: other = str(problem)
place = namespace(first.pid)
running = len(members(place))
readable = json.loads(open(first.kubeconfig).read())["clusters"][0]["cluster"]["server"] == first.server
down = [session.down(), session.down()]
left = members(place)
anew = session.up("cilium-1.19-dsr", ["mtu"])
print(json.dumps({
    "started": [first.started, again.started, anew.started], "same": first.pid == again.pid, "other": other,
    "running": running > 3, "readable": readable, "down": down, "left": left,
    "faults": anew.faults, "end": session.down(),
}))
""")

    refusal = "A lab is up already, with profile cilium-1.19-dsr. l2probe lab down, then up with the other profile."
    assert seen["other"] == refusal
    del seen["other"]
    assert seen == {
        "started": [True, False, True],
        "same": True,
        "running": True,
        "readable": True,
        "down": [True, False],
        "left": [],
        "faults": ["mtu"],
        "end": True,
    }


def test_commands_run_in_the_clients_place() -> None:
    """A command has the client's interfaces, the kubeconfig and our directory; exit codes and signals come back."""
    done = run("""
session.up("cilium-1.19-dsr", [])
codes = [
    session.inside(["sh", "-c", "ls /sys/class/net; echo $KUBECONFIG $WORD; pwd; ps -e | wc -l"], env={"WORD": "told"}),
    session.inside(["sh", "-c", "exit 9"]), session.inside(["sh", "-c", "kill -15 $$"]), session.inside(["/no/such"]),
]
session.down()
print(json.dumps(codes))
""")
    lines = done.stdout.splitlines()

    assert lines[:4] == ["eth0", "lo", "/run/l2probe/kubeconfig told", str(ROOT)]
    assert int(lines[4]) < 40, "only the lab's own processes are seen"
    assert json.loads(lines[-1]) == [0, 9, 143, 127]
    assert "/no/such: No such file or directory" in done.stderr


def test_faults_come_and_go() -> None:
    """Faults add up and heal takes all of them; an unknown one is refused with the list; a denied right is one too."""
    seen = facts("""
import urllib.request, ssl
from urllib.error import HTTPError
def leases():
    config = json.load(open(session.status().kubeconfig))
    url = session.status().server + "/apis/coordination.k8s.io/v1/leases"
    token = {"Authorization": "Bearer " + config["users"][0]["user"]["token"]}
    try: return urllib.request.urlopen(urllib.request.Request(url, headers=token), context=trusting).status
    except HTTPError as refused: return refused.code
trusting = ssl._create_unverified_context()
session.up("cilium-1.19-dsr", [])
session.fault("silent-leader"); session.fault("denied:list:leases"); session.fault("silent-leader")
broken, codes = session.status().faults, [leases()]
try: session.fault("silent-leadr"); refused = ""
except session.UsageError as problem: refused = str(problem)
session.heal()
codes += [leases()]
healed = session.status().faults
print(json.dumps({"broken": broken, "healed": healed, "refused": refused, "codes": codes, "down": session.down()}))
""")

    assert seen["broken"] == ["silent-leader", "denied:list:leases"]
    assert seen["healed"] == []
    assert seen["codes"] == [403, 200]
    assert str(seen["refused"]).startswith("The lab has no fault 'silent-leadr'. Did you mean silent-leader")


def test_two_who_come_at_once_get_one_lab() -> None:
    """Of two simultaneous `up` one boots the lab, the other waits for it; both return the same."""
    seen = facts("""
heard, told = os.pipe()
child = os.fork()
lab = session.up("cilium-1.19-dsr", [])
if not child:
    os.write(told, json.dumps([lab.pid, lab.started]).encode())
    os._exit(0)
other = json.loads(os.read(heard, 999))
print(json.dumps({"same": lab.pid == other[0], "started": sorted([lab.started, other[1]]), "down": session.down()}))
""")

    assert seen == {"same": True, "started": [False, True], "down": True}


@pytest.mark.parametrize("victim", ["pid", "holder"])
def test_a_killed_lab_is_simply_not_there(victim: str) -> None:
    """After kill -9 of either of its first processes nobody is left, status is None and up boots a new one."""
    seen = facts(f"""
from tests.lab.world.processes import members, namespace, wait_gone
lab = session.up("cilium-1.19-dsr", [])
place, pids = namespace(lab.pid), dict(control.ask("status"))
os.kill(pids["{victim}"], signal.SIGKILL)
gone = wait_gone(pids["pid"], pids["holder"])
after = [session.status(), session.down()]
again = session.up("cilium-1.19-dsr", []).started
print(json.dumps({{"gone": gone, "left": members(place), "after": after, "again": again, "down": session.down()}}))
""")

    assert seen == {"gone": True, "left": [], "after": [None, False], "again": True, "down": True}


def test_a_dead_lab_does_not_linger_in_its_holder() -> None:
    """The control socket dies with the lab's first process, even while the holder has not noticed yet."""
    seen = facts("""
from tests.lab.world.processes import wait_gone
lab = session.up("cilium-1.19-dsr", [])
holder_pid = control.ask("status")["holder"]
os.kill(holder_pid, signal.SIGSTOP)
os.kill(lab.pid, signal.SIGKILL)
gone = wait_gone(lab.pid)
try: answer = control.ask("status", seconds=5)
finally: os.kill(holder_pid, signal.SIGCONT)
print(json.dumps({"gone": gone, "answer": answer, "end": wait_gone(holder_pid)}))
""")

    assert seen == {"gone": True, "answer": None, "end": True}


@pytest.mark.parametrize("last", ["connection.recv(99)", ""])
def test_a_lab_that_ends_while_it_is_asked_is_no_lab(last: str) -> None:
    """Whether its socket closes after the question was read or before, the answer is that no lab is up."""
    seen = facts(f"""
import threading
listening = control.listen()
def end():
    for _ in range(2):
        connection, _ = listening.accept()
        {last}
        connection.close()
threading.Thread(target=end, daemon=True).start()
print(json.dumps({{"status": session.status(), "down": session.down()}}))
""")

    assert seen == {"status": None, "down": False}


def test_what_is_sent_to_our_group_reaches_the_command_once() -> None:
    """Without a terminal, as under timeout(1) or a service manager, a signal to the group is no second one inside."""
    program = COUNT.format(enough=2)
    with started(f"""
session.up("cilium-1.19-dsr", [])
code = session.inside([sys.executable, "-c", {program!r}])
session.down()
sys.exit(code)
""") as outer:
        assert outer.stdout is not None
        said = [outer.stdout.readline().strip()]
        for number in (signal.SIGTERM, signal.SIGINT):
            os.killpg(outer.pid, number)
            said.append(outer.stdout.readline().strip())

        assert said == ["running", "got SIGTERM", "got SIGINT"]
        assert outer.wait(timeout=15) == 5


def test_up_lets_go_of_the_terminal() -> None:
    """Whoever reads our output sees its end when `up` returns, although the lab stays."""
    script = 'print(session.up("cilium-1.19-dsr", []).pid)'
    done = run(script, timeout=20)
    pid = int(done.stdout)
    place = namespace(pid)
    assert pid in members(place)

    os.kill(pid, signal.SIGKILL)

    assert wait_gone(pid)
    assert members(place) == []


KNOCK = """
import socket
line = socket.socket(socket.AF_UNIX)
line.connect(name)
try:
    line.sendall(b'{"do": "status"}\\n')
    print(line.makefile().read() or "nothing")
except (BrokenPipeError, ConnectionResetError):
    print("nothing")
try: control.ask("status")
except control.LabError as problem: print(problem)
"""
STRANGER = """
import os, sys
from l2probe.lab import control
name = control.address()
os.setuid(65534)
control.address = lambda: name
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_the_control_socket_refuses_other_users() -> None:
    """Another user who knocks gets no answer; another user who sits on the name is not trusted."""
    system = shutil.which("python3", path="/usr/bin") or sys.executable
    probe = subprocess.run((system, "-c", "pass"), user=65534, check=False)
    if probe.returncode:
        pytest.skip("nobody has no Python here")
    done = run(f"""
import subprocess, threading, asyncio
stranger = {STRANGER!r}
def other(script):
    argv = [{system!r}, "-c", stranger + script]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(argv, **pipes, text=True, env={{"PYTHONPATH": {str(ROOT)!r}}})
async def serve():
    async def status(_): return {{"secret": 1}}
    from l2probe.lab import serving
    server = await serving.serve(control.listen(), {{"status": status}})
    knock = other({KNOCK!r})
    theirs, trouble = await asyncio.to_thread(knock.communicate)
    ours = await asyncio.to_thread(control.ask, "status")
    server.close()
    print(json.dumps([theirs, ours, trouble]))
asyncio.run(serve())
squat = other("listening = control.listen(); assert listening; print('sitting', flush=True); sys.stdin.read()")
squat.stdout.readline()
try: session.status()
except session.LabError as problem: print(json.dumps(str(problem)))
squat.kill()
""")
    assert done.returncode == 0, done.stderr
    answers, squatted = (json.loads(line) for line in done.stdout.splitlines())

    assert answers[2] == "", "the stranger itself failed"
    assert answers[0].startswith("nothing\nAnother user of this machine occupies the lab's name.")
    assert answers[1] == {"secret": 1}
    assert squatted.startswith("Another user of this machine occupies the lab's name.")
