"""The catalogue: every code that can be raised has a page with all that a reader needs, and no other page exists."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from l2probe.judge import CODES

PAGES = {
    entry.name.removesuffix(".md"): entry.read_text(encoding="utf-8")
    for entry in (files("l2probe") / "catalogue").iterdir()
    if entry.name.endswith(".md")
}
HEADINGS = ["Symptom", "Cause", "How l2probe proves it", "Confirm by hand", "Fix", "Versions", "References"]


def section(page: str, heading: str) -> str:
    """Return the text below a heading."""
    return page.partition(f"## {heading}\n")[2].partition("\n## ")[0].strip()


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    """The rule table and the catalogue hold the same codes."""
    assert set(PAGES) == set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_the_page_has_all_headings(code: str) -> None:
    """Title with code and slug, then the same sections in the same order, none empty."""
    page = PAGES[code]

    assert page.startswith(f"# {code}: {CODES[code].slug}\n\n{CODES[code].title}.\n")
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == HEADINGS
    assert all(section(page, heading) for heading in HEADINGS)


@pytest.mark.parametrize("code", CODES)
def test_the_page_holds_commands_and_references(code: str) -> None:
    """By hand means commands to copy; every link that a finding carries stands on its page."""
    page = PAGES[code]
    commands = section(page, "Confirm by hand")

    assert commands.startswith("```sh\n")
    assert commands.endswith("\n```")
    assert all(f"<{link}>" in section(page, "References") for link in CODES[code].links)


@pytest.mark.parametrize("code", CODES)
def test_the_page_fits_a_terminal(code: str) -> None:
    """Text is wrapped at 110 columns; only commands and links may be longer, and no line has trailing blanks."""
    fenced = False
    for line in PAGES[code].splitlines():
        fenced ^= line.startswith("```")
        assert line == line.rstrip()
        assert fenced or len(line) <= 110 or line.startswith("- <"), line


@pytest.mark.parametrize("code", CODES)
def test_codes_named_on_a_page_exist(code: str) -> None:
    """A page that sends the reader to another code sends him to one that has a page."""
    assert set(re.findall(r"\b([A-FV]\d\d)\b", PAGES[code])) <= set(CODES)
