"""Wiring: the run's edges made of the real things, and what is printed before, while and after it runs."""

from __future__ import annotations

import threading
from functools import partial

import click

from l2probe.cli import COULD_NOT_TELL, last_words
from l2probe.cli.deliver import exit_code
from l2probe.cli.observation import observing
from l2probe.cli.progress import Progress
from l2probe.cli.signals import interruptible
from l2probe.cli.wanted import RunWanted
from l2probe.cli.wiring import surroundings
from l2probe.diagnose.solicitor import Solicitor
from l2probe.model import Verdict
from l2probe.observe.kube import connect
from l2probe.observe.pull_secret import pull_secret
from l2probe.observe.traffic import Traffic
from l2probe.observe.voices import voice
from l2probe.observe.wire import open_wire
from l2probe.run import Ran, run
from l2probe.run.edges import Edges
from l2probe.run.plan import Plan
from l2probe.run.teardown import command as cleanup_command
from l2probe.workload.manifests import Workload


def against_cluster(plan: Plan, wanted: RunWanted, argv: list[str]) -> int:
    """Run against the cluster of the kubeconfig, show the report, and return the exit code."""
    with observing(wanted, wanted.pcap) as observation, interruptible(_left_behind(plan, argv)) as interrupted:
        ran = run(plan, _edges(wanted, observation.progress, interrupted))
    report = observation.delivered(ran.evidence, argv)
    code = exit_code(report, strict=wanted.strict)
    return _mention_leftover(plan, ran, code, broken=report.verdict is Verdict.FAIL)


def _edges(wanted: RunWanted, progress: Progress, interrupted: threading.Event) -> Edges:
    api = connect(wanted.access)
    return Edges(
        **surroundings(wanted, progress),
        solicit=Solicitor,
        api=api,
        pull_secret=partial(pull_secret, api.transport),
        open_wire=open_wire,
        traffic=_traffic,
        interrupted=interrupted,
    )


def _traffic(workload: Workload) -> Traffic:
    return Traffic(voice(workload.dialect, secret=bytes.fromhex(workload.secret), mark=workload.mark))


def _left_behind(plan: Plan, argv: list[str]) -> tuple[str, str]:
    said = f"Left at once; namespace {plan.workload.namespace} may still be there."
    return last_words(argv, said, f"Remove it with `{cleanup_command(plan.workload.run)}`.")


def _mention_leftover(plan: Plan, ran: Ran, code: int, *, broken: bool) -> int:
    """Say what is still there; a run that could not clean up is never a success."""
    remedy = f"Remove it with `{cleanup_command(plan.workload.run)}`."
    if ran.leftover:
        click.echo(f"error: {ran.leftover}\nhint: {remedy}", err=True)
        return 1 if broken else COULD_NOT_TELL
    if plan.keep:
        click.echo(f"Kept namespace {plan.workload.namespace}. {remedy}", err=True)
    return code
