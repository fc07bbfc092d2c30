"""Measure everything and print one table: `make bench`, or `python -m tests.bench NAME…` for some of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping

from tabulate import tabulate

from tests.bench.audits import big_audit
from tests.bench.diagnoses import diagnoses
from tests.bench.processes import Row
from tests.bench.startup import boot, help_ratio, smoke
from tests.bench.sweeps import sweeps

PARTS: Mapping[str, Callable[[], Iterable[Row]]] = {
    "startup": lambda: (help_ratio(), boot(), smoke()),
    "audit": big_audit,
    "sweep": sweeps,
    "diagnose": diagnoses,
}


def main(names: list[str]) -> None:
    """Print one table of the parts that were named, or of all."""
    rows = [row for name in names or PARTS for row in PARTS[name]()]
    print(tabulate(rows, headers=("what", "measured (median)", "goal"), tablefmt="simple"))


if __name__ == "__main__":
    main(sys.argv[1:])
