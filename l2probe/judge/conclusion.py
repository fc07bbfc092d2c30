"""The report's verdict, what stayed open, and the Report itself. No clock: times come in as arguments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from l2probe import __version__
from l2probe.judge.capabilities import FULL_BYTES, passed_full_size, told
from l2probe.judge.capabilities import capabilities as conclude_capabilities
from l2probe.judge.case import answered, cases, once, promised_trials, refused_here
from l2probe.judge.existing import unknown
from l2probe.judge.finding import Rule
from l2probe.judge.local import off_trials, why_untold
from l2probe.judge.notes import notes
from l2probe.judge.order import SEVERITY, arrange, mark, position, service_of
from l2probe.judge.ownership import holder_gone
from l2probe.judge.prediction import AUDIT, PREDICTIONS, on_wire
from l2probe.judge.table import API_RULES, WIRE_RULES
from l2probe.judge.words import listing, per_flow
from l2probe.model import (
    Capabilities,
    Evidence,
    Exchange,
    Finding,
    Flow,
    LocalPolicy,
    PerFlow,
    Placement,
    Report,
    Source,
    TrafficPolicy,
    Trial,
    Verdict,
)

SCHEMA = "l2probe/report/v1"
DIAGNOSE = "diagnose"
EXISTING = (DIAGNOSE, AUDIT)
"""The commands that look at Services of the user's."""

REQUIRED_BY = {
    "reachable": ("D12",),
    "source": ("E",),
    "local": ("D01",),
}
"""Which warnings a required capability turns into failures, by code or by family. What says that another capability is
missing is a FAIL for everybody."""


def judge(evidence: Evidence) -> tuple[Finding, ...]:
    """Return the findings, cause before consequence.

    Never raises on any Evidence; finds nothing where nothing was seen.
    """
    return arrange(found(evidence), apart=evidence.command in EXISTING)


@once
def found(evidence: Evidence) -> tuple[Finding, ...]:
    """Return what each rule found, in no order."""
    return tuple(graded(one, evidence.required) for rule in rules_for(evidence) for one in rule(evidence))


def rules_for(evidence: Evidence) -> tuple[Rule, ...]:
    """Return the rules that can say something true: none about frames where nobody listened, or on a cluster node."""
    foretell = PREDICTIONS if evidence.command == AUDIT else ()
    if not on_wire(evidence):
        return (*API_RULES, holder_gone, *foretell)
    return (*API_RULES, *(() if evidence.vantage.cluster_node is not None else WIRE_RULES), *foretell)


@once
def by_service(evidence: Evidence) -> Mapping[tuple[str, str], tuple[Finding, ...]]:
    """Return the findings about each Service of the user's, unmerged, the causes first, each by severity and rank."""
    each: dict[tuple[str, str], list[Finding]] = {}
    for one in mark(found(evidence)):
        if (service := service_of(one)) is not None:
            each.setdefault(service, []).append(one)
    return {service: tuple(sorted(some, key=lambda one: position(one, some))) for service, some in each.items()}


def graded(found: Finding, required: tuple[str, ...]) -> Finding:
    """Return a WARN about something that the user requires is a FAIL."""
    codes = [code for name in required for code in REQUIRED_BY.get(name, ())]
    if found.verdict is Verdict.WARN and any(found.code.startswith(code) for code in codes):
        return replace(found, verdict=Verdict.FAIL)
    return found


def verdict(evidence: Evidence, capabilities: Capabilities, findings: tuple[Finding, ...]) -> Verdict:
    """Return the worst of the findings; UNKNOWN at best when something that was asked stayed open.

    Never PASS unproven.
    """
    causes = [found.verdict for found in findings if found.consequence_of is None]
    if not on_wire(evidence):  # predictions prove nothing good, and what they foresee is worth more than that
        return max(causes, key=SEVERITY.index, default=Verdict.UNKNOWN)
    open_questions = Verdict.UNKNOWN if tuple(unproven(evidence, capabilities, findings)) else Verdict.PASS
    return max((open_questions, *causes), key=SEVERITY.index)


def unproven(evidence: Evidence, capabilities: Capabilities, findings: tuple[Finding, ...]) -> Iterator[str]:
    """Yield what was asked and could not be answered, in words.

    An address that is missing or silent answers nothing else, and its finding says so: then nothing is added.
    """
    if not on_wire(evidence) or any(found.code[0] in "AB" and found.verdict is Verdict.FAIL for found in findings):
        return
    if evidence.command in EXISTING:
        said = tuple(unknown(evidence, findings))
        yield from said or unexplained(evidence, capabilities, findings)
        return
    able = capabilities
    if not evidence.flows:
        yield "No flow kind was tried."
    yield from obstacles(evidence, able)
    open_flows = [flow for flow in evidence.flows if getattr(able.reachable, flow) is None]
    held = {flow: words for flow in open_flows if (words := refusal(evidence, flow))}
    untried = [flow for flow in open_flows if flow not in held and not tried(evidence, flow)]
    lost = [flow for flow in evidence.flows if getattr(able.reachable, flow) is False]
    for flow, words in held.items():
        yield f"This host could not send {flow}: {words}."
    if untried:
        yield f"Whether traffic arrives for {listing(untried)}: nothing was tried that can tell."
    yield from unexplained(evidence, able, findings)
    if able.announced_by is None:
        yield "Who announces the addresses: no answer was seen that belongs to a node."
    sourceless = [
        f for f in evidence.flows if getattr(able.source, f) is Source.UNKNOWN and f not in (*open_flows, *lost)
    ]
    if asks_source(evidence) and sourceless:
        yield f"Whether Pods see the client for {listing(sourceless)}: no answer proved it from off the announcer."
    open_local = [flow for flow in evidence.flows if getattr(able.local_policy, flow) is LocalPolicy.UNKNOWN]
    if asks_local(evidence) and set(open_local) - {*open_flows, *lost}:
        yield f"What policy Local does off the announcer for {listing(open_local)}{why_untold(evidence)}."
    if "payload" in evidence.required and not any(found.code == "D06" for found in findings):
        yield from unfilled(evidence, able)
    yield from unmet(evidence, able)


