"""A08 and C07: addresses that change, and addresses that several Services have. Linear in the number of Services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from l2probe.judge.case import Case, cases, claims, family, once
from l2probe.judge.controllers import history, returned
from l2probe.judge.finding import about, finding
from l2probe.judge.owners import contenders
from l2probe.judge.versions import CILIUM, METALLB, names
from l2probe.judge.words import NAMED, listing
from l2probe.model import Claim, Evidence, Finding, Ip, NodeName, Port, Service, Verdict

ALLOCATING = (CILIUM, METALLB)
"""Implementations that give one address to two Services only when both ask for it."""


MOST_HOLDERS = 8
"""Leases that one finding shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """One address and the Services that have it, by name.

    `ports`: who has each port, as in "80/TCP". `keyless`: their sharing keys are known, and are not one key.
    """

    address: Ip
    services: Mapping[str, Service]
    ports: Mapping[str, Mapping[str, Service]]
    keyless: bool

    def fought_over(self, service: Service) -> tuple[str, ...]:
        """Return the ports of one Service that another has too."""
        return tuple(port for port in map(port_words, service.ports) if len(self.ports.get(port, ())) > 1)


def port_words(port: Port) -> str:
    """Return "80/TCP"."""
    return f"{port.port}/{port.protocol}"


def others(services: Mapping[str, Service], name: str) -> str:
    """Return whom a Service shares with, in words; of thousands only the first."""
    named = list(islice((each for each in services if each != name), NAMED))
    left = len(services) - 1 - len(named)
    return f"{', '.join(named)} and {left} more" if left > 0 else listing(named)


def name_of(service: Service) -> str:
    """namespace/name."""
    return f"{service.namespace}/{service.name}"


@once
def shared(evidence: Evidence) -> Mapping[Ip, Shared]:
    """Return the addresses that more than one Service has, among all that were listed or tried."""
    every = {name_of(service): service for service in evidence.cluster.services or ()}
    every |= {name_of(one.service): one.service for one in evidence.sharers}
    every |= {case.name: case.service for case in cases(evidence)}
    owners: dict[Ip, list[str]] = {}
    for name, service in every.items():
        for vip in service.vips:
            owners.setdefault(vip, []).append(name)
    return {vip: _shared(vip, {name: every[name] for name in who}) for vip, who in owners.items() if len(who) > 1}


def _shared(address: Ip, services: Mapping[str, Service]) -> Shared:
    ports: dict[str, dict[str, Service]] = {}
    for name, service in services.items():
        for port in service.ports:
            ports.setdefault(port_words(port), {})[name] = service
    keys = {service.sharing_key for service in services.values()}
    keyless = None not in keys and (len(keys) > 1 or keys == {""})
    return Shared(address=address, services=services, ports=ports, keyless=keyless)


def address_moved(evidence: Evidence) -> Iterator[Finding]:
    """A08: two Services own one address, or a Service has another one than before or than it asked for, or no more."""
    at, homes = shared(evidence), {ip for node in evidence.cluster.nodes or () for ip in node.addresses}
    for case in cases(evidence):
        here = [at[vip] for vip in case.service.vips if vip in at]
        if not here and not case.service.wanted and is_still(case):
            continue
        if taken := [one for one in here if one.fought_over(case.service)]:
            yield owned_twice(case, taken)
        # Nodes' own addresses, as ServiceLB and Node IPAM give them, follow the Pods, and all Services have the same.
        elif moved := {old: new for old, new in left_behind(case).items() if not {old, new} & homes}:
            yield changed(case, moved)
        elif (lost := withdrawn(case)) and not homes.intersection(lost):
            yield taken_away(case, lost)
        elif unasked := [one for one in here if one.keyless and one.address not in homes and allocates(evidence)]:
            yield not_asked_for(evidence, case, unasked)
        elif missed := not_given(case):
            yield other_than_wanted(case, missed)


def allocates(evidence: Evidence) -> bool:
    """Whether the implementation gives one address to two Services only when both ask for it."""
    return evidence.cluster.implementation in ALLOCATING


def owned_twice(case: Case, taken: Sequence[Shared]) -> Finding:
    """A08: the same address and port belong to two Services; a packet can reach only one of them."""
    first, ports = taken[0], taken[0].fought_over(case.service)
    return finding(
        "A08",
        Verdict.FAIL,
        says=f"{case.name} and {others(first.ports[ports[0]], case.name)} had {listing(one.address for one in taken)} "
        f"at the same time, with the same port {listing(ports)}: only one of them can be reached there.",
        because=[
            f"{one.address} port {port}: {case.name} and {others(one.ports[port], case.name)}."
            for one in taken
            for port in one.fought_over(case.service)
        ],
        remedy="Delete the wrong Service's address: recreate that Service, or pin the addresses of both by annotation "
        "(lbipam.cilium.io/ips, metallb.io/loadBalancerIPs). Cilium's operator before 1.18.2 gave addresses away twice "
        "when it restarted (cilium/cilium#43131).",
        subject=about(case, (one.address for one in taken)),
    )


def is_still(case: Case) -> bool:
    """Whether nobody saw the Service's addresses more than once."""
    return len(case.trials) == 1 and not case.trials[0].ingress


def states(case: Case) -> list[tuple[Ip, ...]]:
    """Return the addresses that the Service had, in the order in which they were read; () where it had none.

    A diagnosis keeps the Service as it was read first, and what was read later beside it.
    """
    return [ips for trial in case.trials for ips in trial.ingress or (trial.service.vips,)]


