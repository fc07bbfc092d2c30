"""Why a Pod is not ready, from recorded Pods and events."""

from __future__ import annotations

import msgspec
import pytest

from l2probe.observe import objects, pods
from tests.observe.scripted import recorded

RECORDED = {
    item.metadata.name: item
    for item in msgspec.json.decode(recorded("metallb/pods.json"), type=objects.Page[objects.PodObject]).items or ()
}
EVENTS = msgspec.json.decode(recorded("metallb/events-core-v1.json"), type=objects.Page[objects.EventObject]).items


def warning(name: str) -> objects.EventObject | None:
    """Return the newest recorded warning about a Pod."""
    found = [
        e
        for e in EVENTS or ()
        if e.type == "Warning" and (e.involved_object.kind, e.involved_object.name) == ("Pod", name)
    ]
    return found[-1] if found else None


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("image-missing", 'ErrImageNeverPull: Container image "localhost/none:1" is not present with pull policy'),
        ("unschedulable", "Unschedulable: 0/3 nodes are available: 3 node(s) didn't match Pod's node affinity"),
        ("crashing", "CrashLoopBackOff: back-off 10s restarting failed container=echo"),
        ("never-ready", "Unhealthy: Readiness probe failed"),
    ],
)
def test_the_reason_is_in_the_clusters_own_words(name: str, begins: str) -> None:
    """State of the container, scheduling condition, or the newest warning, whichever tells most."""
    pod = pods.pod(RECORDED[name], warning(name))

    assert not pod.ready
    assert (pod.waiting or "").startswith(begins)


def test_a_ready_pod_waits_for_nothing() -> None:
    """Old warnings about a Pod that is ready now are history."""
    pod = pods.pod(RECORDED["echo-n1"], warning("crashing"))

    assert (pod.ready, pod.waiting, pod.node, pod.addresses) == (True, None, "rc-n1", ("10.244.1.6",))


def made(**status: object) -> objects.PodObject:
    """Return a Pod with this status."""
    return msgspec.convert({"metadata": {"name": "x"}, "status": status}, objects.PodObject)


CREATING = {"containerStatuses": [{"name": "echo", "state": {"waiting": {"reason": "ContainerCreating"}}}]}
MOUNT = msgspec.convert(
    {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "x"},
        "type": "Warning",
        "reason": "FailedMount",
        "message": 'configmap "l2probe" not found',
    },
    objects.EventObject,
)


@pytest.mark.parametrize(
    ("status", "event", "says"),
    [
        (CREATING, None, "ContainerCreating"),
        (CREATING, MOUNT, 'FailedMount: configmap "l2probe" not found'),
        ({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}, None, "Evicted: low on memory"),
        ({}, None, "Pending"),
        (
            {"containerStatuses": [{"state": {"terminated": {"exitCode": 2, "reason": "Error"}}}]},
            None,
            "Error: exit code 2",
        ),
        (
            {
                "initContainerStatuses": [
                    {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "x\x1b[2J\ny"}}}
                ]
            },
            None,
            "ImagePullBackOff: x [2J y",
        ),
    ],
)
def test_the_most_telling_reason_wins(status: dict[str, object], event: objects.EventObject | None, says: str) -> None:
    """A warning explains a container that is merely being created; text of the cluster is made printable."""
    assert pods.pod(made(**status), event).waiting == says
