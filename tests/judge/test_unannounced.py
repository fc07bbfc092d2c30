"""B13: MetalLB and kube-vip announce nothing without a ready backend. Silence that has another cause is not that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from l2probe.judge import judge
from l2probe.model import AnnouncementPolicy, Claim, Evidence, Finding, Requirement, Trial
from tests.judge.diagnosed import ONE, diagnosed, unheard
from tests.judge.evidence import T0


def beside_kube_proxy(implementation: str, claims: tuple[Claim, ...] | None = (), *, serving: bool = False) -> Evidence:
    """Return a cluster of this implementation in which nobody answers and no backend is ready."""

    def unready(one: Trial) -> Trial:
        backends = tuple(replace(each, ready=False, serving=serving) for each in one.service.backends or ())
        return replace(one, service=replace(one.service, backends=backends), claims=claims)

    evidence = unheard(diagnosed())
    policies = (AnnouncementPolicy(name="lan", load_balancer_ips=True),) if implementation == "metallb" else None
    cluster = replace(
        evidence.cluster,
        implementation=implementation,
        implementation_version="0.15.2",
        datapath=None,
        settings=(),
        policies=policies,
    )
    return replace(evidence, cluster=cluster, trials=tuple(map(unready, evidence.trials)))


def without_endpoints() -> Evidence:
    """Return what is seen of a MetalLB cluster whose Services have no ready backend."""
    return beside_kube_proxy("metallb")


def found(evidence: Evidence) -> Finding | None:
    """Return the finding B13, if there is one."""
    return next((one for one in judge(evidence) if one.code == "B13"), None)


def released(source: str = "Lease shop/kubevip-api") -> Claim:
    """Return the claim of a lease that its holder released."""
    return Claim(
        implementation="kube-vip", source=source, holder=None, read_at=T0, why_nobody="the holder released the lease"
    )


def test_metallb_without_a_ready_backend_is_silent_by_design() -> None:
    """B13 comes first, the missing backend (D02) is its consequence, and no node or policy is accused."""
    findings = judge(without_endpoints())

    assert [(one.code, one.consequence_of) for one in findings] == [("B13", None), ("D02", "B13")]
    assert findings[0].says.startswith("shop/api had no ready backend, so MetalLB let no node announce ")
    assert "There was no ServiceL2Status for shop/api." in findings[0].because


def test_a_backend_that_ends_and_still_serves_keeps_the_announcement() -> None:
    """MetalLB counts it, so the silence has another cause; of kube-vip it is not known, and nobody is accused."""
    codes = {
        name: [one.code for one in judge(beside_kube_proxy(name, serving=True))] for name in ("metallb", "kube-vip")
    }

    assert codes == {"metallb": ["B14", "D02"], "kube-vip": ["D02"]}


def test_kube_vip_lets_go_of_the_lease() -> None:
    """kube-vip with a lease for each Service: B13 says that the lease was released."""
    one = found(beside_kube_proxy("kube-vip", (released(),)))

    assert one is not None
    assert "kube-vip" in one.says
    assert "Lease shop/kubevip-api named no holder: the holder released the lease." in one.because


def held(claim: Claim) -> Claim:
    """Return the claim with a holder."""
    return replace(claim, holder=ONE, why_nobody=None)


def ready(evidence: Evidence) -> Evidence:
    """Return the evidence with every backend ready."""

    def change(one: Trial) -> Trial:
        backends = tuple(replace(each, ready=True) for each in one.service.backends or ())
        return replace(one, service=replace(one.service, backends=backends))

    return replace(evidence, trials=tuple(map(change, evidence.trials)))


def unread(evidence: Evidence) -> Evidence:
    """Return the evidence of somebody who may not read EndpointSlices."""
    trials = (replace(one, service=replace(one.service, backends=None)) for one in evidence.trials)
    return replace(evidence, trials=tuple(trials))


OTHERWISE: dict[str, Callable[[], Evidence]] = {
    "a Cilium cluster announces without backends": lambda: beside_kube_proxy("cilium"),
    "a backend is ready": lambda: ready(without_endpoints()),
    "EndpointSlices were not read": lambda: unread(without_endpoints()),
    "the interface hears nobody": lambda: replace(without_endpoints(), node_replies=()),
    "a ServiceL2Status names a node all the same": lambda: beside_kube_proxy("metallb", (held(released("l2-1")),)),
    "kube-vip's lease is held: one lease for all": lambda: beside_kube_proxy("kube-vip", (held(released()),)),
    "kube-vip's leases were not read": lambda: beside_kube_proxy("kube-vip", None),
    "everybody is healthy": diagnosed,
}


@pytest.mark.parametrize("why", OTHERWISE)
def test_other_silence_is_not_blamed_on_the_backends(why: str) -> None:
    """B13 stays silent where the silence has, or may have, another cause."""
    assert found(OTHERWISE[why]()) is None


@pytest.mark.parametrize(
    ("policies", "said"),
    [
        ((), "A ready backend alone will not do: the cluster has no L2Advertisement."),
        (
            (
                AnnouncementPolicy(
                    name="edge",
                    load_balancer_ips=True,
                    node_selector=(Requirement(key="edge", operator="Exists"),),
                ),
            ),
            "A ready backend alone will not do: no L2Advertisement selects it on a Ready node.",
        ),
    ],
)
def test_a_second_cause_is_named_too(policies: tuple[AnnouncementPolicy, ...], said: str) -> None:
    """Where no advertisement would let anybody announce either, the finding says so."""
    evidence = without_endpoints()
    one = found(replace(evidence, cluster=replace(evidence.cluster, policies=policies)))

    assert one is not None
    assert said in one.because
