"""Which devices may announce, as far as an outsider can know: a policy's patterns, and what the agents are told."""

from __future__ import annotations

import re

from l2probe.judge.case import Case
from l2probe.judge.selection import unmet_terms
from l2probe.judge.versions import setting
from l2probe.judge.words import listing
from l2probe.model import AnnouncementPolicy, Cluster

LONGEST_PATTERN, MOST_REPETITIONS = 200, 3
"""A pattern comes from the cluster and is tried on names of at most 15 characters (IFNAMSIZ). Go's engine is linear;
Python's tries every way to share out a name among repetitions."""
REPETITION = re.compile(r"[*+?{]")


def devices(cluster: Cluster) -> tuple[str, ...] | None:
    """Return the devices that the agents were told to use; None where they choose them themselves, or by wildcard.

    `devices` of cilium-config is all that an outsider can know of a node's devices; "eth+" stands for any eth, "!eth1"
    for all but one, and with force-device-detection the agents add what they find.
    """
    told = tuple((setting(cluster, "devices") or "").replace(",", " ").split())
    open_ended = any("+" in name or name.startswith("!") for name in told)
    detected = setting(cluster, "force-device-detection") == "true"
    return None if not told or open_ended or detected else told


def selecting(case: Case) -> tuple[AnnouncementPolicy, ...]:
    """Return the policies that let somebody announce the Service."""
    cluster = case.evidence.cluster
    return tuple(policy for policy in cluster.policies or () if not unmet_terms(policy, case.service, cluster))


def patterns(case: Case) -> tuple[str, ...]:
    """Return the interface patterns that bind every policy of the Service; () when one policy is free of them."""
    chosen = selecting(case)
    if not all(policy.interfaces for policy in chosen):
        return ()
    return tuple(dict.fromkeys(pattern for policy in chosen for pattern in policy.interfaces))


def matches_one(pattern: str, names_: tuple[str, ...]) -> bool | None:
    """Whether an unanchored pattern matches a device's name; None for one that only Go's engine can read."""
    if len(pattern) > LONGEST_PATTERN or len(REPETITION.findall(pattern)) > MOST_REPETITIONS:
        return None
    if "[:" in pattern:
        return None  # [[:digit:]] is a class to Go, and something else to Python
    try:
        return any(re.search(pattern, name[:15]) for name in names_)
    except (re.error, OverflowError, RecursionError):
        return None


def interface_doubt(case: Case) -> str:
    """Return that a pattern may miss the holder's device, where that cannot be known from outside; else ""."""
    wanted = patterns(case)
    known = devices(case.evidence.cluster)
    if not wanted or (known and any(matches_one(pattern, known) for pattern in wanted)):
        return ""
    return (
        f"The policy announces only on interfaces {listing(wanted)}: a NIC of another name there would look the same "
        "(B03); `cilium-dbg shell -- db/show devices` in that Pod tells."
    )
