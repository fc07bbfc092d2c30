"""What policy Local does when the only ready backend is not on the announcer: one of five names, or unknown."""

from __future__ import annotations

from l2probe.judge.case import Case, answered, cases, exchanges, node_of, serving_trials
from l2probe.judge.owners import changed_unheard, contenders, hears, owner_after
from l2probe.judge.words import listing
from l2probe.model import Evidence, Exchange, Flow, LocalPolicy, Outcome, Placement, Trial

ENOUGH_TRIES = 5
ENOUGH_SECONDS = 8.0
"""Kernels limit how often they reject and may stay mute for the first six SYNs, so silence says "dropped" only after
this many tries over this long (measured with kube-proxy, Kubernetes 1.34)."""
FAILOVER_SECONDS = 20.0
"""Cilium's documented longest failover with default timings: leaseDuration + renewDeadline."""
LAST_ASKED_SECONDS = 1.0
"""A trial ends with three questions within its last second (see run/local.py)."""
REFUSED = (Outcome.REFUSED_ICMP, Outcome.REFUSED_RST)


def local_policy(seen: tuple[Case, ...], flow: Flow) -> LocalPolicy:
    """Return what all trials off the announcer agree on; unknown when they disagree or none could be judged."""
    found = {outcome(case, trial, flow) for case in seen for trial in off_trials(case)} - {LocalPolicy.UNKNOWN}
    return found.pop() if len(found) == 1 else LocalPolicy.UNKNOWN


def off_trials(case: Case) -> tuple[Trial, ...]:
    """Return our own trials of policy Local whose only backend stands off the announcer."""
    off = (trial for trial in case.trials if case.local and trial.placement is Placement.OFF_ANNOUNCER)
    return tuple(trial for trial in off if trial.own)


def attempts(trial: Trial, flow: Flow) -> list[Exchange]:
    """Return the exchanges of one flow kind, in time order."""
    return sorted((e for _, e in exchanges((trial,), flow)), key=lambda exchange: exchange.at)


def outcome(case: Case, trial: Trial, flow: Flow) -> LocalPolicy:
    """Judge one trial for one flow kind. An address that several announce at once says nothing about the policy."""
    tried = attempts(trial, flow)
    if not tried or trial.target is None or trial.target.node is None or contenders(case, tried[0].vip):
        return LocalPolicy.UNKNOWN
    good = [exchange for exchange in tried if answered(exchange)]
    if good:
        return when_answered(case, trial, good[-1])
    if not had_its_chance(trial) or not worked_before(case, flow):
        return LocalPolicy.UNKNOWN
    return when_lost(case, trial, tried)


def when_answered(case: Case, trial: Trial, last: Exchange) -> LocalPolicy:
    """Return served through another node, or moved to the backend's own: the MAC that we sent to decides."""
    entered = node_of(case, last.sent_mac) or owner_after(case, trial, last.vip)
    if entered is None or last.node is None:
        return LocalPolicy.UNKNOWN
    if entered != last.node:
        return LocalPolicy.SERVED
    return LocalPolicy.MOVED if trial.announcer not in {None, last.node} else LocalPolicy.UNKNOWN


def when_lost(case: Case, trial: Trial, tried: list[Exchange]) -> LocalPolicy:
    """Unannounced, rejected or dropped; only an announcer that stayed where it was can be said to have done that."""
    if withdrawn(case, trial, tried):
        return LocalPolicy.UNANNOUNCED
    if changed_unheard(trial, tried[0].vip):
        return LocalPolicy.UNKNOWN
    if owner_after(case, trial, tried[0].vip) != trial.announcer:
        return LocalPolicy.UNKNOWN
    refused = [exchange for exchange in tried if exchange.outcome in REFUSED]
    if refused:
        senders = {node_of(case, exchange.reply_mac) for exchange in refused} - {None}
        return LocalPolicy.REJECTED if not senders or trial.announcer in {None, *senders} else LocalPolicy.UNKNOWN
    if all(exchange.outcome is Outcome.TIMEOUT for exchange in tried) and is_enough(tried):
        return LocalPolicy.DROPPED
    return LocalPolicy.UNKNOWN


def withdrawn(case: Case, trial: Trial, tried: list[Exchange]) -> bool:
    """Whether nobody announced the address any more when it was asked for last, on an interface that hears.

    The old holder may still answer for a moment after the change, so only the end of the trial counts.
    """
    if trial.replies is None or not hears(case.evidence, 6 if ":" in tried[0].vip else 4):
        return False
    last = trial.started + trial.observed_seconds - LAST_ASKED_SECONDS
    frames = [reply for reply in trial.replies if reply.ip == tried[0].vip and reply.at >= last]
    return not frames and tried[-1].outcome in {Outcome.NO_NEIGHBOUR, Outcome.TIMEOUT} and not refused_any(tried)


def refused_any(tried: list[Exchange]) -> bool:
    """Whether any attempt was refused."""
    return any(exchange.outcome in REFUSED for exchange in tried)


def had_its_chance(trial: Trial) -> bool:
    """Whether the cluster had time to move the address: it renewed its claim, or a whole failover's time passed."""
    return trial.settled or trial.observed_seconds >= FAILOVER_SECONDS


def worked_before(case: Case, flow: Flow) -> bool:
    """Whether the same flow kind was answered where it must be: else the loss is not the policy's doing."""
    own = [answered(e) for _, e in exchanges(serving_trials(case), flow)]
    other = [answered(e) for c in cases(case.evidence) if not c.local for _, e in exchanges(c.trials, flow)]
    return any(own or other)


def is_enough(tried: list[Exchange]) -> bool:
    """Whether there were enough attempts over enough time to call silence a drop."""
    return len(tried) >= ENOUGH_TRIES and tried[-1].at - tried[0].at >= ENOUGH_SECONDS


def why_untold(evidence: Evidence) -> str:
    """Return why nothing can be said although it was tried, in words; "" where only the attempts could tell."""
    blind = [case for case in cases(evidence) if any(is_blind(trial) for trial in off_trials(case))]
    if not blind:
        return ""
    return (
        f": the claim of {listing(case.name for case in blind)} changed hands, and without frames it is not known "
        "whether this host followed or sent to the old announcer on"
    )


def is_blind(trial: Trial) -> bool:
    """Whether the announcer changed and this host could not see to whom it sent."""
    return any(changed_unheard(trial, one.vip) and one.sent_mac is None for one in trial.exchanges or ())


def flows_by_outcome(evidence: Evidence) -> dict[LocalPolicy, list[Flow]]:
    """Which flow kinds met which fate."""
    seen = cases(evidence)
    fates: dict[LocalPolicy, list[Flow]] = {}
    for flow in Flow:
        fates.setdefault(local_policy(seen, flow), []).append(flow)
    return fates
