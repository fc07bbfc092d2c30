"""Every up.sh and down.sh from beginning to end, with stand-ins for docker, kind, helm and kubectl."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kind_config.stage import NAMES, RECIPES, Performance, Stage

NODE = "kindest/node:v1.36.1@sha256:3489c7674813ba5d8b1a9977baea8a6e553784dab7b84759d1014dbd78f7ebd5"


@pytest.fixture
def cilium(tmp_path: Path) -> Stage:
    """Return a machine on which nothing was brought up yet."""
    return Stage(tmp_path, "l2probe-cilium")


def stage(tmp_path: Path, recipe: str, *, answers: dict[str, str | int] | None = None) -> Stage:
    """Return a machine on which this recipe was not brought up yet."""
    return Stage(tmp_path, f"l2probe-{recipe}", answers=answers or {})


def steps(performance: Performance) -> list[str]:
    """Return the calls shortened to what they do."""
    shortened = []
    for call in performance.calls:
        words = [word for word in call.argv if word not in {"--context", f"kind-{'l2probe-cilium'}"}]
        shortened.append(" ".join(words[:3] if words[0] in {"kubectl", "kind", "docker"} else words[:4]))
    return shortened


def kinds(performance: Performance) -> list[str]:
    """Return the kinds of everything applied, in order."""
    return [entry["kind"] for text in performance.applied() for entry in yaml.safe_load_all(text)]


def pool(performance: Performance) -> dict[str, Any]:
    """Return the manifest that gives the addresses out."""
    wanted = {"CiliumLoadBalancerIPPool", "IPAddressPool", "ConfigMap"}
    entries = [entry for text in performance.applied() for entry in yaml.safe_load_all(text) if entry["kind"] in wanted]
    (only,) = entries
    assert isinstance(only, dict)
    return only


def addresses(manifest: dict[str, Any]) -> str:
    """Return first-last of any recipe's pool."""
    if manifest["kind"] == "ConfigMap":
        assert (manifest["metadata"]["namespace"], manifest["metadata"]["name"]) == ("kube-system", "kubevip")
        return str(manifest["data"]["range-global"])
    if manifest["kind"] == "IPAddressPool":
        return str(*manifest["spec"]["addresses"])
    (block,) = manifest["spec"]["blocks"]
    return f"{block['start']}-{block['stop']}"


def test_cilium_comes_up_in_this_order(cilium: Stage) -> None:
    """Check, create, install, wait for each thing that the next needs, then pool and policy, then the last words."""
    done = cilium.perform("cilium/up.sh")
    assert done.returncode == 0, done.stderr
    assert steps(done) == [
        "docker version --format",
        "kind version",
        "kind get clusters",
        "kind create cluster",
        "docker network inspect",
        "docker network inspect",
        "helm upgrade --install cilium",
        "kubectl rollout status",
        "kubectl rollout status",
        "kubectl wait --for",
        "kubectl wait --for",
        "kubectl get crd",
        "kubectl apply --filename",
        "kubectl apply --filename",
        "docker exec l2probe-cilium-control-plane",
        "docker network inspect",
    ]
    assert kinds(done) == ["CiliumLoadBalancerIPPool", "CiliumL2AnnouncementPolicy"]


def test_a_cluster_without_a_cni_is_not_waited_for_by_kind(cilium: Stage) -> None:
    """`kind create cluster --wait` cannot succeed before Cilium runs; the nodes are waited for after it."""
    done = cilium.perform("cilium/up.sh")
    (created,) = done.called("kind", "create", "cluster")
    assert created.argv[3:] == (
        "--name",
        "l2probe-cilium",
        "--image",
        NODE,
        "--config",
        str(RECIPES / "cilium/cluster.yaml"),
    )
    assert done.called("wait", "--for", "condition=Ready", "node", "--all")


