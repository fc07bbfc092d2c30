"""How sure a share is, and whether a difference may be chance. Standard formulas, no observations."""

from __future__ import annotations

from math import comb, exp, lgamma, log, log1p, sqrt

Z95 = 1.959964
"""The normal distribution's two-sided 95 % quantile."""


def wilson(hits: int, total: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a share (Wilson 1927): honest for small totals and near 0 and 1.

    Nothing counted gives (0, 1): all is possible.
    """
    if total <= 0:
        return (0.0, 1.0)
    share = hits / total
    spread = Z95 * sqrt(share * (1 - share) / total + Z95**2 / (4 * total**2))
    middle = share + Z95**2 / (2 * total)
    scale = 1 + Z95**2 / total
    return (max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale))


def fisher(lost_inside: int, inside: int, lost_outside: int, outside: int) -> float:
    """Return the chance that random loss puts at least this many of the lost inside (Fisher's test, one-sided)."""
    lost, total = lost_inside + lost_outside, inside + outside
    ways = sum(comb(inside, hits) * comb(outside, lost - hits) for hits in range(lost_inside, min(inside, lost) + 1))
    return ways / comb(total, lost)


def tail(hits: int, total: int, share: float) -> float:
    """Return the chance of at least this many hits among so many, each hit with this chance in (0, 1) (binomial)."""
    fewer = range(min(hits, total + 1))
    return max(0.0, 1.0 - sum(exp(log_ways(n, total) + n * log(share) + (total - n) * log1p(-share)) for n in fewer))


def log_ways(hits: int, total: int) -> float:
    """Return the logarithm of the number of ways to choose so many: comb() of thousands is no float any more."""
    return lgamma(total + 1) - lgamma(hits + 1) - lgamma(total - hits + 1)
