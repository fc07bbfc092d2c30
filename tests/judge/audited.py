"""Evidence as `l2probe audit` delivers it, made by hand from the shop of `diagnosed`: the API alone, and the wire."""

from __future__ import annotations

from dataclasses import replace

from l2probe.model import Datapath, Evidence, NodeName, Placement, TrafficPolicy, Trial, Vantage
from tests.judge.diagnosed import diagnosed, lease, with_trial
from tests.judge.evidence import T0


def audited(version: str = "v1.20.2", datapath: Datapath = Datapath.DSR) -> Evidence:
    """Return what the API tells of the shop when all is well."""
    seen = on_the_wire(version, datapath)
    return replace(
        seen,
        vantage=Vantage(interface=None),
        node_replies=None,
        trials=tuple(unlooked(trial) for trial in seen.trials),
        flows=(),
    )


def on_the_wire(version: str = "v1.20.2", datapath: Datapath = Datapath.DSR) -> Evidence:
    """Return what the wire showed besides."""
    seen = diagnosed(version, datapath)
    return replace(seen, command="audit", cluster=replace(seen.cluster, stray_claims=()))


def unlooked(trial: Trial) -> Trial:
    """Return a trial that nobody looked at."""
    return replace(trial, replies=None, exchanges=None, claims=(trial.claims or ())[-1:])


def held_by(evidence: Evidence, name: str, holder: NodeName | None) -> Evidence:
    """Return the evidence in which the lease of one Service names this holder."""

    def change(trial: Trial) -> Trial:
        nodes = {backend.node for backend in trial.service.backends or ()}
        local = trial.service.policy is TrafficPolicy.LOCAL and holder is not None
        place = (Placement.ON_ANNOUNCER if holder in nodes else Placement.OFF_ANNOUNCER) if local else Placement.ANY
        return replace(trial, announcer=holder, placement=place, claims=(lease(name, holder, T0),))

    return with_trial(evidence, name, change)