@pytest.mark.parametrize("datapath", ["dsr", "snat", "hybrid"])
def test_the_datapath_chooses_the_values(cilium: Stage, datapath: str) -> None:
    """By flag or environment, and pinned to a chart version."""
    for done in (
        cilium.perform("cilium/up.sh", "--datapath", datapath),
        cilium.perform("cilium/up.sh", L2PROBE_DATAPATH=datapath),
    ):
        (helm,) = done.called("helm", "upgrade", "--install")
        values = [word for before, word in zip(helm.argv, helm.argv[1:], strict=False) if before == "--values"]
        assert values == [str(RECIPES / "cilium/values.yaml"), str(RECIPES / f"cilium/values-{datapath}.yaml")]
        assert "--version 1.20.2" in helm.text
        assert "--set k8sServiceHost=l2probe-cilium-control-plane" in helm.text
        assert "--kube-context kind-l2probe-cilium" in helm.text
        assert f"mode {datapath}" in done.stdout


@pytest.mark.parametrize("recipe", NAMES)
def test_every_call_that_changes_something_names_its_cluster(tmp_path: Path, recipe: str) -> None:
    """The current context may be somebody's production: no kubectl and no helm goes there."""
    done = stage(tmp_path, recipe).perform(f"{recipe}/up.sh")
    assert done.returncode == 0, done.stderr
    for call in done.calls:
        if call.argv[0] == "kubectl":
            assert call.argv[1:3] == ("--context", f"kind-l2probe-{recipe}")
        if call.argv[0] == "helm":
            assert f"--kube-context kind-l2probe-{recipe} " in call.text


@pytest.mark.parametrize("recipe", NAMES)
@pytest.mark.parametrize(
    ("subnet", "expected"),
    [
        ("172.18.0.0/16", "172.18.255.200-172.18.255.249"),
        ("192.168.16.0/20", "192.168.31.200-192.168.31.249"),
        ("10.89.0.0/24", "10.89.0.200-10.89.0.249"),
    ],
)
def test_the_pool_is_derived_from_the_network(tmp_path: Path, recipe: str, subnet: str, expected: str) -> None:
    """Whatever the docker network is, the applied pool lies in it."""
    there = stage(tmp_path, recipe)
    there.subnet = subnet
    done = there.perform(f"{recipe}/up.sh")
    assert done.returncode == 0, done.stderr
    assert addresses(pool(done)) == expected
    assert expected in done.stdout


@pytest.mark.parametrize("recipe", NAMES)
def test_no_placeholder_is_left(tmp_path: Path, recipe: str) -> None:
    """A template that was not filled in would be applied as it stands."""
    done = stage(tmp_path, recipe).perform(f"{recipe}/up.sh")
    assert done.applied()
    assert not [text for text in done.applied() if "@" in text]


@pytest.mark.parametrize(("served", "version"), [("v2 v2alpha1", "v2"), ("v2alpha1", "v2alpha1"), ("v2", "v2")])
def test_the_pool_has_the_version_that_this_cilium_serves(cilium: Stage, served: str, version: str) -> None:
    """v2 came with 1.18; what serves only v2alpha1 gets that."""
    cilium.answers["kubectl * get crd *"] = served
    assert pool(cilium.perform("cilium/up.sh"))["apiVersion"] == f"cilium.io/{version}"


@pytest.mark.parametrize("version", ["1.19.4", "v1.19.4"])
def test_an_older_cilium_gets_an_older_kubernetes(cilium: Stage, version: str) -> None:
    """Cilium before 1.20 does not know Kubernetes 1.36; the version may be written with its v."""
    done = cilium.perform("cilium/up.sh", "--version", version)
    assert "kindest/node:v1.35.0@sha256:" in done.called("kind", "create")[0].text
    assert "--version 1.19.4 " in done.called("helm", "upgrade")[0].text


@pytest.mark.parametrize("recipe", NAMES)
def test_a_second_run_uses_the_cluster_that_is_there(tmp_path: Path, recipe: str) -> None:
    """It creates nothing twice, refreshes the kubeconfig, and applies the same manifests."""
    there = stage(tmp_path, recipe)
    first = there.perform(f"{recipe}/up.sh")
    there.existing = ("other", f"l2probe-{recipe}")
    second = there.perform(f"{recipe}/up.sh")
    assert second.returncode == 0, second.stderr
    assert not second.called("kind", "create", "cluster")
    assert second.called("kind", "export", "kubeconfig", "--name", f"l2probe-{recipe}")
    assert second.applied() == first.applied()


