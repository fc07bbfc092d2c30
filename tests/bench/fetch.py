"""The peer of `audit`: the same big lists by urllib3, decoded by msgspec into the same fields, and nothing else.

`python -m tests.bench.fetch URL` prints the number of objects and the peak memory in MB.
"""

from __future__ import annotations

import resource
import sys
from typing import Any

import msgspec
import urllib3

from l2probe.observe.objects import LeaseObject, NodeObject, Page, ServiceObject, SliceObject
from tests.bench.recorded_api import BIG

PAGE = "500"
SHAPES: tuple[Any, ...] = (NodeObject, ServiceObject, SliceObject, LeaseObject)


def fetch(pool: urllib3.PoolManager, url: str, shape: Any) -> list[Any]:  # noqa: ANN401 - a msgspec type
    """Return a list's objects."""
    decode = msgspec.json.Decoder(Page[shape]).decode
    found: list[Any] = []
    token = ""
    while True:
        query = f"?limit={PAGE}{f'&continue={token}' if token else ''}"
        page = decode(pool.request("GET", f"{url}{query}").data)
        found += page.items or ()
        token = page.metadata.continue_
        if not token:
            return found


if __name__ == "__main__":
    pool = urllib3.PoolManager()
    lists = [fetch(pool, sys.argv[1] + path, shape) for path, shape in zip(BIG, SHAPES, strict=True)]
    print(sum(map(len, lists)), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
