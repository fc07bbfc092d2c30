"""Family V, this vantage cannot tell: what could not be observed from here, and what that leaves open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from l2probe.judge.case import cases, exchanges, family, node_of, vips
from l2probe.judge.finding import about, finding
from l2probe.judge.owners import companions, hears, is_accused, owners, strangers, unmapped_nodes
from l2probe.judge.ownership import answers
from l2probe.judge.words import count, listing, outcomes
from l2probe.model import Evidence, Finding, Ip, Outcome, Right, Verdict


def addresses(evidence: Evidence) -> tuple[Ip, ...]:
    """All addresses that were tried."""
    return tuple(dict.fromkeys(vip for case in cases(evidence) for vip in vips(case)))


def on_a_cluster_node(evidence: Evidence) -> Iterator[Finding]:
    """V01: a node rewrites connections to a VIP before they reach the wire."""
    node = evidence.vantage.cluster_node
    if node is None:
        return
    yield finding(
        "V01",
        Verdict.UNKNOWN,
        says=f"This host is cluster node {node}: its traffic to a VIP never reaches the wire, so it proves nothing.",
        because=(f"A local address equals {node}'s ({listing(evidence.vantage.addresses)}).",),
        remedy="Run l2probe from a machine on the same segment that is no cluster node.",
    )


def behind_a_router(evidence: Evidence) -> Iterator[Finding]:
    """V02: the frames that we see are the router's, or this interface does not lead to the addresses at all."""
    where, far = evidence.vantage, addresses(evidence)
    if where.on_link is not False:
        return
    has = f"{where.interface} has {listing(where.addresses) or 'no address'}"
    yield finding(
        "V02",
        Verdict.UNKNOWN,
        says=f"{listing(far) or 'The addresses'} are reached through {where.gateway}: who announces them cannot be "
        "seen from here."
        if where.gateway
        else f"{where.interface} is not on the segment of {'all of ' if len(far) > 1 else ''}"
        f"{listing(far) or 'every address'}, and no router there leads on: who announces cannot be seen by it.",
        because=(f"{has}; no VIP lies in its subnets." if where.gateway else f"{has}.",),
        remedy="Run l2probe from a machine in the VIP's own subnet, or give this one an interface there (--interface)."
        if where.gateway
        else "Leave out --interface, or name the interface in the VIP's own subnet.",
    )


def no_raw_socket(evidence: Evidence) -> Iterator[Finding]:
    """V03: frames could not be read, so announcer and DSR stay unproven."""
    if evidence.vantage.raw_socket:
        return
    yield finding(
        "V03",
        Verdict.UNKNOWN,
        says="Frames could not be read (no CAP_NET_RAW): who announces and by which path answers come is not "
        "proven; only traffic was judged.",
        because=(f"Opening a packet socket on {evidence.vantage.interface} was not permitted.",),
        remedy="Run as root, or in a container with --cap-add NET_RAW.",
    )


def deaf_interface(evidence: Evidence) -> Iterator[Finding]:
    """V04: not even node addresses were answered, over ARP, NDP or both, so silence means nothing."""
    if evidence.vantage.on_link is False or evidence.node_replies is None:
        return
    tried = [vip for case in cases(evidence) for vip in vips(case) if any(t.replies is not None for t in case.trials)]
    deaf = [version for version in sorted({*map(family, tried)} or {4}) if hears(evidence, version) is False]
    if not deaf:
        return
    asked = {version: node_addresses(evidence, version) for version in deaf}
    yield finding(
        "V04",
        Verdict.UNKNOWN,
        says=f"On {evidence.vantage.interface} {unheard_nodes(asked)}: that nobody "
        "answered for a VIP means nothing here.",
        because=tuple(
            f"Asked for {listing(asked[v] or [ip for ip in tried if family(ip) == v])}; 0 answers." for v in deaf
        ),
        remedy="Check that this interface is on the nodes' segment (VLAN, port isolation, Wi-Fi client isolation"
        + (", a switch that snoops MLD without a querier" if 6 in deaf else "")  # noqa: PLR2004 - IPv6
        + "); choose another with --interface.",
    )


def node_addresses(evidence: Evidence, version: int) -> tuple[Ip, ...]:
    """Return all addresses of one family that nodes have."""
    return tuple(ip for node in evidence.cluster.nodes or () for ip in node.addresses if family(ip) == version)


def unheard_nodes(asked: Mapping[int, tuple[Ip, ...]]) -> str:
    """Return that no node was heard over some families, or could not be asked, in words."""
    heard = " or ".join(f"IPv{version}" for version, addresses in asked.items() if addresses)
    bare = " or ".join(f"IPv{version}" for version, addresses in asked.items() if not addresses)
    silent = f"no node answered for its own {heard} address" if heard else ""
    return listing(filter(None, (silent, f"no node has an {bare} address to ask for" if bare else "")))


def not_allowed(evidence: Evidence) -> Iterator[Finding]:
    """V05: RBAC lacks a verb; what it would have shown was not compared."""
    missing = evidence.cluster.missing_rights
    if not missing:
        return
    rights = listing(
        (f"{right.verb} {right.resource}{f'.{right.group}' if right.group else ''}" for right in missing), limit=10
    )
    yield finding(
        "V05",
        Verdict.WARN,
        says=f"The API server did not let us {rights}: what that would have shown was not compared.",
        because=tuple(map(denied, missing[:10])),
        remedy=f"Grant {'it' if len(missing) == 1 else 'them'} to the user of this kubeconfig: `l2probe rbac` prints a "
        "ClusterRole.",
    )


