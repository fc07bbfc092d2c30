"""`l2probe explain`: a page of the finding catalogue, or its list."""

from __future__ import annotations

from importlib.resources import files

import click

from l2probe.cli import candidates
from l2probe.errors import UsageError


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


def find(reference: str, catalogue: dict[str, str]) -> str:
    """Return the page of this code or slug; raises UsageError when there is none."""
    if reference.upper() in catalogue:
        return catalogue[reference.upper()]
    for page in catalogue.values():
        if reference.lower() in title(page).lower().replace(":", " ").split():
            return page
    raise UsageError(f"There was no finding {reference!r} in the catalogue.", "`l2probe explain` lists all.")


@click.command("explain", short_help="Explain a finding: symptom, cause, evidence, fix.")
@click.argument("code", required=False, shell_complete=candidates.findings)
def command(code: str | None) -> int:
    """Explain a finding: symptom, cause, evidence, fix and references.

    CODE is a code (B07) or a slug (silent-leader); without it all findings are listed.
    """
    catalogue = pages()
    if code is None:
        for page in catalogue.values():
            click.echo(title(page))
    else:
        click.echo(find(code, catalogue).rstrip("\n"))
    return 0
