"""Evidence -> Findings, Capabilities, Verdict, Report. Pure: no I/O, no clock, and no exception for any Evidence."""

from l2probe.judge.capabilities import REQUIRABLE, capabilities
from l2probe.judge.codes import CODES
from l2probe.judge.conclusion import DIAGNOSE, SCHEMA, asks_local, asks_source, conclude, judge, unproven, verdict

__all__ = [
    "CODES",
    "DIAGNOSE",
    "REQUIRABLE",
    "SCHEMA",
    "asks_local",
    "asks_source",
    "capabilities",
    "conclude",
    "judge",
    "unproven",
    "verdict",
]
