"""Real kubectl programs, every version from 1.28 that is found: what a person does with a cluster.

Found as `kubectl` and `kubectl.1.*` on PATH, and as the files that L2PROBE_KUBECTL lists.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab.api.client import CORE, CRDS, DEFAULT, LEASES, Json, Server, config_map, custom_kind, pod, service

OLDEST = (1, 28)


def version_of(program: Path) -> tuple[int, int] | None:
    """Return (major, minor) of a kubectl, None when it is none."""
    try:
        done = subprocess.run(
            (program, "version", "--client", "-o", "json"), capture_output=True, timeout=20, check=False
        )
        found = re.match(r"v(\d+)\.(\d+)\.", json.loads(done.stdout)["clientVersion"]["gitVersion"])
    except (OSError, ValueError, KeyError, subprocess.TimeoutExpired):
        return None
    return (int(found[1]), int(found[2])) if found else None


def candidates() -> Iterator[Path]:
    """Yield every file that may be a kubectl."""
    for folder in filter(None, os.environ.get("PATH", "").split(os.pathsep)):
        yield from (Path(folder) / name for name in ("kubectl",))
        yield from sorted(Path(folder).glob("kubectl.1.*"))
    yield from (Path(name) for name in os.environ.get("L2PROBE_KUBECTL", "").split(os.pathsep) if name)


def programs() -> dict[str, Path]:
    """Return one usable kubectl of each version."""
    found: dict[str, Path] = {}
    for path in dict.fromkeys(path.resolve() for path in candidates() if path.is_file()):
        version = version_of(path)
        if version and version >= OLDEST:
            found.setdefault(f"{version[0]}.{version[1]}", path)
    return found


PROGRAMS = programs()
NONE = pytest.param(None, marks=pytest.mark.skip(reason="no kubectl 1.28 or newer on PATH or in L2PROBE_KUBECTL"))
pytestmark = [
    pytest.mark.kubectl,
    pytest.mark.parametrize("program", [pytest.param(path, id=name) for name, path in PROGRAMS.items()] or [NONE]),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubectl:
    """A kubectl for one server, at home in a directory of its own."""

    program: Path
    server: Server

    @property
    def environment(self) -> dict[str, str]:
        """No cache, no home and no proxy of the person who runs the tests."""
        home = str(self.server.home)
        kept = {"PATH": os.environ.get("PATH", ""), "HOME": home, "KUBECACHEDIR": f"{home}/cache"}
        return {**kept, "KUBECONFIG": str(self.server.kubeconfig)}

    def run(self, *args: str, stdin: object = None, code: int = 0) -> str:
        """Run to the end; return stdout and stderr together. The test fails on another exit code."""
        text = stdin if isinstance(stdin, str) else None if stdin is None else json.dumps(stdin)
        done = subprocess.run(
            (self.program, *args),
            input=text or "",
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env=self.environment,
        )
        assert done.returncode == code, (args, done.returncode, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def start(self, *args: str) -> subprocess.Popen[str]:
        """Start in the background."""
        return subprocess.Popen((self.program, *args), stdout=subprocess.PIPE, text=True, env=self.environment)


@pytest.fixture
def kubectl(program: Path, server: Server) -> Kubectl:
    """Return a kubectl."""
    return Kubectl(program=program, server=server)


def listed(*objects: dict[str, Any]) -> str:
    """Return several manifests in one text."""
    return "\n".join(json.dumps(each) for each in objects)


def soon(act: Callable[[], object], when: Callable[[], bool]) -> threading.Thread:
    """Do something as soon as a condition holds."""

    def run() -> None:
        while not when():
            time.sleep(0.02)
        act()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_what_one_looks_at(kubectl: Kubectl, server: Server) -> None:
    """Get prints the usual columns, wide ones, several kinds, names, paths; describe finds events and endpoints."""
    server.make(
        f"{CORE}/nodes",
        {"metadata": {"name": "node-1"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}},
    )
    web = server.make(f"{DEFAULT}/services", service("web"))
    server.make(f"{DEFAULT}/pods", pod("web-1"))
    status = {
        "phase": "Running",
        "podIPs": [{"ip": "10.244.1.2"}],
        "containerStatuses": [
            {"name": "echo", "ready": True, "restartCount": 0, "state": {"running": {}}, "image": "x", "imageID": "y"}
        ],
    }
    server.patch(f"{DEFAULT}/pods/web-1/status", {"status": status})
    server.make(LEASES, {"metadata": {"name": "leader"}, "spec": {"holderIdentity": "node-1"}})
    event = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Service", "name": "web", "namespace": "default", "uid": web["metadata"]["uid"]},
        "reason": "Assigned",
        "message": "gave 198.51.100.40",
        "type": "Normal",
    }
    server.make(f"{DEFAULT}/events", event)
    everything = kubectl.run("get", "pods,svc,leases,nodes,events")
    wide = kubectl.run("get", "pods", "-o", "wide")
    described = kubectl.run("describe", "service", "web")

    assert re.search(r"service/web +LoadBalancer +10\.96\.\d+\.\d+ +<pending> +80:3\d{4}/TCP +\d+s", everything)
    assert re.search(r"pod/web-1 +1/1 +Running +0 +\d+s", everything)
    assert re.search(r"lease\S*/leader +node-1 +\d+s", everything)
    assert re.search(r"node/node-1 +Ready +<none>", everything)
    assert re.search(r"web-1 +1/1 +Running +0 +\d+s +10\.244\.1\.2 +node-1 +<none> +<none>", wide)
    assert "gave 198.51.100.40" in described
    assert "External Traffic Policy:  Cluster" in described
    assert kubectl.run("get", "svc", "web", "-o", "jsonpath={.spec.ports[0].port}") == "80"
    assert "service/web" in kubectl.run("get", "all", "-A", "-o", "name")
    assert "No resources found" in kubectl.run("get", "pods", "-n", "kube-system")
    assert "Node:" in kubectl.run("describe", "pod", "web-1")
    assert "web-1" in kubectl.run("describe", "node", "node-1")


def test_applying(kubectl: Kubectl, server: Server) -> None:
    """Apply creates, sees no change, changes, and shows a difference; strict validation names what is unknown."""
    manifest = listed(config_map("conf", a="1"), service("web"), pod("web-1"))
    assert kubectl.run("apply", "-f", "-", stdin=manifest).count(" created") == 3
    assert kubectl.run("apply", "-f", "-", stdin=manifest).count(" unchanged") == 3
    assert kubectl.run("diff", "-f", "-", stdin=manifest) == ""
    ports = [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "dns", "port": 53, "protocol": "UDP"}]
    changed = listed(config_map("conf", b="2"), service("web", ports=ports, selector={"app": "db"}))
    assert '+  b: "2"' in kubectl.run("diff", "-f", "-", stdin=changed, code=1)
    assert kubectl.run("apply", "-f", "-", stdin=changed).count(" configured") == 2
    spec = server.get(f"{DEFAULT}/services/web").body["spec"]
    strange = {**service("web"), "spec": {**service("web")["spec"], "colour": "red"}}

    assert server.get(f"{DEFAULT}/configmaps/conf").body["data"] == {"b": "2"}
    assert (spec["selector"], [port["name"] for port in spec["ports"]]) == ({"app": "db"}, ["http", "dns"])
    assert 'unknown field "spec.colour"' in kubectl.run("apply", "-f", "-", stdin=strange, code=1)
    assert "service/web configured (server dry run)" in kubectl.run(
        "apply", "--dry-run=server", "-f", "-", stdin=service("web")
    )


def test_a_list_comes_back_as_it_went(kubectl: Kubectl, server: Server) -> None:
    """What `get -o json` printed of several objects can be applied again; in a list too, unknown fields are found."""
    server.make(f"{DEFAULT}/services", service("web"))
    server.make(f"{DEFAULT}/configmaps", config_map("conf", k="v"))
    printed = json.loads(kubectl.run("get", "svc/web", "cm/conf", "-o", "json"))

    assert kubectl.run("apply", "-f", "-", stdin=printed).count(" configured") == 2
    printed["items"][0]["spec"]["colour"] = "red"
    assert "colour" in kubectl.run("apply", "-f", "-", stdin=printed, code=1)


def test_applying_on_the_server(kubectl: Kubectl, server: Server) -> None:
    """Server-side apply creates, conflicts, takes over by force, and inherits from a client-side apply."""
    assert "serverside-applied" in kubectl.run("apply", "--server-side", "-f", "-", stdin=config_map("a", k="v"))
    kubectl.run("apply", "-f", "-", stdin=config_map("b", k="v"))
    other = ("apply", "--server-side", "--field-manager=other", "-f", "-")
    refused = kubectl.run(*other, stdin=config_map("a", k="w"), code=1)
    kubectl.run(*other, "--force-conflicts", stdin=config_map("a", k="w"))
    kubectl.run("apply", "--server-side", "-f", "-", stdin=config_map("b", k="x"))

    assert 'conflict with "kubectl": .data.k' in refused
    assert server.get(f"{DEFAULT}/configmaps/a").body["data"] == {"k": "w"}
    assert server.get(f"{DEFAULT}/configmaps/b").body["data"] == {"k": "x"}


def test_custom_kinds(kubectl: Kubectl, server: Server) -> None:
    """A definition is applied, awaited, used by its short name, explained, and deleted with its objects."""
    columns = [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}]
    one = {"apiVersion": "lab.test/v1", "kind": "Widget", "metadata": {"name": "one"}, "spec": {"size": 3}}
    kubectl.run("apply", "-f", "-", stdin=custom_kind(additionalPrinterColumns=columns))
    kubectl.run("wait", "--for=condition=Established", "crd/widgets.lab.test", "--timeout=10s")
    kubectl.run("apply", "-f", "-", stdin=one)
    assert "configured" in kubectl.run("apply", "-f", "-", stdin={**one, "spec": {"size": 4}})

    assert re.search(r"NAME +SIZE\none +4", kubectl.run("get", "wd"))
    assert "size" in kubectl.run("explain", "widgets.spec")
    assert "spec.size in body should be greater than or equal to 1" in kubectl.run(
        "apply", "-f", "-", stdin={**one, "spec": {"size": 0}}, code=1
    )
    kubectl.run("patch", "wd", "one", "--type=merge", "--subresource=status", "-p", '{"status":{"ok":true}}')
    assert re.search(r"Ok: +true", kubectl.run("describe", "widget", "one"))
    kubectl.run("delete", "crd", "widgets.lab.test", "--timeout=20s")
    assert server.get(f"{CRDS}/widgets.lab.test").code == 404


def test_waiting(kubectl: Kubectl, server: Server) -> None:
    """Wait ends when the condition, the value or the deletion is there."""
    server.make(f"{DEFAULT}/pods", pod("a"))
    address = "--for=jsonpath={.status.loadBalancer.ingress[0].ip}=198.51.100.40"
    server.make(f"{DEFAULT}/services", service("web"))
    waiting = [
        kubectl.start("wait", "pod/a", "--for=condition=Ready", "--timeout=20s"),
        kubectl.start("wait", "svc/web", address, "--timeout=20s"),
    ]
    server.patch(f"{DEFAULT}/pods/a/status", {"status": {"conditions": [{"type": "Ready", "status": "True"}]}})
    server.patch(f"{DEFAULT}/services/web/status", {"status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.40"}]}}})
    assert ["condition met" in (each.communicate(timeout=30)[0]) for each in waiting] == [True, True]
    last = kubectl.start("wait", "pod/a", "--for=delete", "--timeout=20s")
    server.ask("DELETE", f"{DEFAULT}/pods/a", {"gracePeriodSeconds": 0})
    last.communicate(timeout=30)
    assert last.returncode == 0
    assert "timed out waiting" in kubectl.run("wait", "svc/web", "--for=condition=Never", "--timeout=1s", code=1)


def test_following(kubectl: Kubectl, server: Server) -> None:
    """Get -w prints what changes, as a table."""
    watching = kubectl.start("get", "configmaps", "-w", "--field-selector=metadata.name!=kube-root-ca.crt")
    assert watching.stdout is not None
    server.make(f"{DEFAULT}/configmaps", config_map("a"))
    lines = [watching.stdout.readline() for _ in range(2)]
    server.patch(f"{DEFAULT}/configmaps/a", {"data": {"k": "v"}})
    lines.append(watching.stdout.readline())
    watching.terminate()
    watching.communicate(timeout=10)

    assert [line.split()[:2] for line in lines] == [["NAME", "DATA"], ["a", "0"], ["a", "1"]]


def test_changing(kubectl: Kubectl, server: Server) -> None:
    """Label, annotate, all kinds of patch, scale of nothing, cordon, taint, drain, set selector."""
    server.make(f"{CORE}/nodes", {"metadata": {"name": "node-1"}})
    server.make(f"{DEFAULT}/services", service("web"))
    kubectl.run("label", "svc", "web", "tier=front")
    kubectl.run("annotate", "svc", "web", "note=hello")
    kubectl.run("patch", "svc", "web", "-p", '{"spec":{"selector":{"x":"y"}}}')
    kubectl.run("patch", "svc", "web", "--type=merge", "-p", '{"spec":{"selector":{"app":null}}}')
    kubectl.run("patch", "svc", "web", "--type=json", "-p", '[{"op":"add","path":"/spec/selector/z","value":"1"}]')
    kubectl.run("cordon", "node-1")
    kubectl.run("taint", "node", "node-1", "a=b:NoSchedule")
    kubectl.run("set", "selector", "svc", "web", "q=r")
    web, node = server.get(f"{DEFAULT}/services/web").body, server.get(f"{CORE}/nodes/node-1").body

    assert (web["metadata"]["labels"], web["metadata"]["annotations"]) == ({"tier": "front"}, {"note": "hello"})
    assert web["spec"]["selector"] == {"q": "r"}
    assert node["spec"] == {"unschedulable": True, "taints": [{"effect": "NoSchedule", "key": "a", "value": "b"}]}
    assert "node/node-1 drained" in kubectl.run("drain", "node-1", "--ignore-daemonsets", "--force")


def test_creating_and_deleting(kubectl: Kubectl, server: Server) -> None:
    """The create commands (protobuf from 1.32 on), run, expose, delete by selector, and a namespace to its end."""
    kubectl.run("create", "namespace", "shop")
    kubectl.run("-n", "shop", "create", "configmap", "conf", "--from-literal=a=b")
    kubectl.run("-n", "shop", "create", "secret", "generic", "key", "--from-literal=a=b")
    kubectl.run("-n", "shop", "create", "serviceaccount", "robot")
    kubectl.run("-n", "shop", "create", "service", "loadbalancer", "web", "--tcp=80:8080")
    kubectl.run("-n", "shop", "create", "role", "reader", "--verb=get", "--resource=pods")
    kubectl.run("-n", "shop", "run", "one", "--image=busybox", "--labels=app=one")
    kubectl.run("-n", "shop", "expose", "pod", "one", "--port=80", "--name=exposed")
    spec = server.get(f"{CORE}/namespaces/shop/services/web").body["spec"]
    secret = server.get(f"{CORE}/namespaces/shop/secrets/key").body["data"]

    assert (spec["ports"][0]["targetPort"], spec["type"], spec["selector"], secret) == (
        8080,
        "LoadBalancer",
        {"app": "web"},
        {"a": "Yg=="},
    )
    assert "deleted" in kubectl.run("-n", "shop", "delete", "pods", "-l", "app=one")
    assert "already exists" in kubectl.run("create", "namespace", "shop", code=1)
    kubectl.run("delete", "namespace", "shop", "--timeout=20s")
    assert "NotFound" in kubectl.run("get", "namespace", "shop", code=1)


def test_a_pod_is_ended_by_its_kubelet(kubectl: Kubectl, server: Server) -> None:
    """Delete waits until the kubelet has removed the Pod."""
    server.make(f"{DEFAULT}/pods", pod("a"))
    path = f"{DEFAULT}/pods/a"
    kubelet = soon(
        lambda: server.ask("DELETE", path, {"gracePeriodSeconds": 0}),
        lambda: "deletionTimestamp" in server.get(path).body["metadata"],
    )
    assert "deleted" in kubectl.run("delete", "pod", "a", "--timeout=20s")
    kubelet.join(10)
    assert server.get(path).code == 404


def test_asking(kubectl: Kubectl, server: Server) -> None:
    """Version, resources, explain, rights, identity, logs, raw paths, pages."""
    for number in range(5):
        server.make(f"{DEFAULT}/configmaps", config_map(f"m{number}"))
    server.make(f"{DEFAULT}/pods", pod("a"))
    server.api.restrict(("delete", "", "nodes"), allowed=False)

    async def source(_query: object) -> Json:
        yield b"hello\n"

    server.api.serve_logs(source)
    assert "v1.34.4" in kubectl.run("version")
    assert re.search(r"services +svc +v1 +true +Service", kubectl.run("api-resources"))
    assert "externalTrafficPolicy describes how nodes distribute" in kubectl.run(
        "explain", "svc.spec.externalTrafficPolicy"
    )
    assert kubectl.run("auth", "can-i", "create", "pods") == "yes\n"
    assert kubectl.run("auth", "can-i", "delete", "nodes", code=1).startswith("no")
    assert "kubernetes-admin" in kubectl.run("auth", "whoami")
    assert "selfsubjectaccessreviews" in kubectl.run("auth", "can-i", "--list")
    assert kubectl.run("logs", "a") == "hello\n"
    assert kubectl.run("get", "--raw", "/readyz") == "ok"
    assert kubectl.run("get", "configmaps", "--chunk-size=2", "-o", "name").count("configmap/m") == 5
    assert "is running at" in kubectl.run("cluster-info")


def test_refusals_are_readable(kubectl: Kubectl, server: Server) -> None:
    """What a person reads when something is refused."""
    server.api.restrict(("list", "", "nodes"), allowed=False)
    server.make(
        f"{CORE}/namespaces",
        {"metadata": {"name": "tight", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}},
    )

    assert 'cannot list resource "nodes" in API group "" at the cluster scope' in kubectl.run("get", "nodes", code=1)
    assert 'violates PodSecurity "restricted:latest"' in kubectl.run(
        "-n", "tight", "apply", "-f", "-", stdin=pod(), code=1
    )
    assert "doesn't have a resource type" in kubectl.run("get", "widgets", code=1)
    assert 'namespaces "none" not found' in kubectl.run("-n", "none", "apply", "-f", "-", stdin=config_map("a"), code=1)
    assert 'Unsupported value: "Sometimes"' in kubectl.run(
        "apply", "-f", "-", stdin=service(externalTrafficPolicy="Sometimes"), code=1
    )
