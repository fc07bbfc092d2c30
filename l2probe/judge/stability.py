"""Family F, over time: a takeover that nobody was told of, that this host did not follow, or that lasted too long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise

from l2probe.judge.case import Case, answered, cases, exchanges, sent, tells, vips
from l2probe.judge.finding import about, finding
from l2probe.judge.takeover import Takeover, allowed_seconds, announcement, frames_of, macs_of, takeovers
from l2probe.judge.words import count, listing, outcomes, per_flow, seconds
from l2probe.model import Evidence, Exchange, Finding, Ip, NeighbourReply, Trial, Verdict

QUIET_SECONDS = 1.0
"""How long after its first answer a new announcer may still announce itself. Cilium does it before it answers at all
(pkg/datapath/l2responder), MetalLB and kube-vip at once and again after 1 and 3 s."""
KEPT_SECONDS = 3.0
"""How long this host may hold on to the old entry: Linux ignores another MAC for 1 s after a change (locktime), and
answers to our own questions, one a second, teach it afterwards."""
SEVERAL = 3
"""Exchanges that must have gone to the old MAC."""


def no_gratuitous_arp(evidence: Evidence) -> Iterator[Finding]:
    """F02: a node took the address over and told nobody; clients keep sending to the old one."""
    for case in cases(evidence):
        found = [(vip, one) for vip in vips(case) for one in takeovers(case) if is_unannounced(case, vip, one)]
        if not found:
            continue
        addresses, first = tuple(dict.fromkeys(vip for vip, _ in found)), found[0][1]
        stale = [exchange for vip, one in found for exchange in sent_to(case, vip, one, since=one.taken)]
        served = len(stale) >= SEVERAL and all(map(answered, stale))
        yield finding(
            "F02",
            Verdict.WARN if served else Verdict.FAIL,
            says=f"{first.after} took {listing(addresses)} over from {first.before}, and nothing told this host so "
            f"unasked ({listing(map(announcement, addresses))}): clients that know the old MAC keep sending there "
            "until their entry expires."
            + (f" {first.before} forwarded what still came: {outcomes(stale)}." if served else ""),
            because=(*(unannounced_words(case, vip, one) for vip, one in found), *stale_words(case, found)),
            remedy=f"Capture on {first.after} during a takeover: if it sends none, upgrade or restart its agent; "
            "if it does, a switch in between filters it (ARP inspection, storm control).",
            subject=about(case, addresses),
        )


def is_unannounced(case: Case, vip: Ip, one: Takeover) -> bool:
    """Whether the new holder answered for this VIP, was listened to for long enough, and never announced itself."""
    trial = next((t for t in case.trials if t.replies is not None and is_within(t, one.taken)), None)
    frames = frames_of(case, vip, one.after)
    answers = [frame.at for frame in frames if trial and frame.solicited and frame.at >= trial.started]
    if trial is None or not answers or any(not frame.solicited for frame in frames):
        return False
    old = frames_of(case, vip, one.before)
    # A handover that was under way before anybody listened may have been announced then.
    heard = trial.own or any(trial.started <= frame.at <= answers[0] for frame in old)
    return bool(old) and heard and listened_until(case, vip) - answers[0] >= QUIET_SECONDS


def is_within(trial: Trial, at: float) -> bool:
    """Whether that happened while this trial was observed."""
    return trial.started < at <= trial.started + trial.observed_seconds


def listened_until(case: Case, vip: Ip) -> float:
    """Return until when frames about this VIP were recorded."""
    return max(t.started + t.observed_seconds for t in case.trials if t.replies is not None and vip in t.service.vips)


def unannounced_words(case: Case, vip: Ip, one: Takeover) -> str:
    """Return what the new holder sent for a VIP, in words."""
    frames = frames_of(case, vip, one.after)
    return (
        f"{vip}: {one.after} answered {count(len(frames), 'question')}, the first {seconds(frames[0].at - one.taken)} "
        f"after it took over, and sent no {announcement(vip)} in {seconds(listened_until(case, vip) - one.taken)}."
    )


def stale_words(case: Case, found: list[tuple[Ip, Takeover]]) -> Iterator[str]:
    """Yield for how long this host's own traffic still went to the old MAC."""
    for vip, one in found:
        late = sent_to(case, vip, one, since=one.taken)
        if late:
            yield f"This host sent to {one.before} for {seconds(late[-1].at - one.taken)} more: {outcomes(late)}."


def sent_to(case: Case, vip: Ip, one: Takeover, *, since: float) -> list[Exchange]:
    """Return the exchanges from then on whose first frame went to the node that had handed the VIP over."""
    old = macs_of(case, one.before)
    sent = (e for _, e in exchanges(case.trials) if e.vip == vip and e.at >= since and e.sent_mac in old)
    return sorted(sent, key=lambda exchange: exchange.at)


