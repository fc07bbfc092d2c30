"""A report into which somebody wrote whatever could break out of its place: a Pod's name, a server's message."""

from __future__ import annotations

from dataclasses import replace

from l2probe.model import Finding, Report, Subject, Verdict
from tests.report.reports import REPORTS

HOSTILE = "evil | <script>alert(1)</script> `x` *y* [z](http://w) @you </style> \x1b[2J\n::error::forged \"'&amp;"


def hostile() -> Report:
    """Return the report with this text in every place that is not ours."""
    found = Finding(
        code="D01",
        slug="local-policy-blackhole",
        verdict=Verdict.FAIL,
        says=HOSTILE,
        because=(HOSTILE, "100% lost"),
        remedy=HOSTILE,
        subject=Subject(namespace="a|b", name="<i>c</i>", address=HOSTILE),
        references=("javascript:alert(1)", "https://example.net/1"),
    )
    healthy = REPORTS["pass"]
    trials = tuple(
        replace(trial, service=replace(trial.service, name=f"<b>{HOSTILE}")) for trial in healthy.evidence.trials
    )
    cluster = replace(healthy.evidence.cluster, context=HOSTILE, server_version=HOSTILE)
    evidence = replace(healthy.evidence, trials=trials, cluster=cluster)
    return replace(healthy, command=HOSTILE, tool=HOSTILE, findings=(found,), verdict=Verdict.FAIL, evidence=evidence)
