"""`l2probe audit`: its options, and the real edges behind the flow. Changes nothing in the cluster."""

from __future__ import annotations

import gc
import shlex
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from l2probe.cli import candidates
from l2probe.cli.inside import in_lab, refuse_lab_options
from l2probe.cli.options import cluster_options, lab_options, report_options, stacked, talk_options

if TYPE_CHECKING:
    from l2probe.audit.edges import Edges
    from l2probe.cli.progress import Progress
    from l2probe.model import Report
    from l2probe.observe.access import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The parsed command line."""

    namespace: str | None
    selector: str | None
    on_wire: bool
    fail_on: str | None
    interface: str | None
    output: str
    junit_file: Path | None
    html_file: Path | None
    strict: bool
    color: str
    access: Access
    lab: bool
    profile: str | None
    faults: tuple[str, ...]
    control_plane: str
    verbose: bool
    quiet: bool


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
        click.option(
            "--interface",
            metavar="NAME",
            shell_complete=candidates.interfaces,
            help="Interface to look from (default: by the route).",
        ),
    )(function)


@click.command("audit", short_help="Look over every LoadBalancer Service; changes nothing.")
@_audit_options
@report_options
@cluster_options
@lab_options("Audit the Services of a fresh miniature cluster.")
@talk_options
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> int:  # noqa: ANN401 - click's own values, made typed by Wanted
    """Look over every LoadBalancer Service, the worst first: which are broken, and which are one reschedule away from
    it. Reads the API alone, needs no privilege, and predicts; with --on-wire one sweep proves who announces each
    address, and connects prove that traffic arrives. Changes nothing.

    Exits with 1 when something is broken (--fail-on warn: or predicted to break), with 0 when nothing of that kind was
    found, and with 2 when it could not look, or could not tell on the wire.
    """  # noqa: D205 - click shows the paragraph
    wanted = Wanted(**given)
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


def _against_cluster(plan: Any, wanted: Wanted, argv: list[str]) -> int:  # noqa: ANN401 - audit.Plan, loaded lazily
    from l2probe.audit import audit  # noqa: PLC0415 - with the edges' libraries
    from l2probe.cli.deliver import annotate, check_writable, show, write_files  # noqa: PLC0415 - likewise
    from l2probe.cli.progress import Progress  # noqa: PLC0415 - likewise
    from l2probe.judge import conclude  # noqa: PLC0415 - likewise

    gc.disable()  # thousands of long-lived objects without a cycle: looking for one takes a third of the time
    check_writable(wanted.junit_file, wanted.html_file)
    progress = Progress(quiet=wanted.quiet, verbose=wanted.verbose)
    started, clock = datetime.now(UTC), time.monotonic()
    try:
        evidence = audit(plan, _edges(wanted, progress))
    finally:
        progress.clear()
    report = conclude(
        evidence,
        started=started.isoformat(timespec="seconds").replace("+00:00", "Z"),
        duration_seconds=round(time.monotonic() - clock, 3),
        command=shlex.join(["l2probe", *argv]),
    )
    write_files(report, junit_file=wanted.junit_file, html_file=wanted.html_file)
    show(report, wanted.output, wanted.color)
    annotate(report)
    return failing(report, fail_on="warn" if wanted.strict else wanted.fail_on or "fail")


def failing(report: Report, *, fail_on: str) -> int:
    """Return 1 when a cause is as bad as `fail_on` or worse; else 2 when the wire could not tell, else 0."""
    from l2probe.cli.deliver import exit_code  # noqa: PLC0415 - with the report's libraries
    from l2probe.model import Verdict  # noqa: PLC0415 - likewise

    counted = {"fail": {Verdict.FAIL}, "warn": {Verdict.FAIL, Verdict.WARN}}[fail_on]
    if any(found.verdict in counted for found in report.findings if found.consequence_of is None):
        return 1
    return exit_code(report, strict=False)


def _edges(wanted: Wanted, progress: Progress) -> Edges:
    from l2probe.audit.edges import Edges  # noqa: PLC0415 - with the edges' libraries
    from l2probe.diagnose.knocking import knock  # noqa: PLC0415 - likewise
    from l2probe.diagnose.reading import Reading  # noqa: PLC0415 - likewise
    from l2probe.diagnose.solicitor import Solicitor  # noqa: PLC0415 - likewise
    from l2probe.observe.kube import connect  # noqa: PLC0415 - likewise
    from l2probe.observe.mapping import map_nodes  # noqa: PLC0415 - likewise
    from l2probe.observe.sweep import sweep  # noqa: PLC0415 - likewise
    from l2probe.observe.vantage import vantage  # noqa: PLC0415 - likewise

    api = connect(wanted.access)
    return Edges(
        api=Reading(api.transport, context=api.context, namespace=api.namespace),
        vantage=partial(vantage, interface=wanted.interface),
        sweep=sweep,
        open_wire=_open_wire,
        solicit=Solicitor,
        map_nodes=map_nodes,
        knock=knock,
        now=time.time,
        pause=threading.Event().wait,
        say=progress,
    )


def _open_wire(interface: str) -> Any:  # noqa: ANN401 - observe.wire.Wire, whose scapy only --on-wire needs
    from l2probe.observe.wire import open_wire  # noqa: PLC0415 - see above

    return open_wire(interface)
