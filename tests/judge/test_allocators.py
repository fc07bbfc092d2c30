"""A01 and A03 on MetalLB and kube-vip: the controllers' own events say why there is no address."""

from __future__ import annotations

from dataclasses import replace

import pytest

from l2probe.judge import judge
from l2probe.judge.allocators import meaning
from l2probe.model import Condition, Finding, Pool
from tests.judge.broken import pending, with_cluster
from tests.lab.controllers.recorded import items

RECORDED = {
    event["involvedObject"]["name"]: event["message"]
    for event in items("metallb/events-core-v1").values()
    if event["reason"] == "AllocationFailed"
}
"""What a real MetalLB v0.15.2 said, by Service."""
LAN = (Pool(name="lan", blocks=("198.51.100.0/24",)),)


def warned(message: str, reason: str = "AllocationFailed") -> Condition:
    """Return a warning event as it stands in the evidence."""
    return Condition(type="Event", status="Warning", reason=reason, message=message)


def first(said: Condition | None, implementation: str = "metallb", pools: tuple[Pool, ...] | None = LAN) -> Finding:
    """Return the first finding about Services without address of which this was said."""
    evidence = with_cluster(pending(said), implementation=implementation, pools=pools)
    return judge(evidence)[0]


@pytest.mark.parametrize(
    ("service", "says"),
    [
        ("wanted-outside-pools", "no pool holds the address it asked for"),
        ("tiny-exhausted", "the pool it asked for has no address left"),
        ("pool-unknown", "the pool it asked for does not exist"),
        ("pool-not-for-namespace", "the pool it asked for does not serve it"),
    ],
)
def test_recorded_refusals_are_understood(service: str, says: str) -> None:
    """A01 says in the reader's words what MetalLB said in its own, which stand below."""
    found = first(warned(RECORDED[service]))

    assert found.code == "A01"
    assert says in found.says
    assert any(RECORDED[service] in line for line in found.because)


def test_every_recorded_refusal_is_understood() -> None:
    """No message of the recording is left as somebody else's words."""
    taken = {name for name, message in RECORDED.items() if "sharing key" in message}

    assert taken == {"wanted-taken", "shared-refused"}
    assert all(meaning(warned(message)) for name, message in RECORDED.items() if name not in taken)


@pytest.mark.parametrize(
    ("service", "owner"),
    [("wanted-taken", "l2fix/ok-cluster"), ("shared-refused", "l2fix/shared-a and l2fix/shared-b")],
)
def test_the_owner_of_an_address_is_named_on_metallb_too(service: str, owner: str) -> None:
    """A03 names who has the address; the sharing that it advises is MetalLB's."""
    found = first(warned(RECORDED[service]))

    assert found.code == "A03"
    assert f"the one it asked for belonged to {owner}." in found.says
    assert "metallb.io/allow-shared-ip" in found.remedy


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ("no address pools could be found", "kube-vip's cloud provider found no range"),
        ("no addresses available in [shop] range [192.0.2.1-192.0.2.2]", "is used up"),
    ],
)
def test_kube_vips_provider_is_understood(message: str, says: str) -> None:
    """A01 names the ConfigMap that must be changed."""
    said = warned(
        f"Error syncing load balancer: failed to ensure load balancer: {message}", reason="SyncLoadBalancerFailed"
    )
    found = first(said, implementation="kube-vip", pools=None)

    assert says in found.says
    assert "ConfigMap kube-system/kubevip" in found.remedy


def test_words_that_nobody_knows_are_shown_and_not_denied() -> None:
    """An event that we do not understand is not called silence; a condition of Cilium's is none of these."""
    unknown = warned("the moon is in the wrong house")

    assert "its controller said why" in first(unknown).says
    assert "nobody said why" in first(None).says
    assert meaning(replace(warned("no available IPs"), status="False")) is None
