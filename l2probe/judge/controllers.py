"""A06: two controllers write the addresses of the same Services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from l2probe.judge.case import Case, cases, vips
from l2probe.judge.finding import about, finding
from l2probe.judge.pools import usable_pools
from l2probe.judge.ranges import within
from l2probe.judge.versions import wants_node_addresses
from l2probe.judge.words import listing
from l2probe.model import Controller, Evidence, Finding, Ip, NodeName, Verdict

HomesOf = Mapping[Ip, NodeName]
"""Whose address an InternalIP is."""


def two_controllers(evidence: Evidence) -> Iterator[Finding]:
    """A06: the addresses change back and forth; a warning where two may write them, or one is a node's and of no pool.

    One controller that gives nodes' addresses, as k3s' ServiceLB does where nobody has pools, is as it should be.
    """
    homes: HomesOf = {ip: node.name for node in evidence.cluster.nodes or () for ip in node.addresses}
    served: dict[str, list[Controller]] = {}
    for one in evidence.cluster.controllers or ():
        served.setdefault(one.service, []).append(one)
    for case in cases(evidence):
        if homes.keys().isdisjoint(vips(case)) and not case_history(case) and case.name not in served:
            continue
        others = [*served.get("", ()), *served.get(case.name, ())]
        own, flips = borrowed(evidence, case, homes), returned(case)
        rival = len({one.name for one in others}) > 1
        if not (flips or (own and evidence.cluster.pools) or (rival and served.get(case.name))):
            continue
        proven = bool(flips)
        yield finding(
            "A06",
            Verdict.FAIL if proven else Verdict.WARN,
            says=f"{listing(dict.fromkeys(one.name for one in others)) if rival else 'Several controllers'} "
            f"{'wrote' if proven else 'may write'} the address of {case.name}{state(own, flips)}.",
            because=(
                *(f"{one.name}: {one.source}." for one in others),
                f"It had, one after the other: {history(case)}." if len(case_history(case)) > 1 else "",
                *(f"{ip} is {node}'s own address, and no pool holds it." for ip, node in own.items()),
                "" if proven else "One that wrote it and keeps to it looks the same. A prediction.",
            ),
            remedy="Leave one controller to each Service: switch the other off (k3s: --disable=servicelb), or give the "
            "Service a spec.loadBalancerClass that only one of them serves.",
            subject=about(case),
        )


def state(own: HomesOf, flips: tuple[Ip, ...]) -> str:
    """Return what came of it, in words."""
    if flips:
        return f": {listing(flips)} came and went while it was looked at"
    return f": it had {listing(own)}, a node's own address" if own else ""


def borrowed(evidence: Evidence, case: Case, homes: HomesOf) -> HomesOf:
    """Return the Service's addresses that are nodes' own without a pool or Node IPAM that would explain it."""
    seen = (ip for ips in (vips(case), *case_history(case)) for ip in ips)
    found = {ip: homes[ip] for ip in seen if ip in homes}
    if not found or wants_node_addresses(evidence.cluster, case.service):
        return {}
    blocks = [block for pool in usable_pools(evidence.cluster) for block in pool.blocks]
    return {ip: node for ip, node in found.items() if not within(ip, blocks)}


def case_history(case: Case) -> tuple[tuple[Ip, ...], ...]:
    """Return the ingress addresses as they changed, oldest first."""
    return tuple(ips for trial in case.trials for ips in trial.ingress)


def history(case: Case) -> str:
    """Return the changes in words."""
    return "; then ".join(", ".join(ips) or "none" for ips in case_history(case)[:6])


def returned(case: Case) -> tuple[Ip, ...]:
    """Return the addresses that gave way to others and came again: one writer changes its mind, and then keeps to it.

    An address that only goes and comes, as that of a node that is not Ready for a while, gave way to none.
    """
    found: dict[Ip, None] = {}
    replaced: set[Ip] = set()
    states = [set(ips) for ips in case_history(case) if ips]
    for before, after in pairwise(states):
        found.update(dict.fromkeys(sorted(after & replaced)))
        if after - before:
            replaced |= before - after
        replaced -= after
    return tuple(found)