def unexplained(evidence: Evidence, able: Capabilities, findings: tuple[Finding, ...]) -> Iterator[str]:
    """Yield the flow kinds that did not arrive, or not all, and that no finding explains.

    A warning explains no unreachable flow, unless it is about the loss itself.
    """
    said = {found.code for found in findings if found.verdict is Verdict.FAIL or found.code == "D12"}
    if any(code[0] in "ABCD" for code in said):
        return
    lost = [flow for flow in evidence.flows if getattr(able.reachable, flow) is False]
    partly = [flow for flow in lost if any(map(answered, tried(evidence, flow)))]
    if never := [flow for flow in lost if flow not in partly]:
        yield f"Why nothing arrived for {listing(never)}: too little was tried to tell loss from a pattern."
    if partly:
        yield f"Why so much was lost ({arrived(evidence, partly)} answered): no pattern and no steady loss explains it."
    shaky = [flow for flow in evidence.flows if getattr(able.reachable, flow) is None and tried(evidence, flow)]
    if shaky:
        yield (
            f"Whether traffic arrives reliably ({arrived(evidence, shaky)} answered): more was lost than chance "
            "explains, and too little to call it broken. Try again."
        )


def tried(evidence: Evidence, flow: Flow) -> list[Exchange]:
    """Return the exchanges of a flow kind that say whether traffic arrives."""
    return [one for case in cases(evidence) for trial in promised_trials(case) for one in told(trial, flow)]


def arrived(evidence: Evidence, flows: list[Flow]) -> str:
    """Return how many of each flow kind were answered, in words."""
    return per_flow([one for flow in flows for one in tried(evidence, flow)])


def refusal(evidence: Evidence, flow: Flow) -> str:
    """Return what our own kernel said when it refused to send this flow kind; "" when it did not."""
    return listing(one.detail.rstrip(".") or "refused" for t in evidence.trials for one in refused_here(t, flow))


def obstacles(evidence: Evidence, able: Capabilities) -> Iterator[str]:
    """Yield what stood in the way of a trial, once each, unless what the trial asked was proven without it."""
    yield from dict.fromkeys(t.obstacle for t in evidence.trials if t.obstacle and not dispensable(evidence, able, t))


def dispensable(evidence: Evidence, able: Capabilities, trial: Trial) -> bool:
    """Whether a trial on the announcer could be done without: all that it might have told is known."""
    if trial.placement is not Placement.ON_ANNOUNCER or not trial.service.vips:
        return False
    asked: PerFlow[Source] | PerFlow[LocalPolicy] = able.local_policy
    if trial.service.policy is TrafficPolicy.CLUSTER:
        asked = able.source
    return all(getattr(asked, flow) not in {Source.UNKNOWN, LocalPolicy.UNKNOWN} for flow in evidence.flows)


def unfilled(evidence: Evidence, able: Capabilities) -> Iterator[str]:
    """Yield the flow kinds of which small payloads were answered and no full-size one was, sent or not."""
    open_flows = [flow for flow in evidence.flows if flow in FULL_BYTES and not passed_full_size(cases(evidence), flow)]
    if open_flows and able.largest_payload_bytes is not None:
        yield f"Whether full-size packets pass for {listing(open_flows)} (required): no answer to one proved it."


def unmet(evidence: Evidence, capabilities: Capabilities) -> Iterator[str]:
    """Yield the required capabilities that were neither proven nor refuted."""
    if "exclusive" in evidence.required and capabilities.exclusive is None:
        yield "Whether one node alone announces (required)."
    if "payload" in evidence.required and capabilities.largest_payload_bytes is None:
        yield "The largest payload that passes (required)."
    for name, asked in (("source", asks_source(evidence)), ("local", asks_local(evidence))):
        if name in evidence.required and not asked:
            yield f'The required capability "{name}": no trial asked for it.'


def asks_source(evidence: Evidence) -> bool:
    """Whether a trial put the backend off the announcer under policy Cluster."""
    return any(
        t.placement is Placement.OFF_ANNOUNCER and t.service.policy is TrafficPolicy.CLUSTER for t in evidence.trials
    )


def asks_local(evidence: Evidence) -> bool:
    """Whether a trial put the only backend off the announcer under policy Local."""
    return any(off_trials(case) for case in cases(evidence))


def conclude(evidence: Evidence, *, started: str, duration_seconds: float, command: str) -> Report:
    """Judge the evidence and return the Report. `started` is RFC 3339 UTC."""
    found, able = judge(evidence), conclude_capabilities(evidence)
    return Report(
        schema=SCHEMA,
        tool=f"l2probe {__version__}",
        command=command,
        started=started,
        duration_seconds=duration_seconds,
        verdict=verdict(evidence, able, found),
        capabilities=able,
        findings=found,
        evidence=evidence,
        notes=tuple(notes(evidence)),
    )
