"""The field's own terms: names, and enumerations in the spelling that users see. Standard library only."""

from __future__ import annotations

from enum import StrEnum
from typing import NewType

Ip = NewType("Ip", str)
"""An IPv4 or IPv6 address in its canonical text form (`str(ipaddress.ip_address(...))`)."""
Mac = NewType("Mac", str)
"""An Ethernet address in lower case with colons, as in 02:00:00:00:00:01."""
NodeName = NewType("NodeName", str)
"""A Kubernetes Node's metadata.name."""


class Flow(StrEnum):
    """A flow kind: what is proven separately, because implementations treat them separately."""

    TCP4 = "tcp4"
    UDP4 = "udp4"
    TCP6 = "tcp6"
    UDP6 = "udp6"


class Protocol(StrEnum):
    """The transport of a Service port, in the spelling of the Kubernetes API."""

    TCP = "TCP"
    UDP = "UDP"


class Dialect(StrEnum):
    """What runs in the echo Pods: our script, which proves the run's secret, or an image that holds none."""

    SCRIPT = "script"
    AGNHOST = "agnhost"
    WHOAMI = "whoami"


class TrafficPolicy(StrEnum):
    """Service.spec.externalTrafficPolicy."""

    CLUSTER = "Cluster"
    LOCAL = "Local"


class Datapath(StrEnum):
    """How the configuration says that traffic reaches a backend on another node (Cilium bpf-lb-mode)."""

    SNAT = "snat"
    DSR = "dsr"
    HYBRID = "hybrid"


class Outcome(StrEnum):
    """How one exchange with a VIP ended."""

    ANSWERED = "answered"
    TIMEOUT = "timeout"
    REFUSED_RST = "refused-rst"
    REFUSED_ICMP = "refused-icmp"
    NO_NEIGHBOUR = "no-neighbour"
    RESET = "reset"
    WRONG_ANSWER = "wrong-answer"


class Placement(StrEnum):
    """Where a trial's backend stands, seen from the announcer."""

    ANY = "any"
    ON_ANNOUNCER = "on-announcer"
    OFF_ANNOUNCER = "off-announcer"
