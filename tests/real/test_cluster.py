"""The ground that the other tests stand on: what this cluster is and does, seen without l2probe."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.real import cluster, witness
from tests.real.build import KUBERNETES
from tests.real.cluster import kubectl
from tests.real.command import RealError
from tests.real.hosts import CLIENT, NODES, WORLD
from tests.real.machine import REPOSITORY
from tests.real.scene import given, pod, scene, service

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

NAMES = {node.name for node in NODES}


def test_nodes_are_ready_and_of_the_release_that_was_built(real: None) -> None:
    """Three kubelets report Ready and the version that the Go module pins."""
    nodes = json.loads(kubectl("get", "nodes", "-o", "json"))["items"]

    ready = {
        node["metadata"]["name"]
        for node in nodes
        for condition in node["status"]["conditions"]
        if condition["type"] == "Ready" and condition["status"] == "True"
    }

    assert ready == NAMES
    assert {node["status"]["nodeInfo"]["kubeletVersion"] for node in nodes} == {KUBERNETES}


def test_one_node_answers_and_it_is_the_one_that_metallb_names(real: None) -> None:
    """One host alone answers arping for a Service's address: the node of its ServiceL2Status."""
    with scene("one-owner") as web:
        cluster.until(lambda: bool(witness.owners(web.addresses[0])), "an ARP answer", seconds=10)

        owners = witness.owners(web.addresses[0])

        assert len(owners) == 1
        assert owners == {witness.announcer("one-owner", "web")}


def test_policy_cluster_hides_the_client_even_from_a_pod_on_the_announcer(real: None) -> None:
    """kube-proxy masquerades every connection, so the Pod sees an address of the announcer wherever it runs."""
    for node in NODES:
        with scene("masqueraded", node=node.name) as web:
            for address in web.addresses:
                assert witness.seen(address) not in {None, *CLIENT.addresses}


def test_policy_local_shows_the_client_and_the_announcer_follows_the_pod(real: None) -> None:
    """With policy Local the Pod's node announces, and the Pod sees the client's own address."""
    for node in NODES:
        with scene("local", policy="Local", node=node.name) as web:
            cluster.until(lambda: witness.owners(web.addresses[0]) == {node.name}, "the move", seconds=15)  # noqa: B023

            assert tuple(map(witness.seen, web.addresses)) == CLIENT.addresses


def test_pod_security_refuses_a_pod_that_runs_as_root(real: None) -> None:
    """A namespace that enforces `restricted` refuses the plain echo Pod, and says why."""
    namespace = {
        "metadata": {"name": "strict", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
        "apiVersion": "v1",
        "kind": "Namespace",
    }
    cluster.apply(namespace)
    refused = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "root", "namespace": "strict"},
        "spec": pod("rc-n1"),
    }

    with pytest.raises(RealError, match='violates PodSecurity "restricted:latest"'):
        cluster.apply(refused)

    kubectl("delete", "namespace", "strict")


def test_a_service_of_another_class_stays_without_an_address(real: None) -> None:
    """Nothing serves a foreign loadBalancerClass, and nothing says so: no address, no event."""
    spec = {**service(), "loadBalancerClass": "example.test/other"}
    metadata = {"name": "waiting", "namespace": "default"}
    cluster.apply({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
    time.sleep(3)

    try:
        assert given("default", "waiting") == ()
        assert not kubectl("get", "events", "--field-selector=involvedObject.name=waiting", "-o", "name")
    finally:
        kubectl("delete", "service", "waiting")


@pytest.mark.parametrize("after", [0.1, 1.0, 6.0])
def test_a_cluster_killed_as_it_comes_up_leaves_nothing(possible: None, after: float) -> None:
    """`up` killed at any moment, then `down`: no process, no mount, no namespace, no cgroup, no file, same sysctls."""
    cluster.down()
    before = _machine()
    with subprocess.Popen((sys.executable, "-m", "tests.real", "up"), cwd=REPOSITORY, start_new_session=True) as coming:
        time.sleep(after)
        os.killpg(coming.pid, signal.SIGKILL)

    cluster.down()

    assert cluster.status() == cluster.Status(up=False, left=())
    assert _machine() == before


def _machine() -> tuple[object, ...]:
    """Return all of this machine that a cluster could leave something in."""
    with open("/proc/self/mounts") as mounts:  # noqa: PTH123 - a stream, not a file
        mounted = sorted(mounts)
    settings = subprocess.run(
        ("sysctl", "-a", "--pattern", r"^(vm\.(overcommit|panic)|kernel\.(panic|keys)|net\.)"),
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    links = subprocess.run(("ip", "-brief", "link"), capture_output=True, text=True, check=True).stdout
    return mounted, settings, links, WORLD.exists()
