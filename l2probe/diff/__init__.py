"""What changed between two reports, as a person after an upgrade wants to read it. Pure: no I/O, no clock.

What got worse, what got better, and what is merely different; what only one of the two asked is no change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from l2probe.diff.addresses import addresses
from l2probe.diff.change import OUR_NAMESPACE, Change, Effect, by_rank, changed, named
from l2probe.judge.case import Case, cases, claims, vips
from l2probe.judge.order import SEVERITY
from l2probe.judge.owners import owners
from l2probe.judge.words import listing
from l2probe.model import Evidence, Finding, Flow, LocalPolicy, NodeName, Report, Source, Verdict

__all__ = ["Change", "Effect", "compare", "got_worse"]

SOURCES = {Source.NEVER: 0, Source.ON_ANNOUNCER_ONLY: 1, Source.ALWAYS: 2}
LOCALS = {
    LocalPolicy.DROPPED: 0,
    LocalPolicy.REJECTED: 0,
    LocalPolicy.UNANNOUNCED: 0,
    LocalPolicy.SERVED: 1,
    LocalPolicy.MOVED: 1,
}
"""The better the higher; what is not in these tables is not known, and that is neither better nor worse."""


def compare(before: Report, after: Report) -> tuple[Change, ...]:
    """Return every change, what got worse first; in each group in the order in which a reader asks."""
    changes = [change for look in LOOKS for change in look(before, after)]
    return tuple(sorted(changes, key=lambda change: list(Effect).index(change.effect)))


def got_worse(changes: Sequence[Change]) -> bool:
    """Tell whether anything did."""
    return any(change.effect is Effect.WORSE for change in changes)


def verdicts(before: Report, after: Report) -> Iterator[Change]:
    """Yield the change of the report's verdict; a failure that can no longer be told is not mended."""
    if before.verdict is after.verdict:
        return
    effect = by_rank(-SEVERITY.index(before.verdict), -SEVERITY.index(after.verdict))
    if before.verdict is Verdict.FAIL and after.verdict is Verdict.UNKNOWN:
        effect = Effect.CHANGED
    yield Change(effect=effect, topic="verdict", subject="", before=before.verdict, after=after.verdict)


def findings(before: Report, after: Report) -> Iterator[Change]:
    """Yield the findings that appeared, went, or changed their verdict or what they are about; consequences too."""
    old, new = worst_by_code(before.findings), worst_by_code(after.findings)
    for code in dict.fromkeys((*new, *old)):
        was, now = old.get(code), new.get(code)
        found = now or was
        if found is None or (was and now and (was.verdict, about(was)) == (now.verdict, about(now))):
            continue
        yield Change(
            effect=by_rank(-rank(was), -rank(now)),
            topic="finding",
            subject=f"{code} {found.slug}",
            before=standing(was),
            after=standing(now),
            says=now.says if now else "",
        )


def worst_by_code(found: Sequence[Finding]) -> Mapping[str, Finding]:
    """Return the worst finding of each code, in the order of the report."""
    worst: dict[str, Finding] = {}
    for one in found:
        if one.code not in worst or rank(one) > rank(worst[one.code]):
            worst[one.code] = one
    return worst


def rank(found: Finding | None) -> int:
    """Return how bad a finding is; none at all is as good as a pass."""
    return 0 if found is None else SEVERITY.index(found.verdict)


def standing(found: Finding | None) -> str:
    """Return a finding's verdict and what it is about, in words."""
    return "" if found is None else " ".join(filter(None, (found.verdict, about(found))))


def about(found: Finding) -> str:
    """Return the Services that a finding is about; "" for the whole cluster."""
    return listing(named(one.namespace, one.name) for one in found.subjects or (found.subject,))


def capabilities(before: Report, after: Report) -> Iterator[Change]:
    """Yield what the cluster can do now and could not before, and the other way round."""
    old, new = before.capabilities, after.capabilities
    yield from differing("exclusive", old.exclusive, new.exclusive, truth)
    for flow in (flow for flow in Flow if flow in before.evidence.flows and flow in after.evidence.flows):
        yield from differing(f"reachable {flow}", getattr(old.reachable, flow), getattr(new.reachable, flow), truth)
        yield from differing(f"source {flow}", getattr(old.source, flow), getattr(new.source, flow), SOURCES.get)
        fates = getattr(old.local_policy, flow), getattr(new.local_policy, flow)
        yield from differing(f"policy Local {flow}", *fates, LOCALS.get)
    sizes = old.largest_payload_bytes, new.largest_payload_bytes
    yield from differing("largest payload in bytes", *sizes, lambda size: size if isinstance(size, int) else None)


def truth(value: object) -> int | None:
    """Return 1 for true and 0 for false; None when it is not known."""
    return int(value) if isinstance(value, bool) else None


