"""`l2probe lab`: the cluster that stays, worked in as a person would, and gone without a trace."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.conftest import PATH, Command

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("the one lab of this user")]


def our_processes() -> set[int]:
    """Return the processes of labs that are up, by what their command line says."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if b"l2probe" in line and b"pytest" not in line and int(entry.name) != os.getpid():
                found.add(int(entry.name))
    return found


@pytest.fixture
def up(l2probe: Command) -> Iterator[Command]:
    """Bring a lab up for one test and take it down again."""
    if l2probe("lab", "status").code == 0:
        pytest.skip("this user has a lab of their own up")
    assert l2probe("lab", "up").code == 0
    yield l2probe
    assert l2probe("lab", "down").code == 0
    assert l2probe("lab", "status").code == 1


def pid_of(command: Command) -> int:
    """Return the first process of the lab that is up."""
    pid: int = json.loads(command("lab", "status", "-o", "json").stdout)["pid"]
    return pid


class TestUpAndDown:
    """It stays until it is told to go, and then nothing of it stays."""

    def test_up_twice_is_one_lab(self, up: Command) -> None:
        """A second `lab up` finds the first one."""
        before = pid_of(up)

        again = up("lab", "up")

        assert again.code == 0
        assert pid_of(up) == before

    def test_up_with_another_profile_is_refused(self, up: Command) -> None:
        """A lab is not silently replaced by another kind of cluster."""
        refused = up("lab", "up", "--profile", "cilium-1.19-snat")

        assert refused.code == 2
        assert "cilium-1.19-dsr" in refused.stderr

    def test_down_without_up_is_no_error(self, l2probe: Command) -> None:
        """Asking for what is the case already succeeds."""
        if l2probe("lab", "status").code == 0:
            pytest.skip("this user has a lab of their own up")

        assert l2probe("lab", "down").code == 0

    def test_a_killed_lab_leaves_nothing(self, l2probe: Command, tmp_path: Path) -> None:
        """SIGKILL of the lab's first process takes every other one with it, and no file stays."""
        if l2probe("lab", "status").code == 0:
            pytest.skip("this user has a lab of their own up")
        before, files = our_processes(), set(Path("/tmp").iterdir()) | set(Path("/run").iterdir())
        assert l2probe("lab", "up", env={"TMPDIR": str(tmp_path)}).code == 0

        os.kill(pid_of(l2probe), signal.SIGKILL)
        assert l2probe("lab", "down").code == 0

        assert l2probe("lab", "status").code == 1
        assert wait_for_end(our_processes() - before) == set()
        assert {path for path in set(Path("/run").iterdir()) - files if "l2probe" in path.name} == set()
        assert list(tmp_path.iterdir()) == []


def wait_for_end(processes: set[int]) -> set[int]:
    """Return those that did not end within ten seconds; the kernel tells when one does."""
    for pid in processes.copy():
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            processes.discard(pid)
            continue
        with os.fdopen(descriptor, "rb") as watched:
            subprocess.run(
                ("timeout", "10", "tail", f"--pid={pid}", "-f", "/dev/null"), check=False, stdin=subprocess.DEVNULL
            )
            if not Path(f"/proc/{pid}").exists():
                processes.discard(pid)
            del watched
    return processes


class TestWorkingInIt:
    """What a person does in the lab works."""

    def test_a_run_in_a_lab_that_stays(self, up: Command) -> None:
        """`l2probe run` works in the shell of the lab, twice, and leaves the cluster as it was."""
        first = up("lab", "shell", "--", "l2probe", "run", "-o", "json")
        second = up("lab", "shell", "--", "l2probe", "run", "dsr", "-o", "json")

        assert (first.code, second.code) == (0, 0)
        assert second.report["capabilities"]["source"]["tcp4"] == "always"
        assert "l2probe-" not in up("lab", "shell", "--", "l2probe", "cleanup", "--dry-run").stdout

    def test_a_fault_and_its_healing(self, up: Command) -> None:
        """A fault breaks the lab that is up, and healing makes the same run good again."""
        assert up("lab", "fault", "announcer-drops").code == 0
        broken = up("lab", "shell", "--", "l2probe", "run", "-o", "json")
        assert up("lab", "heal").code == 0
        healed = up("lab", "shell", "--", "l2probe", "run", "-o", "json")

        assert broken.codes[0] == "D03"
        assert (broken.code, healed.code) == (1, 0)

    @pytest.mark.parametrize(
        "argv",
        [
            ("arping", "-c", "1", "-w", "3", "-I", "eth0", "198.51.100.11"),
            ("tcpdump", "-i", "eth0", "-Z", "root", "--count", "-c", "1", "arp"),
        ],
        ids=lambda argv: argv[0],
    )
    def test_the_tools_of_the_trade(self, up: Command, argv: tuple[str, ...]) -> None:
        """Both arping and tcpdump see the lab's network as they would a real one."""
        if shutil.which(argv[0], path=PATH) is None:
            pytest.skip(f"{argv[0]} is not installed")
        if argv[0] == "tcpdump":
            watching = ("sh", "-c", f"{' '.join(argv)} & sleep 1; l2probe run smoke -q >/dev/null; wait $!")
            assert up("lab", "shell", "--", *watching).code == 0
        else:
            assert "02:00:00:00:00:01" in up("lab", "shell", "--", *argv).stdout

    def test_curl_reaches_a_service(self, up: Command) -> None:
        """A LoadBalancer address of the lab answers from the client's machine."""
        if shutil.which("curl") is None:
            pytest.skip("curl is not installed")
        services = up(
            "lab", "shell", "--", "curl", "-s", "-o", "/dev/null", "-w", "%{errormsg}", "http://198.51.100.79:1/"
        )

        assert services.code in {7, 28}, "an address of the segment that nobody has: no route to host"


@pytest.mark.kubectl
class TestKubectl:
    """`l2probe lab kubectl` is kubectl, against the lab."""

    @pytest.fixture(autouse=True)
    def _kubectl(self) -> None:
        if shutil.which("kubectl") is None:
            pytest.skip("kubectl is not installed")

    def test_what_a_person_would_type(self, up: Command, tmp_path: Path) -> None:
        """List, describe, apply, wait for and delete."""
        manifest = tmp_path / "web.yaml"
        manifest.write_text(
            "apiVersion: v1\nkind: Service\nmetadata: {name: mine, namespace: shop}\n"
            "spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}\n"
        )

        listed = up("lab", "kubectl", "get", "svc,pods,leases", "-A")
        applied = up("lab", "kubectl", "apply", "-f", str(manifest))
        waited = up(
            "lab", "kubectl", "wait", "svc/mine", "-n", "shop", "--timeout=20s",
            "--for=jsonpath={.status.loadBalancer.ingress[0].ip}",
        )  # fmt: skip
        described = up("lab", "kubectl", "describe", "svc", "mine", "-n", "shop")
        deleted = up("lab", "kubectl", "delete", "-f", str(manifest))
        after = up("lab", "kubectl", "get", "svc", "mine", "-n", "shop")

        assert "cilium-l2announce-shop-web" in listed.stdout
        assert applied.stdout == "service/mine created\n"
        assert waited.code == 0
        assert "LoadBalancer Ingress" in described.stdout
        assert "deleted" in deleted.stdout
        assert after.code == 1
        assert "NotFound" in after.stderr
