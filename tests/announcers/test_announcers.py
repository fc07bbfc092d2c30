"""What announcers' objects claim: leases old and new, configuration, pools, images."""

from __future__ import annotations

import pytest

from l2probe.announcers import cilium, kubevip, metallb
from l2probe.announcers.image import version_of
from l2probe.announcers.lease import Lease, gone
from l2probe.model import Condition, Datapath, Pool

Labels = tuple[tuple[str, str], ...]
LEASE = Lease(
    namespace="kube-system",
    name="cilium-l2announce-shop-web",
    holder="node-2",
    acquired=900.0,
    renewed=1000.0,
    duration_seconds=15,
    transitions=3,
)


def test_a_cilium_lease_has_one_of_two_names() -> None:
    """Up to 1.20 namespace and name are joined by a dash, since cilium#48138 by a dot."""
    assert cilium.lease_names("shop", "web") == ("cilium-l2announce-shop-web", "cilium-l2announce-shop.web")


def test_a_held_lease_claims_its_holder() -> None:
    """The holderIdentity is the node's name as it is; times and transitions are kept."""
    claim = cilium.claim(LEASE, 1001.0)

    assert (claim.implementation, claim.source) == ("cilium", "Lease kube-system/cilium-l2announce-shop-web")
    assert (claim.holder, claim.why_nobody, claim.read_at) == ("node-2", None, 1001.0)
    assert (claim.acquired, claim.renewed, claim.duration_seconds, claim.transitions) == (900.0, 1000.0, 15, 3)


def test_a_released_lease_claims_nobody() -> None:
    """ReleaseOnCancel leaves an empty holder: nobody, and why."""
    claim = cilium.claim(Lease(namespace="kube-system", name="x", renewed=1000.0, duration_seconds=1), 1001.0)

    assert (claim.holder, claim.why_nobody) == (None, "the holder released the lease")


def test_a_deleted_lease_claims_nobody() -> None:
    """The deletion is a claim of its own that names the object."""
    claim = gone(cilium.claim(LEASE, 1001.0), 1002.0)

    assert (claim.holder, claim.read_at) == (None, 1002.0)
    assert claim.why_nobody == "Lease kube-system/cilium-l2announce-shop-web was deleted"


@pytest.mark.parametrize(
    ("config", "announces", "datapath"),
    [
        ({}, False, None),
        ({"enable-l2-announcements": "true"}, False, None),
        ({"enable-l2-announcements": "true", "kube-proxy-replacement": "true"}, True, Datapath.SNAT),
        ({"enable-l2-announcements": "True", "kube-proxy-replacement": "strict"}, True, Datapath.SNAT),
        ({"kube-proxy-replacement": "true", "bpf-lb-mode": "dsr"}, False, Datapath.DSR),
        ({"kube-proxy-replacement": "true", "bpf-lb-mode": "hybrid"}, False, Datapath.HYBRID),
        ({"kube-proxy-replacement": "true", "bpf-lb-mode": "something-new"}, False, None),
        ({"kube-proxy-replacement": "disabled", "bpf-lb-mode": "dsr"}, False, None),
    ],
)
def test_what_cilium_config_claims(config: dict[str, str], *, announces: bool, datapath: Datapath | None) -> None:
    """L2 announcements need kube-proxy replacement; the mode is snat when absent and unknown when we do not know it."""
    assert (cilium.announces(config), cilium.datapath(config)) == (announces, datapath)


def test_settings_that_bear_are_kept_in_a_fixed_order() -> None:
    """Others are not shown."""
    config = {"tunnel-protocol": "vxlan", "debug": "true", "bpf-lb-mode": "dsr"}

    assert cilium.settings(config) == (("bpf-lb-mode", "dsr"), ("tunnel-protocol", "vxlan"))


