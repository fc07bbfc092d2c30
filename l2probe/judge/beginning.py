"""What was refused before a Service was served for good: one short interruption, which accuses nobody.

A new Service, or one whose backends changed, is refused until kube-proxy or Cilium has programmed it: kube-proxy syncs
at most once a second by default (minSyncPeriod, https://kubernetes.io/docs/reference/networking/virtual-ips/).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile

from l2probe.model import Exchange, Ip, Outcome, Protocol

REFUSED = frozenset({Outcome.REFUSED_RST, Outcome.REFUSED_ICMP})
SURE = 3
"""Answers in a row, and nothing else after them, that say that the refusals before them are over."""

End = tuple[Protocol, Ip, int]
"""Protocol, address and port."""


def by_end(some: Iterable[Exchange]) -> dict[End, list[Exchange]]:
    """Group exchanges by where they went, each group in the order in which they began."""
    found: dict[End, list[Exchange]] = {}
    for one in sorted(some, key=lambda one: one.at):
        found.setdefault((one.protocol, one.vip, one.port), []).append(one)
    return found


def is_unsettled(some: Sequence[Exchange]) -> bool:
    """Whether one end refused, and too little was asked after it to tell a beginning from the state of things."""
    start, rest = _parts(some)
    return _refuses(start) and _all_answered(rest) and len(rest) < SURE


def beginning(some: Sequence[Exchange]) -> Sequence[Exchange]:
    """Return what one end did not answer before it answered for good; () when it refused nothing or goes on failing."""
    start, rest = _parts(some)
    return start if _refuses(start) and _all_answered(rest) and len(rest) >= SURE else ()


def settled(some: Sequence[Exchange]) -> tuple[Exchange, ...]:
    """Return the exchanges without such beginnings."""
    if not _refuses(some):
        return tuple(some)
    over = {id(one) for group in by_end(some).values() for one in beginning(group)}
    return tuple(one for one in some if id(one) not in over)


def _parts(some: Sequence[Exchange]) -> tuple[Sequence[Exchange], Sequence[Exchange]]:
    start = list(takewhile(lambda one: one.outcome is not Outcome.ANSWERED, some))
    return start, some[len(start) :]


def _refuses(some: Iterable[Exchange]) -> bool:
    return any(one.outcome in REFUSED for one in some)


def _all_answered(some: Iterable[Exchange]) -> bool:
    return all(one.outcome is Outcome.ANSWERED for one in some)