def test_a_cluster_whose_name_only_begins_alike_is_another(cilium: Stage) -> None:
    """Names are compared whole."""
    cilium.existing = ("l2probe-cilium-old",)
    assert cilium.perform("cilium/up.sh").called("kind", "create", "cluster")


@pytest.mark.parametrize("recipe", NAMES)
def test_another_recipe_on_the_network_is_refused(tmp_path: Path, recipe: str) -> None:
    """Both would be given the same addresses, and the probe would find an address conflict of our own making."""
    crowded = stage(tmp_path, recipe)
    crowded.others = ("l2probe-other-control-plane",)
    done = crowded.perform(f"{recipe}/up.sh")
    assert done.returncode == 2
    assert "Cluster l2probe-other is on the docker network kind too" in done.stderr
    assert not done.applied()
    own = crowded.perform(f"{recipe}/up.sh", "--range", "172.18.9.10-172.18.9.20")
    assert own.returncode == 0, own.stderr
    assert addresses(pool(own)) == "172.18.9.10-172.18.9.20"


def test_a_cluster_on_another_network_is_refused(cilium: Stage) -> None:
    """Its range would come from a network on which it is not."""
    done = cilium.perform("cilium/up.sh", "--name", "elsewhere")
    assert done.returncode == 2
    assert "Cluster elsewhere is not on the docker network kind" in done.stderr


@pytest.mark.parametrize("recipe", NAMES)
def test_name_and_network_can_be_chosen(tmp_path: Path, recipe: str) -> None:
    """By flag or by environment; kind is told of the network only when it is not its own."""
    chosen = Stage(tmp_path, "mine", network="lab-net")
    for done in (
        chosen.perform(f"{recipe}/up.sh", "--name", "mine", "--network", "lab-net"),
        chosen.perform(f"{recipe}/up.sh", L2PROBE_KIND_NAME="mine", KIND_EXPERIMENTAL_DOCKER_NETWORK="lab-net"),
    ):
        assert done.returncode == 0, done.stderr
        assert done.called("kind", "create", "cluster", "--name", "mine")[0].network == "lab-net"
        assert "kind-mine" in done.stdout or "--name mine" in done.stdout
    usual = stage(tmp_path, recipe).perform(f"{recipe}/up.sh")
    assert usual.called("kind", "create", "cluster")[0].network == ""


@pytest.mark.parametrize("recipe", ["metallb", "kube-vip"])
def test_what_announces_is_waited_for(tmp_path: Path, recipe: str) -> None:
    """MetalLB's pool needs its CRDs, so it comes after them; kube-vip's ConfigMap comes before its reader."""
    done = stage(tmp_path, recipe).perform(f"{recipe}/up.sh")
    rollouts = [call.argv[5] for call in done.called("rollout", "status")]
    if recipe == "metallb":
        assert rollouts == ["deployment/metallb-controller", "daemonset/metallb-speaker"]
        order = [call.text for call in done.calls]
        established = next(place for place, text in enumerate(order) if "condition=Established" in text)
        assert established < next(place for place, text in enumerate(order) if "apply" in text)
        assert kinds(done) == ["IPAddressPool", "L2Advertisement"]
    else:
        assert rollouts == ["deployment/kube-vip-cloud-provider", "daemonset/kube-vip-ds"]
        assert kinds(done)[-1] == "DaemonSet"
        assert "ghcr.io/kube-vip/kube-vip:v1.1.2" in done.applied()[-1]
        assert not done.called("helm")


@pytest.mark.parametrize(
    ("pattern", "recipe"),
    [
        ("kind create *", "cilium"),
        ("helm *", "cilium"),
        ("helm *", "metallb"),
        ("kubectl * rollout *", "cilium"),
        ("kubectl * apply *", "kube-vip"),
    ],
)
def test_a_step_that_fails_ends_it(tmp_path: Path, pattern: str, recipe: str) -> None:
    """No step runs on what an earlier one failed to make, and no last words promise a cluster that is not there."""
    broken = stage(tmp_path, recipe, answers={pattern: 7})
    done = broken.perform(f"{recipe}/up.sh")
    assert done.returncode == 7
    assert "Ready" not in done.stdout
    assert len(done.applied()) <= 1


