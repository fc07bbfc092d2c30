"""`l2probe lab`: the cluster that stays, worked in as a person would, and gone without a trace."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.conftest import PATH, Command, commander
from tests.lab.planes import PLANES
from tests.lab.world.processes import members, namespace, wait_gone

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("the one lab of this user")]


def free(command: Command) -> Command:
    """Return the command when this user has no lab up; skip the test otherwise."""
    if command("lab", "status").code == 0:
        pytest.skip("this user has a lab of their own up")
    return command


@pytest.fixture
def down(l2probe: Command) -> Iterator[Command]:
    """Give a test that brings its own labs up a place without one, and leave none."""
    yield free(l2probe)
    assert l2probe("lab", "down").code == 0


@pytest.fixture(scope="module", params=PLANES)
def lab(request: pytest.FixtureRequest) -> Iterator[Command]:
    """Bring one lab up for all tests that only work in it, on each control plane."""
    command = free(commander())
    assert command("lab", "up", "--control-plane", request.param).code == 0
    yield command
    assert command("lab", "down").code == 0
    assert command("lab", "status").code == 1


def pid_of(command: Command) -> int:
    """Return the first process of the lab that is up."""
    pid: int = json.loads(command("lab", "status", "-o", "json").stdout)["pid"]
    return pid


class TestUpAndDown:
    """It stays until it is told to go, and then nothing of it stays."""

    def test_up_twice_is_one_lab_and_another_profile_is_refused(self, down: Command) -> None:
        """A second `lab up` finds the first one, and a lab is not silently replaced by another kind of cluster."""
        assert down("lab", "up").code == 0
        before = pid_of(down)

        again, refused = down("lab", "up"), down("lab", "up", "--profile", "cilium-1.19-snat")

        assert (again.code, refused.code) == (0, 2)
        assert pid_of(down) == before
        assert "cilium-1.19-dsr" in refused.stderr

    def test_down_without_up_is_no_error(self, down: Command) -> None:
        """Asking for what is the case already succeeds."""
        assert down("lab", "down").code == 0

    def test_a_killed_lab_leaves_nothing(self, down: Command, tmp_path: Path) -> None:
        """SIGKILL of the lab's first process takes every other one with it, and no file stays; down and up work."""
        assert down("lab", "up", env={"TMPDIR": str(tmp_path)}).code == 0
        pid = pid_of(down)
        place = namespace(pid)
        processes = members(place)

        os.kill(pid, signal.SIGKILL)

        assert down("lab", "down").code == 0
        assert down("lab", "status").code == 1
        assert len(processes) > 3
        assert wait_gone(*processes)
        assert list(tmp_path.iterdir()) == []
        assert not Path("/run/l2probe").exists()
        assert down("lab", "up").code == 0


