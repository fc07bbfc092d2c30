"""The evidence as tables: who answered, what was claimed, what came of the traffic. Data for every form of a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from l2probe.judge.case import mac_owners
from l2probe.model import Evidence, Exchange, Mac, NodeName, Trial

CLAIMED = "What was claimed"
HEARD_HEAD = ("Service", "Backend", "Address", "MAC", "Node", "Frames")
CLAIMED_HEAD = ("Service", "Holder", "Source")
TRAFFIC_HEAD = ("Service", "Backend", "Flow", "Bytes", "Outcome", "In", "Out", "Seen")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One table: its title, its headings and its lines of as many cells."""

    title: str
    head: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


def seen(evidence: Evidence) -> Iterator[Shown]:
    """Yield the tables that have a line."""
    macs = mac_owners(evidence)
    heard = tuple(line for trial in evidence.trials for line in heard_lines(trial, macs))
    claimed = tuple(dict.fromkeys(line for trial in evidence.trials for line in claim_lines(trial)))
    talked = tuple(line for trial in evidence.trials for line in talk_lines(trial))
    tables = (("Who answered", HEARD_HEAD, heard), (CLAIMED, CLAIMED_HEAD, claimed), ("Traffic", TRAFFIC_HEAD, talked))
    yield from (Shown(title=title, head=head, lines=lines) for title, head, lines in tables if lines)


def called(trial: Trial) -> str:
    """Return a Service's name; of a user's with its namespace, for another one may have a Service of that name too."""
    return trial.service.name if trial.own else f"{trial.service.namespace}/{trial.service.name}"


def heard_lines(trial: Trial, macs: Mapping[Mac, NodeName]) -> Iterator[tuple[str, ...]]:
    """Yield one line for each answerer of each address."""
    counted = Counter((reply.ip, reply.mac, macs.get(reply.mac, "unknown")) for reply in trial.replies or ())
    for (ip, mac, node), number in counted.items():
        yield (called(trial), trial.placement, ip, mac, node, str(number))


def claim_lines(trial: Trial) -> Iterator[tuple[str, ...]]:
    """Yield one line for each holder."""
    for claim in trial.claims or ():
        yield (called(trial), claim.holder or "nobody", claim.source)


def talk_lines(trial: Trial) -> Iterator[tuple[str, ...]]:
    """Yield one line for each kind of exchange with the same end."""
    counted: Counter[tuple[str, ...]] = Counter(talk_words(exchange) for exchange in trial.exchanges or ())
    for (flow, size, outcome, sent, back, seen), number in sorted(counted.items()):
        yield (called(trial), trial.placement, flow, size, f"{number} {outcome}", sent, back, seen)


def talk_words(exchange: Exchange) -> tuple[str, ...]:
    """Return what is said of one exchange."""
    seen = f"{exchange.seen} on {exchange.node}" if exchange.seen else ""
    return (
        exchange.flow,
        f"{exchange.payload_bytes:>5}",
        exchange.outcome,
        exchange.sent_mac or "",
        exchange.reply_mac or "",
        seen,
    )
