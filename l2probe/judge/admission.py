"""D13: the Service or its Pods refuse this host by rule: source ranges, or network policies without `world`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from l2probe.judge.case import Case, answered, cases, crossed, exchanges, family, own_mode
from l2probe.judge.finding import about, finding
from l2probe.judge.ranges import admitted, within
from l2probe.judge.selection import OPERATORS
from l2probe.judge.versions import CILIUM, setting
from l2probe.judge.words import count, listing, outcomes
from l2probe.model import (
    Datapath,
    Evidence,
    Exchange,
    Finding,
    Ip,
    NetworkPolicy,
    Outcome,
    Protocol,
    Service,
    Trial,
    Verdict,
)

NAMESPACE_LABEL = "io.kubernetes.pod.namespace"
"""How Cilium's policies see a Pod's namespace."""


def sources(case: Case, one: Exchange) -> tuple[Ip, ...]:
    """Return the address that an exchange came from: as the socket said, else this host's of that family.

    () from behind a router, which may translate it.
    """
    if case.evidence.vantage.on_link is False:
        return ()
    own = tuple(ip for ip in case.evidence.vantage.addresses if family(ip) == family(one.vip))
    return (one.source,) if one.source is not None else own


def out_of_range(case: Case, one: Exchange) -> bool:
    """Whether spec.loadBalancerSourceRanges leaves out where it came from, or refuses it (src-ranges-policy: deny)."""
    ranges, came = case.service.source_ranges, sources(case, one)
    if not ranges or not came:
        return False
    inside = [within(ip, ranges) for ip in came]
    return all(inside) if case.service.ranges_refuse else not any(inside)


def is_preserved(case: Case, trial: Trial, one: Exchange) -> bool:
    """Whether the Pod must see the client's own address: policy Local, DSR, or a backend where Cilium took it in.

    kube-proxy, where no datapath mode is known, masquerades policy Cluster whatever the backend's node.
    """
    mode = own_mode(case) or case.evidence.cluster.datapath
    direct = mode is Datapath.DSR or (mode is Datapath.HYBRID and one.protocol is Protocol.TCP)
    return case.local or direct or (mode is not None and crossed(case, trial, one) is False)


def selects_pods(policy: NetworkPolicy, service: Service) -> bool:
    """Whether the policy certainly selects the Service's Pods: by labels that the Service's own selector demands."""
    labels: Mapping[str, str] = {**dict(service.selector), NAMESPACE_LABEL: service.namespace}
    if policy.namespace not in {"", service.namespace} or not service.selector:
        return False
    return all(
        term.key in labels and term.operator in OPERATORS and OPERATORS[term.operator](term, labels)
        for term in policy.selector
    )


def refusing(case: Case, one: Exchange) -> tuple[NetworkPolicy, ...]:
    """Return the policies that keep this source from the Pods; () when one admits it, or none is known to select them.

    Policies add up: a Pod that any selects takes only what one of them admits, but for what one of them denies.
    """
    if setting(case.evidence.cluster, "enable-policy") == "never":
        return ()
    chosen = tuple(p for p in case.service.network_policies or () if selects_pods(p, case.service))
    came = sources(case, one)
    denying = tuple(p for p in chosen if any(admitted(ip, p.denies) for ip in came))
    if denying:
        return denying
    allowed = not came or any(admitted(ip, policy.admits) for policy in chosen for ip in came)
    return () if allowed else chosen


def refused(case: Case) -> tuple[Exchange, ...]:
    """Return the exchanges that were lost and that a rule refuses; () where one that it refuses was answered."""
    pairs = list(exchanges(case.trials))
    barred = [(t, e) for t, e in pairs if out_of_range(case, e) or (is_preserved(case, t, e) and refusing(case, e))]
    if any(answered(e) for _, e in barred):
        return ()
    return tuple(e for _, e in barred if e.outcome in {Outcome.TIMEOUT, Outcome.REFUSED_ICMP})


def policy_denies_world(evidence: Evidence) -> Iterator[Finding]:
    """D13: what came from this host was lost, and a rule refuses just that."""
    for case in cases(evidence):
        lost = refused(case)
        if not lost:
            continue
        outside = [one for one in lost if out_of_range(case, one)]
        yield outside_ranges(case, outside) if outside else denied(case, lost)


def outside_ranges(case: Case, lost: list[Exchange]) -> Finding:
    """D13 as far as this host goes: the Service is not meant for it, so nothing is proven either way."""
    came = listing(ip for one in lost for ip in sources(case, one))
    also = " A network policy refuses it as well." if any(refusing(case, one) for one in lost) else ""
    return finding(
        "D13",
        Verdict.UNKNOWN,
        says=f"{case.name} refuses {came}, as its spec.loadBalancerSourceRanges say: {outcomes(lost)}.{also}",
        because=(
            f"Ranges: {listing(case.service.source_ranges)}.",
            "service.cilium.io/src-ranges-policy is deny: they are refused." if case.service.ranges_refuse else "",
            f"This host came from {came}.",
        ),
        remedy="Look from an address outside the ranges, or take this host's out. Whether traffic arrives for those "
        "outside was not seen."
        if case.service.ranges_refuse
        else "Look from an address inside the ranges, or add this host's. Whether traffic arrives for those inside "
        "was not seen.",
        subject=about(case, (one.vip for one in lost)),
    )


def denied(case: Case, lost: tuple[Exchange, ...]) -> Finding:
    """D13: the Pods see the client itself, and their policies admit nobody of the kind."""
    policies = tuple(dict.fromkeys(p for one in lost for p in refusing(case, one)))
    came = listing(ip for one in lost for ip in sources(case, one))
    through = sum(answered(e) for _, e in exchanges(case.trials))
    passed = f" {count(through, 'exchange')} whose source the announcer translated passed." if through else ""
    return finding(
        "D13",
        Verdict.FAIL,
        says=f"The Pods of {case.name} refuse {came}: {listing(map(policy_name, policies))} "
        f"{'admit' if len(policies) > 1 else 'admits'} no such address from outside the cluster, and the Pods see the "
        f"client itself ({outcomes(lost)}).{passed}",
        because=(
            *(f"{policy_name(policy)} admits from outside: {admissions(policy)}." for policy in policies),
            f"The source is kept: {why_kept(case)}.",
            "A drop on the way would look the same; the policies alone refuse it already."
            if case.evidence.cluster.implementation == CILIUM
            else "A drop on the way would look the same, and not every CNI enforces policies: whether this one does "
            "was not read.",
        ),
        remedy="Admit the clients: fromEntities: [world] or fromCIDR in a CiliumNetworkPolicy, ipBlock in a "
        "NetworkPolicy. `cluster` or a namespace does not mean clients of a load balancer. If connections still time "
        "out then, look at the announcer (D03).",
        subject=about(case, (one.vip for one in lost)),
    )


def policy_name(policy: NetworkPolicy) -> str:
    """Return kind and name."""
    return f"{policy.kind} {'/'.join(filter(None, (policy.namespace, policy.name)))}"


def admissions(policy: NetworkPolicy) -> str:
    """Return whom a policy admits, and whom it denies, in words."""
    admits = listing(one.network for one in policy.admits) or "nobody"
    denies = listing(one.network for one in policy.denies)
    return f"{admits}{f', and denies {denies}' if denies else ''}"


def why_kept(case: Case) -> str:
    """Return why the Pods see the client's own address, in words."""
    mode = own_mode(case) or case.evidence.cluster.datapath
    if case.local:
        return "externalTrafficPolicy: Local"
    return f"bpf-lb-mode={mode.value}" if mode in {Datapath.DSR, Datapath.HYBRID} and mode else "a backend there"
