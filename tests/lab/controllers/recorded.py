"""Objects recorded from real clusters (see fixtures/README.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_FIXTURES = Path(__file__).parent / "fixtures"


def recorded(name: str) -> dict[str, Any]:
    """Return one recorded body."""
    found: dict[str, Any] = json.loads((_FIXTURES / f"{name}.json").read_text())
    return found


def items(name: str) -> dict[str, dict[str, Any]]:
    """Return the items of a recorded list by name."""
    return {item["metadata"]["name"]: item for item in recorded(name)["items"]}
