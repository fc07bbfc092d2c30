"""`l2probe audit`: its options, and the real edges behind the flow. Changes nothing in the cluster."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from l2probe.cli import candidates
from l2probe.cli.inside import in_lab, refuse_lab_options
from l2probe.cli.options import cluster_options, interface_option, lab_options, report_options, stacked, talk_options
from l2probe.cli.wanted import Wanted

if TYPE_CHECKING:
    from l2probe.audit import Plan
    from l2probe.audit.edges import Edges
    from l2probe.cli.progress import Progress
    from l2probe.model import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditWanted(Wanted):
    """The parsed command line."""

    namespace: str | None
    selector: str | None
    on_wire: bool
    fail_on: str | None


def _audit_options(function: Callable[..., Any]) -> Callable[..., Any]:
    return stacked(
        click.option(
            "-n",
            "--namespace",
            metavar="NAME",
            shell_complete=candidates.namespaces,
            help="Only this namespace (default: all).",
        ),
        click.option("-l", "--selector", metavar="SELECTOR", help="Only Services with these labels, as in kubectl."),
        click.option(
            "--on-wire", is_flag=True, help="Also prove it: one sweep for all addresses, connects to each port."
        ),
        click.option(
            "--fail-on",
            type=click.Choice(("warn", "fail")),
            help="Exit with 1 from this on: warn counts predictions too.  [default: fail]",
        ),
        interface_option,
    )(function)


@click.command("audit", short_help="Look over every LoadBalancer Service; changes nothing.")
@_audit_options
@report_options
@cluster_options
@lab_options("Audit the Services of a fresh miniature cluster.")
@talk_options
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> int:  # noqa: ANN401 - click's own values, made typed by AuditWanted
    """Look over every LoadBalancer Service, the worst first: which are broken, and which are one reschedule away from
    it. Reads the API alone, needs no privilege, and predicts; with --on-wire one sweep proves who announces each
    address, and connects prove that traffic arrives. Changes nothing.

    Exits with 1 when something is broken (--fail-on warn: or predicted to break), with 0 when nothing of that kind was
    found, and with 2 when it could not look, or could not tell on the wire.
    """  # noqa: D205 - click shows the paragraph
    wanted = AuditWanted(**given)
    from l2probe.audit.selector import parse  # noqa: PLC0415 - only when the command is run

    selector = parse(wanted.selector) if wanted.selector else ()
    if wanted.interface and not wanted.on_wire:
        raise click.UsageError("--interface needs --on-wire.")
    if wanted.lab:
        return in_lab(ctx, wanted)
    refuse_lab_options(wanted)
    from l2probe.audit import Plan  # noqa: PLC0415 - with the edges' libraries

    return _against_cluster(
        Plan(namespace=wanted.namespace, selector=selector, on_wire=wanted.on_wire), wanted, ctx.obj
    )


def _against_cluster(plan: Plan, wanted: AuditWanted, argv: list[str]) -> int:
    from l2probe.audit import audit  # noqa: PLC0415 - with the edges' libraries
    from l2probe.cli.observation import observing  # noqa: PLC0415 - likewise

    gc.disable()  # thousands of long-lived objects without a cycle: looking for one takes a third of the time
    with observing(wanted) as observation:
        evidence = audit(plan, _edges(wanted, observation.progress))
    report = observation.delivered(evidence, argv)
    return failing(report, fail_on="warn" if wanted.strict else wanted.fail_on or "fail")


def failing(report: Report, *, fail_on: str) -> int:
    """Return 1 when a cause is as bad as `fail_on` or worse; else 2 when the wire could not tell, else 0."""
    from l2probe.cli.deliver import exit_code  # noqa: PLC0415 - with the report's libraries
    from l2probe.model import Verdict  # noqa: PLC0415 - likewise

    counted = {"fail": {Verdict.FAIL}, "warn": {Verdict.FAIL, Verdict.WARN}}[fail_on]
    if any(found.verdict in counted for found in report.findings if found.consequence_of is None):
        return 1
    return exit_code(report, strict=False)


def _edges(wanted: AuditWanted, progress: Progress) -> Edges:
    from l2probe.audit.edges import Edges  # noqa: PLC0415 - with the edges' libraries
    from l2probe.cli.wiring import reading, surroundings  # noqa: PLC0415 - likewise

    return Edges(
        **surroundings(wanted, progress),
        api=reading(wanted),
        sweep=_lazily("l2probe.observe.sweep", "sweep"),
        ask_alone=_lazily("l2probe.observe.sweep", "ask_alone"),
        open_wire=_lazily("l2probe.observe.wire", "open_wire"),
        knock=_lazily("l2probe.diagnose.knocking", "knock"),
    )


def _lazily(module: str, name: str) -> Callable[..., Any]:
    """Return a function that is imported when it is called: sockets and scapy, which only --on-wire needs."""

    def call(*args: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever that function takes and returns
        return getattr(importlib.import_module(module), name)(*args, **named)

    return call
