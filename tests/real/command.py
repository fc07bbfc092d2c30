"""Programs of the system, run to their end; what one said when it failed becomes the error."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence


def say(text: str) -> None:
    """Tell the person who waits what goes on, on standard error."""
    sys.stderr.write(f"{text}\n")


class RealError(Exception):
    """The real cluster could not be built, started or asked; the text says what and why in one sentence."""


def run(*argv: str, stdin: str = "", env: Mapping[str, str] | None = None, timeout: float = 120) -> str:
    """Run `argv` and return its standard output; RealError with its last words if it failed or took `timeout` s."""
    try:
        done = subprocess.run(argv, input=stdin, env=env, timeout=timeout, capture_output=True, text=True, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RealError(f"{argv[0]} could not be run: {error}") from error
    if done.returncode:
        raise RealError(f"{' '.join(argv)} failed: {(done.stderr or done.stdout).strip()[-800:]}")
    return done.stdout


def missing(programs: Sequence[str]) -> tuple[str, ...]:
    """Return those of `programs` that are not on the PATH."""
    return tuple(each for each in programs if not shutil.which(each, path=PATH))


PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where Debian keeps programs; a user's own PATH often lacks the sbin directories."""
