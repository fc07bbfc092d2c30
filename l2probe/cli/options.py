"""Options that several commands share, so that they are the same everywhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from l2probe.cli import candidates
from l2probe.cli.duration import bound
from l2probe.lab.assets import CONTROL_PLANES
from l2probe.observe.access import REQUEST_SECONDS, Access
from l2probe.workload.manifests import PullSecret, Toleration

F = TypeVar("F", bound=Callable[..., Any])
KUBERNETES_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?")
OUTPUTS = ("table", "wide", "json", "yaml", "markdown")
ACCESS = ("context", "kubeconfig", "cluster", "user", "as_user", "as_groups", "as_uid", "request_timeout")
"""The options of `cluster_options`, which Access calls the same."""
DEFAULT_PROFILE = "cilium-1.19-dsr"


def stacked(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Return one decorator that adds these options in this order."""

    def add(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def cluster_options(function: F) -> F:
    """Add kubectl's options that say which cluster, as whom and how patiently; the command gets them as `access`."""

    @wraps(function)
    def accessing(*args: Any, **given: Any) -> Any:  # noqa: ANN401 - click's own values, made typed by Access
        access = Access(**{name: given.pop(name) for name in ACCESS})
        return function(*args, access=access, **given)

    return cast("F", _cluster_options(accessing))


def _cluster_options(function: Callable[..., Any]) -> Callable[..., Any]:
    return stacked(
        click.option(
            "--context",
            metavar="NAME",
            shell_complete=candidates.contexts,
            help="Context of the kubeconfig (default: its current one).",
        ),
        click.option(
            "--kubeconfig",
            metavar="FILE",
            shell_complete=candidates.files,
            help="Path of the kubeconfig (default: $KUBECONFIG, ~/.kube/config).",
        ),
        click.option(
            "--cluster",
            metavar="NAME",
            shell_complete=candidates.clusters,
            help="Cluster of the kubeconfig, instead of the context's.",
        ),
        click.option(
            "--user",
            metavar="NAME",
            shell_complete=candidates.users,
            help="User of the kubeconfig, instead of the context's.",
        ),
        click.option("--as", "as_user", metavar="USER", help="Impersonate this user."),
        click.option(
            "--as-group", "as_groups", multiple=True, metavar="GROUP", help="Impersonate this group; repeatable."
        ),
        click.option("--as-uid", metavar="UID", help="Impersonate this uid."),
        click.option(
            "--request-timeout",
            callback=bound,
            default=f"{REQUEST_SECONDS:g}s",
            show_default=True,
            metavar="DURATION",
            help="Bound of each request to the API server, e.g. 30s or 1m; 0: none.",
        ),
    )(function)


def interface_option(function: F) -> F:
    """Add --interface, which says from where to look."""
    return click.option(
        "--interface",
        metavar="NAME",
        shell_complete=candidates.interfaces,
        help="Interface to look from (default: by the route).",
    )(function)


def pcap_option(function: F) -> F:
    """Add --pcap, which keeps the frames."""
    return click.option(
        "--pcap",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Save the frames that the verdict rests on.",
    )(function)


def report_options(function: F) -> F:
    """Add the options that say how a report is shown, and what counts as failed."""
    return stacked(
        click.option(
            "-o",
            "--output",
            type=click.Choice(OUTPUTS),
            default="table",
            show_default=True,
            help="How to show the report.",
        ),
        click.option(
            "--junit-file",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="Also write the report as JUnit XML.",
        ),
        click.option(
            "--html",
            "html_file",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="Also write the report as one HTML file.",
        ),
        click.option("--strict", is_flag=True, help="Exit with 1 on warnings too."),
        click.option(
            "--color",
            type=click.Choice(("auto", "always", "never")),
            default="auto",
            show_default=True,
            help="Colours: on a terminal, always or never. NO_COLOR is honoured.",
        ),
    )(function)


def control_plane_option(function: F) -> F:
    """Add --control-plane, which says what serves the lab's API."""
    return click.option(
        "--control-plane",
        type=click.Choice(CONTROL_PLANES),
        default=CONTROL_PLANES[0],
        show_default=True,
        help="What serves the lab's API; envtest: the etcd and kube-apiserver of KUBEBUILDER_ASSETS.",
    )(function)


def lab_options(about: str) -> Callable[[F], F]:
    """Add the options that run a command in a fresh lab; `about` is the help of --lab."""
    return stacked(
        click.option("--lab", is_flag=True, help=about),
        click.option(
            "--profile",
            metavar="NAME",
            shell_complete=candidates.profiles,
            help=f"What the lab plays (default: {DEFAULT_PROFILE}, or what a fault needs).",
        ),
        click.option(
            "--fault",
            "faults",
            multiple=True,
            metavar="NAME",
            shell_complete=candidates.faults,
            help="Break the lab in this way first; repeatable.",
        ),
        control_plane_option,
    )


def talk_options(function: F) -> F:
    """Add -v and -q."""
    return stacked(
        click.option("-v", "--verbose", is_flag=True, help="Show every step on stderr, and tracebacks of crashes."),
        click.option("-q", "--quiet", is_flag=True, help="Show no progress on stderr."),
    )(function)


def labels(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Parse KEY=VALUE[,KEY=VALUE]; raises click.BadParameter."""
    del ctx, param
    pairs = []
    for text in (part for entry in given for part in entry.split(",")):
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise click.BadParameter(f"{text!r} is not KEY=VALUE.")
        pairs.append((key, value))
    return tuple(pairs)


def tolerations(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> tuple[Toleration, ...]:
    """Parse KEY[=VALUE][:EFFECT] as in kubectl taint; raises click.BadParameter."""
    del ctx, param
    return tuple(_toleration(text) for text in given)


def _toleration(text: str) -> Toleration:
    rest, _, effect = text.partition(":")
    key, equals, value = rest.partition("=")
    if not key or effect not in {"", "NoSchedule", "PreferNoSchedule", "NoExecute"}:
        raise click.BadParameter(f"{text!r} is not KEY[=VALUE][:NoSchedule|PreferNoSchedule|NoExecute].")
    return Toleration(key=key, value=value if equals else None, effect=effect)


def pull_secret(ctx: click.Context, param: click.Parameter, given: str | None) -> PullSecret | None:
    """Parse NAMESPACE/NAME; raises click.BadParameter."""
    del ctx, param
    if given is None:
        return None
    namespace, _, name = given.partition("/")
    if not (KUBERNETES_NAME.fullmatch(namespace) and KUBERNETES_NAME.fullmatch(name)):
        raise click.BadParameter(f"{given!r} is not NAMESPACE/NAME of a Secret.")
    return PullSecret(namespace=namespace, name=name)


def requirements(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Parse NAME[,NAME] of capabilities; raises click.BadParameter."""
    del ctx, param
    from l2probe.suites import REQUIRABLE  # noqa: PLC0415 - reads YAML, which help needs not

    names = [name for entry in given for name in entry.split(",")]
    for name in names:
        if name not in REQUIRABLE:
            raise click.BadParameter(f"{name!r} is no capability; allowed: {', '.join(REQUIRABLE)}.")
    return tuple(names)
