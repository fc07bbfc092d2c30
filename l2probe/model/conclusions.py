"""What is concluded from Evidence: capabilities, findings, the report. The JSON contract is here."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

from l2probe.model.facts import Evidence
from l2probe.model.terms import NodeName


class Verdict(StrEnum):
    """How good it is; declared best to worst, so the report's verdict is the worst of its findings."""

    PASS = "pass"  # noqa: S105 - a verdict, no password
    WARN = "warn"
    UNKNOWN = "unknown"
    FAIL = "fail"


class Source(StrEnum):
    """When the Pod sees the client's own address."""

    ALWAYS = "always"
    ON_ANNOUNCER_ONLY = "on-announcer-only"
    NEVER = "never"
    UNKNOWN = "unknown"


class LocalPolicy(StrEnum):
    """What policy Local does when the only ready backend is not on the announcer."""

    SERVED = "served"
    MOVED = "moved"
    DROPPED = "dropped"
    REJECTED = "rejected"
    UNANNOUNCED = "unannounced"
    UNKNOWN = "unknown"


T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class PerFlow(Generic[T]):
    """One value for each flow kind."""

    tcp4: T
    udp4: T
    tcp6: T
    udp6: T


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What this cluster does, as seen from outside. `exclusive`: exactly one announcer for each address.

    `reachable`: true when our Pod answered wherever it stood, but for what chance loses on a sound segment; false when
    it did not, or when far more was lost; null when neither is proven.
    """

    announced_by: NodeName | None
    exclusive: bool | None
    reachable: PerFlow[bool | None]
    source: PerFlow[Source]
    local_policy: PerFlow[LocalPolicy]
    largest_payload_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a finding is about; empty strings where it is about the cluster as a whole."""

    namespace: str = ""
    name: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A claim about someone's production network, with its evidence in words a sceptic can check.

    `because` holds one observation a line. `consequence_of` is the code of the finding that explains this one.
    `subjects`: each Service that it was seen of where they are several; then `subject` is what these have in common.
    """

    code: str
    slug: str
    verdict: Verdict
    says: str
    because: tuple[str, ...]
    remedy: str
    subject: Subject = field(default_factory=Subject)
    references: tuple[str, ...] = ()
    consequence_of: str | None = None
    subjects: tuple[Subject, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The JSON contract (schema "l2probe/report/v1"). `started` is RFC 3339 UTC.

    `notes`: what is worth knowing and no finding, one sentence each.
    """

    schema: str
    tool: str
    command: str
    started: str
    duration_seconds: float
    verdict: Verdict
    capabilities: Capabilities
    findings: tuple[Finding, ...]
    evidence: Evidence
    notes: tuple[str, ...] = ()