@pytest.mark.parametrize(
    "names", [("cilium.io/PoolConflict", "cilium.io/IPsAvailable"), ("io.cilium/conflict", "io.cilium/ips-available")]
)
def test_pool_conditions_old_and_new(names: tuple[str, str]) -> None:
    """The number is the message of a condition whose status is Unknown."""
    conditions = (
        Condition(type=names[0], status="True", reason="cidr_overlap"),
        Condition(type=names[1], status="Unknown", reason="noreason", message="7"),
    )

    assert cilium.pool("p", ["10.0.0.0/24"], conditions, disabled=True) == Pool(
        name="p", blocks=("10.0.0.0/24",), disabled=True, conflicting=True, available=7
    )


@pytest.mark.parametrize("message", ["", "many", "-1", "\u00b2"])
def test_a_count_that_is_none_stays_unknown(message: str) -> None:
    """Untrusted text is not a number."""
    conditions = (Condition(type="cilium.io/IPsAvailable", status="Unknown", message=message),)

    assert cilium.pool("p", [], conditions, disabled=False).available is None


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (("10.0.0.0/24", None, None), "10.0.0.0/24"),
        ((None, "10.0.0.1", "10.0.0.9"), "10.0.0.1-10.0.0.9"),
        ((None, "10.0.0.1", None), "10.0.0.1-10.0.0.1"),
    ],
)
def test_pool_blocks(block: tuple[str | None, str | None, str | None], text: str) -> None:
    """CIDR, a range, or one address."""
    assert cilium.block(*block) == text


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("quay.io/cilium/cilium:v1.19.3@sha256:0123", "1.19.3"),
        ("localhost:5000/cilium/cilium:v1.20.0-rc.1", "1.20.0-rc.1"),
        ("localhost/metallb-speaker:v0.15.2", "0.15.2"),
        ("cilium:1.17", "1.17"),
        ("quay.io/cilium/cilium@sha256:0123", None),
        ("localhost:5000/cilium", None),
        ("cilium:latest", None),
        ("quay.io/cilium/cilium-ci:0a1b2c3d4e", None),
        ("", None),
    ],
)
def test_the_version_in_an_image(image: str, version: str | None) -> None:
    """The tag when it is a version; a registry's port, a digest and a moving tag are none."""
    assert version_of(image) == version


@pytest.mark.parametrize(
    ("name", "labels", "image", "expected"),
    [
        ("speaker", (("app", "metallb"), ("component", "speaker")), "x", True),
        ("lb", (("app.kubernetes.io/component", "speaker"), ("app.kubernetes.io/name", "metallb")), "x", True),
        ("x", (), "quay.io/metallb/metallb-speaker:v0.15", True),
        ("speaker", (), "quay.io/metallb/speaker:v0.15", True),
        ("speaker", (), "docker.io/music/speaker:1", False),
        ("frr", (("app", "metallb"), ("component", "frr")), "x", False),
    ],
)
def test_the_speaker_is_recognised(name: str, labels: Labels, image: str, *, expected: bool) -> None:
    """By the labels of manifests and chart, or by its image."""
    assert metallb.is_speaker(name, labels, image) is expected


def test_metallb_claims() -> None:
    """A status object names the announcing node; before it does, nobody is claimed."""
    held, fresh = metallb.claim("metallb-system", "l2-a", "node-1", 5.0), metallb.claim("m", "l2-b", None, 6.0)

    assert (held.holder, held.source) == ("node-1", "ServiceL2Status metallb-system/l2-a")
    assert (fresh.holder, bool(fresh.why_nobody)) == (None, True)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("ghcr.io/kube-vip/kube-vip:v1.0.1", True),
        ("ghcr.io/kube-vip/kube-vip-iptables:v1.0.1@sha256:00", True),
        ("ghcr.io/kube-vip/kube-vip-cloud-provider:v0.0.11", False),
        ("example/other:1", False),
    ],
)
def test_kube_vip_is_recognised(image: str, *, expected: bool) -> None:
    """Its cloud provider gives addresses and announces nothing."""
    assert kubevip.is_kube_vip(image) is expected


def test_kube_vip_leases() -> None:
    """A Service's own lease, or the one for all."""
    assert kubevip.lease_names("web") == ("kubevip-web", "plndr-svcs-lock")
    assert kubevip.claim(LEASE, 1.0).implementation == "kube-vip"
