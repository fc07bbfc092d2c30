"""The same command line inside a fresh lab: what --lab of `run`, `diagnose` and `audit` does."""

from __future__ import annotations

import click

from l2probe.cli.lab import need_libraries
from l2probe.cli.wanted import Wanted
from l2probe.lab.assets import CONTROL_PLANES

LAB_OPTIONS = frozenset({"lab", "profile", "faults", "control_plane"})


def refuse_lab_options(wanted: Wanted) -> None:
    """Raise click.UsageError when somebody said which lab without asking for one."""
    if wanted.lab:
        return
    if wanted.profile or wanted.faults:
        raise click.UsageError("--profile and --fault need --lab.")
    if wanted.control_plane != CONTROL_PLANES[0]:
        raise click.UsageError("--control-plane needs --lab.")


def in_lab(ctx: click.Context, wanted: Wanted, *more: str) -> int:
    """Boot a lab, run the same command line without the lab's options (and `more` words) there; return its exit code.

    click.UsageError when somebody who asked for a lab also said which cluster; LabError as `run_inside`.
    """
    if wanted.access.chosen:
        raise click.UsageError(f"--lab brings its own cluster; leave {' and '.join(wanted.access.chosen)} out.")
    need_libraries()
    from l2probe.lab.session import run_inside  # noqa: PLC0415 - brings the lab's libraries

    typed: list[str] = ctx.obj
    name = ctx.info_name or ""
    argv = [name, *unparse(ctx, typed[typed.index(name) + 1 :], without=LAB_OPTIONS), *more]
    return run_inside(argv, profile=wanted.profile, faults=wanted.faults, control_plane=wanted.control_plane)


def unparse(ctx: click.Context, argv: list[str], *, without: frozenset[str]) -> list[str]:
    """Return the words of a command line again as they were typed, without the options of these names."""
    raw, _, _ = ctx.command.make_parser(ctx).parse_args(list(argv))
    words: list[str] = []
    arguments: list[str] = []
    for param in ctx.command.params:
        texts = _texts(raw.get(param.name or ""))
        if param.name in without:
            continue
        if isinstance(param, click.Argument):
            arguments += texts
        else:
            flag = max(param.opts, key=len)
            words += [f"{flag}={text}" if text else flag for text in texts]
    return [*words, "--", *arguments] if arguments else words


def _texts(value: object) -> list[str]:
    """Return the texts that an option was given; a flag has an empty one, and what was not given has none."""
    match value:
        case True:
            return [""]
        case str():
            return [value]
        case list() | tuple():
            return [str(text) for text in value]
        case _:
            return []  # click has a mark of its own for what was not given
