"""Talking to a Service: the exchanges of a question, once the datapath has followed the EndpointSlices.

Observes only: every failure of the network is an exchange that says how it ended.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from l2probe.model import Exchange, Flow, Ip, Outcome, Pod, Protocol
from l2probe.observe.traffic import Request
from l2probe.run.stage import Stage
from l2probe.suites import SMALL_BYTES, Question
from l2probe.workload.manifests import SERVICE_PORT

Lane = tuple[Flow, Ip]
"""A flow kind and an address of its family."""
Acted = tuple[tuple[Exchange, ...] | None, bool]
"""What came of acting: the exchanges (None: none were tried) and whether the cluster had settled."""
CONVERGE_SECONDS = 3.0
"""How long a datapath may take to follow the EndpointSlices before its answers count as they are."""
DEAD_SECONDS = 1.5
"""After so long without a single answer traffic is not late but broken."""
CONVERGE_TIMEOUT = 0.5
SURE_EXCHANGES = 8
"""Attempts of each flow in one round: three backends chosen by chance look like one of them in 1 of 6,561 rounds."""
SURE_PODS = 3
"""So many of the Pods behind a Service must have answered: more than that no round need meet by chance."""
PARALLEL = 64
FEW_EXCHANGES = 4
"""Exchanges of every payload after the first: enough to tell a lost size from a lost packet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One question and its Service with the addresses it has."""

    name: str
    question: Question
    vips: tuple[Ip, ...]

    def targets(self) -> tuple[Lane, ...]:
        """Return each asked flow kind with each address of its family."""
        families = tuple(dict.fromkeys(family_of(vip) for vip in self.vips))
        flows = [flow for flow in self.question.flows(families) if int(flow[-1]) in families]
        return tuple((flow, vip) for flow in flows for vip in self.vips if family_of(vip) == int(flow[-1]))


def family_of(address: Ip) -> int:
    """Return 4 or 6."""
    return 6 if ":" in address else 4


def request(flow: Flow, vip: Ip, payload_bytes: int, timeout: float = 1.5) -> Request:
    """Return one request to a VIP; `timeout` in seconds."""
    protocol = Protocol(flow[:3].upper())
    return Request(protocol=protocol, vip=vip, port=SERVICE_PORT, payload_bytes=payload_bytes, timeout=timeout)


def exchange(stage: Stage, requests: Sequence[Request]) -> tuple[Exchange, ...]:
    """Put each request once, all side by side as far as that is polite."""
    return stage.traffic.exchange(requests, parallel=PARALLEL)


def talk(
    stage: Stage, subject: Subject, pods: Sequence[Pod], *, full: bool, dead: Collection[Lane] = frozenset()
) -> Acted:
    """Let the datapath converge, then put the question's exchanges, or a few of the first payload.

    Nobody waits for `dead` lanes: what gave no answer with all Pods behind it gives none with one of them.
    """
    lanes = tuple(lane for lane in subject.targets() if lane not in dead)
    settled, foreign = _converge(stage, lanes, frozenset(pod.name for pod in pods)) if lanes else (False, ())
    return (*foreign, *exchange(stage, list(_requests(subject, full=full)))), settled


def wrong(tried: Iterable[Exchange]) -> tuple[Exchange, ...]:
    """Return what something else than our Pods answered: no datapath that is still following explains that."""
    return tuple(one for one in tried if one.outcome is Outcome.WRONG_ANSWER)


def _requests(subject: Subject, *, full: bool) -> tuple[Request, ...]:
    first, *later = subject.question.payloads
    few = min(FEW_EXCHANGES, subject.question.exchanges)
    sizes = [first] * (subject.question.exchanges if full else few)
    sizes += [size for size in later if full for _ in range(few)]
    return tuple(request(flow, vip, size.of(flow)) for size in sizes for flow, vip in subject.targets())


def dead_lanes(tried: Iterable[Exchange]) -> frozenset[Lane]:
    """Return where something was tried and nothing was ever answered."""
    seen = tuple(tried)
    alive = {(one.flow, one.vip) for one in seen if one.outcome is Outcome.ANSWERED}
    return frozenset((one.flow, one.vip) for one in seen) - alive


def _converge(stage: Stage, lanes: Sequence[Lane], pods: frozenset[str]) -> tuple[bool, tuple[Exchange, ...]]:
    """Wait until all answers on every flow come from exactly these Pods; False when they do not, and wrong answers.

    Other attempts are no evidence: nodes follow the EndpointSlices one after the other, and a connection that is under
    way when one of them does may be reset. One answer proves nothing, for the old backends include the new one.
    """
    started = stage.edges.now()
    trying = [request(flow, vip, SMALL_BYTES, CONVERGE_TIMEOUT) for flow, vip in lanes for _ in range(SURE_EXCHANGES)]
    alive: set[Lane] = set()
    foreign: list[Exchange] = []
    while stage.edges.now() - started < CONVERGE_SECONDS:
        tried = exchange(stage, trying)
        stage.edges.check()
        foreign += wrong(tried)
        late = {(one.flow, one.vip) for one in tried if one.outcome is not Outcome.ANSWERED or one.pod not in pods}
        alive |= {(one.flow, one.vip) for one in tried if one.outcome is Outcome.ANSWERED}
        if not late and len({one.pod for one in tried}) >= min(len(pods), SURE_PODS):
            return True, tuple(foreign)
        if not alive & late and stage.edges.now() - started >= DEAD_SECONDS:
            break
        stage.edges.pause(0.1)
    return False, tuple(foreign)
