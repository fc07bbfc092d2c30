"""Services of the user's, seen from outside: policy Local and the client address without an echo, and what stays open.

Weaker than our own trials: a connect says that somebody answered, the MAC of its SYN-ACK by which way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from l2probe.judge.admission import out_of_range
from l2probe.judge.blackhole import remedy, uncovered
from l2probe.judge.case import (
    Case,
    answered,
    cases,
    has_ready_backend,
    node_of,
    own_mode,
    refused_here,
    sent,
    tells,
    vips,
)
from l2probe.judge.finding import about, finding
from l2probe.judge.owners import changed_unheard, owners, silent_vips
from l2probe.judge.routes import routed
from l2probe.judge.source import promised
from l2probe.judge.versions import CILIUM, FOLLOWS_LOCAL, is_cilium_before, names, setting
from l2probe.judge.words import count, listing, outcomes
from l2probe.model import (
    Datapath,
    Evidence,
    Exchange,
    Finding,
    Flow,
    NodeName,
    Outcome,
    Placement,
    Protocol,
    Trial,
    Verdict,
)

SURE = 3
"""Connects that all must have gone one way."""


def existing(evidence: Evidence) -> tuple[tuple[Case, Trial], ...]:
    """Return each Service of the user's with the trial that saw it; none from a host that is a cluster node."""
    found = () if evidence.vantage.cluster_node is not None else cases(evidence)
    return tuple((case, case.trials[-1]) for case in found if not case.trials[-1].own)


def connects(trial: Trial) -> list[Exchange]:
    """Return the TCP connects: what must arrive whatever the application does."""
    return [one for one in sent(trial) if one.protocol is Protocol.TCP and not one.payload_bytes]


def backend_nodes(trial: Trial) -> set[NodeName | None]:
    """Return the nodes of the ready backends; None among them is a backend whose node is not known."""
    return {backend.node for backend in trial.service.backends or () if backend.ready}


def usable_nodes(trial: Trial) -> set[NodeName | None]:
    """Return the nodes on which policy Local finds a backend: a ready one, or else one that serves while it ends."""
    return {backend.node for backend in trial.service.backends or () if backend.usable}


def existing_blackhole(evidence: Evidence) -> Iterator[Finding]:
    """D01 of existing Services: proven by traffic now, or predicted for the next election."""
    for case, trial in existing(evidence):
        if not case.local or not vips(case) or not has_ready_backend(case) or len(silent_vips(case)) == len(vips(case)):
            continue
        if trial.placement is Placement.OFF_ANNOUNCER:
            yield from blackhole_now(case, trial)
        elif trial.announcer in {None, *backend_nodes(trial)} and (gaps := next_gaps(case)):
            yield blackhole_next(case, trial, gaps)


def blackhole_now(case: Case, trial: Trial) -> Iterator[Finding]:
    """Yield D01 when no connect arrives while the announcer has no ready backend; predicted where none was tried."""
    tried = [one for one in connects(trial) if one.outcome is not Outcome.NO_NEIGHBOUR and not out_of_range(case, one)]
    if any(map(answered, tried)) or any(changed_unheard(trial, one.vip) for one in tried):
        return
    on = listing(sorted(node for node in backend_nodes(trial) if node))
    seen = "answered for" if trial.replies else f"held the {names(case.evidence.cluster).claim} of"
    came = f"of {count(len(tried), 'connection')} none arrived" if tried else "nothing was tried"
    yield finding(
        "D01",
        Verdict.FAIL if len(tried) >= SURE else Verdict.WARN,
        says=f"With policy Local, {trial.announcer} {seen} {listing(vips(case))} without a ready backend of "
        f"{case.name}; {came}.",
        because=(
            f"Ready backends stood on {on or 'no known node'}.",
            f"Connections: {outcomes(tried)}{rejections(tried)}." if tried else "",
        ),
        remedy=remedy(case.evidence.cluster),
        subject=about(case, vips(case)),
    )


def rejections(tried: list[Exchange]) -> str:
    """Return the ICMP messages that refused, in words."""
    kinds = listing(f"type {one.icmp[0]} code {one.icmp[1]}" for one in tried if one.icmp)
    return f" ({kinds})" if kinds else ""


