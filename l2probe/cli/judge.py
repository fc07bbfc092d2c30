"""`l2probe judge`: the evidence in saved reports, judged again by this version, offline."""

from __future__ import annotations

from pathlib import Path

import click

from l2probe.cli import candidates
from l2probe.cli.deliver import check_writable, exit_code, show, write_files
from l2probe.cli.options import report_options, requirements, talk_options


@click.command("judge", short_help="Judge the evidence in saved JSON reports again, offline.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--require",
    "required",
    multiple=True,
    callback=requirements,
    shell_complete=candidates.requirable,
    metavar="LIST",
    help="Capabilities whose absence is a failure, e.g. source,local.",
)
@report_options
@talk_options
def command(
    *,
    files: tuple[Path, ...],
    required: tuple[str, ...],
    output: str,
    junit_file: Path | None,
    html_file: Path | None,
    color: str,
    strict: bool,
    verbose: bool,
    quiet: bool,
) -> int:
    """Judge the evidence in saved reports (from `l2probe run -o json`) again, without touching a network.

    FILE is a saved report; - reads stdin. With several files the exit code is the worst one.
    """
    del verbose, quiet
    if len(files) > 1 and (output == "json" or junit_file or html_file):
        raise click.UsageError("-o json, --junit-file and --html take one report at a time.")
    from dataclasses import replace  # noqa: PLC0415 - with the report's libraries, only when needed

    from l2probe.cli.saved import read  # noqa: PLC0415 - likewise
    from l2probe.judge import conclude  # noqa: PLC0415 - likewise

    check_writable(junit_file, html_file)
    codes = []
    for path in files:
        saved = read(path)
        evidence = replace(saved.evidence, required=tuple(dict.fromkeys((*saved.evidence.required, *required))))
        report = conclude(
            evidence, started=saved.started, duration_seconds=saved.duration_seconds, command=saved.command
        )
        write_files(report, junit_file=junit_file, html_file=html_file)
        show(report, output, color)
        codes.append(exit_code(report, strict=strict))
    return 1 if 1 in codes else max(codes)
