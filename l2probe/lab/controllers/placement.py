"""Which node a Pod goes to, or why none: the filters of kube-scheduler that echo Pods meet. Pure.

Texts as kube-scheduler 1.34 writes them into PodScheduled and FailedScheduling.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from l2probe.lab.controllers.objects import Obj, dig, labels_of, selects

HOPELESS = "Preemption is not helpful for scheduling."
NO_VICTIMS = "No preemption victims found for incoming pod."


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A node and the Pods that are on it."""

    node: Obj
    pods: tuple[Obj, ...]

    @property
    def name(self) -> str:
        """The node's name."""
        return str(self.node["metadata"]["name"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a Pod goes: `node`, or None and the scheduler's `message`."""

    node: str | None
    message: str = ""


def tolerates(toleration: Obj, taint: Obj) -> bool:
    """Say whether a toleration covers a taint (core/v1 Toleration)."""
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("key") not in (None, "", taint["key"]):
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return True
    return bool(toleration.get("key")) and toleration.get("value", "") == taint.get("value", "")


def _cordoned(pod: Obj, site: Site, _: Sequence[Site]) -> str | None:
    taint = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
    tolerated = any(tolerates(found, taint) for found in pod["spec"].get("tolerations") or ())
    return "node(s) were unschedulable" if site.node["spec"].get("unschedulable") and not tolerated else None


def _tainted(pod: Obj, site: Site, _: Sequence[Site]) -> str | None:
    tolerations = pod["spec"].get("tolerations") or ()
    for taint in site.node["spec"].get("taints") or ():
        bars = taint["effect"] in ("NoSchedule", "NoExecute")
        if bars and not any(tolerates(found, taint) for found in tolerations):
            return f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
    return None


def _term_matches(term: Obj, site: Site) -> bool:
    fields = {"metadata.name": site.name}
    labels = selects({"matchExpressions": term.get("matchExpressions") or ()}, labels_of(site.node))
    return labels and selects({"matchExpressions": term.get("matchFields") or ()}, fields)


def _unselected(pod: Obj, site: Site, _: Sequence[Site]) -> str | None:
    required = dig(pod, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    terms = dig(required, "nodeSelectorTerms") or ()
    fits = (pod["spec"].get("nodeSelector") or {}).items() <= labels_of(site.node).items()
    fits = fits and (not terms or any(_term_matches(term, site) for term in terms))
    return None if fits else "node(s) didn't match Pod's node affinity/selector"


def _in_domain(site: Site, sites: Sequence[Site], topology: str) -> list[Obj]:
    domain = labels_of(site.node).get(topology)
    return [pod for other in sites if labels_of(other.node).get(topology) == domain for pod in other.pods]


def _matching(pods: Iterable[Obj], selector: Obj | None, namespaces: Sequence[str]) -> int:
    here = (pod for pod in pods if pod["metadata"]["namespace"] in namespaces)
    return sum(selects(selector, labels_of(pod)) for pod in here)


def _crowded(pod: Obj, site: Site, sites: Sequence[Site]) -> str | None:
    rules = dig(pod, "spec", "affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution") or ()
    for term in rules:
        near = _in_domain(site, sites, term["topologyKey"])
        if _matching(near, term.get("labelSelector"), term.get("namespaces") or (pod["metadata"]["namespace"],)):
            return "node(s) didn't match pod anti-affinity rules"
    return None


def _uneven(pod: Obj, site: Site, sites: Sequence[Site]) -> str | None:
    for rule in pod["spec"].get("topologySpreadConstraints") or ():
        namespaces = (pod["metadata"]["namespace"],)

        def count(place: Site, rule: Obj = rule, namespaces: Sequence[str] = namespaces) -> int:
            return _matching(_in_domain(place, sites, rule["topologyKey"]), rule.get("labelSelector"), namespaces)

        skew = count(site) + 1 - min(count(other) for other in sites)
        if rule.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule" and skew > rule["maxSkew"]:
            return "node(s) didn't match pod topology spread constraints"
    return None


_FILTERS: tuple[tuple[Callable[[Obj, Site, Sequence[Site]], str | None], str], ...] = (
    (_cordoned, HOPELESS),
    (_tainted, HOPELESS),
    (_unselected, HOPELESS),
    (_uneven, NO_VICTIMS),
    (_crowded, NO_VICTIMS),
)
"""Each filter, and what preemption can do about its refusal."""


def _refusal(pod: Obj, site: Site, sites: Sequence[Site]) -> tuple[str, str] | None:
    refusals = ((reason, hope) for fits, hope in _FILTERS if (reason := fits(pod, site, sites)) is not None)
    return next(refusals, None)


def _counted(reasons: Iterable[str]) -> str:
    return ", ".join(sorted(f"{times} {reason}" for reason, times in Counter(reasons).items()))


def _message(refusals: Sequence[tuple[str, str]]) -> str:
    if not refusals:
        return "no nodes available to schedule pods"
    none = f"0/{len(refusals)} nodes are available"
    reasons, hopes = _counted(why for why, _ in refusals), _counted(hope for _, hope in refusals)
    return f"{none}: {reasons}. no new claims to deallocate, preemption: {none}: {hopes}"


def place(pod: Obj, sites: Sequence[Site]) -> Placement:
    """Return the node with the fewest Pods of those that every filter admits; ties go to the first by name."""
    found = [(site, _refusal(pod, site, sites)) for site in sorted(sites, key=lambda site: site.name)]
    fits = [site for site, refusal in found if refusal is None]
    if not fits:
        return Placement(node=None, message=_message([refusal for _, refusal in found if refusal is not None]))
    return Placement(node=min(fits, key=lambda site: len(site.pods)).name)
