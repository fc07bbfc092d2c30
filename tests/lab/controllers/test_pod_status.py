"""What the kubelet writes: compared with what a real one wrote about the same situations."""

from __future__ import annotations

from typing import Any

import pytest

from l2probe.lab.controllers.images import is_played, missing, repository
from l2probe.lab.controllers.objects import Obj
from l2probe.lab.controllers.pod_status import ContainerState, Ended, phase, status
from tests.lab.controllers.recorded import items

NOW = 1_800_000_000.0
IMAGE = "localhost/python:lab"
CRASH = Ended(status=1, reason="Error", started=NOW, finished=NOW, identity="ab")
FRESH = ContainerState(name="echo", image=IMAGE)
UID = "25c9ff21-decc-4b79-9988-28e4bbb4ac71"
BACK_OFF = f"back-off 10s restarting failed container=echo pod=crashing_l2fix({UID})"
NEVER = 'Container image "localhost/none:1" is not present with pull policy of Never'

SITUATIONS = {
    "echo-n1": ContainerState(name="echo", image=IMAGE, ready=True).run(NOW, "ab"),
    "crashing": ContainerState(name="echo", image=IMAGE, restarts=1, identity="ab")
    .end(CRASH)
    .wait("CrashLoopBackOff", BACK_OFF),
    "image-missing": ContainerState(name="echo", image="localhost/none:1").wait("ErrImageNeverPull", NEVER),
}
VARYING = {"lastTransitionTime", "observedGeneration", "startedAt", "finishedAt", "containerID", "imageID"}
BEYOND = {"resources", "volumeMounts"}


def still(value: Any) -> Any:  # noqa: ANN401 - JSON in, JSON out
    """Return the value without what differs from cluster to cluster, and without what the lab's kubelet leaves out."""
    if isinstance(value, dict):
        return {key: still(item) for key, item in value.items() if key not in VARYING | BEYOND}
    return [still(item) for item in value] if isinstance(value, list) else value


def by_type(conditions: list[Obj]) -> dict[str, Obj]:
    """Return conditions by their type: their order says nothing."""
    return {condition["type"]: still(condition) for condition in conditions}


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_status_is_what_a_real_kubelet_wrote(name: str) -> None:
    """Running, crashing and image-less Pods have the recorded phase, conditions, addresses and container states."""
    recorded = items("pods")[name]
    ip, host = recorded["status"]["podIP"], recorded["status"]["hostIP"]
    made = status({**recorded, "status": {}}, [SITUATIONS[name]], addresses=[ip], host=[host], now=NOW)["status"]
    theirs = recorded["status"]

    assert still(made["containerStatuses"]) == still(theirs["containerStatuses"])
    assert by_type(made["conditions"]) == by_type(theirs["conditions"])
    assert {key: made[key] for key in ("phase", "podIP", "podIPs", "hostIP", "hostIPs")} == {
        key: theirs[key] for key in ("phase", "podIP", "podIPs", "hostIP", "hostIPs")
    }


@pytest.mark.parametrize(
    ("states", "policy", "expected"),
    [
        ([FRESH], "Always", "Pending"),
        ([FRESH.run(NOW, "a"), FRESH], "Always", "Pending"),
        ([FRESH.run(NOW, "a")], "Never", "Running"),
        ([FRESH.end(CRASH)], "Never", "Failed"),
        ([FRESH.end(CRASH)], "OnFailure", "Running"),
        ([FRESH.end(CRASH).wait("CrashLoopBackOff", "")], "Always", "Running"),
    ],
)
def test_phase(states: list[ContainerState], policy: str, expected: str) -> None:
    """The phase follows from all containers and the restart policy."""
    assert phase(states, policy) == expected


def test_transition_times_move_with_their_status_only() -> None:
    """A condition that stays as it was keeps its time; the one that changed gets the new one."""
    pod = items("pods")["echo-n1"]
    before = {condition["type"]: condition["lastTransitionTime"] for condition in pod["status"]["conditions"]}
    unready = ContainerState(name="echo", image=IMAGE).run(NOW, "ab")
    made = status(pod, [unready], addresses=["10.0.0.1"], host=["192.0.2.1"], now=NOW)["status"]["conditions"]
    after = {condition["type"]: condition["lastTransitionTime"] for condition in made}

    assert {name for name, at in after.items() if at != before[name]} == {"Ready", "ContainersReady"}


@pytest.mark.parametrize(
    ("image", "name", "there"),
    [
        ("python:3.13-alpine", "python", True),
        ("registry.example:5000/library/python@sha256:00", "library/python", True),
        ("localhost/python:lab", "localhost/python", True),
        ("cilium/cilium:v1.19.4", "cilium/cilium", True),
        ("registry.example/nginx:1", "nginx", False),
        ("pythonic:1", "pythonic", False),
    ],
)
def test_which_images_exist(image: str, name: str, *, there: bool) -> None:
    """Python and what the lab plays itself can be had, by whatever registry, tag or digest; nothing else can."""
    assert repository(image) == name
    assert (missing({"image": image}) is None) is there
    assert is_played(image) is (name == "cilium/cilium")
