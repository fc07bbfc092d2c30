"""The flow of `l2probe run`: look, create, wait, try, and always remove. Hands Evidence on; never judges."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace

from l2probe.errors import ClusterError, L2ProbeError
from l2probe.model import Evidence, Flow, NeighbourReply, Trial, Vantage
from l2probe.run import plan as plans
from l2probe.run.admission import admitted, check_admission
from l2probe.run.edges import Edges, InterruptedRunError, Live, Wire
from l2probe.run.plan import Plan
from l2probe.run.preflight import Ground, survey
from l2probe.run.stage import Stage
from l2probe.run.talking import family_of
from l2probe.run.teardown import remove
from l2probe.run.trials import question_trials
from l2probe.run.waiting import missing, settle
from l2probe.workload import manifests

PARALLEL = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a run brought: evidence, and why the namespace is still there (None: it is gone, or was never made)."""

    evidence: Evidence
    leftover: str | None = None


def run(plan: Plan, edges: Edges) -> Ran:
    """Prove who announces, what arrives, what the Pod sees and what policy Local does; remove everything again.

    Raises L2ProbeError when it could not observe; the namespace is removed then too, and when it could not be, the
    error's hint says so.
    """
    ground = survey(plan, edges)
    if ground.vantage.cluster_node is not None:
        # A node rewrites connections to a VIP before they reach the wire: nothing seen here would be proof.
        return Ran(evidence=_evidence(plan, ground, ()))
    check_admission(plan, ground.vantage)
    try:
        evidence = _observe(plan, edges, ground)
    except L2ProbeError as error:
        left = _teardown(plan, edges)
        if left is None and isinstance(error, InterruptedRunError) and not plan.keep:
            left = "Everything it had made was removed."
        error.hint = f"{error.hint} {left or ''}".strip()
        raise
    except BaseException:
        _teardown(plan, edges)
        raise
    return Ran(evidence=evidence, leftover=_teardown(plan, edges))


def _teardown(plan: Plan, edges: Edges) -> str | None:
    if plan.keep:
        return None
    edges.say(f"Removing namespace {plan.workload.namespace}.")
    return remove(edges.api, plan.workload.namespace, pause=edges.pause)


def _observe(plan: Plan, edges: Edges, ground: Ground) -> Evidence:
    namespace = plan.workload.namespace
    with ExitStack() as stack:
        wire = _listen(stack, edges, ground.vantage)
        edges.say(f"Creating namespace {namespace}.")
        edges.api.create(manifests.namespace(plan.workload))
        live = stack.enter_context(edges.api.live(namespace))
        with ThreadPoolExecutor(1, thread_name_prefix="nodes") as pool:
            sanity = pool.submit(_ask_nodes, wire, ground)
            _create(plan, edges, ground)
            _await_objects(plan, edges, ground, live)
        vips = tuple(vip for service in live.snapshot().services for vip in service.vips)
        standing = replace(ground, vantage=edges.vantage(vips, ground.nodes)) if vips else ground
        check_admission(plan, standing.vantage, before=ground.vantage)
        if standing.vantage.interface != ground.vantage.interface:
            wire = _listen(stack, edges, standing.vantage)
        node_replies = sanity.result() if standing.vantage.interface == ground.vantage.interface else None
        stage = _stage(plan, edges, standing, live, wire=wire, node_replies=node_replies or _ask_nodes(wire, standing))
        trials = _trials(stage)
        if wire is not None and plan.pcap is not None:
            wire.save(plan.pcap, (*vips, *ground.node_addresses))
    return _evidence(plan, standing, trials, stage.node_replies)


def _listen(stack: ExitStack, edges: Edges, vantage: Vantage) -> Wire | None:
    """Open the wire where we stand; None without an interface or without the right to."""
    if not vantage.raw_socket or vantage.interface is None:
        return None
    return stack.enter_context(edges.open_wire(vantage.interface))


def _ask_nodes(wire: Wire | None, ground: Ground) -> tuple[NeighbourReply, ...] | None:
    """Ask for the nodes' own addresses: maps MACs to nodes, and shows that this interface hears at all."""
    if wire is None or not ground.node_addresses:
        return None
    return wire.ask(ground.node_addresses, stop_early=True)


