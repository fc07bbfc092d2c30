"""`l2probe diagnose`: its options, and the real edges behind the flow. Changes nothing in the cluster."""

from __future__ import annotations

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
from l2probe.observe.access import Access

if TYPE_CHECKING:
    from l2probe.cli.progress import Progress
    from l2probe.diagnose.edges import Edges

MOST_UDP_BYTES = 512
"""Payload that no path fragments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The parsed command line."""

    services: tuple[str, ...]
    everything: bool
    namespace: str | None
    http: bool
    udp_payload: str | None
    ping: bool
    interface: str | None
    pcap: Path | None
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


def _diagnose_options(function: Callable[..., Any]) -> Callable[..., Any]:
    return stacked(
        click.option("--all", "everything", is_flag=True, help="Diagnose every LoadBalancer Service."),
        click.option(
            "-n",
            "--namespace",
            metavar="NAME",
            shell_complete=candidates.namespaces,
            help="Namespace of NAME and svc/NAME; with --all only this.",
        ),
        click.option("--http", is_flag=True, help="Also send a GET / to each TCP port."),
        click.option("--udp-payload", metavar="TEXT", help="Also send this datagram to each UDP port."),
        click.option("--ping", is_flag=True, help="Also ping each address; an address that ignores ping is healthy."),
        click.option(
            "--interface",
            metavar="NAME",
            shell_complete=candidates.interfaces,
            help="Interface to look from (default: by the route).",
        ),
        click.option(
            "--pcap",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="Save the frames that the verdict rests on.",
        ),
    )(function)


@click.command("diagnose", short_help="Find out what is wrong with existing Services; changes nothing.")
@click.argument("services", nargs=-1, metavar="[NS/NAME|svc/NAME|ADDRESS]...", shell_complete=candidates.services)
@_diagnose_options
@report_options
@cluster_options
@lab_options("Diagnose the Services of a fresh miniature cluster.")
@talk_options
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> int:  # noqa: ANN401 - click's own values, made typed by Wanted
    """Find out from outside what is wrong with existing LoadBalancer Services: what is wrong, why that is believed, and
    what to do; then what was found good, and what cannot be known from here. Reads the cluster and changes nothing;
    sends ARP and NDP questions and TCP connects only.
    """  # noqa: D205 - click shows the paragraph
    wanted = Wanted(**given)
    if wanted.everything and wanted.services:
        raise click.UsageError("Name Services or pass --all, not both.")
    if wanted.udp_payload is not None and not 0 < len(wanted.udp_payload.encode()) <= MOST_UDP_BYTES:
        raise click.UsageError(f"--udp-payload takes 1 to {MOST_UDP_BYTES} bytes.")
    if wanted.lab:
        # Without a Service named, about all that the lab has.
        return in_lab(ctx, wanted, *(() if wanted.services or wanted.everything else ("--all",)))
    refuse_lab_options(wanted)
    if not wanted.services and not wanted.everything:
        raise click.UsageError("Name a Service (NAMESPACE/NAME) or an address, or pass --all.")
    return _against_cluster(wanted, ctx.obj)


def _against_cluster(wanted: Wanted, argv: list[str]) -> int:
    from l2probe.cli.deliver import annotate, check_writable, exit_code, show, write_files  # noqa: PLC0415 - with the edges' libraries
    from l2probe.cli.progress import Progress  # noqa: PLC0415 - likewise
    from l2probe.diagnose import Plan, diagnose  # noqa: PLC0415 - likewise
    from l2probe.diagnose.subjects import Wish  # noqa: PLC0415 - likewise
    from l2probe.judge import conclude  # noqa: PLC0415 - likewise

    check_writable(wanted.junit_file, wanted.html_file, wanted.pcap)
    progress = Progress(quiet=wanted.quiet, verbose=wanted.verbose)
    edges = _edges(wanted, progress)
    started, clock = datetime.now(UTC), time.monotonic()
    wish = Wish(words=wanted.services, everything=wanted.everything, namespace=wanted.namespace)
    payload = None if wanted.udp_payload is None else wanted.udp_payload.encode()
    try:
        evidence = diagnose(
            Plan(wish=wish, http=wanted.http, udp_payload=payload, ping=wanted.ping, pcap=wanted.pcap), edges
        )
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
    return exit_code(report, strict=wanted.strict)


def _edges(wanted: Wanted, progress: Progress) -> Edges:
    from l2probe.diagnose.edges import Edges  # noqa: PLC0415 - with the edges' libraries
    from l2probe.diagnose.knocking import knock  # noqa: PLC0415 - likewise
    from l2probe.diagnose.pinging import ping  # noqa: PLC0415 - likewise
    from l2probe.diagnose.reading import Reading  # noqa: PLC0415 - likewise
    from l2probe.diagnose.solicitor import Solicitor  # noqa: PLC0415 - likewise
    from l2probe.observe.kube import connect  # noqa: PLC0415 - likewise
    from l2probe.observe.mapping import map_nodes  # noqa: PLC0415 - likewise
    from l2probe.observe.vantage import vantage  # noqa: PLC0415 - likewise
    from l2probe.observe.wire import open_wire  # noqa: PLC0415 - likewise

    api = connect(wanted.access)
    return Edges(
        api=Reading(api.transport, context=api.context, namespace=api.namespace),
        vantage=partial(vantage, interface=wanted.interface),
        open_wire=open_wire,
        solicit=Solicitor,
        map_nodes=map_nodes,
        knock=knock,
        ping=ping,
        now=time.time,
        pause=threading.Event().wait,
        say=progress,
    )
