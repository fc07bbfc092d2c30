"""`l2probe judge`: the evidence in saved reports, judged again by this version, offline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from l2probe.cli import candidates, terminal
from l2probe.cli.deliver import check_writable, exit_code, show, write_files
from l2probe.cli.options import report_options, requirements, talk_options

if TYPE_CHECKING:
    from l2probe.model import Evidence


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
@click.option(
    "--explain-why",
    "reference",
    shell_complete=candidates.findings,
    metavar="CODE",
    help="Say why this finding was raised or was not: which conditions of its rule held, for which Service.",
)
@report_options
@talk_options
def command(
    *,
    files: tuple[Path, ...],
    required: tuple[str, ...],
    reference: str | None,
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

    --explain-why takes a code (B07) or a slug (silent-leader); it shows that instead of the report, as text or with
    -o json. The exit code stays the report's.
    """
    del verbose, quiet
    if len(files) > 1 and (output == "json" or junit_file or html_file):
        raise click.UsageError("-o json, --junit-file and --html take one report at a time.")
    from dataclasses import replace  # noqa: PLC0415 - with the report's libraries, only when needed

    from l2probe.cli.saved import read  # noqa: PLC0415 - likewise
    from l2probe.judge import conclude  # noqa: PLC0415 - likewise

    check_writable(junit_file, html_file)
    if reference is not None and output not in {"table", "wide", "json"}:
        raise click.UsageError(f"--explain-why is text or JSON, not {output}.")
    codes = []
    for path in files:
        saved = read(path)
        evidence = replace(saved.evidence, required=tuple(dict.fromkeys((*saved.evidence.required, *required))))
        report = conclude(
            evidence, started=saved.started, duration_seconds=saved.duration_seconds, command=saved.command
        )
        write_files(report, junit_file=junit_file, html_file=html_file)
        if reference is None:
            show(report, output, color)
        else:
            _explain(evidence, reference, output)
        codes.append(exit_code(report, strict=strict))
    return 1 if 1 in codes else max(codes)


def _explain(evidence: Evidence, reference: str, output: str) -> None:
    """Print why a finding is in the report or is not; raises UsageError for an unknown code."""
    from l2probe.cli.deliver import PIPE_WIDTH  # noqa: PLC0415 - with the report's libraries, only when needed
    from l2probe.report import printable  # noqa: PLC0415 - likewise
    from l2probe.why import why  # noqa: PLC0415 - likewise
    from l2probe.why.words import words  # noqa: PLC0415 - likewise

    answer = why(evidence, reference)
    if output != "json":
        click.echo(printable(words(answer, terminal.width() or PIPE_WIDTH)), nl=False)
        return
    import json  # noqa: PLC0415 - only here
    from dataclasses import asdict  # noqa: PLC0415 - only here

    click.echo(json.dumps(asdict(answer), indent=2))
