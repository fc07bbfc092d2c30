"""Who may reach the echo Services: with an image that is not our script, this host alone."""

from __future__ import annotations

import ipaddress

from l2probe.errors import ClusterError
from l2probe.model import Vantage
from l2probe.run.plan import Plan


def admitted(plan: Plan, vantage: Vantage) -> tuple[str, ...]:
    """Return spec.loadBalancerSourceRanges; () for everybody, where our own script needs no fence or none would fit.

    From behind a router the address that the nodes see need not be ours.
    """
    if plan.workload.scripted or vantage.on_link is False:
        return ()
    return tuple(str(ipaddress.ip_network(address)) for address in vantage.addresses)


def check_admission(plan: Plan, vantage: Vantage, *, before: Vantage | None = None) -> None:
    """Raise ClusterError when a dangerous image would be open to all, or when the fence made `before` shuts us out."""
    open_questions = [question for _, question in plan.questions if not question.source_ranges]
    if plan.workload.scripted or not open_questions:
        return
    if before is not None and not set(admitted(plan, vantage)) <= set(admitted(plan, before)):
        raise ClusterError(
            f"The Services admit {', '.join(admitted(plan, before))} only, and their addresses are reached from "
            f"{vantage.interface}.",
            f"Name that interface: --interface {vantage.interface}.",
        )
    if plan.workload.server.warning and not admitted(plan, vantage):
        raise ClusterError(
            f"{plan.workload.server.warning}, and from behind a router nobody knows which address of ours to admit.",
            "Use --echo script or --echo whoami, or a suite of yours with source-ranges for every question.",
        )