COSTS = {
    "nodes": "whose MAC answered (C01, C03, C05, D01)",
    "services": "which Services there are, and what they share (A08, C07)",
    "endpointslices": "whether a backend is ready, and where (D01, D02)",
    "pods": "why a Pod is not ready",
    "leases": "which node should announce (B06, B07, C04, C05)",
    "servicel2statuses": "which node should announce (B07, C04, C05)",
    "configmaps": "whether announcing is on and how traffic is forwarded (B04, E03)",
    "daemonsets": "which implementation of which version announces, and whether another controller serves (A06)",
    "networkpolicies": "whether a policy refuses this host (D13)",
    "ciliumnetworkpolicies": "whether a policy refuses this host (D13)",
    "ciliumclusterwidenetworkpolicies": "whether a policy refuses this host (D13)",
    "ciliumloadbalancerippools": "why an address is pending (A01, A02), and what a pool holds (A05)",
    "ipaddresspools": "why an address is pending (A01), and what a pool holds (A05)",
    "ciliuml2announcementpolicies": "whether a policy selects the Service (B01, B02)",
    "l2advertisements": "whether an advertisement selects the Service (B01, B02)",
}
"""What each resource would have shown, with the codes that need it."""


def denied(right: Right) -> str:
    """Return a missing right in words, with what it costs."""
    cost = f"; it would show {COSTS[right.resource]}" if right.resource in COSTS else ""
    return f"{right.verb} {right.resource} in {right.namespace or 'all namespaces'}: denied{cost}."


def answerer_unmapped(evidence: Evidence) -> Iterator[Finding]:
    """V06 of a Service of the user's: who accepted connections has a MAC that is neither the asked one nor a node's.

    A node's second NIC looks so, and so does a proxy in between: without a secret nothing proves that a Pod answered.
    """
    for case in cases(evidence) if evidence.vantage.on_link else ():
        tried = [e for trial, e in exchanges(case.trials) if not trial.own and e.outcome is Outcome.ANSWERED]
        strange = [
            e
            for e in tried
            if node_of(case, e.sent_mac) and e.reply_mac not in {None, e.sent_mac} and not node_of(case, e.reply_mac)
        ]
        if not strange:
            continue
        macs, missing = listing(sorted({str(e.reply_mac) for e in strange})), unmapped_nodes(evidence)
        yield finding(
            "V06",
            Verdict.UNKNOWN,
            says=f"{macs} accepted {len(strange)} of {count(len(tried), 'connection')} to {case.name}, a MAC that no "
            "node answered with for its own address: whether a backend answered is not known.",
            because=(
                f"We sent to {listing(f'{e.sent_mac} ({node_of(case, e.sent_mac)})' for e in strange)}.",
                f"Not known: the MAC of {listing(missing)}." if missing else "",
            ),
            remedy="Compare the MAC with `ip link` on the nodes: a second NIC or a bond looks like this, and so does a "
            "proxy in between. `l2probe run` proves whether a Pod answers.",
            subject=about(case, (e.vip for e in strange)),
        )


def announcer_unmapped(evidence: Evidence) -> Iterator[Finding]:
    """V06: a MAC answered that is no known node's, and nothing proves it foreign. Never guessed."""
    for case in cases(evidence):
        found = [(vip, o) for vip in vips(case) for o in strangers(case, vip) if not is_accused(case, vip, o)]
        if not found:
            continue
        macs = {mac for _, owner in found for mac in owner.macs}
        went = [(trial.own, e) for trial, e in exchanges(case.trials) if e.sent_mac in macs]
        tried = [exchange for _, exchange in went]
        good = sum(own and exchange.outcome is Outcome.ANSWERED for own, exchange in went)
        missing, beside = unmapped_nodes(evidence), listing(n for vip, o in found for n in companions(case, vip, o))
        yield finding(
            "V06",
            Verdict.UNKNOWN,
            says=f"{listing(sorted(macs))} answered for {listing(vip for vip, _ in found)}"
            f"{f' at the same time as {beside}' if beside else ''}, a MAC that no node answered with for its own "
            "address.",
            because=(
                *(answers(owner, vip) for vip, owner in found),
                *(
                    answers(o, v)
                    for v, stranger in found
                    for o in owners(case, v)
                    if o.node in companions(case, v, stranger)
                ),
                f"Not known: the MAC of {listing(missing)}." if missing else "",
                f"Our Pod answered {good} of {count(len(tried), 'exchange')} sent to it: it belongs to the cluster."
                if good
                else f"What this host sent to it: {outcomes(tried)}."
                if tried
                else "",
            ),
            remedy=tell_apart(beside, proven=bool(good)),
            subject=about(case, (vip for vip, _ in found)),
        )


def tell_apart(beside: str, *, proven: bool) -> str:
    """Return what tells a node's other NIC from a machine that does not belong here; `beside`: who answered as well."""
    if proven or not beside:
        return (
            "Compare the MAC with `ip link` on the nodes: a second NIC, a bond or a bridge in front "
            "of a node looks like this."
        )
    return (
        f"Compare the MAC with `ip link` on {beside}: a second NIC that answers for its own addresses only "
        "(arp_ignore=1) looks like this and does no harm (C02); if no node has it, a machine outside the cluster has "
        "the address (C03): find it in the switch's table. `l2probe run` shows whether a Pod answers through it."
    )
