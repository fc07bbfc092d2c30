"""`l2probe rbac`: prints the least rights that a command needs, ready for `kubectl apply -f -`."""

from __future__ import annotations

import click

from l2probe.cli import candidates
from l2probe.cli.options import pull_secret
from l2probe.model import Dialect
from l2probe.rights import COMMANDS, Holder, Scope, manifests
from l2probe.workload.manifests import PullSecret


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
@click.option(
    "-n",
    "--namespace",
    default="",
    metavar="NAME",
    shell_complete=candidates.namespaces,
    help="What `audit --namespace NAME` needs: no right to the Services of other namespaces.",
)
@click.option(
    "--echo",
    type=click.Choice([dialect.value for dialect in Dialect]),
    help="What `run --echo` needs: other images than our script get no ConfigMap and no Secret.  [default: script]",
)
@click.option(
    "--image-pull-secret",
    "login",
    callback=pull_secret,
    metavar="NAMESPACE/NAME",
    help="What `run --image-pull-secret` needs: to read this Secret, and to copy it.",
)
def command(
    *,
    purpose: str,
    user: str,
    service_account: tuple[str, str],
    namespace: str,
    echo: str | None,
    login: PullSecret | None,
) -> int:
    """Print the ClusterRole, Roles and bindings that a command needs, and no right more.

    For example: l2probe rbac --for diagnose --user jane | kubectl apply -f -
    """
    if namespace and purpose != "audit":
        raise click.UsageError(f"--namespace goes with --for audit: `l2probe {purpose}` needs its rights everywhere.")
    if (echo or login) and purpose != "run":
        raise click.UsageError(f"--echo and --image-pull-secret go with --for run: `l2probe {purpose}` makes no Pods.")
    from l2probe.report.document import to_yaml  # noqa: PLC0415 - only here

    scope = Scope(
        namespace=namespace,
        echo=Dialect(echo or Dialect.SCRIPT),
        login=(login.namespace, login.name) if login else None,
    )
    holder = Holder(user=user, service_account=service_account)
    click.echo(to_yaml(manifests(purpose, holder, scope)), nl=False)
    return 0
