"""MetalLB layer 2: ServiceL2Status, pools, advertisements. Pure.

Sources: MetalLB's api/v1beta1 and internal/k8s/controllers, https://metallb.io/concepts/layer2/.
"""

from __future__ import annotations

from l2probe.model import Claim, NodeName

NAME = "metallb"
GROUP = "metallb.io"
NAMESPACE = "metallb-system"
SPEAKER_LABEL = ("component", "speaker")
SERVICE_LABEL = "metallb.io/service-name"
SERVICE_NAMESPACE_LABEL = "metallb.io/service-namespace"


def is_speaker(name: str, labels: tuple[tuple[str, str], ...], image: str) -> bool:
    """Tell whether a DaemonSet is the speaker: by its label or image (manifests and Helm chart name it differently)."""
    by_chart = ("app.kubernetes.io/component", "speaker") in labels and ("app.kubernetes.io/name", "metallb") in labels
    by_manifest = SPEAKER_LABEL in labels and ("app", "metallb") in labels
    return by_chart or by_manifest or "metallb-speaker" in image or (name == "speaker" and "metallb" in image)


def claim(namespace: str, name: str, node: str | None, read_at: float) -> Claim:
    """Return what the ServiceL2Status `namespace/name` claims; the speaker that announces writes it."""
    return Claim(
        implementation=NAME,
        source=f"ServiceL2Status {namespace}/{name}",
        holder=NodeName(node) if node else None,
        read_at=read_at,
        why_nobody=None if node else "the speaker has not written its node yet",
    )
