"""`l2probe diagnose`: its options, and the real edges behind the flow. Changes nothing in the cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from l2probe.cli import candidates
from l2probe.cli.inside import in_lab, refuse_lab_options
from l2probe.cli.options import (
    cluster_options,
    interface_option,
    lab_options,
    pcap_option,
    report_options,
    stacked,
    talk_options,
)
from l2probe.cli.wanted import Wanted

if TYPE_CHECKING:
    from l2probe.cli.progress import Progress
    from l2probe.diagnose.edges import Edges

MOST_UDP_BYTES = 512
"""Payload that no path fragments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnoseWanted(Wanted):
    """The parsed command line."""

    services: tuple[str, ...]
    everything: bool
    namespace: str | None
    http: bool
    udp_payload: str | None
    ping: bool
    pcap: Path | None


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
        interface_option,
        pcap_option,
    )(function)


@click.command("diagnose", short_help="Find out what is wrong with existing Services; changes nothing.")
@click.argument("services", nargs=-1, metavar="[NS/NAME|svc/NAME|ADDRESS]...", shell_complete=candidates.services)
@_diagnose_options
@report_options
@cluster_options
@lab_options("Diagnose the Services of a fresh miniature cluster.")
@talk_options
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> int:  # noqa: ANN401 - click's own values, made typed by DiagnoseWanted
    """Find out from outside what is wrong with existing LoadBalancer Services: what is wrong, why that is believed, and
    what to do; then what was found good, and what cannot be known from here. Reads the cluster and changes nothing;
    sends ARP and NDP questions and TCP connects only.
    """  # noqa: D205 - click shows the paragraph
    wanted = DiagnoseWanted(**given)
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


def _against_cluster(wanted: DiagnoseWanted, argv: list[str]) -> int:
    from l2probe.cli.deliver import exit_code  # noqa: PLC0415 - with the edges' libraries
    from l2probe.cli.observation import observing  # noqa: PLC0415 - likewise
    from l2probe.diagnose import Plan, diagnose  # noqa: PLC0415 - likewise
    from l2probe.diagnose.subjects import Wish  # noqa: PLC0415 - likewise

    wish = Wish(words=wanted.services, everything=wanted.everything, namespace=wanted.namespace)
    payload = None if wanted.udp_payload is None else wanted.udp_payload.encode()
    plan = Plan(wish=wish, http=wanted.http, udp_payload=payload, ping=wanted.ping, pcap=wanted.pcap)
    with observing(wanted, wanted.pcap) as observation:
        evidence = diagnose(plan, _edges(wanted, observation.progress))
    return exit_code(observation.delivered(evidence, argv), strict=wanted.strict)


def _edges(wanted: DiagnoseWanted, progress: Progress) -> Edges:
    from l2probe.cli.wiring import reading, surroundings  # noqa: PLC0415 - with the edges' libraries
    from l2probe.diagnose.edges import Edges  # noqa: PLC0415 - likewise
    from l2probe.diagnose.knocking import knock  # noqa: PLC0415 - likewise
    from l2probe.diagnose.pinging import ping  # noqa: PLC0415 - likewise
    from l2probe.diagnose.solicitor import Solicitor  # noqa: PLC0415 - likewise
    from l2probe.observe.wire import open_wire  # noqa: PLC0415 - likewise

    return Edges(
        **surroundings(wanted, progress),
        api=reading(wanted),
        open_wire=open_wire,
        solicit=Solicitor,
        knock=knock,
        ping=ping,
    )
