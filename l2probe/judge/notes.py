"""Worth knowing and no finding: of an audit remnants and what was left out, of a run what its proof is worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from l2probe.judge.case import cases, claims, ready_nodes
from l2probe.judge.prediction import AUDIT, lives
from l2probe.judge.routes import advertised, announced_by_bgp, is_bgp_on, routed
from l2probe.judge.versions import names
from l2probe.judge.words import count, listing
from l2probe.model import Dialect, Evidence

MANY = 4
"""Services from which on one node that holds them all is worth a word."""
NAMED = 10


def notes(evidence: Evidence) -> Iterator[str]:
    """Yield each note as one sentence or two."""
    for note in ASKED.get(evidence.command, ()):
        yield from note(evidence)


def strays(evidence: Evidence) -> Iterator[str]:
    """Claims about Services that do not exist: each is renewed, and costs requests, for nothing."""
    found = evidence.cluster.stray_claims or ()
    if found:
        said = listing((f"{one.source} ({one.holder or 'no holder'})" for one in found), limit=NAMED)
        word = names(evidence.cluster).claim
        yield (
            f"{count(len(found), word)} without a LoadBalancer Service: {said}. Delete what nobody renews; what is "
            "renewed belongs to an agent that did not notice the deletion: restart it."
        )


def one_namespace(evidence: Evidence) -> Iterator[str]:
    """Rights in one namespace alone: what other Services would have shown."""
    if here := evidence.cluster.within:
        yield (
            f"Only namespace {here} was looked at: this user may not list the Services of others. So it is not known "
            "whether another one's Service has the same address (A08, C07) or owns a requested one (A03), whether a "
            "pool's free addresses answer already (A05), whether the agents' request rate suffices for all (B08), nor "
            f"which {names(evidence.cluster).claim}s belong to no Service."
        )


def one_for_all(evidence: Evidence) -> Iterator[str]:
    """One node that holds every announcement: its end is everybody's."""
    holders = Counter(history[-1].holder for case in cases(evidence) if lives(case) and (history := claims(case)))
    nodes = len(ready_nodes(evidence))
    if len(holders) == 1 and nodes > 1 and (number := holders.total()) >= MANY:
        yield (
            f"{listing(str(one) for one in holders)} holds all {number} announcements, of {count(nodes, 'Ready node')}:"
            " when it fails all move at once, and all traffic enters through it."
        )


def partly_asked(evidence: Evidence) -> Iterator[str]:
    """Silent addresses that some node may have been announcing to those who ask it alone."""
    if found := evidence.partly_asked:
        yield (
            f"{count(len(found), 'address')} answered nobody's call, and not every node was asked alone, because there "
            f"were too many of both and no holder was known: {listing(found, limit=NAMED)}. Whether a node hears only "
            "what is sent to it alone (B11, B12): l2probe diagnose."
        )


def hostnames(evidence: Evidence) -> Iterator[str]:
    """Services that are reached by a name."""
    found = [case for case in cases(evidence) if case.service.hostnames and not case.service.vips]
    if found:
        said = listing((f"{case.name} ({listing(case.service.hostnames)})" for case in found), limit=NAMED)
        yield f"Reached by a name and not by an address, so nothing about them was looked at: {said}."


def by_bgp(evidence: Evidence) -> Iterator[str]:
    """Clusters that announce on layer 3."""
    if announced_by_bgp(evidence.cluster):
        yield "BGP is on and L2 announcements are off: whether the addresses are announced by BGP was not looked at."
    elif is_bgp_on(evidence.cluster):
        yield (
            "BGP is on beside L2 announcements: what no policy selects may be announced by BGP, which was not looked "
            "at, so it is not called unannounced."
        )
    found = [case for case in cases(evidence) if advertised(case) and routed(case)]
    if found:
        said = listing((f"{case.name} ({listing(advertised(case))})" for case in found), limit=NAMED)
        yield f"Announced by BGP alone, so nobody need answer on the segment: {said}. Look from behind a router."


def weaker_proof(evidence: Evidence) -> Iterator[str]:
    """Say what an answer is worth that came from an image without the run's secret, and what it could not be asked."""
    name = evidence.echo.value
    if evidence.echo is Dialect.SCRIPT:
        return
    yield (
        f"The echo Pods ran {name}, which holds no secret of this run: an answer counted as our Pod's when it repeated "
        "the question's random text and gave the hostname that this run drew for the Pod. That rules out a machine "
        "that has the address by accident, not one that passes on what our Pod says."
    )
    if evidence.echo is Dialect.WHOAMI:
        yield f"{name} speaks no UDP, so nothing was asked over UDP and nothing is known of it."


ASKED = {AUDIT: (one_namespace, partly_asked, strays, one_for_all, hostnames, by_bgp), "run": (weaker_proof,)}
"""What each command is told of."""
