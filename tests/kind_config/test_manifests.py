"""The YAML of the recipes: it parses, says what the recipe means, and uses only fields that kind and the CRDs have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kind_config.stage import NAMES, RECIPES

FILES = sorted(RECIPES.rglob("*.yaml"))
KIND_FIELDS = {"kind", "apiVersion", "name", "nodes", "networking", "featureGates", "runtimeConfig"}
"""Fields of Cluster in kind's pkg/apis/config/v1alpha4/types.go (those that a recipe may need)."""
KIND_NETWORKING = {
    "ipFamily", "apiServerPort", "apiServerAddress", "podSubnet", "serviceSubnet", "disableDefaultCNI", "kubeProxyMode",
}  # fmt: skip
KIND_NODE = {"role", "image", "labels", "extraMounts", "extraPortMappings"}


def documents(name: str) -> list[dict[str, Any]]:
    """Return the YAML documents of a recipe's file."""
    return [entry for entry in yaml.safe_load_all((RECIPES / name).read_text()) if entry]


def document(name: str) -> dict[str, Any]:
    """Return the only YAML document of a recipe's file."""
    (only,) = documents(name)
    return only


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(RECIPES)))
def test_it_is_yaml_as_it_stands(path: Path) -> None:
    """Templates too are valid YAML before they are filled in, so that any tool can read them."""
    assert list(yaml.safe_load_all(path.read_text()))


@pytest.mark.parametrize("name", NAMES)
def test_the_cluster_file_has_only_fields_that_kind_knows(name: str) -> None:
    """An unknown field is refused by kind; this says so without it."""
    cluster = document(f"{name}/cluster.yaml")
    assert (cluster["kind"], cluster["apiVersion"]) == ("Cluster", "kind.x-k8s.io/v1alpha4")
    assert set(cluster) <= KIND_FIELDS
    assert set(cluster["networking"]) <= KIND_NETWORKING
    assert all(set(node) <= KIND_NODE for node in cluster["nodes"])


@pytest.mark.parametrize("name", NAMES)
def test_there_is_a_worker_beside_the_announcer(name: str) -> None:
    """The source address proof needs a backend off the announcer, and the control plane takes no Pods."""
    roles = [node["role"] for node in document(f"{name}/cluster.yaml")["nodes"]]
    assert roles == ["control-plane", "worker", "worker"]


def test_cilium_replaces_cni_and_kube_proxy() -> None:
    """With kind's own CNI or kube-proxy beside it, Cilium would not be what is tested."""
    networking = document("cilium/cluster.yaml")["networking"]
    assert networking["disableDefaultCNI"] is True
    assert networking["kubeProxyMode"] == "none", (
        "a quoted string: YAML reads the bare word none as a string too, kind wants it"
    )
    values = document("cilium/values.yaml")
    assert values["kubeProxyReplacement"] is True
    assert values["l2announcements"] == {"enabled": True}
    assert values["ipv4NativeRoutingCIDR"] == networking["podSubnet"]


@pytest.mark.parametrize(
    ("datapath", "expected"),
    [
        ("snat", {"mode": "snat"}),
        ("dsr", {"mode": "dsr", "dsrDispatch": "opt"}),
        ("hybrid", {"mode": "hybrid", "dsrDispatch": "opt"}),
    ],
)
def test_the_datapaths_differ_in_the_load_balancer_alone(datapath: str, expected: dict[str, str]) -> None:
    """A difference between two modes must come from the mode; and DSR by IP option needs native routing."""
    assert document(f"cilium/values-{datapath}.yaml") == {"loadBalancer": expected}
    values = document("cilium/values.yaml")
    assert "loadBalancer" not in values
    assert (values["routingMode"], values["autoDirectNodeRoutes"]) == ("native", True)


def test_a_changed_datapath_reaches_the_agents() -> None:
    """Agents read their configuration when they start."""
    values = document("cilium/values.yaml")
    assert values["rollOutCiliumPods"] is True
    assert values["operator"]["rollOutPods"] is True


def test_the_cilium_policy_announces_from_workers_only() -> None:
    """CiliumL2AnnouncementPolicy is v2alpha1 up to 1.20; without loadBalancerIPs it would do nothing."""
    policy = document("cilium/policy.yaml")
    assert (policy["apiVersion"], policy["kind"]) == ("cilium.io/v2alpha1", "CiliumL2AnnouncementPolicy")
    assert policy["spec"] == {
        "loadBalancerIPs": True,
        "externalIPs": False,
        "interfaces": ["^eth0$"],
        "nodeSelector": {
            "matchExpressions": [{"key": "node-role.kubernetes.io/control-plane", "operator": "DoesNotExist"}]
        },
    }


