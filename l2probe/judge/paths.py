"""The ways of packets: an answer that nobody translated back, and one that does not pass the router that was asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from l2probe.judge.case import Case, answered, cases, exchanges, in_network, node_of, replies, tells
from l2probe.judge.finding import about, finding, seen_of
from l2probe.judge.versions import CILIUM
from l2probe.judge.words import count, listing, outcomes
from l2probe.model import Cluster, Evidence, Exchange, Finding, Ip, NodeName, Outcome, Protocol, Trial, Verdict

SURE = 2
"""Exchanges that must show it: one packet may be a leftover of something else."""


def reply_not_translated(evidence: Evidence) -> Iterator[Finding]:
    """D07: a packet of the flow came from a node or a Pod itself and not from the VIP; this host answers with a RST."""
    for case in cases(evidence):
        astray = [(t, e) for t, e in exchanges(case.trials) if any(whose(case, ip) for ip, _ in e.strays or ())]
        if len(astray) < SURE:
            continue
        tried = [exchange for _, exchange in astray]
        sources = Counter(end for one in tried for end in one.strays or () if whose(case, end[0]))
        yield finding(
            "D07",
            Verdict.FAIL if is_harmful(case, astray) else Verdict.WARN,
            says=f"Packets of {count(len(tried), 'exchange')} with {listing(e.vip for e in tried)} came from "
            f"{listing(whose(case, ip) for ip, _ in sources)} and not from the VIP: answers were not translated back, "
            "and a client resets what it never asked for.",
            because=(
                *(
                    f"From {ip} port {port} ({whose(case, ip)}): in {count(n, 'exchange')}."
                    for (ip, port), n in sources.most_common(5)
                ),
                f"These exchanges: {outcomes(tried)}.",
                flows(case, astray),
            ),
            remedy=translator(evidence.cluster),
            subject=about(case, (e.vip for e in tried)),
        )


CILIUM_TRANSLATES = (
    "Check Cilium's masquerading on the backend's node: DSR with iptables masquerading (bpf.masquerade=false) sends "
    "answers out with the node's address; set bpf.masquerade=true, or loadBalancer.mode=snat."
)
KUBE_PROXY_TRANSLATES = (
    "Check connection tracking on the nodes named above, where kube-proxy has answers translated back: a full or "
    "flushed table (`conntrack -S`, net.netfilter.nf_conntrack_max), packets that it calls INVALID (kube-proxy's "
    "conntrack.tcpBeLiberal), or answers that leave by another way than the question came. A UDP server with "
    "hostNetwork must answer from the address that it was asked at."
)
"""Who puts the VIP back into an answer, and what keeps it from it (kubernetes/kubernetes#74839)."""


def translator(cluster: Cluster) -> str:
    """Return what helps, by who translates: Cilium where it announces or its datapath mode is known, else kube-proxy.

    Beside MetalLB and kube-vip either may, which was not looked at.
    """
    if cluster.implementation == CILIUM or cluster.datapath is not None:
        return CILIUM_TRANSLATES
    return f"{KUBE_PROXY_TRANSLATES} Where Cilium replaces kube-proxy: bpf.masquerade=true with DSR, or mode snat."


def is_harmful(case: Case, astray: list[tuple[Trial, Exchange]]) -> bool:
    """Whether traffic was lost by it. A connect to a Service of the user's shows no loss: there most must show it."""
    if any(trial.own and not answered(exchange) for trial, exchange in astray):
        return True
    foreign = [exchange for trial, exchange in exchanges(case.trials) if not trial.own]
    return sum(not trial.own for trial, _ in astray) * 2 > len(foreign)


def whose(case: Case, address: Ip) -> str:
    """Return whose address that is, in words: a node's, a Pod's, the Service's own; "" for anybody else's."""
    cluster = case.evidence.cluster
    for node in cluster.nodes or ():
        if address in node.addresses:
            return f"{node.name}'s own address"
        if any(in_network(address, block) for block in node.pod_networks):
            return f"a Pod's address on {node.name}"
    backends = [backend for trial in case.trials for backend in trial.service.backends or ()]
    if any(backend.address == address for backend in backends):
        return "a backend's own address"
    return "another port of the Service" if any(address in trial.service.vips for trial in case.trials) else ""


def flows(case: Case, astray: list[tuple[Trial, Exchange]]) -> str:
    """Return which flow kinds it concerned, and how many of all exchanges."""
    kinds = listing(dict.fromkeys(exchange.flow.value for _, exchange in astray))
    return f"Flow kinds: {kinds}; {len(astray)} of {sum(1 for _ in exchanges(case.trials))} exchanges with {case.name}."


def asymmetric_path(evidence: Evidence) -> Iterator[Finding]:
    """D09: what we send passes a router, and answers come straight from a node: a stateful firewall drops the rest."""
    via = evidence.vantage.gateway
    met = () if via is None else cases(evidence)
    seen = [(case, e, node) for case in met for _, e in exchanges(case.trials) if (node := past(case, e))]
    if len(seen) < SURE:
        return
    tried = [exchange for _, exchange, _ in seen]
    cut = cut_off([e for case in met for t, e in exchanges(case.trials) if tells(t, e) and past(case, e)])
    fate = (
        f"of {count(len(tried), 'exchange')} no TCP one was finished ({len(cut)} timed out after the SYN-ACK), as when "
        "a stateful firewall drops what follows an answer that it did not see"
        if cut
        else "a stateful firewall there would drop what follows, for it never sees the answer"
    )
    found = finding(
        "D09",
        Verdict.FAIL if cut else Verdict.WARN,
        says=f"What this host sent to {listing(e.vip for e in tried)} went through {via}, and the answers came "
        f"straight from {listing(sorted({node for _, _, node in seen}))}: {fate}.",
        because=(
            f"We sent to {listing(str(e.sent_mac) for e in tried)} ({via}).",
            f"The first answers came from {listing(f'{e.reply_mac} ({node})' for _, e, node in seen)}.",
            f"These exchanges: {outcomes(tried)}.",
            *dict.fromkeys(exchange.detail for exchange in cut[:3] if exchange.detail),
        ),
        remedy=f"Give both ways one path: an address of {evidence.vantage.interface} in the VIP's subnet, or nodes "
        f"without an interface in this host's; else exempt the VIPs from connection tracking on {via}. Its counter of "
        "invalid packets shows whether it drops them.",
        subject=about(seen[0][0], (e.vip for e in tried)) if len({case.name for case, _, _ in seen}) == 1 else None,
    )
    yield seen_of(found, (case.name for case, _, _ in seen))


def cut_off(tried: list[Exchange]) -> list[Exchange]:
    """Return the TCP exchanges that went silent after their SYN-ACK; none when any other brought its payload through.

    A connect without payload is finished before a firewall could show what it drops; that an application of the user's
    is silent shows nothing.
    """
    tcp = [exchange for exchange in tried if exchange.protocol is Protocol.TCP]
    cut = [exchange for exchange in tcp if exchange.outcome is Outcome.TIMEOUT]
    passed = any(answered(exchange) and exchange.payload_bytes for exchange in tcp)
    return [] if passed or len(cut) < SURE else cut


def past(case: Case, exchange: Exchange) -> NodeName | None:
    """Return the node that answered past the router that was asked; None when the answer came back the same way.

    A MAC of an announcer, known or not, is no router's; nor are a router's own MACs (a virtual and a real one of VRRP)
    a node's.
    """
    asked, node = exchange.sent_mac, node_of(case, exchange.reply_mac)
    if node is None or asked is None or node_of(case, asked) is not None:
        return None
    return None if asked in {reply.mac for reply in replies(case, exchange.vip) or ()} else node
