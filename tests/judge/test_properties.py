"""Laws that hold for any evidence whatever, however strange."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from l2probe.judge import CODES, EXISTING, conclude, judge
from l2probe.judge.table import RANK
from l2probe.model import (
    Admission,
    AnnouncementPolicy,
    Backend,
    Claim,
    Cluster,
    Condition,
    Controller,
    Datapath,
    Evidence,
    Exchange,
    Flow,
    NeighbourReply,
    NetworkPolicy,
    Node,
    OffLink,
    Outcome,
    Ping,
    Placement,
    Pool,
    Port,
    Protocol,
    Requirement,
    Right,
    Service,
    Sharer,
    TrafficPolicy,
    Trial,
    Vantage,
    Verdict,
)
from tests.judge import objects
from tests.judge.diagnosed import diagnosed, off_announcer, unheard
from tests.judge.evidence import NODES, PROFILES, each_trial
from tests.judge.shapes import HEALTHY, LESS, UNSAID
from tests.judge.test_faults import FAULTS

IPS = st.sampled_from(
    ("198.51.100.40", "198.51.100.11", "198.51.100.100", "2001:db8:1::40", "2001:db8:1::11", "10.244.1.1")
)
MACS = st.sampled_from(("02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:c8"))
NAMES = st.sampled_from(("node-1", "node-2", "node-3"))
TIMES = st.floats(0, 60, allow_nan=False)
WORDS = st.sampled_from(("", "no_pool", "out_of_ips", "already_allocated", "cilium.io/IPAMRequestSatisfied", "x"))


def few(strategy: st.SearchStrategy[Any], most: int = 3) -> st.SearchStrategy[tuple[Any, ...]]:
    """Return a short tuple."""
    return st.lists(strategy, max_size=most).map(tuple)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return it, or None."""
    return st.none() | strategy


