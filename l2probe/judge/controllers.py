"""A06: two controllers write the addresses of the same Services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from l2probe.judge.case import Case, cases, vips
from l2probe.judge.finding import about, finding
from l2probe.judge.pools import usable_pools, wants_node_addresses
from l2probe.judge.ranges import within
from l2probe.judge.words import listing
from l2probe.model import Controller, Evidence, Finding, Ip, NodeName, Verdict

HomesOf = Mapping[Ip, NodeName]
"""Whose address an InternalIP is."""


def two_controllers(evidence: Evidence) -> Iterator[Finding]:
    """A06: the addresses change back and forth, or are a node's own although no pool holds it."""
    homes: HomesOf = {ip: node.name for node in evidence.cluster.nodes or () for ip in node.addresses}
    served: dict[str, list[Controller]] = {}
    for one in evidence.cluster.controllers or ():
        served.setdefault(one.service, []).append(one)
    for case in cases(evidence):
        others = [*served.get("", ()), *served.get(case.name, ())]
        own, flips = borrowed(evidence, case, homes), returned(case)
        rival = len({one.name for one in others}) > 1
        if not (own or flips or (rival and served.get(case.name))):
            continue
        proven = bool(flips) or (bool(own) and (rival or evidence.cluster.pools is not None))
        yield finding(
            "A06",
            Verdict.FAIL if proven else Verdict.WARN,
            says=f"{listing(dict.fromkeys(one.name for one in others)) if rival else 'Several controllers'} "
            f"{'wrote' if proven else 'may write'} the address of {case.name}{state(own, flips)}.",
            because=(
                *(f"{one.name}: {one.source}." for one in others),
                f"It had, one after the other: {history(case)}." if len(case_history(case)) > 1 else "",
                *(f"{ip} is {node}'s own address{held_nowhere(evidence)}." for ip, node in own.items()),
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


def held_nowhere(evidence: Evidence) -> str:
    """Return that no pool holds it, where that is known."""
    return "" if evidence.cluster.pools is None else ", and no pool holds it"


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
    """Return the addresses that went and came again: one writer alone changes its mind, and then keeps to it."""
    found: dict[Ip, None] = {}
    gone: set[Ip] = set()
    before: set[Ip] = set()
    for ips in case_history(case):
        found.update(dict.fromkeys(ip for ip in ips if ip in gone))
        gone = (gone | (before - set(ips))) - set(ips)
        before = set(ips)
    return tuple(found)
