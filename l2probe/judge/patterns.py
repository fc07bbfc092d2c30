"""Which pattern explains the lost traffic, if any: size, crossing, protocol, backend, announcer. Otherwise it is loss.

A pattern is accused only when nearly all inside it was lost, nearly nothing outside, and chance would hardly do that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from l2probe.judge.case import Case, crossed, exchanges, ingress, serving_trials, tells
from l2probe.judge.statistics import fisher
from l2probe.model import Exchange, Flow, NodeName, Outcome, Protocol

LOST = (Outcome.TIMEOUT, Outcome.RESET, Outcome.REFUSED_ICMP)
PURITY = 0.9
"""Share of loss inside a pattern, and of success outside, from which on it may be called a pattern."""
CHANCE = 0.005
"""Largest chance at which random loss is still ruled out."""
TOTAL = 3
"""With nothing to compare with, this many lost without one answer are called total."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One exchange with what the patterns ask about."""

    service: str
    exchange: Exchange
    lost: bool
    crossed: bool | None
    backend: NodeName | None
    entered: NodeName | None


K = TypeVar("K", str, tuple[str, Protocol, int])
Test = Callable[[Try], bool | None]
"""Whether a try is inside a pattern; None when that cannot be told, as of a lost one that any Pod might have served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A way in which traffic may fail.

    `where` says it in words; `threshold`: the payload size in bytes from which on; `port`: the one port that it is
    about, as in 443/TCP.
    """

    code: str
    where: str
    test: Test
    threshold: int | None = None
    port: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A pattern that fits, with the tries inside and outside of it."""

    pattern: Pattern
    inside: tuple[Try, ...]
    outside: tuple[Try, ...]


def tries(cases: Iterable[Case]) -> tuple[Try, ...]:
    """Everything that should have been answered by a Pod, and was answered or lost."""
    return tuple(
        Try(
            service=case.name,
            exchange=exchange,
            lost=exchange.outcome in LOST,
            crossed=crossed(case, trial, exchange),
            backend=exchange.node or (trial.target.node if trial.target else None),
            entered=ingress(case, trial, exchange),
        )
        for case in cases
        for trial, exchange in exchanges(serving_trials(case))
        if exchange.outcome in {*LOST, Outcome.ANSWERED} and tells(trial, exchange)
    )


SCOPES: tuple[tuple[str, Callable[[Flow], bool]], ...] = (
    ("", lambda _: True),
    ("IPv4 ", lambda flow: flow.endswith("4")),
    ("IPv6 ", lambda flow: flow.endswith("6")),
    ("TCP ", lambda flow: flow.startswith("tcp")),
    ("UDP ", lambda flow: flow.startswith("udp")),
    ("TCP over IPv4 ", lambda flow: flow is Flow.TCP4),
    ("UDP over IPv4 ", lambda flow: flow is Flow.UDP4),
    ("TCP over IPv6 ", lambda flow: flow is Flow.TCP6),
    ("UDP over IPv6 ", lambda flow: flow is Flow.UDP6),
)
FAMILIES = ("", "IPv4 ", "IPv6 ")
"""The scopes that say nothing of the protocol."""


def both(*tests: Test) -> Test:
    """Whether all tests hold: False beats None, None beats True."""

    def hold(one: Try) -> bool | None:
        results = [test(one) for test in tests]
        return False if False in results else None if None in results else True

    return hold


def scoped(holds: Callable[[Flow], bool]) -> Test:
    """Whether the flow kind is in scope."""
    return lambda one: holds(one.exchange.flow)


def crossing(one: Try) -> bool | None:
    """Whether it had to go to another node."""
    return one.crossed


def at_least(size: int) -> Test:
    """Whether the payload is that large."""
    return lambda one: one.exchange.payload_bytes >= size


def to_backend(node: NodeName) -> Test:
    """Whether the backend stood on that node."""
    return lambda one: None if one.backend is None else one.backend == node


def through(node: NodeName) -> Test:
    """Whether it went in through that node."""
    return lambda one: None if one.entered is None else one.entered == node


def of_service(name: str) -> Test:
    """Whether it belongs to that Service."""
    return lambda one: one.service == name


def to_port(service: str, protocol: Protocol, port: int) -> Test:
    """Whether it went to that port of that Service."""
    return lambda one: (one.service, one.exchange.protocol, one.exchange.port) == (service, protocol, port)


def ports(seen: Sequence[Try]) -> Iterator[tuple[str, Protocol, int]]:
    """Yield each port of a Service that has others of the same protocol; a port alone is the Service or protocol."""
    every = {end(one) for one in seen}
    counted = Counter((service, protocol) for service, protocol, _ in every)
    yield from sorted(key for key in every if counted[key[:2]] > 1)


def end(one: Try) -> tuple[str, Protocol, int]:
    """Return the Service's port that a try went to."""
    return one.service, one.exchange.protocol, one.exchange.port


