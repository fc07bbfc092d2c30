"""The played cluster of the diagnosis, as an audit sees it: fakes at the edges only."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from l2probe.audit import Plan, audit
from l2probe.audit.edges import Edges
from l2probe.diagnose.edges import Name
from l2probe.model import Claim, Condition, Evidence, Ip, Mac, NeighbourReply
from l2probe.observe.mapping import map_nodes
from tests.diagnose.played import FakeApi, FakeWire, World
from tests.judge.evidence import mac


@dataclass
class Town(World):
    """The played cluster; `asked_for` are the sweeps, `squatters` free addresses that somebody has.

    `waking`: who was silent hears everything from the moment in which it is asked alone.
    """

    warnings: Mapping[Name, Condition] = field(default_factory=dict)
    strays: tuple[Claim, ...] = ()
    squatters: Mapping[Ip, Mac] = field(default_factory=dict)
    slow: Mapping[Ip, Mac] = field(default_factory=dict)
    sweeps: list[tuple[Ip, ...]] = field(default_factory=list)
    waking: bool = False
    alone: list[tuple[Ip, Mac]] = field(default_factory=list)

    def audited(self, plan: Plan) -> Evidence:
        """Return what the audit saw."""
        return audit(plan, self.seen())

    def seen(self) -> Edges:
        """Return the world as an audit sees it."""
        return Edges(
            api=TownApi(self),
            vantage=self.look,
            sweep=self.sweep,
            open_wire=self.open,
            ask_alone=self.ask_alone,
            map_nodes=map_nodes,
            knock=self.knock,
            now=lambda: self.clock,
            pause=self.pass_time,
            say=self.said.append,
        )

    def open(self, interface: str) -> AbstractContextManager[FakeWire]:
        """Open the wire."""
        return self.wire(interface)

    def sweep(
        self, interface: str, addresses: Sequence[Ip], *, linger: float, whole: bool = False
    ) -> tuple[NeighbourReply, ...]:
        """Ask everybody once; an owner that is slow is heard only by those who wait."""
        del interface
        self.sweeps.append(tuple(addresses))
        began = len(self.frames)
        for address in addresses:
            self.answer(address, "multicast" if ":" in address else "broadcast")
            late = self.slow.get(address) if whole else None
            if (other := self.squatters.get(address) or late) is not None:
                self.pass_time(0.001)
                self.frames.append(
                    NeighbourReply(at=self.clock, ip=address, mac=other, op="reply", solicited=True, asked="broadcast")
                )
        self.pass_time(linger)
        return tuple(self.frames[began:])

    def ask_alone(
        self, interface: str, pairs: Sequence[tuple[Ip, Mac]], *, linger: float
    ) -> tuple[NeighbourReply, ...]:
        """Ask machines alone; who has the address answers."""
        del interface
        began = len(self.frames)
        self.alone += pairs
        self.unicast_only = self.unicast_only and not self.waking
        for address, to in pairs:
            holder = self.holder_of(address)
            if holder is not None and mac(holder) == to:
                self.answer(address, "unicast")
        self.pass_time(linger)
        return tuple(self.frames[began:])


class TownApi(FakeApi):
    """The API server."""

    world: Town

    def announced(self, services: Collection[Name]) -> tuple[Mapping[Name, tuple[Claim, ...]], tuple[Claim, ...]]:
        """Return the leases, and those of nobody."""
        return self.claims(services), self.world.strays

    def warnings(self) -> Mapping[Name, Condition]:
        """Return the newest warnings."""
        return self.world.warnings
