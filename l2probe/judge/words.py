"""How observations are put into words: lists, counts, durations. Must not judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from l2probe.model import Exchange, Outcome

NAMED = 5
"""How many names a sentence may carry before the rest becomes a number."""

SAID = {
    Outcome.ANSWERED: "answered",
    Outcome.TIMEOUT: "timed out",
    Outcome.REFUSED_RST: "refused by RST",
    Outcome.REFUSED_ICMP: "refused by ICMP",
    Outcome.NO_NEIGHBOUR: "found no neighbour",
    Outcome.RESET: "reset",
    Outcome.WRONG_ANSWER: "answered by something else",
}


def listing(names: Iterable[str], limit: int = NAMED) -> str:
    """Return "a, b and c", or "a, b, c, d, e and 7 more"."""
    unique = list(dict.fromkeys(names))
    if len(unique) > limit:
        return f"{', '.join(unique[:limit])} and {len(unique) - limit} more"
    return " and ".join(filter(None, (", ".join(unique[:-1]), "".join(unique[-1:]))))


def count(number: int, noun: str) -> str:
    """Return "1 node", "3 nodes", "2 policies"."""
    if number == 1:
        return f"1 {noun}"
    plural = f"{noun[:-1]}ies" if noun.endswith(("cy", "ly")) else f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number} {plural}"


def a(noun: str) -> str:
    """Return "a pool", "an IPAddressPool", "an L2Advertisement"."""
    return f"{'an' if noun.startswith(('L2', *'AEIOaeio')) else 'a'} {noun}"


def outcomes(tried: Sequence[Exchange]) -> str:
    """Return "12 answered, 3 timed out"."""
    counted = Counter(exchange.outcome for exchange in tried)
    return ", ".join(f"{counted[outcome]} {words}" for outcome, words in SAID.items() if counted[outcome])


def per_flow(tried: Sequence[Exchange]) -> str:
    """Return "tcp4 12 of 12, udp4 9 of 12"; what is counted are answers."""
    flows = sorted({exchange.flow for exchange in tried}, key=lambda flow: (flow[-1], flow))
    good = Counter(exchange.flow for exchange in tried if exchange.outcome is Outcome.ANSWERED)
    total = Counter(exchange.flow for exchange in tried)
    return ", ".join(f"{flow} {good[flow]} of {total[flow]}" for flow in flows)


AGES = ((2 * 86_400, 86_400, "days"), (2 * 3600, 3600, "h"), (600, 60, "min"))
"""From how many seconds on a duration is said in which unit."""


def seconds(value: float) -> str:
    """Return "0.4 s", "12 s", "17 min", "5 h" or "3 days"."""
    for limit, unit, name in AGES:
        if value >= limit:
            return f"{value / unit:.0f} {name}"
    return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"  # noqa: PLR2004 - one decimal below ten


def percent(share: float) -> str:
    """Return "0.4 %" or "31 %"."""
    return f"{share * 100:.1f} %" if 0 < share < 0.1 else f"{share * 100:.0f} %"  # noqa: PLR2004 - one decimal below ten