class TestWorkingInIt:
    """What a person does in the lab works."""

    def test_a_run_in_a_lab_that_stays(self, lab: Command) -> None:
        """`l2probe run` works in the shell of the lab and leaves the cluster as it was."""
        ran = lab("lab", "shell", "--", "l2probe", "run", "dsr", "-o", "json")

        assert ran.code == 0
        assert ran.report["capabilities"]["source"]["tcp4"] == "always"
        assert "l2probe-" not in lab("lab", "shell", "--", "l2probe", "cleanup", "--dry-run").stdout

    def test_a_fault_and_its_healing(self, lab: Command) -> None:
        """A fault breaks the lab that is up, and healing makes the same run good again."""
        assert lab("lab", "fault", "duplicate-announcers").code == 0
        broken = lab("lab", "shell", "--", "l2probe", "run", "smoke", "-o", "json")
        assert lab("lab", "heal").code == 0
        healed = lab("lab", "shell", "--", "l2probe", "run", "smoke", "-o", "json")

        assert broken.codes[0] == "C01"
        assert (broken.code, healed.code) == (1, 0)

    @pytest.mark.parametrize(
        ("name", "raises"),
        [
            ("several-nics", "C02"),
            ("holder-mismatch", "C04"),
            ("wrong-target-port", "D11"),
            ("intercepted", "V06"),
            ("on-a-cluster-node", "V01"),
            ("behind-a-router", "V02"),
            ("no-raw-socket", "V03"),
            ("not-allowed", "V05"),
        ],
    )
    def test_each_kind_of_fault_comes_and_goes(self, lab: Command, name: str, raises: str) -> None:
        """Objects, agents, NICs, devices, places and rights break a lab that is up, and healing mends them at once."""
        diagnose = ("lab", "shell", "--", "l2probe", "diagnose", "shop/api", "-o", "json")
        assert lab("lab", "fault", name).code == 0
        broken = lab(*diagnose)
        assert lab("lab", "heal").code == 0
        healed = lab(*diagnose)

        assert broken.codes[0] == raises
        assert (healed.code, healed.codes) == (0, [])

    def test_arping(self, lab: Command) -> None:
        """Arping sees the lab's network as it would a real one."""
        needs("arping")
        asked = lab("lab", "shell", "--", "arping", "-c", "1", "-w", "3", "-I", "eth0", "198.51.100.11")

        assert "02:00:00:00:00:01" in asked.stdout

    def test_tcpdump(self, lab: Command) -> None:
        """Tcpdump sees the client's own question for an address."""
        needs("tcpdump")
        if os.geteuid():
            pytest.skip("tcpdump changes its user before it listens, which a lab without root does not allow")
        watching = "timeout 20 tcpdump -i eth0 -Z root -n --immediate-mode -c 1 arp and host 198.51.100.77"
        asking = 'python3 -c \'import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b"", ("198.51.100.77", 9))\''
        # As soon as it says that it listens, one question is asked.
        script = (
            f'{watching} 2>&1 | while read -r line; do echo "$line"; case $line in *listening*) {asking};; esac; done'
        )
        seen = lab("lab", "shell", "--", "sh", "-c", script)

        assert "who-has 198.51.100.77 tell 198.51.100.100" in seen.stdout

    def test_curl_reaches_a_service(self, lab: Command) -> None:
        """A LoadBalancer address of the lab answers on the client's machine, as the oldest Service's does."""
        needs("curl")
        answer = lab("lab", "shell", "--", "curl", "-s", "--max-time", "10", "http://198.51.100.40/")

        assert answer.stdout == "shop\n"


def needs(program: str) -> None:
    """Skip the test on a machine without the program."""
    if shutil.which(program, path=PATH) is None:
        pytest.skip(f"{program} is not installed")


@pytest.mark.kubectl
class TestKubectl:
    """`l2probe lab kubectl` is kubectl, against the lab."""

    @pytest.fixture(autouse=True)
    def _kubectl(self) -> None:
        needs("kubectl")

    def test_what_a_person_would_type(self, lab: Command, tmp_path: Path) -> None:
        """List, describe, apply, wait for and delete."""
        manifest = tmp_path / "web.yaml"
        manifest.write_text(
            "apiVersion: v1\nkind: Service\nmetadata: {name: mine, namespace: shop}\n"
            "spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}\n"
        )

        listed = lab("lab", "kubectl", "get", "svc,pods,leases", "-A")
        applied = lab("lab", "kubectl", "apply", "-f", str(manifest))
        waited = lab(
            "lab", "kubectl", "wait", "svc/mine", "-n", "shop", "--timeout=20s",
            "--for=jsonpath={.status.loadBalancer.ingress[0].ip}",
        )  # fmt: skip
        described = lab("lab", "kubectl", "describe", "svc", "mine", "-n", "shop")
        deleted = lab("lab", "kubectl", "delete", "-f", str(manifest))
        after = lab("lab", "kubectl", "get", "svc", "mine", "-n", "shop")

        assert "cilium-l2announce-shop-web" in listed.stdout
        assert applied.stdout == "service/mine created\n"
        assert waited.code == 0
        assert "LoadBalancer Ingress" in described.stdout
        assert "deleted" in deleted.stdout
        assert after.code == 1
        assert "NotFound" in after.stderr
