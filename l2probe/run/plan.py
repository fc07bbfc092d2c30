"""What the user asked for, as frozen data: the suites, the objects to make, the bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from l2probe.model import Node
from l2probe.suites import Question, Suite
from l2probe.workload import manifests
from l2probe.workload.manifests import Manifest, Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run. `timeout`: seconds that Services and Pods may take. `required`: capabilities it must prove."""

    suites: tuple[Suite, ...]
    workload: Workload
    timeout: float = 60.0
    required: tuple[str, ...] = ()
    keep: bool = False
    pcap: Path | None = None

    @property
    def questions(self) -> tuple[tuple[str, Question], ...]:
        """Every question with the name of its Service."""
        return tuple(
            (f"{suite.name}-{question.name}", question) for suite in self.suites for question in suite.questions
        )

    @property
    def backends(self) -> int:
        """Echo Pods to start with."""
        return max(suite.backends for suite in self.suites)

    def eligible(self, nodes: Sequence[Node]) -> tuple[Node, ...]:
        """Return the nodes that may take an echo Pod: ready, selected, and no taint that it does not tolerate."""
        wanted = set(self.workload.node_selector)
        return tuple(node for node in nodes if node.ready and self._tolerates(node) and wanted <= set(node.labels))

    def _tolerates(self, node: Node) -> bool:
        if not node.taints:
            return node.schedulable
        return all(any(each.covers(*taint) for each in self.workload.tolerations) for taint in node.taints)


def shared_objects(plan: Plan) -> tuple[Manifest, ...]:
    """Return the objects that the Pods need, in no order: account, and of our script the source and the secret."""
    work = plan.workload
    account = manifests.service_account(work)
    return (account, manifests.config_map(work), manifests.secret(work)) if work.scripted else (account,)


def services(plan: Plan, admitted: Sequence[str] = ()) -> tuple[Manifest, ...]:
    """Return one Service for each question; `admitted`: the only networks that may reach one that names none itself."""
    return tuple(
        manifests.service(plan.workload, name, question.policy, question.families, question.source_ranges or admitted)
        for name, question in plan.questions
    )


def pods(plan: Plan, nodes: Sequence[Node] | None) -> Mapping[str, Manifest]:
    """Return the echo Pods by name, one on each of the first eligible nodes; `nodes` None: spread by anti-affinity."""
    hostnames: Sequence[str | None] = [None] * plan.backends
    if nodes is not None:
        hostnames = [manifests.hostname_of(node.name, node.labels) for node in plan.eligible(nodes)][: plan.backends]
    names = [f"echo-{number}" for number in range(1, len(hostnames) + 1)]
    return {name: manifests.pod(plan.workload, name, hostname) for name, hostname in zip(names, hostnames, strict=True)}


def everything(plan: Plan) -> tuple[Manifest, ...]:
    """Return all objects of a run as `--dry-run` shows them, without asking a cluster for its nodes."""
    first = manifests.namespace(plan.workload)
    return (first, *shared_objects(plan), *services(plan), *pods(plan, None).values())
