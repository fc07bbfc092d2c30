"""The nouns: what was claimed, what was seen, what is concluded.

Standard library only, frozen, no I/O, no clock. Three kinds of nothing stay apart everywhere: `None` means
"not looked", `()` means "looked, nothing there". Times are Unix seconds (float), sizes are bytes, durations seconds.
"""

from l2probe.model.claims import (
    AnnouncementPolicy,
    Backend,
    Claim,
    Cluster,
    Condition,
    Node,
    Pod,
    Pool,
    Port,
    Requirement,
    Right,
    Service,
)
from l2probe.model.conclusions import (
    Capabilities,
    Finding,
    LocalPolicy,
    PerFlow,
    Report,
    Source,
    Subject,
    Verdict,
)
from l2probe.model.facts import (
    Evidence,
    Exchange,
    NeighbourReply,
    Trial,
    Vantage,
)
from l2probe.model.macs import owners_of_macs
from l2probe.model.terms import (
    Datapath,
    Dialect,
    Flow,
    Ip,
    Mac,
    NodeName,
    Outcome,
    Placement,
    Protocol,
    TrafficPolicy,
)

__all__ = [
    "AnnouncementPolicy",
    "Backend",
    "Capabilities",
    "Claim",
    "Cluster",
    "Condition",
    "Datapath",
    "Dialect",
    "Evidence",
    "Exchange",
    "Finding",
    "Flow",
    "Ip",
    "LocalPolicy",
    "Mac",
    "NeighbourReply",
    "Node",
    "NodeName",
    "Outcome",
    "PerFlow",
    "Placement",
    "Pod",
    "Pool",
    "Port",
    "Protocol",
    "Report",
    "Requirement",
    "Right",
    "Service",
    "Source",
    "Subject",
    "TrafficPolicy",
    "Trial",
    "Vantage",
    "Verdict",
    "owners_of_macs",
]
