"""Pods really run: command, environment, files, readiness, output, restarts, grace, and what the API says of each."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable

import pytest

from l2probe.lab.controllers.cache import Cache
from l2probe.lab.controllers.kinds import CONFIG_MAP, POD, SECRET, SERVICE, SLICE
from l2probe.lab.controllers.objects import Key, Obj
from tests.lab.controllers.fake_world import FakeNode, files_of
from tests.lab.controllers.harness import Lab, condition, events, is_ready, pod, running, service

READY_LATER = """\
import http.server, pathlib, sys, threading
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/healthz" and not pathlib.Path(sys.argv[1]).exists() else 503)
        self.end_headers()
server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
print(server.server_port, flush=True)
server.serve_forever()
"""


TELL = """\
import os, pathlib, sys, time
told = [os.environ[name] for name in ("POD", "NODE", "IP", "HOST", "S", "C")]
print(*told, sys.argv[2], pathlib.Path(sys.argv[1]).read_text(), flush=True)
time.sleep(60)
"""


def script(text: str, *args: str) -> dict[str, object]:
    """Return a container that runs Python code."""
    return {"command": ["python3", "-c", text, *args]}


async def output(lab: Lab, name: str) -> str:
    """Return what `kubectl logs` prints, once it is something."""
    path = f"/api/v1/namespaces/default/pods/{name}/log"
    while True:
        async with lab.client._session.get(path) as answer:
            if answer.status == 200 and (text := await answer.text()):
                return text
        await asyncio.sleep(0.02)


def state(found: Obj) -> Obj:
    """Return the state of the Pod's first container."""
    return dict(found["status"]["containerStatuses"][0]["state"])


def waits(reason: str) -> Callable[[Obj], bool]:
    """Tell whether the Pod's container waits for that reason."""
    return lambda found: (
        (found["status"].get("containerStatuses") or [{"state": {}}])[0]["state"].get("waiting", {}).get("reason")
        == reason
    )


def test_a_pod_runs_its_command_with_environment_and_files() -> None:
    """Fields, Secret and ConfigMap keys, references and files reach the process; status and events say that it runs."""
    env = [
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "HOST", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}},
        {"name": "S", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "k"}}},
        {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "files", "key": "a.txt"}}},
    ]
    mounts = [{"name": "files", "mountPath": "/files"}]
    volumes = [{"name": "files", "configMap": {"name": "files"}}]

    async def law() -> None:
        async with running(real=True) as lab:
            await lab.make(SECRET, {"metadata": {"name": "keys"}, "stringData": {"k": "secret"}})
            await lab.make(CONFIG_MAP, {"metadata": {"name": "files"}, "data": {"a.txt": "content"}})
            container = {**script(TELL, "/files/a.txt", "$(POD)!$(NONE)"), "env": env, "volumeMounts": mounts}
            await lab.make(POD, pod("web", node="node-2", container=container, volumes=volumes))
            found = await lab.pod("web", is_ready)
            said = await output(lab, "web")
            seen = await events(lab, "web", "Scheduled", "Pulled", "Created", "Started")
            _, variables, binds = lab.world.nodes[1].spawned[-1]
            status = found["status"]

            assert said.split() == [
                "web",
                "node-2",
                "127.0.0.1",
                "198.51.100.12",
                "secret",
                "content",
                "web!$(NONE)",
                "content",
            ]
            assert variables["HOSTNAME"] == "web"
            assert files_of(binds, "/files") == {"a.txt": b"content"}
            assert (status["phase"], status["hostIP"], status["podIP"]) == ("Running", "198.51.100.12", "127.0.0.1")
            assert [entry["ip"] for entry in status["podIPs"]] == ["127.0.0.1", "::1"]
            assert {entry["status"] for entry in status["conditions"]} == {"True"}
            assert seen["Scheduled"]["message"] == "Successfully assigned default/web to node-2"
            assert seen["Started"]["source"] == {"component": "kubelet", "host": "node-2"}
            assert seen["Started"]["involvedObject"]["fieldPath"] == "spec.containers{main}"

    asyncio.run(law())


