"""The command line of `diagnose`: what does not fit together is said before anything is looked at."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from l2probe.cli.diagnose import command


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Name a Service (NAMESPACE/NAME) or an address, or pass --all."),
        (("--all", "shop/api"), "not both"),
        (("--profile", "cilium-1.19-dsr", "shop/api"), "need --lab"),
        (("--fault", "loss", "shop/api"), "need --lab"),
        (("--lab", "--context", "x"), "brings its own cluster"),
        (("--udp-payload", "", "shop/api"), "1 to 512 bytes"),
        (("--udp-payload", "ä" * 257, "shop/api"), "1 to 512 bytes"),
    ],
)
def test_what_does_not_fit_is_a_usage_error(words: tuple[str, ...], said: str) -> None:
    """Nothing is connected to; the boundary makes it one sentence and exit code 2."""
    result = CliRunner().invoke(command, words, standalone_mode=False, obj=["diagnose", *words])

    assert said in str(result.exception)


def test_the_help_says_that_nothing_is_changed() -> None:
    """The first thing an SRE asks of a tool that touches production."""
    assert "changes nothing" in CliRunner().invoke(command, ["--help"]).output