def gratuitous_arp_ignored(evidence: Evidence) -> Iterator[Finding]:
    """F04: the new holder announced itself, and this host kept the old entry."""
    for case in cases(evidence):
        found = [
            (vip, one, kept) for vip in vips(case) for one in takeovers(case) if (kept := kept_old(case, vip, one))
        ]
        if not found:
            continue
        stale = [exchange for _, _, kept in found for exchange in kept.stale]
        addresses, first = tuple(dict.fromkeys(vip for vip, _, _ in found)), found[0][1]
        hurt = not all(map(answered, stale))
        yield finding(
            "F04",
            Verdict.FAIL if hurt else Verdict.WARN,
            says=f"{first.after} announced {listing(addresses)} after it took over from {first.before}, and this host "
            f"kept sending to {first.before}: {outcomes(stale)}.",
            because=tuple(kept_words(vip, one, kept) for vip, one, kept in found),
            remedy="Look at this host's neighbour table (ip neigh show): a permanent entry, drop_gratuitous_arp, a "
            "long neighbour locktime or an ARP filter keeps the old one. Hosts that miss an announcement need one that "
            "is repeated (MetalLB and kube-vip do; Cilium announces once).",
            subject=about(case, addresses),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The announcement that this host ignored, and the exchanges that it sent to the old MAC for too long after it."""

    announced: NeighbourReply
    stale: tuple[Exchange, ...]


def kept_old(case: Case, vip: Ip, one: Takeover) -> Kept | None:
    """Return what shows that this host kept the old entry; None when it followed, or the old node still answered."""
    told = next((frame for frame in frames_of(case, vip, one.after) if not frame.solicited), None)
    if told is None or any(frame.at > told.at for frame in frames_of(case, vip, one.before)):
        return None
    stale = tuple(sent_to(case, vip, one, since=told.at + KEPT_SECONDS))
    return Kept(announced=told, stale=stale) if len(stale) >= SEVERAL else None


def kept_words(vip: Ip, one: Takeover, kept: Kept) -> str:
    """Return the announcement and what came after it, in words."""
    told, last = kept.announced, kept.stale[-1]
    return (
        f"{vip}: {announcement(vip)} from {told.mac} ({one.after}); up to {seconds(last.at - told.at)} later frames "
        f"went to {last.sent_mac} ({one.before})."
    )


def slow_failover(evidence: Evidence) -> Iterator[Finding]:
    """F03: nobody served for longer than the cluster's own durations allow; says where the time went."""
    durations = allowed_seconds(evidence.cluster)
    if durations is None:
        return
    for case in cases(evidence):
        outages = [o for one in takeovers(case) for o in gaps(case, one) if o.seconds > sum(durations)]
        if not outages:
            continue
        worst = max(outages, key=lambda outage: outage.seconds)
        one, (lease, renew) = worst.takeover, durations
        yield finding(
            "F03",
            Verdict.FAIL,
            says=f"{case.name} was not served for {seconds(worst.seconds)} when {one.before} handed it over to "
            f"{one.after}; its settings allow {seconds(lease + renew)}.",
            because=(
                *worst.parts(case),
                f"Settings: lease duration {seconds(lease)}, renew deadline {seconds(renew)}.",
                f"Lost meanwhile: {outcomes(worst.lost)} ({per_flow(worst.lost)}).",
            ),
            remedy="The longest part says where to look: detection and election at the API server and the agents of "
            f"{one.before} and {one.after}, announcement at the agent of {one.after}, client at the neighbour tables "
            "on the way (F02, F04).",
            subject=about(case, (exchange.vip for exchange in worst.lost)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Consecutive exchanges of one flow kind with one VIP that all were lost, around a takeover, until one answered."""

    takeover: Takeover
    lost: tuple[Exchange, ...]
    served: Exchange

    @property
    def seconds(self) -> float:
        """From the first lost exchange to the first answered one."""
        return self.served.at - self.lost[0].at

    def parts(self, case: Case) -> tuple[str, ...]:
        """Return where the time went: detection, election, announcement, client."""
        one, vip = self.takeover, self.served.vip
        heard = [frame.at for frame in frames_of(case, vip, one.after) if frame.at >= one.free]
        ends = (self.lost[0].at, one.free, one.taken, min(heard, default=one.taken), self.served.at)
        marks = tuple(accumulate((min(end, self.served.at) for end in ends), max))
        words = (
            f"Detection, until {one.before}'s claim was over",
            f"Election, until {one.after} held it",
            f"Announcement, until its first frame about {vip}",
            "Client, until this host was served",
        )
        return tuple(
            f"{word}: {seconds(end - begin)}." for word, (begin, end) in zip(words, pairwise(marks), strict=True)
        )


def gaps(case: Case, one: Takeover) -> Iterator[Outage]:
    """Yield the outage of each flow kind and VIP that began before the address was taken over and ended after it.

    Within one trial only: between two of them nobody tried.
    """
    for trial in case.trials:
        lanes: dict[tuple[str, Ip], list[Exchange]] = {}
        for exchange in sorted(sent(trial), key=lambda exchange: exchange.at):
            if tells(trial, exchange):
                lanes.setdefault((exchange.flow, exchange.vip), []).append(exchange)
        yield from (found for lane in lanes.values() if (found := gap(lane, one)) is not None)


def gap(lane: list[Exchange], one: Takeover) -> Outage | None:
    """Return the outage in a lane of exchanges by time; None when it was served throughout, or not again."""
    served = next((exchange for exchange in lane if answered(exchange) and exchange.at > one.taken), None)
    if served is None:
        return None
    before = lane[: lane.index(served)]
    good = max((number for number, exchange in enumerate(before) if answered(exchange)), default=-1)
    lost = tuple(before[good + 1 :])
    return Outage(takeover=one, lost=lost, served=served) if lost and lost[0].at < one.taken else None
