"""The objects of a run: PodSecurity restricted, ours by label, and nothing more than was asked."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from l2probe.lab.api import podsecurity
from l2probe.model import Dialect, NodeName, TrafficPolicy
from l2probe.workload import manifests
from l2probe.workload.dialects import SERVERS
from l2probe.workload.manifests import Toleration, Workload

WORK = Workload(
    run="0badcafe",
    secret="00" * 32,
    expires="2026-01-01T00:00:00+00:00",
    process="place.1.2",
    image="registry.example/python:3.13",
    node_selector=(("disk", "ssd"),),
    tolerations=(Toleration(key="a", value="b", effect="NoSchedule"), Toleration(key="c")),
)


def plain(manifest: manifests.Manifest) -> Any:  # noqa: ANN401 - JSON
    """Return the manifest as JSON would carry it."""
    return json.loads(json.dumps(manifest))


def all_objects() -> list[Any]:
    """Return one of each kind."""
    return [
        plain(manifest)
        for manifest in (
            manifests.namespace(WORK),
            manifests.service_account(WORK),
            manifests.config_map(WORK),
            manifests.secret(WORK),
            manifests.pod(WORK, "echo-1", "node-1"),
            manifests.service(WORK, "smoke-source", TrafficPolicy.CLUSTER, None),
        )
    ]


@pytest.mark.parametrize("manifest", all_objects(), ids=lambda manifest: str(manifest["kind"]))
def test_every_object_says_whose_it_is(manifest: dict[str, Any]) -> None:
    """Cleanup owns by label: everything carries who made it and which run."""
    labels = manifest["metadata"]["labels"]

    assert labels["app.kubernetes.io/managed-by"] == "l2probe"
    assert labels["l2probe/run"] == "0badcafe"


@pytest.mark.parametrize("manifest", all_objects()[1:], ids=lambda manifest: str(manifest["kind"]))
def test_everything_lives_in_the_namespace_of_the_run(manifest: dict[str, Any]) -> None:
    """Deleting one namespace removes all."""
    assert manifest["metadata"]["namespace"] == "l2probe-0badcafe"


def test_namespace_enforces_restricted_and_expires() -> None:
    """The namespace itself forbids what our Pod must not do, and says when it is abandoned."""
    metadata = plain(manifests.namespace(WORK))["metadata"]

    assert metadata["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert metadata["annotations"] == {"l2probe/expires": WORK.expires, "l2probe/process": "place.1.2"}
    assert "namespace" not in metadata


def test_pod_meets_pod_security_restricted() -> None:
    """Every field that the restricted standard demands is there."""
    spec = plain(manifests.pod(WORK, "echo-1", "node-1"))["spec"]
    (container,) = spec["containers"]
    security = container["securityContext"]

    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] == 65532
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert security["readOnlyRootFilesystem"] is True
    assert spec["automountServiceAccountToken"] is False
    assert all(set(volume) <= {"name", "configMap"} for volume in spec["volumes"])
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    assert all("hostPort" not in port for port in container["ports"])


@pytest.mark.parametrize("dialect", Dialect)
def test_every_dialect_s_pod_passes_the_admission_of_restricted(dialect: Dialect) -> None:
    """The rules of PodSecurity admission (as the lab's API server applies them) find nothing to refuse."""
    spec = plain(manifests.pod(replace(WORK, dialect=dialect, mark="ab12"), "echo-1", "node-1"))["spec"]

    assert podsecurity.verdict_of({"spec": spec}, "restricted") == ""


@pytest.mark.parametrize("dialect", [Dialect.AGNHOST, Dialect.WHOAMI])
def test_an_image_gets_no_secret_and_a_hostname_that_shows_whose_it_is(dialect: Dialect) -> None:
    """Its own entry point with arguments; nothing of ours is mounted, for it would hold it for everybody."""
    work = replace(WORK, dialect=dialect, mark="ab12", image="")
    spec = plain(manifests.pod(work, "echo-1", "node-1"))["spec"]
    (container,) = spec["containers"]

    assert spec["hostname"] == "echo-1-ab12"
    assert not {"command", "env", "volumeMounts"} & container.keys()
    assert "volumes" not in spec
    assert container["args"] == list(SERVERS[dialect].args)
    assert container["image"] == SERVERS[dialect].image
    assert container["readinessProbe"]["httpGet"]["path"] not in {"/healthz", "/readyz"}  # 412 until UDP is served
    mirrored = plain(manifests.pod(replace(work, image="mirror/x:1"), "a", None))["spec"]
    assert mirrored["containers"][0]["image"] == "mirror/x:1"


def test_a_service_has_the_ports_that_the_image_speaks() -> None:
    """Whoami knows no UDP: a UDP port would lead nowhere."""
    work = replace(WORK, dialect=Dialect.WHOAMI)
    spec = plain(manifests.service(work, "smoke-source", TrafficPolicy.CLUSTER, None, ("198.51.100.100/32",)))["spec"]

    assert [port["protocol"] for port in spec["ports"]] == ["TCP"]
    assert spec["loadBalancerSourceRanges"] == ["198.51.100.100/32"]


def test_pod_is_gone_soon_and_ready_soon() -> None:
    """A second of grace, a probe a second, and limits."""
    spec = plain(manifests.pod(WORK, "echo-1", "node-1"))["spec"]
    (container,) = spec["containers"]

    assert spec["terminationGracePeriodSeconds"] == 1
    assert container["readinessProbe"]["periodSeconds"] == 1
    assert container["readinessProbe"]["httpGet"] == {"path": "/healthz", "port": 8080}
    assert container["resources"]["limits"].keys() == {"cpu", "memory"}


def test_pod_stands_where_it_was_told() -> None:
    """A node's hostname label pins it, beside the user's selector and tolerations."""
    spec = plain(manifests.pod(WORK, "echo-1", "node-1"))["spec"]

    assert spec["nodeSelector"] == {"disk": "ssd", "kubernetes.io/hostname": "node-1"}
    assert spec["tolerations"] == [
        {"key": "a", "operator": "Equal", "value": "b", "effect": "NoSchedule"},
        {"key": "c", "operator": "Exists"},
    ]
    assert "affinity" not in spec


def test_pod_without_a_node_keeps_away_from_its_siblings() -> None:
    """Where nodes cannot be listed, the scheduler spreads the Pods."""
    spec = plain(manifests.pod(WORK, "echo-1", None))["spec"]
    (term,) = spec["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]

    assert term["topologyKey"] == "kubernetes.io/hostname"
    assert term["labelSelector"]["matchLabels"] == {"l2probe/run": "0badcafe"}
    assert spec["nodeSelector"] == {"disk": "ssd"}


@pytest.mark.parametrize(
    ("families", "expected"),
    [
        (None, {"ipFamilyPolicy": "PreferDualStack"}),
        ((4, 6), {"ipFamilyPolicy": "PreferDualStack"}),
        ((6,), {"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv6"]}),
    ],
)
def test_service_asks_for_the_families(families: tuple[int, ...] | None, expected: dict[str, object]) -> None:
    """One family is asked for alone; otherwise whatever the cluster has."""
    spec = plain(manifests.service(WORK, "s", TrafficPolicy.LOCAL, families))["spec"]

    assert expected.items() <= spec.items()


def test_service_has_one_port_for_each_transport() -> None:
    """TCP 80 and UDP 80 lead to 8080, with the policy asked for and all Pods behind it."""
    spec = plain(manifests.service(WORK, "s", TrafficPolicy.LOCAL, None, ("192.0.2.0/24",)))["spec"]

    assert [(port["protocol"], port["port"], port["targetPort"]) for port in spec["ports"]] == [
        ("TCP", 80, 8080),
        ("UDP", 80, 8080),
    ]
    assert spec["externalTrafficPolicy"] == "Local"
    assert spec["selector"] == {"l2probe/run": "0badcafe"}
    assert spec["loadBalancerSourceRanges"] == ["192.0.2.0/24"]


def test_selector_for_one_pod_matches_that_pod_alone() -> None:
    """Switching the selector is how a backend moves without restarting anything."""
    labels = plain(manifests.pod(WORK, "echo-2", "node-2"))["metadata"]["labels"]
    mine, other = manifests.pod_selector(WORK, "echo-2"), manifests.pod_selector(WORK, "echo-1")

    assert mine.items() <= labels.items()
    assert not other.items() <= labels.items()


def test_config_map_holds_the_echo_server_as_it_is() -> None:
    """What was tested is what runs in the Pod."""
    source = plain(manifests.config_map(WORK))["data"]["echo.py"]

    compile(source, "echo.py", "exec")
    assert "def serve_udp" in source


def test_hostname_label_wins_over_the_name() -> None:
    """A node's hostname may differ from its name (cloud providers)."""
    assert manifests.hostname_of(NodeName("a"), (("kubernetes.io/hostname", "b"),)) == "b"
    assert manifests.hostname_of(NodeName("a"), ()) == "a"