def next_gaps(case: Case) -> tuple[NodeName, ...]:
    """Return the nodes that may announce next without a ready backend; () where the announcer follows the backends."""
    cluster = case.evidence.cluster
    if cluster.implementation != CILIUM or not is_cilium_before(cluster, FOLLOWS_LOCAL):
        return ()
    return uncovered(cluster, case.service)


def blackhole_next(case: Case, trial: Trial, gaps: tuple[NodeName, ...]) -> Finding:
    """Return D01 as a prediction: it works now, until another node announces."""
    cluster = case.evidence.cluster
    word = "announced" if trial.replies else "claimed"
    now = f"now {word} by {trial.announcer}, which has one" if trial.announcer else "the announcer was not seen"
    return finding(
        "D01",
        Verdict.WARN,
        says=f"{case.name} has policy Local and no ready backend on {listing(gaps)}, which may announce it next: "
        "its traffic would not arrive there. A prediction, nothing is broken by it now.",
        because=(
            f"Ready backends stood on {listing(sorted(n for n in backend_nodes(trial) if n))}; {now}.",
            f"Cilium {cluster.implementation_version} elects the announcer without looking at backends.",
        ),
        remedy=remedy(cluster),
        subject=about(case, vips(case)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """By which node's MAC answers came back when no ready backend stood where the question went in."""

    direct: tuple[Exchange, ...]
    through: tuple[Exchange, ...]


def ways(case: Case, trial: Trial) -> Ways:
    """Return the connects whose SYN-ACK shows who answered: the backend's node (DSR) or the one asked (SNAT)."""
    nodes = backend_nodes(trial)
    pairs = [
        (one, node_of(case, one.sent_mac), node_of(case, one.reply_mac))
        for one in connects(trial)
        if answered(one) and not case.local and nodes and None not in nodes
    ]
    off = [(one, entered, back) for one, entered, back in pairs if entered is not None and entered not in nodes]
    return Ways(
        direct=tuple(one for one, entered, back in pairs if back in nodes and back != entered and entered is not None),
        through=tuple(one for one, entered, back in off if back == entered),
    )


def dsr_unseen(evidence: Evidence) -> Iterator[Finding]:
    """E03 of existing Services, by the MAC of the SYN-ACK alone: a warning, for it is the weaker proof."""
    for case, trial in existing(evidence):
        if own_mode(case) not in {None, Datapath.DSR}:
            continue
        seen = ways(case, trial)
        flows = [one.flow for one in seen.through if one.flow in promised(evidence)]
        if len(flows) < SURE or seen.direct or evidence.cluster.datapath is None:
            continue
        entered = listing(str(node_of(case, one.sent_mac)) for one in seen.through)
        dispatch = setting(evidence.cluster, "bpf-lb-dsr-dispatch")
        stood = listing(sorted(node for node in backend_nodes(trial) if node))
        configured = f"bpf-lb-mode={evidence.cluster.datapath.value}"
        yield finding(
            "E03",
            Verdict.WARN,
            says=f"The configuration said {evidence.cluster.datapath.value}, but the answers of {case.name} came back "
            f"through {entered} and not from its backends' nodes ({listing(flows)}).",
            because=(
                f"{count(len(seen.through), 'SYN')} went to {entered} and the SYN-ACKs had its MAC.",
                f"Ready backends stood on {stood}.",
                f"Configuration: {configured}{f', bpf-lb-dsr-dispatch={dispatch}' if dispatch else ''}.",
                "Weaker than an echo, for the backends do not say which address they saw.",
            ),
            remedy="Prove it with `l2probe run`, whose Pods say which address they saw; then restart the agents so "
            "that they run what the ConfigMap says, and check that kube-proxy is gone.",
            subject=about(case),
        )


def unknown(evidence: Evidence, findings: tuple[Finding, ...]) -> Iterator[str]:
    """Yield what a diagnosis asked and could not answer; what a finding explains is not said again."""
    codes = {found.code for found in findings if found.verdict in {Verdict.FAIL, Verdict.UNKNOWN}}
    if "V01" not in codes and not any(vips(case) for case in cases(evidence)):
        yield "Whether anything arrives: no Service with an address was looked at."
    for case, trial in existing(evidence):
        if trial.obstacle:
            yield trial.obstacle
        elif vips(case):
            yield from unknown_of(case, trial, codes)


def unknown_of(case: Case, trial: Trial, codes: set[str]) -> Iterator[str]:
    """Yield what stayed open about one Service that could be looked at."""
    tried, silent = connects(trial), silent_vips(case)
    unheard = [vip for vip in vips(case) if vip not in silent and not owners(case, vip)]
    if unheard and not codes & {"V01", "V02", "V03", "V04"} and not {code[0] for code in codes} & {"A", "B"}:
        yield f"Who announces {listing(unheard)}: no answer was seen, and nothing shows that one could be."
    if silent and (by_bgp := routed(case)):
        yield (
            f"Whether {listing(silent)} can be reached: nobody answered for it on this segment, and nobody need, for "
            f"{by_bgp}. Look from behind a router that hears of it."
        )
    if len(silent) == len(vips(case)) or any(code[0] in "ABCD" for code in codes):
        return
    answers = [one for one in sent(trial) if answered(one)]
    if tried and not answers:
        yield f"Why no connection to {case.name} arrived ({outcomes(tried)}): {undecided(case, tried)}"
    held = unsent(trial)
    if held:
        yield f"Whether {listing(held)} to {case.name} arrives: this host could not send it: {listing(held.values())}."
    if not tried and not answers and not held:
        yield f"Whether traffic to {case.name} arrives: {untried(trial)}"


def unsent(trial: Trial) -> dict[Flow, str]:
    """Return the flow kinds of which this host could send nothing, with what its kernel said."""
    went = {one.flow for one in sent(trial)}
    held = {flow: refused_here(trial, flow) for flow in Flow if flow not in went}
    return {flow: listing(one.detail.rstrip(".") for one in some) for flow, some in held.items() if some}


def undecided(case: Case, tried: list[Exchange]) -> str:
    """Return why the loss of all connects could not be explained, and what would explain it."""
    if all(one.outcome is Outcome.NO_NEIGHBOUR for one in tried):
        return (
            "the next hop was not resolved. Look from a machine on the segment, with CAP_NET_RAW, who answers for it."
        )
    if case.local and case.trials[-1].announcer in usable_nodes(case.trials[-1]):
        return "the announcer's only backends were ending. Look again."
    if case.local:
        return (
            "the announcer was not known, so policy Local and a broken path look the same. Look from a machine on the "
            "segment, with CAP_NET_RAW."
        )
    return "too little was tried to tell loss from a pattern. Try again."


def untried(trial: Trial) -> str:
    """Return why no traffic told anything, and what would."""
    if sent(trial):
        said = outcomes([one for one in sent(trial) if not tells(trial, one)])
        return f"its UDP ports did not answer the payload ({said}), which it may ignore. `l2probe run` proves UDP."
    if any(port.protocol is Protocol.TCP for port in trial.service.ports):
        return "nothing was sent to the address that it has now. Look again."
    return (
        "it has no TCP port. --udp-payload TEXT sends a datagram that it answers; `l2probe run` proves UDP with Pods "
        "of its own."
    )


def besides(evidence: Evidence) -> Iterator[str]:
    """Yield what a diagnosis never asks or cannot prove, with what would: it leaves the verdict as it is."""
    seen = existing(evidence)
    good = [case.name for case, trial in seen if any(map(answered, connects(trial)))]
    cluster_wide = [case.name for case, _ in seen if case.name in good and not case.local]
    if cluster_wide:
        whose = listing(cluster_wide)
        yield f"Whether the Pods of {whose} see the client: they do not say it. `l2probe run` proves it."
    unasked = [case.name for case, trial in seen if case.name in good and has_udp(trial) and not udp_answered(trial)]
    if unasked:
        yield (
            f"Whether UDP to {listing(unasked)} arrives: no answer proved it. --udp-payload TEXT sends a datagram; "
            "`l2probe run` proves UDP with Pods of its own."
        )
    mute = [one for _, trial in seen for one in sent(trial) if one.payload_bytes and not answered(one)]
    http = listing(f"{one.vip} port {one.port}" for one in mute if one.protocol is Protocol.TCP)
    if http:
        yield f"Why a GET at {http} was not answered although the port accepts connections: ask the application."


def has_udp(trial: Trial) -> bool:
    """Whether the Service has a UDP port."""
    return any(port.protocol is Protocol.UDP for port in trial.service.ports)


def udp_answered(trial: Trial) -> bool:
    """Whether a datagram was answered."""
    return any(one.protocol is Protocol.UDP and answered(one) for one in sent(trial))