def test_a_network_too_small_ends_it_before_anything_is_installed(cilium: Stage) -> None:
    """The sentence of address_range.py is the last word."""
    cilium.subnet = "10.0.0.0/26"
    done = cilium.perform("cilium/up.sh")
    assert done.returncode == 2
    assert "No 50 addresses in a row are free in 10.0.0.0/26" in done.stderr
    assert not done.called("helm")


@pytest.mark.parametrize("command", ["docker", "kind", "helm", "kubectl", "python3"])
def test_a_missing_command_is_named_in_one_sentence(cilium: Stage, command: str) -> None:
    """Before anything is done, with where to get it."""
    done = cilium.perform("cilium/up.sh", without=(command,))
    assert done.returncode == 2
    assert done.stderr.startswith(f"{command} was not found: install ")
    assert len(done.stderr.splitlines()) == 1
    assert not done.calls


def test_every_missing_command_is_named_at_once(cilium: Stage) -> None:
    """Nobody installs one only to hear of the next."""
    done = cilium.perform("cilium/up.sh", without=("kind", "helm"))
    assert [line.split()[0] for line in done.stderr.splitlines()] == ["kind", "helm"]


def test_kube_vip_needs_no_helm(tmp_path: Path) -> None:
    """It is plain manifests."""
    assert stage(tmp_path, "kube-vip").perform("kube-vip/up.sh", without=("helm",)).returncode == 0


def test_a_daemon_that_does_not_answer_is_named(cilium: Stage) -> None:
    """The most frequent reason, before kind's own page of output."""
    cilium.answers["docker version *"] = 1
    done = cilium.perform("cilium/up.sh")
    assert (done.returncode, done.stderr) == (
        2,
        "The Docker daemon did not answer: start it, or join the group docker.\n",
    )


def test_another_kind_is_noted_and_used(cilium: Stage) -> None:
    """The pinned node images were built for one release of kind; others mostly work."""
    cilium.answers["kind version"] = "kind v0.31.0 go1.25 linux/amd64\n"
    done = cilium.perform("cilium/up.sh")
    assert done.returncode == 0
    assert "written for kind v0.32.0, and this is kind v0.31.0" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--datapath", "xdp"), "--datapath xdp is none of dsr, snat, hybrid."),
        (("--name", "a b"), "is no kind cluster name"),
        (("--name", "../x"), "is no kind cluster name"),
        (("--range", "10.0.0.1"), "is not FIRST-LAST"),
        (("--range", "10.0.0.1-10.0.0.9\n- x"), "is not FIRST-LAST"),
        (("--version", "latest"), "is not a version"),
        (("--name",), "--name needs a value"),
        (("--nmae", "x"), "--nmae is no option of this script"),
        (("dsr",), "dsr is no option of this script"),
    ],
)
def test_a_wrong_option_ends_it_before_anything_is_done(
    cilium: Stage, arguments: tuple[str, ...], sentence: str
) -> None:
    """One sentence, exit code 2, no call."""
    done = cilium.perform("cilium/up.sh", *arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert not done.calls


@pytest.mark.parametrize("recipe", NAMES)
def test_help_touches_nothing(tmp_path: Path, recipe: str) -> None:
    """--help works on a machine that has none of the tools."""
    for way in ("up", "down"):
        done = stage(tmp_path, recipe).perform(f"{recipe}/{way}.sh", "--help", without=("docker", "kind", "kubectl"))
        assert (done.returncode, done.calls) == (0, ())
        assert done.stdout.startswith(f"Usage: kind-config/{recipe}/{way}.sh")


@pytest.mark.parametrize("recipe", NAMES)
def test_down_deletes_its_own_cluster_and_nothing_else(tmp_path: Path, recipe: str) -> None:
    """Deleting a cluster that does not exist is no error for kind, so a second down is none."""
    there = stage(tmp_path, recipe)
    assert [call.text for call in there.perform(f"{recipe}/down.sh").calls] == [
        f"kind delete cluster --name l2probe-{recipe}"
    ]
    assert [call.text for call in there.perform(f"{recipe}/down.sh", "--name", "mine").calls] == [
        "kind delete cluster --name mine"
    ]
    assert there.perform(f"{recipe}/down.sh", without=("docker", "helm", "kubectl", "python3")).returncode == 0
