"""The command line of `run` as a plan: suites read, identities drawn, nothing asked of any cluster."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from l2probe.cli.wanted import RunWanted
from l2probe.errors import UsageError
from l2probe.model import Dialect
from l2probe.run.plan import Plan
from l2probe.run.process import this
from l2probe.suites import DEFAULT, Suite, load
from l2probe.workload.dialects import SERVERS
from l2probe.workload.manifests import Workload

MARK_BYTES = 10
LIFETIME_SECONDS = 15 * 60
"""When a killed run's namespace counts as abandoned: longer than any run takes after its waits."""


def plan_of(wanted: RunWanted) -> Plan:
    """Return the plan for this command line; raises SuiteError and UsageError."""
    dialect = Dialect(wanted.echo)
    suites = tuple(askable(load(reference), dialect) for reference in wanted.suites or (DEFAULT,))
    _distinct(suites)
    selector = {pair: None for suite in suites for pair in suite.node_selector} | dict.fromkeys(wanted.node_selector)
    required = dict.fromkeys((*(name for suite in suites for name in suite.require), *wanted.required))
    expires = datetime.now(UTC) + timedelta(seconds=LIFETIME_SECONDS + wanted.timeout)
    workload = Workload(
        run=secrets.token_hex(4),
        secret=secrets.token_hex(32),
        expires=expires.isoformat(timespec="seconds"),
        process="" if wanted.keep else this(),  # what is kept is not what a dead run left
        dialect=dialect,
        mark=secrets.token_hex(MARK_BYTES),
        image=wanted.image or "",
        pull_secret=wanted.image_pull_secret,
        node_selector=tuple(selector),
        tolerations=wanted.taints,
    )
    return Plan(
        suites=suites,
        workload=workload,
        timeout=wanted.timeout,
        required=tuple(required),
        keep=wanted.keep,
        pcap=wanted.pcap,
    )


def askable(suite: Suite, dialect: Dialect) -> Suite:
    """Return the suite with what this echo server can be asked; raises UsageError when that is nothing."""
    spoken = SERVERS[dialect].protocols
    questions = (
        replace(question, protocols=tuple(protocol for protocol in question.protocols if protocol in spoken))
        for question in suite.questions
    )
    left = tuple(question for question in questions if question.protocols)
    if not left:
        raise UsageError(
            f"Suite {suite.name} asks UDP only, which {dialect.value} does not speak.", "Use --echo script or agnhost."
        )
    return replace(suite, questions=left)


def _distinct(suites: Sequence[Suite]) -> None:
    names = [suite.name for suite in suites]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"Suite {twice[0]} was named twice.", "Name each suite once.")
