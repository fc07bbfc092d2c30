"""The finding catalogue: the page of each code, as it is written and as HTML. The only user of markdown-it."""

from __future__ import annotations

from importlib.resources import files

from markdown_it import MarkdownIt

_MARKDOWN = MarkdownIt("commonmark", {"html": False})
"""Raw HTML in a page is shown as text."""


def page(code: str) -> str:
    """Return the Markdown of a code's page; "" for a code that has none."""
    found = files("l2probe") / "catalogue" / f"{code}.md"
    return found.read_text(encoding="utf-8") if code.isalnum() and found.is_file() else ""


def body_html(code: str) -> str:
    """Return a code's page as HTML without its title, headings two steps down; safe to include."""
    text = page(code).partition("\n")[2]
    return str(_MARKDOWN.render(text)).replace("<h2>", "<h4>").replace("</h2>", "</h4>").strip()
