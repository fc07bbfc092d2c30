"""V07: a ping that stays without an answer says nothing about an address that serves."""

from __future__ import annotations

from collections.abc import Iterator

from l2probe.judge.case import answered, cases, exchanges, vips
from l2probe.judge.finding import about, finding
from l2probe.judge.words import count, listing
from l2probe.model import Evidence, Finding, Verdict


def ping_is_no_test(evidence: Evidence) -> Iterator[Finding]:
    """V07: ping was not answered and connections were. For information: the verdict is a pass."""
    for case in cases(evidence) if evidence.pings else ():
        mine = [ping for ping in evidence.pings or () if ping.vip in vips(case)]
        good = {one.vip for _, one in exchanges(case.trials) if answered(one)}
        mute = [vip for vip in good if (p := [x for x in mine if x.vip == vip]) and not any(x.answered for x in p)]
        if not mute:
            continue
        asked = [ping for ping in mine if ping.vip in mute]
        yield finding(
            "V07",
            Verdict.PASS,
            says=f"{listing(sorted(mute))} did not answer ping and accepted connections: a load balancer address "
            "serves its ports and nothing else.",
            because=(
                f"{count(len(asked), 'echo request')} to {listing(sorted(mute))}: 0 answered.",
                *dict.fromkeys(f"{ping.vip}: {ping.said}." for ping in asked if ping.said),
                f"Connections to {listing(sorted(mute))} were answered meanwhile.",
            ),
            remedy="Test with a connection to a port (`nc -zv VIP PORT`, `curl`), never with ping.",
            subject=about(case, sorted(mute)),
        )