def left_behind(case: Case) -> dict[Ip, Ip]:
    """Return each address that was replaced by another of its family while the Service was looked at."""
    if is_still(case) or returned(case):
        return {}
    seen = [ips for ips in states(case) if ips]
    now = seen[-1] if seen else ()
    old = dict.fromkeys(ip for ips in seen for ip in ips if ip not in now)
    new = {family(ip): ip for ip in now if not all(ip in ips for ips in seen)}
    return {ip: new[family(ip)] for ip in old if family(ip) in new}


def withdrawn(case: Case) -> tuple[Ip, ...]:
    """Return the addresses that an existing Service had before it had none, or was deleted, and did not get again."""
    seen = states(case)
    if any(trial.own for trial in case.trials) or seen[-1]:
        return ()
    return next((ips for ips in reversed(seen) if ips), ())


def taken_away(case: Case, lost: Sequence[Ip]) -> Finding:
    """A08: the Service has no address any more, so who asks for the one that it had finds nobody."""
    return finding(
        "A08",
        Verdict.FAIL,
        says=f"{case.name} had {listing(lost)} and lost it while it was looked at: the API told no address at the end.",
        because=[f"Read one after the other: {history(case)}."],
        remedy="See whether the Service still exists (kubectl get svc), and its conditions and events: a pool that no "
        "longer selects it, or is disabled, and another loadBalancerClass take the address away.",
        subject=about(case, lost),
    )


def changed(case: Case, moved: Mapping[Ip, Ip]) -> Finding:
    """A08: the address changed under the eyes of the clients."""
    return finding(
        "A08",
        Verdict.FAIL,
        says=f"The address of {case.name} changed while it was looked at: "
        f"{listing(f'{old} became {new}' for old, new in moved.items())}.",
        because=[f"{old} was read first, {new} later." for old, new in moved.items()],
        remedy="Pin the address by annotation (lbipam.cilium.io/ips, metallb.io/loadBalancerIPs), correct what names "
        "the old one (DNS), and look at the log of the controller that hands out addresses: a changed pool or a "
        "restart moves addresses (cilium/cilium#43131).",
        subject=about(case, moved.values()),
    )


def not_asked_for(evidence: Evidence, case: Case, unasked: Sequence[Shared]) -> Finding:
    """A08: one address, no port in common, and no sharing key that would have asked for it."""
    return finding(
        "A08",
        Verdict.WARN,
        says=f"{case.name} and {others(unasked[0].services, case.name)} had "
        f"{listing(one.address for one in unasked)} at the same time without a "
        "common sharing key: it was not given to both on purpose, and one of them may lose it.",
        because=[
            f"{name}: sharing key {service.sharing_key or 'none'}."
            for one in unasked
            for name, service in islice(one.services.items(), NAMED)
        ],
        remedy=f"Look at the condition or the events of both; {names(evidence.cluster).title} should move one of them. "
        "Pin the addresses by annotation.",
        subject=about(case, (one.address for one in unasked)),
    )


def not_given(case: Case) -> tuple[Ip, ...]:
    """Return the wanted addresses that the Service lacks although it has others of their families."""
    if not case.service.wanted:
        return ()
    have = {family(vip) for vip in case.service.vips}
    return tuple(ip for ip in case.service.wanted if ip not in case.service.vips and family(ip) in have)


def other_than_wanted(case: Case, missed: tuple[Ip, ...]) -> Finding:
    """A08: clients that were told the wanted address do not find the Service there."""
    conditions = [
        f'{c.type} was {c.status}, reason {c.reason or "none"}: "{c.message}".' for c in case.service.conditions
    ]
    return finding(
        "A08",
        Verdict.WARN,
        says=f"{case.name} asked for {listing(missed)} and had {listing(case.service.vips)}: who was told the one does "
        "not find it at the other.",
        because=(f"{case.name} asks by annotation or spec.loadBalancerIP for {listing(missed)}.", *conditions[:3]),
        remedy="Free the wanted address or put it into a pool that selects the Service, or stop asking for it.",
        subject=about(case, missed),
    )


def holder_of(history: Sequence[Claim] | None) -> NodeName | None:
    """Return who was named last."""
    return history[-1].holder if history else None


def shared_address_split(evidence: Evidence) -> Iterator[Finding]:
    """C07: Services that share an address are announced by different nodes: both answer for it."""
    at = shared(evidence)
    holders = {name_of(one.service): holder_of(one.claims) for one in evidence.sharers}
    seen = cases(evidence)
    holders |= {case.name: holder_of(claims(case)) for case in seen}
    nodes_of = {vip: {holders[n] for n in one.services if holders.get(n)} for vip, one in at.items()}
    for case in seen:
        split = [at[vip] for vip in case.service.vips if len(nodes_of.get(vip, ())) > 1]
        if not split:
            continue
        rivals = {owner.node for one in split for owner in contenders(case, one.address) if owner.node}
        proven = len(rivals) > 1
        nodes = listing(sorted(node for one in split for node in nodes_of[one.address] if node))
        yield finding(
            "C07",
            Verdict.FAIL if proven else Verdict.WARN,
            says=f"{case.name} shares {listing(one.address for one in split)} with "
            f"{others(split[0].services, case.name)}, and different nodes held the "
            f"{names(evidence.cluster).claim} of each ({nodes}): "
            + ("both answered." if proven else "both may answer. A prediction from the API alone."),
            because=[*held(split, holders), f"{listing(sorted(rivals))} answered at the same time." if proven else ""],
            remedy="Give each Service an address of its own: L2 announcements elect a node for each Service, not for "
            "each address (cilium/cilium#48419). Or let one Service carry all ports.",
            subject=about(case, (one.address for one in split)),
        )


def held(split: Sequence[Shared], holders: Mapping[str, NodeName | None]) -> list[str]:
    """Return who held what, in words."""
    known = (f"{name}: held by {holders[name]}." for name in split[0].services if holders.get(name))
    return list(islice(known, MOST_HOLDERS))