def test_readiness_is_what_the_probe_says() -> None:
    """A Pod is ready while its HTTP probe succeeds; when it fails the kubelet says why, and endpoints follow."""

    async def law() -> None:
        async with running(real=True) as lab:
            flag = lab.cluster._room / "unready"
            port = int(await served(lab, flag))
            probe = {"httpGet": {"path": "/healthz", "port": port}, "periodSeconds": 1, "failureThreshold": 1}
            await lab.make(SERVICE, service("probed"))
            await lab.make(POD, pod("probed", container={"readinessProbe": probe}))
            await lab.pod("probed", is_ready)
            await ready_endpoints(lab, "probed", 2)
            flag.touch()
            unready = await lab.pod("probed", lambda found: condition(found, "Ready").get("status") == "False")
            await ready_endpoints(lab, "probed", 0)
            seen = await events(lab, "probed", "Unhealthy")

            assert condition(unready, "Ready")["reason"] == "ContainersNotReady"
            assert condition(unready, "ContainersReady")["message"] == "containers with unready status: [main]"
            assert seen["Unhealthy"]["message"] == "Readiness probe failed: HTTP probe failed with statuscode: 503"

    asyncio.run(law())


async def served(lab: Lab, flag: object) -> str:
    """Start the page that is healthy until `flag` exists; return its port."""
    await lab.make(POD, pod("page", container=script(READY_LATER, str(flag))))
    return (await output(lab, "page")).strip()


async def ready_endpoints(lab: Lab, name: str, count: int) -> None:
    """Wait until so many endpoints of a Service are ready."""

    def holds(cache: Cache) -> bool:
        slices = [found for found in cache if found["metadata"]["labels"].get("kubernetes.io/service-name") == name]
        ready = [entry for found in slices for entry in found["endpoints"] or () if entry["conditions"]["ready"]]
        return len(slices) == 2 and len(ready) == count

    await lab.until(SLICE, holds)


@pytest.mark.parametrize(
    ("probe", "message"),
    [
        ({"tcpSocket": {"port": 9}}, "dial tcp 127.0.0.1:9: connect: connection refused"),
        (
            {"httpGet": {"port": 9, "path": "/x"}},
            'Get "http://127.0.0.1:9/x": dial tcp 127.0.0.1:9: connect: connection refused',
        ),
        ({"exec": {"command": ["sh", "-c", "echo not yet; exit 3"]}}, "not yet"),
    ],
)
def test_a_probe_that_fails_says_why(probe: Obj, message: str) -> None:
    """Refused connections and failing commands come out in the kubelet's words, and the Pod never gets ready."""

    async def law() -> None:
        async with running(real=True) as lab:
            await lab.make(POD, pod("sick", container={"readinessProbe": {**probe, "periodSeconds": 1}}))
            seen = await events(lab, "sick", "Unhealthy")
            found = await lab.pod("sick", lambda found: state(found).get("running"))

            assert seen["Unhealthy"]["message"] == f"Readiness probe failed: {message}"
            assert seen["Unhealthy"]["type"] == "Warning"
            assert not is_ready(found)

    asyncio.run(law())


def test_a_crashing_pod_is_restarted_and_then_backed_off() -> None:
    """The first crash is restarted at once, the second waits in CrashLoopBackOff, in the recorded words."""

    async def law() -> None:
        async with running(real=True) as lab:
            await lab.make(POD, pod("sad", container=script("raise SystemExit(3)")))
            found = await lab.pod("sad", waits("CrashLoopBackOff"))
            seen = await events(lab, "sad", "BackOff")

            status, uid = found["status"]["containerStatuses"][0], found["metadata"]["uid"]
            assert status["restartCount"] == 1
            assert status["lastState"]["terminated"]["exitCode"] == 3
            assert found["status"]["phase"] == "Running"
            message = f"back-off 10s restarting failed container=main pod=sad_default({uid})"
            assert state(found)["waiting"]["message"] == message
            assert seen["BackOff"]["message"] == f"Back-off restarting failed container main in pod sad_default({uid})"

    asyncio.run(law())


@pytest.mark.parametrize(("code", "phase"), [(0, "Succeeded"), (4, "Failed")])
def test_a_pod_that_is_not_restarted_ends(code: int, phase: str) -> None:
    """With restartPolicy Never the phase says how the command ended, and nobody runs it again."""

    async def law() -> None:
        async with running(real=True) as lab:
            await lab.make(POD, pod("job", container=script(f"raise SystemExit({code})"), restartPolicy="Never"))
            found = await lab.pod("job", lambda found: found["status"].get("phase") == phase)

            assert state(found)["terminated"]["exitCode"] == code
            assert found["status"]["containerStatuses"][0]["restartCount"] == 0

    asyncio.run(law())


