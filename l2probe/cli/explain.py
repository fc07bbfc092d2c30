"""`l2probe explain`: a page of the finding catalogue, or its list."""

from __future__ import annotations

import difflib
from importlib.resources import files

import click

from l2probe.cli import candidates, terminal
from l2probe.errors import UsageError

PAGE_WIDTH = 110
"""Columns that the text of a page takes; tests/catalogue holds it."""

SLUG_WIDTH = 33
"""Columns of the longest slug."""


def pages() -> dict[str, str]:
    """Return every page of the catalogue by its code, in the order of the codes."""
    found = {
        entry.name.removesuffix(".md").upper(): entry.read_text(encoding="utf-8")
        for entry in (files("l2probe") / "catalogue").iterdir()
        if entry.name.endswith(".md")
    }
    return dict(sorted(found.items()))


def title(page: str) -> str:
    """Return the first heading of a page, which begins with code and slug."""
    return page.lstrip().partition("\n")[0].lstrip("# ").strip()


def line(page: str) -> tuple[str, str, str]:
    """Return code, slug and the sentence below them: "B07", "silent-leader", "The lease is held and fresh, and …"."""
    code, _, slug = title(page).partition(": ")
    return code, slug, " ".join(page.split("\n\n", 2)[1].split())


def index(catalogue: dict[str, str]) -> str:
    """Return the list of all findings, its sentences wrapped where the terminal is narrower than they are."""
    lines, width = [line(page) for page in catalogue.values()], terminal.width()
    whole = [f"{code}  {slug:{SLUG_WIDTH}}  {about}" for code, slug, about in lines]
    if width is None or width >= max(map(len, whole)):
        return "\n".join(whole)
    from l2probe.report.layout import columns  # noqa: PLC0415 - only to draw

    return columns(lines, width)


def find(reference: str, catalogue: dict[str, str]) -> str:
    """Return the page of this code or slug; raises UsageError when there is none."""
    if reference.upper() in catalogue:
        return catalogue[reference.upper()]
    for page in catalogue.values():
        if reference.lower() in title(page).lower().replace(":", " ").split():
            return page
    raise UsageError(
        f"There was no finding {reference!r} in the catalogue.",
        f"{nearest(reference, catalogue)}`l2probe explain` lists all.",
    )


def nearest(reference: str, catalogue: dict[str, str]) -> str:
    """Return "Did you mean silent-leader? " of a slip of the finger; "" where nothing is near."""
    names = (name for page in catalogue.values() for name in title(page).lower().split(": "))
    near = difflib.get_close_matches(reference.lower(), names, n=2)
    return f"Did you mean {' or '.join(near)}? " if near else ""


def fitting(page: str) -> str:
    """Return the page as it is, or wrapped where the terminal is narrower than its text."""
    width = terminal.width()
    if width is None or width >= PAGE_WIDTH:
        return page
    from l2probe.report.layout import reflow  # noqa: PLC0415 - only to draw

    return reflow(page, width)


@click.command("explain", short_help="Explain a finding: symptom, cause, evidence, fix.")
@click.argument("code", required=False, shell_complete=candidates.findings)
def command(code: str | None) -> int:
    """Explain a finding: symptom, cause, evidence, fix and references.

    CODE is a code (B07) or a slug (silent-leader); without it all findings are listed.
    """
    catalogue = pages()
    if code is None:
        click.echo(index(catalogue))
    else:
        click.echo(fitting(find(code, catalogue).rstrip("\n")))
    return 0
