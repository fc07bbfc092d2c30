"""What a fault of the lab is, and the words that the tables of faults share. Standard library only."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from l2probe.lab.profiles import Implementation

BOTH = ("run", "diagnose")
QUIET = "cilium-1.20.2-dsr"
"""A cluster of which nothing is said while it is healthy: policy Local is served, DSR keeps the client address."""
METALLB_PROFILE, KUBE_VIP_PROFILE = "metallb-0.15", "kube-vip-1.0"

CILIUM, METALLB, KUBE_VIP = (Implementation.CILIUM,), (Implementation.METALLB,), (Implementation.KUBE_VIP,)
WITH_POLICY, WITH_LEASES, WITH_KUBE_PROXY = CILIUM + METALLB, CILIUM + KUBE_VIP, METALLB + KUBE_VIP


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One named way to break the cluster.

    `raises` is the code of the finding that names this cause, and `verdict` that finding's and the report's; `shown_by`
    are the commands whose first finding it is, with what they must be told besides. `profile`: the cluster that can be
    broken so, or of which nothing louder is said; None where the default will do. `worlds`: whose clusters can be
    broken so at all; () for everybody's.
    """

    name: str
    raises: str
    about: str
    shown_by: tuple[str, ...] = ("run",)
    profile: str | None = None
    verdict: str = "fail"
    worlds: tuple[Implementation, ...] = ()

    @property
    def command(self) -> str:
        """The command that shows it in a fresh lab."""
        return shlex.join(self.commands[0])

    @property
    def commands(self) -> tuple[tuple[str, ...], ...]:
        """Every command line whose first finding names this cause."""
        where = () if self.profile is None else ("--profile", self.profile)
        return tuple(("l2probe", *shlex.split(words), "--lab", *where, "--fault", self.name) for words in self.shown_by)
