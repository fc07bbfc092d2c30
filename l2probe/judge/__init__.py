"""Evidence -> Findings, Capabilities, Verdict, Report. Pure: no I/O, no clock, and no exception for any Evidence."""

from l2probe.judge.capabilities import REQUIRABLE, capabilities
from l2probe.judge.codes import CODES
from l2probe.judge.conclusion import (
    DIAGNOSE,
    EXISTING,
    SCHEMA,
    asks_local,
    asks_source,
    conclude,
    judge,
    unproven,
    verdict,
)
from l2probe.judge.prediction import AUDIT, on_wire

__all__ = [
    "AUDIT",
    "CODES",
    "DIAGNOSE",
    "EXISTING",
    "REQUIRABLE",
    "SCHEMA",
    "asks_local",
    "asks_source",
    "capabilities",
    "conclude",
    "judge",
    "on_wire",
    "unproven",
    "verdict",
]
