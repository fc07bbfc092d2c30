"""A05: a pool that holds what is not free, or more than its author meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from l2probe.judge.case import Case, cases, vips
from l2probe.judge.finding import about, finding
from l2probe.judge.ranges import widened, within
from l2probe.judge.versions import names, wants_node_addresses
from l2probe.judge.words import count, listing
from l2probe.model import Cluster, Evidence, Finding, Ip, NeighbourReply, Pool, Verdict


def reserved(evidence: Evidence) -> Mapping[Ip, str]:
    """Return the addresses that no Service must get, each with whose it is in words."""
    vantage = evidence.vantage
    routers = dict.fromkeys((*vantage.routers, *filter(None, (vantage.gateway,))), "this segment's gateway")
    ours = dict.fromkeys(vantage.addresses, "this host's own address")
    nodes = {ip: f"{node.name}'s own address" for node in evidence.cluster.nodes or () for ip in node.addresses}
    return {**ours, **routers, **nodes}


def usable_pools(cluster: Cluster) -> tuple[Pool, ...]:
    """Return the pools that hand out addresses; () when they were not read."""
    return tuple(pool for pool in cluster.pools or () if not pool.disabled)


def pool_range_surprise(evidence: Evidence) -> Iterator[Finding]:
    """A05: a Service got such an address (proven), or may get one (predicted)."""
    taken, pools = reserved(evidence), usable_pools(evidence.cluster)
    blocks = [block for pool in pools for block in pool.blocks]
    held = {ip: whose for ip, whose in taken.items() if within(ip, blocks)}
    seen = surprises(evidence, pools, held)
    victims = [(case, found) for case in cases(evidence) if (found := misgiven(evidence.cluster, case, held))]
    for case, found in victims:
        yield given(evidence.cluster, case, {vip: held[vip] for vip in found}, seen)
    if seen and not victims:
        yield finding(
            "A05",
            Verdict.WARN,
            says=f"{names(evidence.cluster).pool} {listing(seen)} held what should not be given to a Service. "
            "A prediction: a Service that gets such an address does not work, nor does its owner.",
            because=[f"Pool {name}: {line}." for name, lines in seen.items() for line in lines],
            remedy=REMEDY,
        )


REMEDY = (
    "Write the pool as the first and the last free address (start and stop), or as a CIDR that begins at its own "
    "network address; leave out nodes, gateways and what DHCP gives away."
)


def misgiven(cluster: Cluster, case: Case, held: Mapping[Ip, str]) -> tuple[Ip, ...]:
    """Return the Service's addresses that belong to somebody else."""
    found = tuple(vip for vip in vips(case) if vip in held)
    return () if found and wants_node_addresses(cluster, case.service) else found


def given(cluster: Cluster, case: Case, found: Mapping[Ip, str], seen: Mapping[str, list[str]]) -> Finding:
    """Return A05 as a proof: the Service has the address of another machine."""
    whose = listing(f"{vip}, {owner}" for vip, owner in found.items())
    return finding(
        "A05",
        Verdict.FAIL,
        says=f"{case.name} was given {whose}: a pool held it. Traffic for the one goes to the other.",
        because=[f"{names(cluster).pool} {name}: {line}." for name, lines in seen.items() for line in lines],
        remedy=f"{REMEDY} The Service gets another address then.",
        subject=about(case, found),
    )


def surprises(evidence: Evidence, pools: tuple[Pool, ...], held: Mapping[Ip, str]) -> dict[str, list[str]]:
    """Return what is wrong with each pool, in words; only pools with which something is wrong."""
    found = {pool.name: list(surprises_of(evidence, pool, held)) for pool in pools}
    return {name: lines for name, lines in found.items() if lines}


def surprises_of(evidence: Evidence, pool: Pool, held: Mapping[Ip, str]) -> Iterator[str]:
    """Yield what is wrong with one pool."""
    for block in pool.blocks:
        if wide := widened(block):
            yield f"{block} has host bits, so it is {wide}"
    inside = [f"{ip} ({whose})" for ip, whose in held.items() if within(ip, pool.blocks)]
    if inside:
        yield f"it holds {listing(inside)}"
    answers = {reply.ip: reply.mac for reply in unasked(evidence) if reply.ip not in held}
    answers = {ip: mac for ip, mac in answers.items() if within(ip, pool.blocks)}
    if answers:
        said = listing(f"{ip} ({mac})" for ip, mac in answers.items())
        yield f"{count(len(answers), 'address')} that no LoadBalancer Service has answered already: {said}"


def unasked(evidence: Evidence) -> tuple[NeighbourReply, ...]:
    """Return what answered for addresses that no Service has; () where not all Services could be read."""
    return () if evidence.cluster.services is None else evidence.pool_replies or ()
