"""What the announcers of all nodes are, whoever made them: the seam between `Announcers` and each implementation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from l2probe.lab.controllers.behaviour import Behaviour
from l2probe.lab.controllers.knowledge import Place
from l2probe.lab.controllers.objects import Key
from l2probe.lab.controllers.plane import Plane
from l2probe.lab.driver import ONCE, NodeDriver, Telling, World


class Member(Protocol):
    """One node's announcer. `behaviour`: whether it is alive, announces, holds and takes leases as it should."""

    node: NodeDriver
    behaviour: Behaviour

    @property
    def places(self) -> frozenset[Place]:
        """What it announces now, and on which interface, if nothing is wrong with it."""
        ...

    def look(self, subject: Key) -> None:
        """Reconsider what it may announce: something about the subject changed."""
        ...

    def revive(self) -> None:
        """Start anew."""
        ...


class Memory(Protocol):
    """What all members know. A subject is what they decide about: a Service, or one lease for all of them."""

    @property
    def subjects(self) -> frozenset[Key]:
        """Everything that is or was to be decided about."""
        ...

    def watch(self) -> None:
        """Start to learn."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """The members of all nodes, in the nodes' order. `by_kernel`: they put addresses on the NIC, the kernel answers."""

    memory: Memory
    members: tuple[Member, ...]
    telling: Telling = ONCE
    by_kernel: bool = False


Hire = Callable[[Plane, World, Callable[[Key], None], Callable[[], None]], Crew]
"""Given what to call with each subject about which something changed, and what to call when a member's addresses do."""
