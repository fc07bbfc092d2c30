"""Loss without a pattern: how much, in how many moments, and whether chance explains it (D12)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from l2probe.judge.case import answered, cases, vips
from l2probe.judge.finding import finding, seen_of
from l2probe.judge.owners import rivals
from l2probe.judge.patterns import CHANCE, Try
from l2probe.judge.statistics import tail, wilson
from l2probe.judge.words import count, listing, outcomes, per_flow, percent, seconds
from l2probe.model import Evidence, Exchange, Finding, Flow, Protocol, Subject, Verdict

RETRANSMITTED_SECONDS = 0.9
"""A TCP exchange on a LAN that takes this long lost a SYN: Linux repeats it after 1 s (RFC 6298)."""
SEVERAL = 2
"""Separate moments of loss that make it intermittent."""
MOMENT_SECONDS = 0.5
"""What is lost without a break within this time is one event."""
NOTICED, BROKEN = 0.01, 0.05
"""The share of loss that must be exceeded to be worth a word, and to be called broken."""


def intermittent(evidence: Evidence, rest: tuple[Try, ...]) -> Iterator[Finding]:
    """D12: a share is lost and nothing explains which. One lost packet is no finding, nor is one short interruption."""
    tried = [one.exchange for one in rest]
    lost = [one for one in tried if not answered(one)]
    low, high = wilson(len(lost), len(tried))
    if not lost or len(lost) == len(tried) or low < NOTICED or len(moments(tried)) < SEVERAL:
        return
    slow = [one for one in tried if answered(one) and is_retransmitted(one)]
    found = finding(
        "D12",
        Verdict.FAIL if low >= BROKEN or breaks_a_flow(tried) else Verdict.WARN,
        says=f"{len(lost)} of {len(tried)} exchanges were lost without a pattern: {percent(len(lost) / len(tried))} "
        f"(95 % interval {percent(low)} to {percent(high)}).",
        because=(
            f"Answered: {per_flow(tried)}.",
            f"Lost: {outcomes(lost)}.",
            f"{count(len(slow), 'TCP connection')} answered only after {seconds(RETRANSMITTED_SECONDS)} or "
            f"more: packets were repeated."
            if slow
            else "",
            "Neither size, protocol, backend, node nor Service separates the lost from the answered.",
            *by_owner(evidence, tried),
        ),
        remedy="Look for loss on the segment: interface error counters on client, switch and nodes (ip -s "
        "link, ethtool -S), duplex, overload.",
        subject=sufferer(rest),
    )
    yield seen_of(found, (one.service for one in rest if one.lost))


def sufferer(rest: Sequence[Try]) -> Subject:
    """Return the Service that lost, where it is a single one."""
    names = {one.service for one in rest if one.lost}
    namespace, _, name = names.pop().partition("/") if len(names) == 1 else ("", "", "")
    return Subject(namespace=namespace, name=name)


def breaks_a_flow(tried: Sequence[Exchange]) -> bool:
    """Whether one flow kind alone loses so much that it counts as unreachable."""
    return any(steady([one for one in tried if one.flow is flow]) is False for flow in Flow)


def by_owner(evidence: Evidence, tried: Sequence[Exchange]) -> Iterator[str]:
    """Yield, for each address that several nodes answered for, what was lost of what went to each of them.

    Loss at one of them is a pattern (D03); where there is none the second node is not said to be the cause.
    """
    for case in cases(evidence):
        for vip in vips(case):
            shares = [
                f"{sum(not answered(one) for one in went)} of {len(went)} to {node.label}"
                for node in rivals(case, vip)
                if (went := [one for one in tried if one.vip == vip and one.sent_mac in node.macs])
            ]
            if shares:
                yield f"{vip}, which several nodes answered for, lost {listing(shares)}."


def steady(tried: Sequence[Exchange]) -> bool | None:
    """Whether what was not answered may be chance; False when a sound segment hardly ever loses that much.

    True up to what chance loses where NOTICED is lost, or when most was answered and one short moment took the rest;
    False beyond what chance loses where BROKEN is lost; None between the two, where neither is proven.
    """
    lost = sum(not answered(one) for one in tried)
    once = len(moments(tried)) < SEVERAL and lost * 2 < len(tried)
    if once or tail(lost, len(tried), NOTICED) >= CHANCE:
        return True
    return False if tail(lost, len(tried), BROKEN) < CHANCE else None


def moments(tried: Sequence[Exchange]) -> list[list[Exchange]]:
    """Group the lost by time: a moment ends when an exchange passed unharmed, or after MOMENT_SECONDS.

    A datapath that is reloaded loses everything for some milliseconds: that is one event, however many packets it hits.
    """
    found: list[list[Exchange]] = []
    within = False
    for one in sorted(tried, key=lambda one: one.at):
        lost = not answered(one)
        if lost and within and one.at - found[-1][0].at <= MOMENT_SECONDS:
            found[-1].append(one)
        elif lost:
            found.append([one])
        within = lost or (within and is_retransmitted(one))
    return found


def is_retransmitted(exchange: Exchange) -> bool:
    """Whether a TCP exchange took so long that a packet must have been repeated."""
    return exchange.protocol is Protocol.TCP and (exchange.latency_seconds or 0.0) >= RETRANSMITTED_SECONDS
