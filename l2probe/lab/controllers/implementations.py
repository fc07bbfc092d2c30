"""What each implementation brings into the lab: objects, who gives addresses, who announces them. One table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from l2probe.lab.controllers import cilium, kubevip, metallb
from l2probe.lab.controllers.client import Client
from l2probe.lab.controllers.crew import Hire
from l2probe.lab.controllers.ipam import Ipam
from l2probe.lab.controllers.plane import Plane
from l2probe.lab.profiles import Implementation, Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """`install` makes the objects that are there from the start, `allocate` starts who gives addresses to Services."""

    install: Callable[[Client, Profile, Sequence[str]], Awaitable[None]]
    allocate: Callable[[Plane], object]
    hire: Hire


PARTS: Mapping[Implementation, Parts] = {
    Implementation.CILIUM: Parts(install=cilium.install, allocate=Ipam, hire=cilium.hire),
    Implementation.METALLB: Parts(install=metallb.install, allocate=metallb.Controller, hire=metallb.hire),
    Implementation.KUBE_VIP: Parts(install=kubevip.install, allocate=kubevip.CloudProvider, hire=kubevip.hire),
}
