"""The version in a container image's reference. Pure."""

from __future__ import annotations

import re

_VERSION = re.compile(r"v?(\d+\.\d+(?:\.\d+)?(?:[-+.][0-9A-Za-z.-]+)?)")


def version_of(image: str) -> str | None:
    """Return "1.19.3" for `quay.io/cilium/cilium:v1.19.3@sha256:…`; None when the tag is no version or absent."""
    name = image.partition("@")[0].rpartition("/")[2]
    match = _VERSION.fullmatch(name.partition(":")[2])
    return match[1] if match else None
