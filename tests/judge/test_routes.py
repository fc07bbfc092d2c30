"""Addresses that BGP announces: nobody answers for them on the segment, and nobody is accused of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from l2probe.judge import conclude, judge
from l2probe.judge.existing import unknown
from l2probe.judge.notes import notes
from l2probe.model import AnnouncementPolicy, Cluster, Evidence, Finding, Requirement, Trial, Verdict
from tests.judge.audited import audited
from tests.judge.diagnosed import WEB, diagnosed, unheard
from tests.judge.evidence import each_trial

ROUTERS = AnnouncementPolicy(name="routers", load_balancer_ips=True, pools=("lan",))
LAN = AnnouncementPolicy(name="segment", load_balancer_ips=True)
Advertised = tuple[AnnouncementPolicy, ...] | None


def metallb(cluster: Cluster, bgp: Advertised, policies: Advertised) -> Cluster:
    """Return the cluster with MetalLB, which announces so by BGP and on layer 2."""
    bare = replace(cluster, implementation="metallb", implementation_version="v0.15.2", settings=(), datapath=None)
    return replace(bare, bgp=bgp, policies=policies)


def unclaimed(trial: Trial) -> Trial:
    """Return the same without anybody who is named."""
    return replace(trial, claims=(), announcer=None)


def silent(bgp: Advertised, policies: Advertised = ()) -> Evidence:
    """Return what a diagnosis sees where nobody answers."""
    seen = each_trial(unheard(diagnosed()), unclaimed)
    return replace(seen, cluster=metallb(seen.cluster, bgp, policies))


def foreseen(bgp: Advertised, policies: Advertised = ()) -> Evidence:
    """Return what an audit reads, without the wire."""
    seen = each_trial(audited(), unclaimed)
    return replace(seen, cluster=metallb(seen.cluster, bgp, policies))


def causes(evidence: Evidence) -> list[tuple[str, Verdict]]:
    """Return code and verdict of what no other finding explains."""
    return [(found.code, found.verdict) for found in judge(evidence) if found.consequence_of is None]


def the(code: str, evidence: Evidence) -> Finding:
    """Return the one finding of this code."""
    (found,) = (one for one in judge(evidence) if one.code == code)
    return found


def elsewhere(policy: AnnouncementPolicy) -> AnnouncementPolicy:
    """Return the policy for Services with a label that none has."""
    return replace(policy, service_selector=(Requirement(key="tier", operator="In", values=("edge",)),))


def test_a_bgp_only_cluster_is_silent_by_design() -> None:
    """Nobody is accused, and it is no pass either: what it takes to know is said."""
    for policies in ((), (elsewhere(LAN),)):
        seen = silent((ROUTERS,), policies)

        assert causes(seen) == []
        assert conclude(seen, started="", duration_seconds=1.0, command="").verdict is Verdict.UNKNOWN
        assert any("BGPAdvertisement routers covers it" in line for line in unknown(seen, ()))


@pytest.mark.parametrize(
    ("bgp", "policies", "expected"),
    [
        pytest.param((), (), ("B01", Verdict.FAIL), id="no advertisement of either kind"),
        pytest.param((elsewhere(ROUTERS),), (), ("B01", Verdict.FAIL), id="one by BGP, of other Services"),
        pytest.param(
            (replace(ROUTERS, pools=("other",)),), (), ("B01", Verdict.FAIL), id="one by BGP, of another pool"
        ),
        pytest.param(None, (), ("B01", Verdict.UNKNOWN), id="BGP was not read"),
        pytest.param(None, (elsewhere(LAN),), ("B02", Verdict.UNKNOWN), id="BGP was not read, and L2 selects others"),
        pytest.param((ROUTERS,), (LAN,), ("B14", Verdict.FAIL), id="both announce it"),
    ],
)
def test_silence_is_a_fault_where_bgp_does_not_explain_it(
    bgp: Advertised, policies: Advertised, expected: tuple[str, Verdict]
) -> None:
    """FAIL where it was read that BGP does not announce it, UNKNOWN where it might."""
    cluster = silent(bgp, policies).cluster
    pools = (*(cluster.pools or ()), replace((cluster.pools or ())[0], name="other", blocks=("192.0.2.0/24",)))
    seen = replace(silent(bgp, policies), cluster=replace(cluster, pools=pools))

    assert causes(seen) == [expected]


def test_the_finding_says_what_was_known_of_bgp() -> None:
    """That none covers it, or that it was not read, with the way to the right."""
    assert "No BGPAdvertisement covers it either." in the("B01", silent(())).because
    assert any("l2probe rbac" in line for line in the("B01", silent(None)).because)


def test_an_audit_foresees_no_silence_of_what_bgp_announces() -> None:
    """It says so in a note; without such an advertisement, and where it was not read, it foresees B01."""
    by_bgp = foreseen((ROUTERS,))

    assert not {code for code, _ in causes(by_bgp)} & {"B01", "B02"}
    assert any("shop/api (routers)" in note for note in notes(by_bgp))
    assert not any("BGP" in note for note in notes(foreseen((ROUTERS,), (LAN,))))
    assert the("B01", foreseen(())).verdict is the("B01", foreseen(None)).verdict is Verdict.WARN
    assert "No BGPAdvertisement covers it either." in the("B01", foreseen(())).because


def test_metallb_without_a_backend_is_not_blamed_for_what_bgp_announces() -> None:
    """D02 says it; B13 is about the segment."""

    def unready(trial: Trial) -> Trial:
        backends = tuple(replace(b, ready=False, serving=False) for b in trial.service.backends or ())
        return replace(trial, service=replace(trial.service, backends=backends))

    assert {code for code, _ in causes(each_trial(silent((ROUTERS,)), unready))} == {"D02"}
    assert {code for code, _ in causes(each_trial(silent(()), unready))} == {"B13"}


def test_ciliums_bgp_may_announce_what_no_policy_selects() -> None:
    """As foreseen, so on the wire: neither B01 nor B04 where BGP is on, and it stays open."""
    seen = each_trial(unheard(diagnosed()), unclaimed)
    settings = (*seen.cluster.settings, ("enable-bgp-control-plane", "true"))
    bare = replace(seen, cluster=replace(seen.cluster, policies=()))
    by_bgp = replace(bare, cluster=replace(bare.cluster, settings=settings))
    off = replace(by_bgp, cluster=replace(by_bgp.cluster, announcing=False))
    selected = replace(seen, cluster=replace(seen.cluster, settings=settings))

    assert causes(bare) == [("B01", Verdict.FAIL)]
    assert causes(by_bgp) == causes(off) == []
    assert conclude(by_bgp, started="", duration_seconds=1.0, command="").verdict is Verdict.UNKNOWN
    assert causes(selected) == [("B06", Verdict.FAIL)]
    assert WEB.vips[0] in " ".join(unknown(by_bgp, ()))
