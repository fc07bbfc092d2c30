"""`l2probe run`: its options, and which of its ways they ask for (a list, manifests, a lab, a cluster)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from l2probe.cli import candidates
from l2probe.cli.duration import Seconds
from l2probe.cli.inside import in_lab, refuse_lab_options
from l2probe.cli.options import (
    cluster_options,
    interface_option,
    lab_options,
    labels,
    pcap_option,
    pull_secret,
    report_options,
    requirements,
    stacked,
    talk_options,
    tolerations,
)
from l2probe.cli.wanted import RunWanted
from l2probe.model import Dialect, Protocol
from l2probe.workload.dialects import SERVERS

if TYPE_CHECKING:
    from l2probe.run.plan import Plan


def _suite_options(function: Callable[..., Any]) -> Callable[..., Any]:
    return stacked(
        click.option("--list", "listing", is_flag=True, help="List the shipped suites and leave."),
        click.option(
            "--require",
            "required",
            multiple=True,
            callback=requirements,
            shell_complete=candidates.requirable,
            metavar="LIST",
            help="Capabilities whose absence is a failure, e.g. source,local.",
        ),
        click.option(
            "--timeout",
            type=Seconds(1, 3600),
            default=60.0,
            show_default=True,
            metavar="SECONDS",
            help="How long Services and Pods may take to come up.",
        ),
        interface_option,
        pcap_option,
    )(function)


def _images() -> str:
    """Return the default image of each dialect, in words."""
    return ", ".join(f"{server.image} for {dialect.value}" for dialect, server in SERVERS.items())


def _workload_options(function: Callable[..., Any]) -> Callable[..., Any]:
    return stacked(
        click.option(
            "--echo",
            type=click.Choice([dialect.value for dialect in Dialect]),
            default=Dialect.SCRIPT.value,
            show_default=True,
            help="What runs in the echo Pods: our script in an image with python3, or an image that the site has.",
        ),
        click.option("--image", help=f"Image of the echo Pods (default: {_images()})."),
        click.option(
            "--image-pull-secret",
            callback=pull_secret,
            metavar="NAMESPACE/NAME",
            help="Secret with the login of the image's registry; copied for the time of the run.",
        ),
        click.option(
            "--node-selector",
            multiple=True,
            callback=labels,
            metavar="KEY=VALUE",
            help="Only nodes with this label take echo Pods.",
        ),
        click.option(
            "--toleration",
            "taints",
            multiple=True,
            callback=tolerations,
            metavar="KEY[=VALUE][:EFFECT]",
            help="A taint that echo Pods tolerate.",
        ),
        click.option("--dry-run", is_flag=True, help="Print the manifests as YAML and touch nothing."),
        click.option("--keep", is_flag=True, help="Keep what the run created."),
    )(function)


@click.command("run", short_help="Prove announcer, reachability, client address and policy Local.")
@click.argument("suites", nargs=-1, metavar="[SUITE|FILE]...", shell_complete=candidates.suites)
@_suite_options
@report_options
@cluster_options
@_workload_options
@lab_options("Run against a fresh miniature cluster on this machine.")
@talk_options
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> int:  # noqa: ANN401 - click's own values, made typed by RunWanted
    """Prove who announces a LoadBalancer address, whether traffic arrives, whether the Pod sees the real client, and
    what externalTrafficPolicy Local does. Deploys echo Pods and Services in a namespace of its own and removes it.

    SUITE is a shipped suite (see --list), FILE a suite of yours; the default is smoke.
    """  # noqa: D205 - click shows the paragraph
    wanted = RunWanted(**given)
    if wanted.listing:
        return _list(wanted.output)
    if wanted.lab and not wanted.dry_run:
        return in_lab(ctx, wanted)
    refuse_lab_options(wanted)
    from l2probe.cli.planning import plan_of  # noqa: PLC0415 - reads suites

    plan = plan_of(wanted)
    _warn(plan)
    if wanted.dry_run:
        return _dry_run(plan, wanted.output)
    from l2probe.cli.execute import against_cluster  # noqa: PLC0415 - brings the edges' libraries

    return against_cluster(plan, wanted, ctx.obj)


def _warn(plan: Plan) -> None:
    """Say on stderr what the chosen image exposes, and what it cannot be asked."""
    if warning := plan.workload.server.warning:
        fence = "Its Services admit this host alone (loadBalancerSourceRanges), if the cluster heeds that."
        click.echo(f"warning: {warning}. {fence}", err=True)
    if Protocol.UDP not in plan.workload.server.protocols:
        click.echo(f"note: {plan.workload.dialect.value} speaks no UDP, so UDP is not asked.", err=True)


def _dry_run(plan: Plan, output: str) -> int:
    """Print the manifests; needs no cluster."""
    from l2probe.cli.dry_run import documents  # noqa: PLC0415 - only here
    from l2probe.run.plan import everything  # noqa: PLC0415 - only here

    click.echo(documents(everything(plan), output).rstrip("\n"))
    if secret := plan.workload.pull_secret:
        click.echo(f"Not shown: Secret l2probe-pull, a copy of {secret.namespace}/{secret.name}.", err=True)
    if not plan.workload.scripted:
        click.echo("Not shown: loadBalancerSourceRanges, the addresses of this host on the segment.", err=True)
    return 0


def _list(output: str) -> int:
    from l2probe.suites import shipped  # noqa: PLC0415 - reads YAML

    suites = shipped()
    if output == "json":
        import json  # noqa: PLC0415 - only here

        click.echo(json.dumps([{"suite": suite.name, "about": suite.about} for suite in suites]))
        return 0
    width = max(len(suite.name) for suite in suites)
    for suite in suites:
        click.echo(f"{suite.name:<{width}}  {suite.about}")
    return 0