def test_the_cilium_pool_uses_blocks() -> None:
    """spec.cidrs left with Cilium 1.16; a block has start and stop."""
    pool = document("cilium/pool.yaml")
    assert pool["kind"] == "CiliumLoadBalancerIPPool"
    assert pool["spec"] == {"blocks": [{"start": "@FIRST@", "stop": "@LAST@"}]}


def test_metallb_is_layer_2_alone() -> None:
    """No BGP daemon, and the advertisement names the recipe's pool."""
    values = document("metallb/values.yaml")
    assert values["frrk8s"]["enabled"] is False
    assert values["speaker"]["frr"]["enabled"] is False
    pool, advertisement = document("metallb/pool.yaml"), document("metallb/policy.yaml")
    assert (pool["apiVersion"], pool["kind"]) == ("metallb.io/v1beta1", "IPAddressPool")
    assert (advertisement["apiVersion"], advertisement["kind"]) == ("metallb.io/v1beta1", "L2Advertisement")
    assert advertisement["spec"]["ipAddressPools"] == [pool["metadata"]["name"]]
    assert pool["metadata"]["namespace"] == advertisement["metadata"]["namespace"] == "metallb-system"


def test_kube_vip_announces_services_by_arp_with_an_election_each() -> None:
    """With one lease for all Services, policy Local would not be followed."""
    pod = document("kube-vip/daemonset.yaml")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    settings = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert (
        settings.items()
        >= {"vip_arp": "true", "svc_enable": "true", "svc_election": "true", "vip_interface": "eth0"}.items()
    )
    assert "cp_enable" not in settings
    assert pod["hostNetwork"] is True
    assert set(container["securityContext"]["capabilities"]["add"]) == {"NET_ADMIN", "NET_RAW"}


def test_kube_vip_may_read_endpoint_slices_and_hold_leases() -> None:
    """Without EndpointSlices kube-vip 1.2 announces nothing; a per-Service lease is in the Service's namespace."""
    role = next(entry for entry in documents("kube-vip/rbac.yaml") if entry["kind"] == "ClusterRole")
    allowed = {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert {("discovery.k8s.io", "endpointslices", verb) for verb in ("get", "list", "watch")} <= allowed
    assert {("coordination.k8s.io", "leases", verb) for verb in ("get", "create", "update")} <= allowed
    assert {("", "services", verb) for verb in ("list", "watch", "update")} <= allowed
    assert ("", "services/status", "update") in allowed


def test_every_role_is_bound_to_an_account_that_a_pod_uses() -> None:
    """A role that nobody holds is a recipe that does not work."""
    everything = [
        entry for path in (RECIPES / "kube-vip").glob("*.yaml") for entry in documents(f"kube-vip/{path.name}")
    ]
    kinds: dict[str, list[dict[str, Any]]] = {}
    for entry in everything:
        kinds.setdefault(entry["kind"], []).append(entry)
    roles = {role["metadata"]["name"] for role in kinds["ClusterRole"]}
    accounts = {account["metadata"]["name"] for account in kinds["ServiceAccount"]}
    bindings = kinds["ClusterRoleBinding"]
    assert {binding["roleRef"]["name"] for binding in bindings} == roles
    assert {subject["name"] for binding in bindings for subject in binding["subjects"]} == accounts
    workloads = [*kinds["DaemonSet"], *kinds["Deployment"]]
    assert {workload["spec"]["template"]["spec"]["serviceAccountName"] for workload in workloads} == accounts


def test_selectors_select_their_own_pods() -> None:
    """The API server refuses a workload whose selector does not match its template."""
    for path in (RECIPES / "kube-vip").glob("*.yaml"):
        for entry in documents(f"kube-vip/{path.name}"):
            if entry["kind"] in {"DaemonSet", "Deployment"}:
                labels = entry["spec"]["template"]["metadata"]["labels"]
                assert entry["spec"]["selector"]["matchLabels"].items() <= labels.items()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(RECIPES)))
def test_images_are_pinned_and_named_as_usual(path: Path) -> None:
    """An image has a version, never latest, and comes from where its project publishes it."""
    for entry in yaml.safe_load_all(path.read_text()):
        template = entry.get("spec", {}).get("template", {}) if entry else {}
        for container in template.get("spec", {}).get("containers", []):
            repository, _, tag = container["image"].partition(":")
            assert repository.startswith("ghcr.io/kube-vip/")
            assert tag.startswith("v")
