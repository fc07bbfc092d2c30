"""What a reader must know to weigh a report, and what was not asked: said once, beside the verdict's proof."""

from __future__ import annotations

from collections.abc import Iterator

from l2probe.model import Dialect, Evidence

WEAKER = (
    "The echo Pods ran {name}, which holds no secret of this run: an answer counted as our Pod's when it repeated the "
    "question's random text and gave the hostname that this run drew for the Pod. That rules out a machine that has "
    "the address by accident, not one that passes on what our Pod says."
)
NO_UDP = "{name} speaks no UDP, so nothing was asked over UDP and nothing is known of it."


def notes(evidence: Evidence) -> Iterator[str]:
    """Yield what the choice of the echo server means for the proof; nothing for our own."""
    if evidence.command != "run" or evidence.echo is Dialect.SCRIPT:
        return
    yield WEAKER.format(name=evidence.echo)
    if evidence.echo is Dialect.WHOAMI:
        yield NO_UDP.format(name=evidence.echo)