@pytest.mark.parametrize(
    ("image", "policy", "first", "then"),
    [
        ("registry.example/none:1", "IfNotPresent", "ErrImagePull", "ImagePullBackOff"),
        ("none:1", "Never", "ErrImageNeverPull", "ErrImageNeverPull"),
    ],
)
def test_an_image_that_does_not_exist(image: str, policy: str, first: str, then: str) -> None:
    """Waiting reason, message and Events tell that the image cannot be had; the Pod stays Pending and nothing runs."""

    async def law() -> None:
        async with running(real=True) as lab:
            before = sum(len(node.spawned) for node in lab.world.nodes)
            await lab.make(POD, pod("pull", container={"image": image, "imagePullPolicy": policy}))
            await lab.pod("pull", waits(first))
            found = await lab.pod("pull", waits(then))
            seen = await events(lab, "pull", "Failed", "BackOff")

            assert found["status"]["phase"] == "Pending"
            assert image in state(found)["waiting"]["message"]
            assert image in seen["BackOff"]["message"]
            assert sum(len(node.spawned) for node in lab.world.nodes) == before

    asyncio.run(law())


def test_a_pod_waits_for_what_it_mounts() -> None:
    """Without its ConfigMap a Pod is ContainerCreating with FailedMount; it starts once the ConfigMap is there."""
    volumes = [{"name": "v", "configMap": {"name": "late"}}]
    container = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}

    async def law() -> None:
        async with running(real=True) as lab:
            await lab.make(POD, pod("patient", container=container, volumes=volumes))
            seen = await events(lab, "patient", "FailedMount")
            await lab.make(CONFIG_MAP, {"metadata": {"name": "late"}, "data": {"x": "y"}})
            await lab.pod("patient", is_ready)

            assert (
                seen["FailedMount"]["message"] == 'MountVolume.SetUp failed for volume "v" : configmap "late" not found'
            )

    asyncio.run(law())


def test_a_missing_secret_is_a_config_error() -> None:
    """A Secret that the environment needs and that is not there gives CreateContainerConfigError with its name."""
    env = [{"name": "S", "valueFrom": {"secretKeyRef": {"name": "none", "key": "k"}}}]

    async def law() -> None:
        async with running(real=True) as lab:
            await lab.make(POD, pod("keyless", container={"env": env}))
            found = await lab.pod("keyless", waits("CreateContainerConfigError"))

            assert state(found)["waiting"]["message"] == 'secret "none" not found'

    asyncio.run(law())


def test_a_command_that_does_not_exist_is_a_start_error() -> None:
    """A command that cannot be started ends the container with StartError, and is retried as a crash is."""

    async def law() -> None:
        async with running(real=True) as lab:
            await lab.make(POD, pod("wrong", container={"command": ["/no/such/program"]}))
            found = await lab.pod("wrong", waits("CrashLoopBackOff"))

            assert found["status"]["containerStatuses"][0]["lastState"]["terminated"]["reason"] == "StartError"

    asyncio.run(law())


def test_a_pod_that_gets_no_network_is_tried_again() -> None:
    """A node without a free address says so in an Event, and the Pod runs once there is one."""

    async def law() -> None:
        async with running() as lab:
            lab.world.nodes[1].full = 1
            await lab.make(POD, pod("late", node="node-2"))
            seen = await events(lab, "late", "FailedCreatePodSandBox")
            await lab.pod("late", is_ready)

            assert seen["FailedCreatePodSandBox"]["message"] == "Failed to create pod sandbox: no address is free."

    asyncio.run(law())


STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
POLITE = "import time; print('up', flush=True); time.sleep(60)"


def node_of(lab: Lab, name: str) -> FakeNode:
    """Return the node that runs a Pod of namespace default."""
    return next(node for node in lab.world.nodes if f"default/{name}" in node.attached)


@pytest.mark.parametrize(
    ("text", "grace", "signals", "least"),
    [
        (POLITE, 30, [signal.SIGTERM], 0.0),
        (STUBBORN, 1, [signal.SIGTERM, signal.SIGKILL], 1.0),
        (STUBBORN, 0, [signal.SIGKILL], 0.0),
    ],
)
def test_deletion_gives_grace(text: str, grace: int, signals: list[int], least: float) -> None:
    """A deleted Pod gets SIGTERM, after its grace SIGKILL (at once with grace 0); then it and its link are gone."""

    async def law() -> None:
        async with running(real=True) as lab:
            await lab.make(POD, pod("web", container=script(text), terminationGracePeriodSeconds=grace))
            await output(lab, "web")
            process = node_of(lab, "web").started["python3", "-c", text]
            asked = time.monotonic()
            await lab.client.delete(POD, Key("default", "web"), grace=grace)
            await lab.until(POD, lambda cache: cache.get(Key("default", "web")) is None)
            await lab.cluster.ready()
            took = time.monotonic() - asked

            assert process.signals == signals
            assert least <= took < 10
            assert "default/web" in node_of(lab, "web").detached

    asyncio.run(law())
