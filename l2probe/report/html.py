"""The report as one HTML file that needs nothing else: no script, no request, readable offline and on paper.

The only user of jinja2. Every text is escaped; the content security policy forbids whatever is not the one style sheet,
so that a hole in the escaping would still run nothing.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup

from l2probe.judge import AUDIT, DIAGNOSE, EXISTING
from l2probe.judge.finding import called, whom
from l2probe.model import Finding, Report
from l2probe.report.checked import checked
from l2probe.report.inventory import inventory
from l2probe.report.pages import body_html
from l2probe.report.proofs import rows
from l2probe.report.seen import seen
from l2probe.report.table import sentence, setting, still_open
from l2probe.report.timeline import timeline


def html(report: Report) -> str:
    """Return the report as an HTML document, ending with a newline."""
    style = source("report.css")
    return template("report.html.j2").render(
        report=report,
        style=Markup(style),  # noqa: S704 - our own file
        style_hash=digest(style),
        sentence=sentence(report),
        setting=setting(report),
        rows=() if report.evidence.command in EXISTING else tuple(rows(report)),
        services=inventory(report.evidence) if report.evidence.command == AUDIT else None,
        findings=tuple(map(shown, report.findings)),
        good=tuple(checked(report)) if report.evidence.command == DIAGNOSE else (),
        open_questions=still_open(report),
        tables=tuple(seen(report.evidence)),
        timeline=timeline(report.evidence),
    )


def shown(found: Finding) -> Mapping[str, object]:
    """Return a finding with its title, its subject in words, links that are links, and its page of the catalogue."""
    return {
        "finding": found,
        "title": called(found),
        "who": whom(found),
        "links": tuple(link for link in found.references if link.startswith("https://")),
        "page": Markup(body_html(found.code)),  # noqa: S704 - our own pages, rendered without raw HTML
    }


def template(name: str) -> Template:
    """Return one of our templates: escapes every value, and fails on a name that has none."""
    environment = Environment(
        loader=FunctionLoader(source), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(name)


def source(name: str) -> str:
    """Return a file that is shipped beside this module."""
    return (files("l2probe.report") / name).read_text(encoding="utf-8")


def digest(style: str) -> str:
    """Return the source expression that allows exactly this style sheet (CSP level 3, 2.3.1)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
