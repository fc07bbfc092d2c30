"""Which images exist, and what a kubelet says about those that do not. Data and texts; pulls nothing.

Texts as kubelet 1.34 with containerd writes them. An image whose program is at hand can be given to the lab: the
directory that L2PROBE_LAB_IMAGES names holds executables that every user may run, each called as the last part of an
image's name.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from l2probe.lab.controllers.objects import Obj

PLAYED = (
    "cilium/cilium",
    "cilium/operator-generic",
    "kube-proxy",
    "kube-vip/kube-vip",
    "kube-vip/kube-vip-cloud-provider",
    "metallb/controller",
    "metallb/speaker",
    "rancher/klipper-lb",
)
"""Images whose work the lab's controllers do: their containers run without a process."""
RUN = ("python",)
"""Images that exist: what their containers start is started on this machine."""


GIVEN = "L2PROBE_LAB_IMAGES"
"""The variable that names the directory of images' entry points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """An image that cannot be had. `error` is the first waiting reason, `again` the one while the kubelet backs off."""

    error: str
    detail: str
    again: str
    again_detail: str


def repository(image: str) -> str:
    """Return the image's name without host, tag and digest: the last two parts of its path at most."""
    path = image.partition("@")[0]
    head, _, tail = path.rpartition("/")
    tail = tail.partition(":")[0]
    parts = [*(part for part in head.split("/") if part and "." not in part and ":" not in part), tail]
    return "/".join(parts[-2:])


def is_played(image: str) -> bool:
    """Say whether the lab itself does the image's work."""
    return repository(image) in PLAYED


def entry_point(image: str) -> tuple[str, ...]:
    """Return what an image starts when the container names no command: the program given for it, or nothing."""
    directory = os.environ.get(GIVEN)
    program = Path(directory) / repository(image).rpartition("/")[2] if directory else None
    return (str(program),) if program is not None and os.access(program, os.X_OK) else ()


def missing(container: Obj) -> Missing | None:
    """Return what keeps the container's image from being there; None when it is."""
    image = str(container["image"])
    if is_played(image) or repository(image).rpartition("/")[2] in RUN or entry_point(image):
        return None
    if container.get("imagePullPolicy") == "Never":
        never = f'Container image "{image}" is not present with pull policy of Never'
        return Missing(error="ErrImageNeverPull", detail=never, again="ErrImageNeverPull", again_detail=never)
    found = f'failed to resolve reference "{image}": {image}: not found'
    detail = f'rpc error: code = NotFound desc = failed to pull and unpack image "{image}": {found}'
    return Missing(
        error="ErrImagePull",
        detail=detail,
        again="ImagePullBackOff",
        again_detail=f'Back-off pulling image "{image}": ErrImagePull: {detail}',
    )
