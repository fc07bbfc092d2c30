"""`l2probe cleanup`: removes what dead runs left, by label, name and expiry, and touches nothing else."""

from __future__ import annotations

import threading
import time

import click

from l2probe.cli import COULD_NOT_TELL, candidates
from l2probe.cli.options import cluster_options
from l2probe.observe.access import Access


@click.command("cleanup", short_help="Remove what interrupted runs left in the cluster.")
@click.option(
    "--run",
    "run_id",
    metavar="ID",
    shell_complete=candidates.runs,
    help="Remove what this run left, expired or not.",
)
@click.option("--all", "everything", is_flag=True, help="Remove what all runs left, even those that may be under way.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@cluster_options
def command(
    run_id: str | None,
    access: Access,
    *,
    everything: bool,
    dry_run: bool,
) -> int:
    """Remove the namespaces that interrupted runs of l2probe left behind.

    Without --run and --all only those go whose run is dead: its process on this machine is gone, or it expired.
    Whatever does not carry l2probe's label and name is never touched.
    """
    from l2probe.observe.kube import connect  # noqa: PLC0415 - brings the client's libraries
    from l2probe.run import process, teardown  # noqa: PLC0415 - likewise

    api = connect(access)
    found = teardown.leftovers(api)
    reasons = teardown.removable(found, now=time.time(), alive=process.alive, everything=everything, run=run_id)
    failed = False
    for leftover in found:
        if leftover.run not in reasons:
            click.echo(
                f"kept {leftover.namespace}: its run may be under way; `{teardown.command(leftover.run)}` removes it"
            )
        elif dry_run:
            click.echo(f"would remove {leftover.namespace}: {reasons[leftover.run]}")
        elif problem := teardown.remove(api, leftover.namespace, pause=threading.Event().wait):
            click.echo(f"error: {problem}", err=True)
            failed = True
        else:
            click.echo(f"removed {leftover.namespace}: {reasons[leftover.run]}")
    if not found:
        click.echo("Nothing of l2probe was left in the cluster.")
    elif run_id is not None and run_id not in reasons:
        click.echo(f"error: nothing of run {run_id} was found.", err=True)
        failed = True
    return COULD_NOT_TELL if failed else 0
