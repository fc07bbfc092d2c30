"""Addresses of Services in two reports: changed, lost, gained, and the Services that came and went.

Whoever was told the old address does not find the Service any more, so that a lost address is worse whatever else got
better: DNS, firewalls and clients cannot see a Kubernetes object. Nodes' own addresses, as ServiceLB and Node IPAM give
them, follow the Pods; that they change is no news.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from l2probe.diff.change import OUR_NAMESPACE, Change, Effect
from l2probe.judge.words import listing
from l2probe.model import Evidence, Ip, Report, Service

ABSENT, PENDING = "no Service", "no address"
PIN = "Pin the address by annotation (lbipam.cilium.io/ips, metallb.io/loadBalancerIPs)"


def addresses(before: Report, after: Report) -> Iterator[Change]:
    """Yield every Service of the user's whose addresses are others now, that went, or that came."""
    old, new = services_of(before.evidence), services_of(after.evidence)
    homes = nodes_addresses(before.evidence) | nodes_addresses(after.evidence)
    when, owners = f"between {before.started} and {after.started}", owners_of(new)
    for name in dict.fromkeys((*new, *old)):
        was, now = old.get(name), new.get(name)
        if (was is None and not is_whole(before, after)) or (now is None and not is_whole(after, before)):
            continue  # it may have been there, and nobody looked
        lost = [ip for ip in (was.vips if was else ()) if ip not in (now.vips if now else ()) and ip not in homes]
        if lost or was is None or now is None or set(was.vips) != set(now.vips):
            yield Change(
                effect=Effect.WORSE if lost else gain(was, now),
                topic="address" if was and now else "service",
                subject=name,
                before=shown(was),
                after=shown(now),
                says=losing(name, now, lost, when, owners) if lost else "",
            )


def gain(was: Service | None, now: Service | None) -> Effect:
    """Return what it means that nothing was lost: a Service that waited for its address has one now, or no news."""
    return Effect.BETTER if was and now and now.vips and not was.vips else Effect.CHANGED


def shown(service: Service | None) -> str:
    """Return where a Service is reached, in words."""
    if service is None:
        return ABSENT
    return listing(service.vips or service.hostnames) or PENDING


def losing(name: str, now: Service | None, lost: Sequence[Ip], when: str, owners: Mapping[Ip, Sequence[str]]) -> str:
    """Return what the loss of addresses means to those who were told them, and what to do."""
    takers = [f"{ip} belongs to {listing(owners[ip])} now" for ip in lost if ip in owners]
    wanted = [ip for ip in lost if now and ip in now.wanted]
    after = f"has {shown(now)} instead" if now and now.vips else "has no address any more" if now else "is gone"
    facts = (
        f"{name} lost {listing(lost)} {when} and {after}.",
        f"{'; '.join(takers)}: clients of the old address reach another Service." if takers else "",
        f"It still asks for {listing(wanted)}: free it, or put it into a pool that selects the Service."
        if wanted
        else "",
        f"{PIN}, or correct what names the old one: DNS, firewalls, clients."
        if now and not wanted
        else "Correct what names the old one: DNS, firewalls, clients.",
    )
    return " ".join(filter(None, facts))


def services_of(evidence: Evidence) -> Mapping[str, Service]:
    """Return every LoadBalancer Service that is known, whether or not it was looked at; none of our own."""
    found = {name_of(one): one for one in evidence.cluster.services or ()}
    found |= {name_of(trial.service): trial.service for trial in evidence.trials}
    return {name: one for name, one in found.items() if not one.namespace.startswith(OUR_NAMESPACE)}


def name_of(service: Service) -> str:
    """Return namespace/name."""
    return f"{service.namespace}/{service.name}"


def is_whole(report: Report, other: Report) -> bool:
    """Whether a Service that a report lacks, and the other one has, did not exist: it listed all, or asked the same."""
    if report.evidence.cluster.services is not None:
        return True
    within = report.evidence.cluster.within
    return bool(within) and (within, report.command) == (other.evidence.cluster.within, other.command)


def nodes_addresses(evidence: Evidence) -> frozenset[Ip]:
    """Return the nodes' own addresses."""
    return frozenset(address for node in evidence.cluster.nodes or () for address in node.addresses)


def owners_of(services: Mapping[str, Service]) -> Mapping[Ip, tuple[str, ...]]:
    """Return the Services that have each address."""
    found: dict[Ip, tuple[str, ...]] = {}
    for name, service in services.items():
        for vip in service.vips:
            found[vip] = (*found.get(vip, ()), name)
    return found