def failing(seen: Sequence[Try], holds: Callable[[Flow], bool], part: Callable[[Try], K]) -> list[K]:
    """Return the parts of the traffic in scope that lost enough to be a pattern: of thousands few are worth a test."""
    within = [(part(one), one.lost) for one in seen if holds(one.exchange.flow)]
    tried, lost = Counter(each for each, _ in within), Counter(each for each, gone in within if gone)
    return sorted(each for each, number in lost.items() if number >= PURITY * tried[each])


def candidates(seen: Sequence[Try]) -> Iterator[Pattern]:
    """Every pattern worth asking for, the simpler and more telling first."""
    sizes = sorted({one.exchange.payload_bytes for one in seen})[1:]
    backends = sorted({one.backend for one in seen if one.backend is not None})
    entries = sorted({one.entered for one in seen if one.entered is not None})
    several = set(ports(seen))
    for scope, holds in SCOPES:
        inside = scoped(holds)
        for size in sizes:
            large = both(inside, at_least(size))
            yield Pattern(code="D06", where=f"{scope}payloads of {size} bytes and more", test=large, threshold=size)
            across = f"{scope}payloads of {size} bytes and more to another node than the announcer"
            yield Pattern(code="D06", where=across, test=both(large, crossing), threshold=size)
        code = "D05" if scope.startswith("UDP") else "D04"
        yield Pattern(
            code=code, where=f"{scope}traffic to another node than the announcer", test=both(inside, crossing)
        )
        for node in entries:
            yield Pattern(code="D03", where=f"{scope}traffic through {node}", test=both(inside, through(node)))
        for node in backends:
            yield Pattern(
                code="D04", where=f"{scope}traffic to the backend on {node}", test=both(inside, to_backend(node))
            )
        for name in failing(seen, holds, lambda one: one.service):
            yield Pattern(code="D03", where=f"{scope}traffic to {name}", test=both(inside, of_service(name)))
        if scope:
            yield Pattern(code="D03", where=f"{scope}traffic", test=inside)
        if scope in FAMILIES:
            for name, protocol, port in failing(seen, holds, end) if several else ():
                if (name, protocol, port) not in several:
                    continue
                one_port, test = f"{port}/{protocol}", both(inside, to_port(name, protocol, port))
                yield Pattern(code="D03", where=f"{scope}traffic to {name} port {one_port}", test=test, port=one_port)


def fit(pattern: Pattern, seen: Sequence[Try]) -> tuple[int, Explained] | None:
    """Return how many tries contradict the pattern, with its split; None when it does not fit."""
    inside = tuple(one for one in seen if pattern.test(one) is True)
    outside = tuple(one for one in seen if pattern.test(one) is False)
    lost_in, lost_out = sum(one.lost for one in inside), sum(one.lost for one in outside)
    if not inside or lost_in < PURITY * len(inside) or lost_out > (1 - PURITY) * len(outside):
        return None
    if fisher(lost_in, len(inside), lost_out, len(outside)) > CHANCE:
        return None
    return len(inside) - lost_in + lost_out, Explained(pattern=pattern, inside=inside, outside=outside)


def best(seen: Sequence[Try]) -> Explained | None:
    """Return the pattern that the fewest tries contradict; of equals the first."""
    fits = [found for pattern in candidates(seen) if (found := fit(pattern, seen)) is not None]
    return min(fits, key=lambda found: found[0])[1] if fits else None


def explain(seen: tuple[Try, ...]) -> tuple[tuple[Explained, ...], tuple[Try, ...]]:
    """Return the patterns that were found, and the tries that none of them covers."""
    found: list[Explained] = []
    rest = seen
    while any(one.lost for one in rest):
        for part in total(rest):
            found.append(part)
            rest = part.outside
        explained = best(rest)
        if explained is None:
            break
        found.append(explained)
        rest = explained.outside
    return tuple(found), rest


def total(seen: tuple[Try, ...]) -> Iterator[Explained]:
    """Yield the Services that lost everything: there is nothing to compare with, so their number must speak."""
    groups: dict[str, list[Try]] = {}
    for one in seen:
        groups.setdefault(one.service, []).append(one)
    dead = {name for name, some in groups.items() if len(some) >= TOTAL and all(one.lost for one in some)}
    alive = tuple(one for one in seen if one.service not in dead)
    for name in sorted(dead):
        where = Pattern(code="D03", where=f"traffic to {name}", test=of_service(name))
        yield Explained(pattern=where, inside=tuple(groups[name]), outside=alive)
