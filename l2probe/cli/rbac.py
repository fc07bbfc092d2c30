"""`l2probe rbac`: prints the least rights that a command needs, ready for `kubectl apply -f -`."""

from __future__ import annotations

import click

from l2probe.rights import COMMANDS, Holder, manifests


def account(ctx: click.Context, param: click.Parameter, given: str) -> tuple[str, str]:
    """Parse NAMESPACE/NAME; raises click.BadParameter."""
    del ctx, param
    namespace, slash, name = given.partition("/")
    if not (namespace and slash and name) or "/" in name:
        raise click.BadParameter(f"{given!r} is not NAMESPACE/NAME.")
    return namespace, name


@click.command("rbac", short_help="Print the least rights that a command needs.")
@click.option(
    "--for",
    "purpose",
    type=click.Choice(tuple(COMMANDS)),
    default="run",
    show_default=True,
    help="The command that is to be allowed.",
)
@click.option("--user", default="", metavar="USER", help="Give them to this user instead of a ServiceAccount.")
@click.option(
    "--service-account",
    callback=account,
    default="default/l2probe",
    show_default=True,
    metavar="NAMESPACE/NAME",
    help="Give them to this ServiceAccount, which is made too.",
)
def command(purpose: str, user: str, service_account: tuple[str, str]) -> int:
    """Print the ClusterRole, Roles and bindings that a command needs, and no right more.

    For example: l2probe rbac --for diagnose --user jane | kubectl apply -f -
    """
    from l2probe.report.document import to_yaml  # noqa: PLC0415 - only here

    click.echo(to_yaml(manifests(purpose, Holder(user=user, service_account=service_account))), nl=False)
    return 0
