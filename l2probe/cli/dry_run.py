"""Manifests as a stream of YAML documents, for people to read and for `kubectl apply` to take."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import yaml


class _Readable(yaml.SafeDumper):
    """Writes text of several lines as a block, so that the echo server can be read."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Readable.add_representer(str, _text)


def documents(manifests: Iterable[Mapping[str, object]], output: str) -> str:
    """Return the manifests as YAML documents, or for `json` as one List."""
    if output == "json":
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)}, indent=2)
    return yaml.dump_all(manifests, Dumper=_Readable, sort_keys=False, width=120)
