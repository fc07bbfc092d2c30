"""One observation from the command line: files checked, progress shown and taken away, the report handed over."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from l2probe.cli.deliver import annotate, check_writable, show, write_files
from l2probe.cli.progress import Progress
from l2probe.cli.wanted import Wanted
from l2probe.judge import conclude
from l2probe.model import Evidence, Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What was wanted, where progress is shown, and when it began (UTC, and by the monotonic clock in seconds)."""

    wanted: Wanted
    progress: Progress
    started: datetime
    clock: float

    def delivered(self, evidence: Evidence, argv: list[str]) -> Report:
        """Judge what was observed by this command line; show it and write it as wanted. Raises UsageError."""
        report = conclude(
            evidence,
            started=self.started.isoformat(timespec="seconds").replace("+00:00", "Z"),
            duration_seconds=round(time.monotonic() - self.clock, 3),
            command=shlex.join(["l2probe", *argv]),
        )
        write_files(report, junit_file=self.wanted.junit_file, html_file=self.wanted.html_file)
        show(report, self.wanted.output, self.wanted.color)
        annotate(report)
        return report


@contextmanager
def observing(wanted: Wanted, *files: Path | None) -> Iterator[Observation]:
    """Check that the files can be written and begin; progress is taken away at the end. Raises UsageError."""
    check_writable(wanted.junit_file, wanted.html_file, *files)
    progress = Progress(quiet=wanted.quiet, verbose=wanted.verbose)
    try:
        yield Observation(wanted=wanted, progress=progress, started=datetime.now(UTC), clock=time.monotonic())
    finally:
        progress.clear()