def differing(name: str, old: object, new: object, ranked: Callable[..., int | None]) -> Iterator[Change]:
    """Yield the change of one capability."""
    if old != new:
        effect = by_rank(ranked(old), ranked(new))
        yield Change(effect=effect, topic="capability", subject=name, before=words(old), after=words(new))


def words(value: object) -> str:
    """Return a value as a reader says it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "unknown" if value is None else str(value)


def services(before: Report, after: Report) -> Iterator[Change]:
    """Yield whose policy, announcer or claim is another now, for each Service that both looked at."""
    old, new = by_service(before.evidence), by_service(after.evidence)
    for name in (name for name in new if name in old):
        was, now = old[name], new[name]
        if not now.service.namespace.startswith(OUR_NAMESPACE):
            yield from changed("policy", name, was.service.policy, now.service.policy)
        if listened(was) and listened(now):
            yield from changed("announcer", name, announcers(was), announcers(now))
        if claims(was) is not None and claims(now) is not None:
            yield from changed("claim", name, holder(was), holder(now))


def by_service(evidence: Evidence) -> Mapping[str, Case]:
    """Return what was seen of each Service, by its name."""
    return {named(case.service.namespace, case.service.name): case for case in cases(evidence)}


def listened(case: Case) -> bool:
    """Tell whether anybody listened for answers."""
    return any(trial.replies is not None for trial in case.trials)


def announcers(case: Case) -> str:
    """Return who answered for a Service's addresses, in words."""
    return listing(owner.label for vip in vips(case) for owner in owners(case, vip))


def holder(case: Case) -> NodeName | str:
    """Return whom the control plane named last."""
    history = claims(case) or ()
    return (history[-1].holder or "") if history else ""


def cluster(before: Report, after: Report) -> Iterator[Change]:
    """Yield other versions, settings, pools, policies and nodes."""
    old, new = before.evidence.cluster, after.evidence.cluster
    yield from changed("version", "l2probe", before.tool, after.tool)
    yield from changed("version", "Kubernetes", old.server_version or "", new.server_version or "")
    yield from changed("version", "implementation", implementation(before), implementation(after))
    yield from changed("setting", "datapath", old.datapath or "", new.datapath or "")
    yield from changed("setting", "announcing", words(old.announcing), words(new.announcing))
    yield from entries("setting", dict(old.settings), dict(new.settings))
    if old.pools is not None and new.pools is not None:
        yield from entries("pool", pools_of(before), pools_of(after))
    if old.policies is not None and new.policies is not None:
        yield from entries("policy", policies_of(before), policies_of(after))
    if old.nodes is not None and new.nodes is not None:
        yield from entries("node", nodes_of(before), nodes_of(after))


def implementation(report: Report) -> str:
    """Return the announcer's name and version."""
    found = report.evidence.cluster
    return " ".join(filter(None, (found.implementation, found.implementation_version)))


def pools_of(report: Report) -> Mapping[str, str]:
    """Return each pool's blocks and what is wrong with it."""
    return {
        pool.name: " ".join(filter(None, (listing(pool.blocks), "disabled" if pool.disabled else "")))
        for pool in report.evidence.cluster.pools or ()
    }


def policies_of(report: Report) -> Mapping[str, str]:
    """Return each announcement policy as one line."""
    return {
        policy.name: ", ".join(
            filter(
                None,
                (
                    "announces" if policy.load_balancer_ips else "announces nothing",
                    f"services {len(policy.service_selector)} terms" if policy.service_selector else "",
                    f"nodes {len(policy.node_selector)} terms" if policy.node_selector else "",
                    f"interfaces {listing(policy.interfaces)}" if policy.interfaces else "",
                ),
            )
        )
        for policy in report.evidence.cluster.policies or ()
    }


def nodes_of(report: Report) -> Mapping[str, str]:
    """Return each node's addresses and whether it is Ready."""
    return {
        node.name: f"{listing(node.addresses)} {'Ready' if node.ready else 'not Ready'}"
        for node in report.evidence.cluster.nodes or ()
    }


def entries(topic: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    """Yield the entries that differ, came or went."""
    for name in dict.fromkeys((*old, *new)):
        yield from changed(topic, name, old.get(name, ""), new.get(name, ""))


def vantage(before: Report, after: Report) -> Iterator[Change]:
    """Yield that we looked from elsewhere or asked for other things: then the rest is compared with care."""
    old, new = before.evidence, after.evidence
    places = [
        f"{seen.vantage.interface} {listing(seen.vantage.addresses, limit=2)}" if seen.vantage.interface else ""
        for seen in (old, new)
    ]
    yield from changed("vantage", "looked from", *places)
    yield from changed("vantage", "command", old.command, new.command)
    yield from changed("vantage", "flows", ", ".join(old.flows), ", ".join(new.flows))


LOOKS: tuple[Callable[[Report, Report], Iterator[Change]], ...] = (
    verdicts,
    findings,
    capabilities,
    addresses,
    services,
    cluster,
    vantage,
)
"""What is compared, in the order in which a reader asks."""