def _stage(
    plan: Plan,
    edges: Edges,
    ground: Ground,
    live: Live,
    *,
    wire: Wire | None,
    node_replies: tuple[NeighbourReply, ...] | None,
) -> Stage:
    mapped = edges.map_nodes(node_replies, node_replies, ground.nodes) if node_replies else node_replies
    if wire is not None:
        # Not only the VIPs: an answer that nobody translated back comes from a node or a Pod.
        vips = tuple(vip for service in live.snapshot().services for vip in service.vips)
        pods = tuple(address for pod in live.snapshot().pods for address in pod.addresses)
        wire.watch((*vips, *ground.node_addresses), besides=pods)
    return Stage(
        edges=edges,
        plan=plan,
        ground=ground,
        live=live,
        traffic=edges.traffic(plan.workload),
        # Behind a router nobody on this segment could answer: silence would say nothing.
        wire=None if ground.vantage.on_link is False else wire,
        frames=wire,
        node_replies=mapped,
    )


def _create(plan: Plan, edges: Edges, ground: Ground) -> None:
    """Create everything in the namespace; Pods last, for they need the account."""
    edges.say("Creating Services and echo Pods.")
    first = (*plans.shared_objects(plan), *_login(plan, ground), *plans.services(plan, admitted(plan, ground.vantage)))
    for batch in (first, tuple(plans.pods(plan, ground.nodes).values())):
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="create") as pool:
            for done in [pool.submit(edges.api.create, manifest) for manifest in batch]:
                done.result()
        edges.check()


def _login(plan: Plan, ground: Ground) -> tuple[manifests.Manifest, ...]:
    login = ground.login
    return (manifests.pull_secret(plan.workload, login.type, login.key, login.value),) if login else ()


def _await_objects(plan: Plan, edges: Edges, ground: Ground, live: Live) -> None:
    """Wait for addresses and Pods; a Service without an address is a finding, a cluster without our Pods an error."""
    services = tuple(name for name, _ in plan.questions)
    pods = tuple(plans.pods(plan, ground.nodes))
    left = settle(edges, live, lambda snapshot: missing(snapshot, ground.cluster, services, pods), timeout=plan.timeout)
    edges.check()
    stuck = [wait for wait in left if wait.kind == "Pod"]
    if len(stuck) == len(pods):
        others = f" ({len(stuck) - 1} more likewise)" if len(stuck) > 1 else ""
        message = f"No echo Pod became ready in namespace {plan.workload.namespace}: {stuck[0]}{others}."
        raise ClusterError(message, _pod_hint(stuck[0].why))


def _pod_hint(why: str) -> str:
    """Return what to do about the reason."""
    if "Image" in why:
        return (
            "Name an image that the nodes can pull (with --echo script one with python3): --image, and "
            "--image-pull-secret if it needs a login."
        )
    if "chedul" in why:
        return "Make room on a node, or pass --toleration or --node-selector."
    return "See `kubectl describe pods` after a run with --keep, or allow more time with --timeout."


def _trials(stage: Stage) -> tuple[Trial, ...]:
    """Try all questions side by side; each one's trials follow each other."""
    questions = stage.plan.questions
    with ThreadPoolExecutor(max(1, len(questions)), thread_name_prefix="trial") as pool:
        running = [pool.submit(question_trials, stage, name, question) for name, question in questions]
    return tuple(trial for done in running for trial in done.result())


def _evidence(
    plan: Plan, ground: Ground, trials: tuple[Trial, ...], node_replies: tuple[NeighbourReply, ...] | None = None
) -> Evidence:
    return Evidence(
        cluster=ground.cluster,
        vantage=ground.vantage,
        node_replies=node_replies,
        trials=trials,
        flows=_flows(plan, ground, trials),
        required=plan.required,
        suites=tuple(suite.name for suite in plan.suites),
        echo=plan.workload.dialect,
    )


def _flows(plan: Plan, ground: Ground, trials: Sequence[Trial]) -> tuple[Flow, ...]:
    """Return the flow kinds asked for: in the families of the addresses we got, else in those of the nodes."""
    addresses = [vip for trial in trials for vip in trial.service.vips] or list(ground.node_addresses)
    families = sorted({family_of(address) for address in addresses}) or [4]
    asked = {flow for _, question in plan.questions for flow in question.flows(families)}
    return tuple(flow for flow in Flow if flow in asked)
