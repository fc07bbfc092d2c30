"""Which backends count: those that serve while they end, and those of other clusters that no EndpointSlice shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from l2probe.diagnose.seeing import Seen, placed
from l2probe.judge import conclude, judge
from l2probe.judge.existing import unknown
from l2probe.judge.selection import missed_backends
from l2probe.model import (
    AnnouncementPolicy,
    Datapath,
    Evidence,
    Finding,
    Ip,
    Outcome,
    Placement,
    Requirement,
    Service,
    Trial,
    Verdict,
)
from tests.judge import objects
from tests.judge.audited import audited
from tests.judge.diagnosed import THREE, TWO, WEB, all_end, connect, diagnosed, each, lease, off_announcer, with_trial
from tests.judge.evidence import T0


def of(evidence: Evidence, name: str, change: Callable[[Service], Service]) -> Evidence:
    """Return the evidence with one Service changed."""
    return with_trial(evidence, name, lambda one: replace(one, service=change(one.service), target=None))


def unready(service: Service) -> Service:
    """Return the Service without a backend that takes traffic."""
    return replace(service, backends=tuple(replace(b, ready=False, serving=False) for b in service.backends or ()))


def everywhere(service: Service) -> Service:
    """Return a global Service of a ClusterMesh without a ready backend in this cluster."""
    return replace(unready(service), beyond=True)


def causes(evidence: Evidence) -> list[tuple[str, Verdict]]:
    """Return code and verdict of what no other finding explains."""
    return [(found.code, found.verdict) for found in judge(evidence) if found.consequence_of is None]


def only(evidence: Evidence, code: str) -> Finding:
    """Return the one finding of this code."""
    (found,) = (found for found in judge(evidence) if found.code == code)
    return found


def untried(trial: Trial) -> Trial:
    """Return the same without traffic."""
    return replace(trial, exchanges=())


def test_a_global_service_may_have_its_backends_elsewhere() -> None:
    """EndpointSlices of one cluster say nothing about it, neither untried nor answered, nor in a prediction."""
    served = of(diagnosed(), "api", everywhere)

    assert causes(served) == []
    assert causes(with_trial(served, "api", untried)) == []
    assert "D02" not in {one.code for one in judge(of(audited(), "api", everywhere))}
    assert "D02" in {one.code for one in judge(of(audited(), "api", unready))}


def test_a_global_service_that_does_not_answer_is_not_blamed_on_its_slices() -> None:
    """All is lost: that is said, with what would look the same, and no ready backend is claimed or denied."""
    found = only(of(all_end(diagnosed(), Outcome.TIMEOUT, "api"), "api", everywhere), "D03")

    assert "may stand in other clusters too" in found.says
    assert "in any cluster" in found.remedy


def test_backends_that_end_are_told_where_nothing_is_ready() -> None:
    """D02 with how many still served."""
    ending = of(
        all_end(diagnosed(), Outcome.REFUSED_ICMP, "api"),
        "api",
        lambda service: replace(service, backends=tuple(replace(b, ready=False) for b in service.backends or ())),
    )

    assert only(ending, "D02").because[0] == "EndpointSlices listed 1 backend, 0 ready, 1 still serving while ending."


def ending_on_announcer(service: Service) -> Service:
    """Return shop/web with a backend on node-3 that ends and still serves, beside its ready ones elsewhere."""
    last = replace((service.backends or ())[0], address=Ip("10.244.3.9"), node=THREE, ready=False, serving=True)
    return replace(service, backends=(*(service.backends or ()), last))


def test_policy_local_is_served_by_a_backend_that_ends() -> None:
    """A node without a ready backend falls back to it (KEP-1669): neither a blackhole now nor a foreseen one."""
    web = ending_on_announcer(WEB)
    spot = placed(web, Seen(replies=None, exchanges=(), claims=(lease("web", THREE, T0),)))
    here = with_trial(
        off_announcer(diagnosed("v1.19.4"), Outcome.TIMEOUT),
        "web",
        lambda one: replace(one, service=web, placement=spot.placement),
    )

    assert spot.placement is Placement.ANY
    assert (
        placed(WEB, Seen(replies=None, exchanges=(), claims=(lease("web", THREE, T0),))).placement
        is Placement.OFF_ANNOUNCER
    )
    assert not {"D01", "D03"} & {one.code for one in judge(here)}
    assert conclude(here, started="", duration_seconds=1.0, command="").verdict is Verdict.UNKNOWN
    assert any("only backends were ending" in line for line in unknown(here, ()))


def test_metallb_may_announce_policy_local_from_a_node_whose_backend_ends() -> None:
    """An advertisement for that node alone misses no backend (MetalLB's EndpointCanServe)."""
    hostname = Requirement(key="kubernetes.io/hostname", operator="In", values=(THREE,))
    policy = AnnouncementPolicy(name="lan", load_balancer_ips=True, node_selector=(hostname,))
    cluster = replace(diagnosed().cluster, implementation="metallb")

    assert missed_backends(policy, WEB, cluster)
    assert not missed_backends(policy, ending_on_announcer(WEB), cluster)


@pytest.mark.parametrize(
    ("refuse", "ranges", "barred"),
    [
        (True, ("198.51.100.0/24", "2001:db8:1::/64"), True),
        (True, ("192.0.2.0/24",), False),
        (False, ("192.0.2.0/24",), True),
    ],
)
def test_ranges_refuse_where_the_service_says_so(refuse: bool, ranges: tuple[str, ...], barred: bool) -> None:  # noqa: FBT001 - a table
    """service.cilium.io/src-ranges-policy: deny turns the list around."""
    found = judge(of(objects.guarded(source_ranges=ranges), "api", lambda s: replace(s, ranges_refuse=refuse)))

    assert ("D13" in {one.code for one in found}) is barred
    assert all(("src-ranges-policy is deny" in " ".join(one.because)) is refuse for one in found if one.code == "D13")


@pytest.mark.parametrize(
    ("heeded", "mode", "raised"),
    [
        ("true", Datapath.SNAT, False),
        ("true", None, True),
        ("true", Datapath.DSR, True),
        ("false", Datapath.SNAT, True),
    ],
)
def test_a_service_with_a_mode_of_its_own_is_promised_no_other(
    heeded: str,
    mode: Datapath | None,
    raised: bool,  # noqa: FBT001 - a table
) -> None:
    """DSR is configured, and a Service that asks for SNAT gets that, where Cilium was told to heed it."""
    seen = of(diagnosed(), "api", lambda service: replace(service, forwarding=mode))
    snat = each(
        seen,
        lambda one: connect(one.vip, one.at, TWO, TWO) if one.vip in WEB.vips else replace(one, reply_mac=one.sent_mac),
    )
    cluster = replace(snat.cluster, settings=(*snat.cluster.settings, ("bpf-lb-mode-annotation", heeded)))

    assert ("E03" in {one.code for one in judge(replace(snat, cluster=cluster))}) is raised
