"""The command line of `audit`: what does not fit together is said before anything is looked at."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from l2probe.cli import cli


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-l", "app in web"), "The selector 'app in web' was wrong at column 1"),
        (("-l", "app,"), "a term is missing"),
        (("--profile", "cilium-1.19-dsr"), "need --lab"),
        (("--fault", "loss"), "need --lab"),
        (("--lab", "--context", "x"), "brings its own cluster"),
        (("--interface", "eth0"), "--interface needs --on-wire"),
        (("--fail-on", "pass"), "'pass' is not one of 'warn', 'fail'"),
        (("shop/api",), "unexpected extra argument"),
        (("--kubeconfig", "/nowhere/config"), "/nowhere/config"),
    ],
)
def test_what_does_not_fit_is_one_sentence(words: tuple[str, ...], said: str) -> None:
    """Exit code 2, what is wrong, and no traceback."""
    done = CliRunner().invoke(cli, ["audit", *words])

    assert done.exit_code == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_help_says_what_it_needs_and_does() -> None:
    """That nothing is changed, that it predicts, and what the exit codes mean."""
    said = " ".join(CliRunner().invoke(cli, ["audit", "--help"]).output.split())

    assert "needs no privilege, and predicts" in said
    assert "Changes nothing" in said
    assert "Exits with 1 when something is broken" in said