BLOCKS = few(st.sampled_from(("10.244.1.0/24", "nonsense")), 1)
PAIRS = few(st.tuples(WORDS, WORDS))
BACKENDS = st.builds(Backend, address=IPS, node=maybe(NAMES), ready=st.booleans(), pod=maybe(WORDS))
CONDITIONS = st.builds(
    Condition, type=WORDS, status=st.sampled_from(("True", "False", "Warning")), reason=WORDS, message=WORDS
)
TERMS = st.builds(
    Requirement, key=WORDS, operator=st.sampled_from(("In", "NotIn", "Exists", "DoesNotExist", "Gt")), values=few(WORDS)
)
ADMISSIONS = few(st.builds(Admission, network=st.sampled_from(("198.51.100.0/24", "::/0", "no network"))), 1)
NETWORK_POLICIES = st.builds(
    NetworkPolicy,
    kind=WORDS,
    namespace=st.sampled_from(("", "shop")),
    name=WORDS,
    selector=few(TERMS, 1),
    admits=ADMISSIONS,
    denies=ADMISSIONS,
)
SERVICES = st.builds(
    Service,
    namespace=st.just("shop"),
    name=st.sampled_from(("web", "dns")),
    vips=few(IPS, 2),
    policy=st.sampled_from(TrafficPolicy),
    load_balancer_class=maybe(WORDS | st.sampled_from(("io.cilium/node", "io.cilium/bgp-control-plane"))),
    hostnames=few(WORDS, 1),
    conditions=few(CONDITIONS, 1),
    backends=maybe(few(BACKENDS)),
    labels=PAIRS,
    wanted=few(IPS, 2),
    sharing_key=maybe(WORDS),
    source_ranges=few(st.sampled_from(("198.51.100.0/24", "0.0.0.0/0", "nonsense")), 1),
    selector=PAIRS,
    network_policies=maybe(few(NETWORK_POLICIES, 2)),
    ports=few(st.builds(Port, protocol=st.sampled_from(Protocol), port=st.just(80)), 1),
)
CLAIMS = st.builds(
    Claim,
    implementation=WORDS,
    source=WORDS,
    holder=maybe(NAMES),
    read_at=TIMES,
    acquired=maybe(TIMES),
    renewed=maybe(TIMES),
    duration_seconds=maybe(TIMES),
    transitions=maybe(st.integers(0, 3)),
    why_nobody=maybe(WORDS),
)
REPLIES = st.builds(
    NeighbourReply,
    at=TIMES,
    ip=IPS,
    mac=MACS,
    op=st.sampled_from(("reply", "request", "advertisement")),
    solicited=st.booleans(),
    node=maybe(NAMES),
    asked=st.sampled_from((None, "broadcast", "unicast", "multicast")),
)
EXCHANGES = st.builds(
    Exchange,
    at=TIMES,
    protocol=st.sampled_from(Protocol),
    vip=IPS,
    port=st.just(80),
    outcome=st.sampled_from(Outcome),
    payload_bytes=st.sampled_from((512, 1452, 4096)),
    source=maybe(IPS),
    seen=maybe(IPS),
    pod=maybe(WORDS),
    node=maybe(NAMES),
    sent_mac=maybe(MACS),
    reply_mac=maybe(MACS),
    latency_seconds=maybe(TIMES),
    icmp=maybe(st.tuples(st.integers(0, 255), st.integers(0, 255))),
    detail=WORDS,
    unsent=st.booleans(),
    strays=maybe(few(st.tuples(IPS, st.integers(0, 65535)))),
)
TRIALS = st.builds(
    Trial,
    name=WORDS,
    service=SERVICES,
    placement=st.sampled_from(Placement),
    target=maybe(BACKENDS),
    announcer=maybe(NAMES),
    claims=maybe(few(CLAIMS)),
    replies=maybe(few(REPLIES, 6)),
    exchanges=maybe(few(EXCHANGES, 8)),
    started=TIMES,
    observed_seconds=TIMES,
    settled=st.booleans(),
    obstacle=maybe(WORDS),
    own=st.booleans(),
    ingress=few(few(IPS, 2)),
)
PATTERNS = st.sampled_from(("^eth", "enp", "(", "", "a{4294967296}", "[[:alpha:]]+", "(a*)*" * 9))
POLICIES = st.builds(
    AnnouncementPolicy,
    name=WORDS,
    load_balancer_ips=st.booleans(),
    service_selector=maybe(few(TERMS)),
    node_selector=maybe(few(TERMS)),
    pools=few(WORDS),
    errors=few(CONDITIONS, 1),
    interfaces=few(PATTERNS, 1),
)
POOLS = st.builds(
    Pool,
    name=WORDS,
    blocks=few(st.sampled_from(("198.51.100.0/24", "a-b", "2001:db8::/64", "", "198.51.100.1-2001:db8::1"))),
    disabled=st.booleans(),
    conflicting=st.booleans(),
    available=maybe(st.integers(0, 9)),
)
SETTINGS = st.sampled_from(
    (
        ("devices", "eth0"),
        ("k8s-client-qps", "0.1"),
        ("k8s-client-qps", "none"),
        ("k8s-client-qps", "nan"),
        ("enable-bgp-control-plane", "true"),
        ("enable-policy", "never"),
        ("default-lb-service-ipam", "nodeipam"),
        ("l2-announcements-renew-deadline", "5 s"),
        ("bpf-lb-acceleration", "native"),
    )
)
CLUSTERS = st.builds(
    Cluster,
    implementation=st.sampled_from((None, "cilium", "metallb", "kube-vip", "other")),
    implementation_version=st.sampled_from((None, "v1.17.1", "1.20.2", "latest", "")),
    announcing=maybe(st.booleans()),
    datapath=maybe(st.sampled_from(Datapath)),
    settings=PAIRS | few(SETTINGS),
    controllers=maybe(few(st.builds(Controller, name=WORDS, source=WORDS, service=st.sampled_from(("", "shop/web"))))),
    pools=maybe(few(POOLS)),
    policies=maybe(few(POLICIES)),
    nodes=maybe(
        few(st.builds(Node, name=NAMES, addresses=few(IPS), ready=st.booleans(), labels=PAIRS, pod_networks=BLOCKS))
    ),
    services=maybe(few(SERVICES)),
    stray_claims=maybe(few(CLAIMS)),
    missing_rights=few(st.builds(Right, verb=WORDS, resource=WORDS, group=WORDS, namespace=WORDS)),
)
VANTAGES = st.builds(
    Vantage,
    interface=maybe(st.just("eth0")),
    addresses=few(IPS),
    on_link=maybe(st.booleans()),
    gateway=maybe(IPS),
    raw_socket=st.booleans(),
    cluster_node=maybe(NAMES),
    subnets=few(st.sampled_from(("198.51.100.0/24", "2001:db8::/64", "10.0.0.0/8"))),
    routers=few(IPS, 1),
)
EVIDENCE = st.builds(
    Evidence,
    cluster=CLUSTERS,
    vantage=VANTAGES,
    node_replies=maybe(few(REPLIES, 6)),
    trials=few(TRIALS, 4),
    flows=few(st.sampled_from(Flow), 4).map(lambda flows: tuple(dict.fromkeys(flows))),
    sharers=few(st.builds(Sharer, service=SERVICES, claims=maybe(few(CLAIMS)))),
    off_link=maybe(st.builds(OffLink, interface=WORDS, subnets=few(WORDS), asked=few(IPS), replies=few(REPLIES))),
    pool_replies=maybe(few(REPLIES)),
    pings=maybe(few(st.builds(Ping, at=TIMES, vip=IPS, answered=st.booleans(), said=WORDS))),
    command=st.sampled_from(("run", "diagnose", "audit", "")),
    required=few(st.sampled_from(("announced", "exclusive", "reachable", "source", "local", "payload", "unheard-of"))),
)
MANY = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def verdict_of(evidence: Evidence) -> Verdict:
    """Return the verdict of the report."""
    return conclude(evidence, started="", duration_seconds=0.0, command="").verdict


