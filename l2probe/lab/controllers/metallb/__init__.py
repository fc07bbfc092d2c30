"""MetalLB in layer 2 mode as one of the lab's implementations. Modules follow its programs: controller, speakers."""

from __future__ import annotations

from l2probe.lab.controllers.metallb.controller import Controller
from l2probe.lab.controllers.metallb.manifests import install
from l2probe.lab.controllers.metallb.speakers import hire

__all__ = ["Controller", "hire", "install"]
