"""Trials of one Service, one after the other: all Pods behind it, then one on the announcer, then one off it.

Observes only; every failure of the network is recorded as it was seen. Policy Local off the announcer is `local`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from l2probe.model import Exchange, Ip, NodeName, Outcome, Placement, Pod, Service, TrafficPolicy, Trial
from l2probe.run.announcer import announcers, ask_alone, await_announcer, await_renewal
from l2probe.run.local import acquaint, knock_until_decided
from l2probe.run.stage import Stage, backend_of
from l2probe.run.talking import Acted, Subject, dead_lanes, exchange, family_of, request, talk
from l2probe.suites import SMALL_BYTES, Question

NO_NEIGHBOUR_TIMEOUT = 3.5
"""The kernel gives up on a neighbour after three solicitations, one a second."""


def question_trials(stage: Stage, name: str, question: Question) -> tuple[Trial, ...]:
    """Put one question to its Service; returns its trials. Raises ClusterError, WireError, InterruptedRunError."""
    service = stage.service(name)
    vips = tuple(sorted(service.vips, key=lambda vip: (family_of(vip), vip)))
    subject = Subject(name=name, question=question, vips=vips)
    if not vips:
        return (_pending(stage, subject, service),)
    first = _first(stage, subject)
    if first.replies == () and (stage.node_replies or not _answered(first.exchanges or ())):
        # Nobody announces. Answers do not refute it: our kernel may remember who did when the address was another's.
        return (first,)
    places = [place for place in question.place if place is not Placement.ANY]
    trials = [first]
    for place in places:
        trials.append(_placed(stage, subject, place, trials))
    return tuple(trials)


def _answered(exchanges: Sequence[Exchange]) -> frozenset[Ip]:
    return frozenset(one.vip for one in exchanges if one.outcome is Outcome.ANSWERED)


def _pending(stage: Stage, subject: Subject, service: Service) -> Trial:
    return Trial(
        name=subject.name,
        service=service,
        placement=Placement.ANY,
        claims=stage.claims(subject.name),
        started=stage.edges.now(),
        obstacle="The Service has no address.",
    )


def _first(stage: Stage, subject: Subject) -> Trial:
    """Find the announcer, with all Pods behind the Service."""
    started = stage.edges.now()
    await_announcer(stage, subject.name, subject.vips)
    silent = stage.heard(subject.vips, started) == ()
    ask_alone(stage, subject.vips, started)
    silent = silent and not any(reply.asked != "unicast" for reply in stage.heard(subject.vips, started) or ())
    pods = stage.ready_pods()

    def act() -> Acted:
        if silent:
            patient = [request(flow, vip, SMALL_BYTES, NO_NEIGHBOUR_TIMEOUT) for flow, vip in subject.targets()]
            tried = exchange(stage, patient)
            await_renewal(stage, subject.name)
            return tried, True
        if subject.question.policy is TrafficPolicy.LOCAL:
            return None, True  # policy Local promises nothing before a Pod stands on the announcer
        full = Placement.ANY in subject.question.place
        return _while_asking(stage, subject.vips, partial(talk, stage, subject, pods, full=full))

    return _observe(stage, subject, Spot(pod=None, place=Placement.ANY), act, started=started)


def _placed(stage: Stage, subject: Subject, place: Placement, before: Sequence[Trial]) -> Trial:
    """Point the Service at one Pod on or off the announcer, and talk to it."""
    spot = _spot(stage, subject, place, announcers(subject.vips, before[-1].replies or ()))
    if not isinstance(spot.pod, Pod):
        return _obstructed(stage, subject, place, spot.pod or "")
    target, dead = spot.pod, dead_lanes(one for trial in before for one in trial.exchanges or ())
    blackhole = subject.question.policy is TrafficPolicy.LOCAL and place is Placement.OFF_ANNOUNCER
    knocks = [request(flow, vip, SMALL_BYTES) for flow, vip in subject.targets()] if blackhole else []
    stage.edges.say(f"{subject.name}: trying with the Pod on {target.node} ({spot.place}).")
    contested = any(reply.node is None for reply in before[-1].replies or ())
    if knocks and not contested:  # a stranger may be the one whom this host's kernel believes first
        acquaint(stage, knocks)
    started = stage.edges.now()
    if not stage.point(subject.name, (target,)):
        return _obstructed(stage, subject, place, f"The EndpointSlices did not show {target.name} alone within 15 s.")

    def act() -> Acted:
        if knocks:
            return knock_until_decided(stage, subject.name, subject.vips, knocks, pod=target.name, since=started)
        return _while_asking(stage, subject.vips, partial(talk, stage, subject, (target,), full=True, dead=dead))

    return _observe(stage, subject, spot, act, started=started)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where a trial's backend stands, seen from the announcer that the wire showed.

    `pod` None: all of them; a text: why there is none.
    """

    pod: Pod | str | None
    place: Placement
    announcer: NodeName | None = None


def _spot(stage: Stage, subject: Subject, place: Placement, seen: Sequence[NodeName]) -> Spot:
    """Choose the Pod by what the wire showed, else by the claim; with neither, two different Pods, placed nowhere."""
    held = stage.holder(subject.name)
    around = tuple(seen) or ((held,) if held else ())
    announcer = seen[0] if seen else None
    if around:
        pod = stage.pod_on(around[0]) if place is Placement.ON_ANNOUNCER else stage.pod_off(around)
        return Spot(pod=pod, place=place, announcer=announcer)
    pods = stage.ready_pods()
    number = 0 if place is Placement.ON_ANNOUNCER else 1
    if subject.question.policy is TrafficPolicy.LOCAL or len(pods) <= number:
        return Spot(pod="Nobody was known to announce, so no Pod could be placed on or off the announcer.", place=place)
    return Spot(pod=pods[number], place=Placement.ANY)


def _obstructed(stage: Stage, subject: Subject, place: Placement, why: str) -> Trial:
    return Trial(
        name=subject.name,
        service=stage.service(subject.name),
        placement=place,
        claims=stage.claims(subject.name),
        started=stage.edges.now(),
        obstacle=why,
    )


def _observe(
    stage: Stage,
    subject: Subject,
    spot: Spot,
    act: Callable[[], Acted],
    *,
    started: float,
) -> Trial:
    """Act, and record what came of it with the frames and claims of the time."""
    exchanges, settled = act()
    stage.edges.check()
    service = stage.service(subject.name)
    replies = stage.heard(subject.vips, started)
    return Trial(
        name=subject.name,
        service=service,
        placement=spot.place,
        target=backend_of(service, spot.pod) if isinstance(spot.pod, Pod) else None,
        announcer=spot.announcer or next(iter(announcers(subject.vips, replies or ())), None),
        claims=stage.claims(subject.name),
        replies=replies,
        exchanges=None if exchanges is None else stage.annotated(exchanges),
        started=started,
        observed_seconds=round(stage.edges.now() - started, 3),
        settled=settled,
    )


def _while_asking(stage: Stage, vips: Sequence[Ip], act: Callable[[], Acted]) -> Acted:
    """Act while the wire is asked side by side, so that a second announcer has several chances to be heard."""
    if stage.wire is None:
        return act()
    with ThreadPoolExecutor(1, thread_name_prefix="ask") as pool:
        asking = pool.submit(stage.wire.ask, vips, times=3, gap=0.1, linger=0.25)
        acted = act()
        asking.result()
    return acted