@MANY
@given(EVIDENCE)
def test_any_evidence_is_judged(evidence: Evidence) -> None:
    """The judge raises on nothing, says known codes only, once for each verdict and cause, and names found causes."""
    findings = judge(evidence)

    codes = [found.code for found in findings]
    assert set(codes) <= set(CODES)
    assert len({(found.code, found.verdict, found.consequence_of) for found in findings}) == len(findings)
    assert {found.consequence_of for found in findings} <= {None, *codes}
    assert all(RANK.index(f.consequence_of) < RANK.index(f.code) for f in findings if f.consequence_of)
    verdict_of(evidence)


@MANY
@given(EVIDENCE)
def test_a_pass_is_always_proven(evidence: Evidence) -> None:
    """PASS or WARN needs at least one flow kind, every one of them answered, and a node seen to announce."""
    report = conclude(evidence, started="", duration_seconds=0.0, command="")

    if report.verdict is Verdict.PASS and evidence.command in EXISTING:
        assert any(e.outcome is Outcome.ANSWERED for trial in evidence.trials for e in trial.exchanges or ())
    elif report.verdict is Verdict.PASS:
        assert evidence.flows
        assert all(getattr(report.capabilities.reachable, flow) is True for flow in evidence.flows)
        assert report.capabilities.announced_by is not None


CAPABILITIES = {"D01", "E01", "E02", "E04", "E05"}
"""Warnings about what a sound cluster cannot do."""


@settings(MANY, max_examples=80)
@given(st.sampled_from(sorted(HEALTHY)), st.sets(st.sampled_from(sorted({**LESS, **UNSAID})), max_size=4))
def test_a_sound_cluster_is_not_accused(shape: str, unseen: set[str]) -> None:
    """Whatever was not looked at or not said: no failure, and no warning but of capabilities and missing rights."""
    evidence = HEALTHY[shape]
    for name in sorted(unseen):
        evidence = {**LESS, **UNSAID}[name](evidence)

    said = judge(evidence)

    assert {f.code for f in said if f.verdict is Verdict.FAIL} == set()
    assert {f.code for f in said if f.verdict is Verdict.WARN} <= {*CAPABILITIES, "V05"}
    assert {f.code[0] for f in said if f.verdict is Verdict.UNKNOWN} <= {"V"}


BROKEN: dict[str, Callable[[], Evidence]] = {
    **{name: make for name, (make, _) in FAULTS.items()},
    "astray": objects.astray,
    "fought over": objects.fought_over,
    "owned twice": objects.owned_twice,
    "wrong interface": objects.wrong_interface,
    "homeless": objects.homeless,
    "excluded": lambda: objects.labelled(*NODES),
    "accelerated": objects.accelerated,
    "split": objects.split,
    "guarded": lambda: objects.guarded(objects.policy()),
    "out of range": lambda: objects.guarded(source_ranges=("192.0.2.0/24",)),
    "unheard": lambda: unheard(diagnosed()),
    "blackhole": lambda: off_announcer(diagnosed("v1.19.4"), Outcome.TIMEOUT),
}
"""Evidence of what is broken, by its name."""


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("unseen", LESS)
def test_what_is_broken_never_passes_for_want_of_looking(name: str, unseen: str) -> None:
    """Who sees less of a broken cluster may know less: FAIL may become UNKNOWN or a warning, nothing becomes PASS."""
    evidence = BROKEN[name]()

    assert verdict_of(evidence) in {Verdict.FAIL, Verdict.UNKNOWN}
    assert verdict_of(LESS[unseen](evidence)) is not Verdict.PASS


@MANY
@given(EVIDENCE, st.sampled_from(sorted(LESS)))
def test_looking_less_never_makes_a_pass(evidence: Evidence, unseen: str) -> None:
    """Of any evidence: what was UNKNOWN or FAIL is no PASS with less of it."""
    less = verdict_of(LESS[unseen](evidence))

    assert less is not Verdict.PASS or verdict_of(evidence) in {Verdict.PASS, Verdict.WARN}


@MANY
@given(st.sampled_from(sorted(PROFILES)), st.integers(0, 4), st.sampled_from(("replies", "exchanges", "claims")))
def test_looking_less_never_makes_it_better(profile: str, number: int, what: str) -> None:
    """Whatever was not looked at cannot turn a cluster's verdict into PASS, nor raise a FAIL."""
    evidence = PROFILES[profile]
    trials = list(evidence.trials)
    trials[number] = replace(trials[number], **{what: None})  # type: ignore[arg-type]

    less = replace(evidence, trials=tuple(trials))

    assert verdict_of(less) is not Verdict.FAIL
    assert verdict_of(less) is not Verdict.PASS or verdict_of(evidence) is Verdict.PASS


@MANY
@given(EVIDENCE)
def test_silence_accuses_only_where_neighbours_were_heard(evidence: Evidence) -> None:
    """Without a single frame no announcer is called silent."""
    unheard = each_trial(replace(evidence, node_replies=None), lambda trial: replace(trial, replies=None))

    assert not {"B06", "B07", "B14", "C05"} & {f.code for f in judge(unheard) if f.verdict is Verdict.FAIL}
