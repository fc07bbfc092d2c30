"""The kubeconfig by which a person enters the lab's cluster. Writes nothing."""

from __future__ import annotations

import base64
import json
from typing import Final

CONTEXT: Final = "l2probe-lab"


def kubeconfig(url: str, *, ca_pem: bytes, token: str) -> str:
    """Return a kubeconfig for the API server at `url` (https://127.0.0.1:port) as JSON, which is YAML."""
    cluster = {"server": url, "certificate-authority-data": base64.b64encode(ca_pem).decode()}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": CONTEXT, "user": {"token": token}}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT, "namespace": "default"}}],
        "current-context": CONTEXT,
        "preferences": {},
    }
    return json.dumps(config, indent=1)
