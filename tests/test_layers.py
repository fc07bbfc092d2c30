"""The layers of the design hold: imports go down only, and each foreign library has one door."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "l2probe"
MODULES = sorted(ROOT.rglob("*.py"))

# What each part may import of ours, besides itself. "run" stands for the flows.
ALLOWED = {
    "model": set[str](),
    "errors": set[str](),
    "announcers": {"model", "errors"},
    "judge": {"model", "errors"},
    "suites": {"model", "errors"},
    "workload": {"model", "errors"},
    "report": {"model", "errors", "judge"},
    "observe": {"model", "errors", "announcers"},
    "lab": {"model", "errors"},
    "run": {"model", "errors", "judge", "suites", "workload", "announcers", "observe"},
    "diagnose": {"model", "errors", "judge", "announcers", "observe"},
    "why": {"model", "errors", "judge"},
    "audit": {"model", "errors", "judge", "announcers", "observe", "diagnose"},
    "diff": {"model", "errors", "judge"},
    "rights": {"model", "errors", "announcers", "run"},
    "cli": {"model", "errors", "judge", "suites", "workload", "report", "observe", "lab"}
    | {"run", "diagnose", "audit", "diff", "rights", "why"},
}

# Each foreign library is imported here and nowhere else.
DOORS = {
    "click": ("cli/",),
    "kubernetes": ("observe/oidc.py",),
    "scapy": ("observe/wire.py",),
    "tabulate": ("report/layout.py",),
    "jinja2": ("report/html.py",),
    "markupsafe": ("report/html.py",),
    "markdown_it": ("report/pages.py",),
    "msgspec": ("observe/", "report/"),
    "yaml": ("suites.py", "report/document.py", "observe/kubeconfig.py", "cli/"),
    "urllib3": ("observe/",),
    "aiohttp": ("lab/",),
    "cryptography": ("lab/",),
}


def imports(path: Path) -> Iterator[str]:
    """Yield the full name of every module that the file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part(name: str) -> str:
    """`l2probe.observe.kube` -> `observe`."""
    return name.split(".")[1] if name.count(".") else "l2probe"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down_only(path: Path) -> None:
    """A module imports of ours only what the design's table allows its layer."""
    own = path.relative_to(ROOT).with_suffix("").parts[0]
    if own in {"__init__", "__main__"}:
        return
    ours = {part(name) for name in imports(path) if name.startswith("l2probe.")} - {own}

    assert ours <= ALLOWED[own] | {"__version__"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_foreign_library_has_one_door(path: Path) -> None:
    """A foreign library is imported only by the edge that owns it."""
    relative = str(path.relative_to(ROOT))
    foreign = {name.split(".")[0] for name in imports(path)} & DOORS.keys()

    assert [library for library in sorted(foreign) if not relative.startswith(DOORS[library])] == []


def test_model_and_echo_need_only_the_standard_library() -> None:
    """The nouns, the errors and the program that runs in the Pod import nothing foreign."""
    alone = ("errors.py", "lab/driver.py", "workload/echo.py")
    for path in (*(ROOT / relative for relative in alone), *(ROOT / "model").glob("*.py")):
        names = {name for name in imports(path) if not name.startswith("l2probe.model")}
        assert {name.split(".")[0] for name in names} & {*DOORS, "l2probe"} == set(), path
