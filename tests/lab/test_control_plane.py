"""The lab on a real kube-apiserver and etcd: the main job's list of tests, each with the rights printed for it.

The lists are those of the embedded server, imported: what is added there is held here too.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from l2probe.lab.assets import CONTROL_PLANES
from l2probe.lab.faults import FAULTS, Fault
from tests.lab import test_faults
from tests.lab.conftest import Command, commander
from tests.lab.planes import Staying, needs_assets, needs_kubectl
from tests.lab.test_lab_command import free, pid_of
from tests.lab.test_profiles import test_run_learns_what_the_cluster_does  # noqa: F401 - collected here too
from tests.lab.world.processes import members, namespace, wait_gone

pytestmark = [
    pytest.mark.lab,
    pytest.mark.kubectl,
    needs_assets,
    pytest.mark.timeout(180),
    pytest.mark.xdist_group("the one lab of this user"),
]


WHOLE = os.environ.get("L2PROBE_E2E_WHOLE") == "1"
"""Whether every command is tried on every fault: more than an hour. Else the quickest one that shows it."""


def tried(fault: Fault) -> list[tuple[str, ...]]:
    """Return the commands that are tried on a fault; what a fault does to the wire is no matter of the API server."""
    return [*fault.commands] if WHOLE else [min(fault.commands, key=lambda argv: (argv[1] == "run", len(argv)))]


SHOWN = [
    pytest.param(fault, argv[1:], id=f"{fault.name}-{argv[1]}{'-wire' if '--on-wire' in argv else ''}")
    for fault in sorted(FAULTS.values(), key=lambda fault: fault.profile or "")
    for argv in tried(fault)
]


@pytest.mark.parametrize(("fault", "argv"), SHOWN)
def test_the_fault_is_named_first(l2probe: Command, fault: Fault, argv: tuple[str, ...]) -> None:
    """As on the embedded server."""
    test_faults.test_the_fault_is_named_first(l2probe, fault, argv)


@pytest.fixture(scope="module")
def staying() -> Iterator[Staying]:
    """Keep a lab on a real control plane up from one test to the next."""
    needs_kubectl()
    found = Staying(free(commander()))
    yield found
    found.down()


@pytest.fixture
def l2probe(staying: Staying) -> Command:
    """Run the imported tests' commands there."""
    return staying


@pytest.fixture
def alone(staying: Staying) -> Iterator[Command]:
    """Give a test that brings its own lab up a place without one, and leave none."""
    staying.down()
    command = commander()
    yield command
    command("lab", "down")


def test_one_command_in_a_private_lab(alone: Command) -> None:
    """`run --lab --control-plane envtest` boots, names the fault first and leaves nothing, as on the embedded one."""
    ran = alone("run", "smoke", "--lab", "--control-plane", "envtest", "--fault", "duplicate-announcers", "-o", "json")

    assert ran.codes[0] == "C01"
    assert ran.report["evidence"]["cluster"]["server_version"].count("+l2probe") == 0
    assert alone("lab", "status").code == 1


def test_a_killed_lab_takes_its_control_plane_with_it(alone: Command, tmp_path: Path) -> None:
    """SIGKILL of the lab's first process ends etcd and kube-apiserver too, and no file stays."""
    assert alone("lab", "up", "--control-plane", "envtest", env={"TMPDIR": str(tmp_path)}).code == 0
    pid = pid_of(alone)
    processes = members(namespace(pid))
    running = {Path(f"/proc/{each}/cmdline").read_bytes().split(b"\0")[0].rpartition(b"/")[2] for each in processes}

    os.kill(pid, signal.SIGKILL)

    assert {b"etcd", b"kube-apiserver"} <= running
    assert wait_gone(*processes)
    assert list(tmp_path.iterdir()) == []
    assert not Path("/run/l2probe").exists()


def test_pod_security_and_the_default_account_are_real(staying: Staying) -> None:
    """A privileged Pod is refused where `restricted` is enforced, and a new namespace gets its account and CA."""
    shell = staying.shell
    shell(
        "kubectl create namespace strict; kubectl label namespace strict pod-security.kubernetes.io/enforce=restricted"
    )
    shell("kubectl wait -n strict --for=create sa/default configmap/kube-root-ca.crt --timeout=20s")

    refused = staying.shell("kubectl run -n strict root --image=python:3.13-alpine", code=1)

    assert 'violates PodSecurity "restricted:latest"' in refused.stderr
    shell("kubectl delete namespace strict --timeout=30s")


def test_logs_come_through_the_real_server(staying: Staying) -> None:
    """`kubectl logs` asks kube-apiserver, which asks the node's kubelet: the Pod's own words arrive."""
    staying.shell("kubectl run talker --image=python:3.13-alpine --command -- python3 -c 'print(6 * 7)'")
    staying.shell("kubectl wait pod/talker --for=jsonpath={.status.phase}=Running --timeout=20s")

    said = staying.shell("kubectl logs talker -f --pod-running-timeout=20s & sleep 1; kill $!; kubectl logs talker")
    wrong = staying.shell("kubectl logs talker -c nobody", code=1)

    assert "42" in said.stdout.split()
    assert "container nobody is not valid for pod talker" in wrong.stderr
    staying.shell("kubectl delete pod talker --now")


@pytest.mark.parametrize("fault", ["denied:list:leases", "denied:*:ciliumloadbalancerippools", "denied:get:pods/log"])
def test_a_denied_right_is_denied_by_rbac_until_it_is_healed(staying: Staying, fault: str) -> None:
    """The server itself says no to exactly that right, and to nothing beside it."""
    _, verb, resource = fault.split(":")
    what, _, below = resource.partition("/")
    asked = f"kubectl auth can-i {'get' if verb == '*' else verb} {what}" + (f" --subresource={below}" if below else "")

    staying.shell(f"l2probe lab fault {fault}", inside=False)
    denied, other = staying.shell(asked, code=1), staying.shell("kubectl auth can-i list nodes")
    staying.shell("l2probe lab heal", inside=False)

    assert (denied.stdout.strip(), other.stdout.strip()) == ("no", "yes")
    assert staying.shell(asked).stdout.strip() == "yes"


def test_diagnose_names_the_right_that_is_missing(staying: Staying) -> None:
    """V05 comes from a real 403."""
    staying.shell("l2probe lab fault denied:list:leases", inside=False)
    ran = staying.shell("l2probe diagnose --all -o json", code=None)
    staying.shell("l2probe lab heal", inside=False)

    assert "V05" in ran.codes


@pytest.mark.parametrize("plane", CONTROL_PLANES)
def test_both_control_planes_say_which_they_are(alone: Command, plane: str) -> None:
    """`lab status` names the control plane, and a lab is not silently replaced by one with another."""
    assert alone("lab", "up", "--control-plane", plane).code == 0
    status = json.loads(alone("lab", "status", "-o", "json").stdout)
    refused = alone("lab", "up", "--control-plane", "embedded" if plane == "envtest" else "envtest")

    assert status["control_plane"] == plane
    assert refused.code == 2
    assert f"control plane {plane}" in refused.stderr
