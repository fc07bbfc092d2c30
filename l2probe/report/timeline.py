"""When what was seen: each Service's trials, neighbour frames and exchanges on one line of time. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from l2probe.judge.case import Case, cases, node_of
from l2probe.model import Evidence, Exchange, NeighbourReply, Outcome, Placement, Trial

SCALE = 1000.0
"""Length of the line of time in its own units."""
COLOURS, PARTS = 8, 4
"""Colours that a reader can tell apart, and pieces: the ninth sender has the first colour in two, the 17th in three."""
STRANGER = "stranger"
"""The kind of a frame whose sender is no known node."""
ENDS = {Outcome.ANSWERED: "good", Outcome.TIMEOUT: "lost", Outcome.NO_NEIGHBOUR: "lost"}
"""How an exchange is drawn; every other end is a refusal or a wrong answer, drawn as "bad"."""
NAMES = {
    Placement.ANY: "all Pods",
    Placement.ON_ANNOUNCER: "Pod on the announcer",
    Placement.OFF_ANNOUNCER: "Pod off the announcer",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One moment at `x`; `kind`: good, lost, bad, stranger, or the sender's colour as a number. `tip`: what it was.

    `parts`: how many pieces it is drawn in.
    """

    x: float
    kind: str
    tip: str
    parts: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A node that sent a neighbour frame, and how its frames look: colour and number of pieces."""

    node: str
    kind: str
    parts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """One trial, from `x` on and `width` long."""

    x: float
    width: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One Service. Marks that fall on the same place are one mark."""

    name: str
    bands: tuple[Band, ...]
    frames: tuple[Mark, ...]
    exchanges: tuple[Mark, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """All lanes on one line of `seconds`; `senders` are the nodes whose frames are on it."""

    seconds: float
    senders: tuple[Sender, ...]
    lanes: tuple[Lane, ...]

    @property
    def alike(self) -> bool:
        """Whether there are more senders than looks, so that only a mark's own words tell some of them apart."""
        return len(self.senders) > COLOURS * PARTS

    @property
    def strangers(self) -> bool:
        """Whether a frame came from no known node."""
        return any(mark.kind == STRANGER for lane in self.lanes for mark in lane.frames)


def timeline(evidence: Evidence) -> Timeline | None:
    """Return what was seen in its order, or None where neither a frame nor an exchange was."""
    times = sorted(moments(evidence))
    seen = cases(evidence)
    happened = any(trial.replies or trial.exchanges for trial in evidence.trials)
    if not happened or times[-1] <= times[0]:
        return None
    senders = looks({node for case in seen for node in heard(case)})
    ruler = Ruler(start=times[0], seconds=times[-1] - times[0])
    return Timeline(
        seconds=ruler.seconds,
        senders=tuple(senders.values()),
        lanes=tuple(lane(case, ruler, senders) for case in seen if case.trials),
    )


def heard(case: Case) -> Iterator[str]:
    """Yield the nodes whose frames about this Service were heard."""
    nodes = (node_of(case, reply.mac) for trial in case.trials for reply in trial.replies or ())
    return (node for node in nodes if node is not None)


def looks(nodes: Collection[str]) -> Mapping[str, Sender]:
    """Return how the frames of each node look; of the first COLOURS * PARTS by name no two alike."""
    return {
        node: Sender(node=node, kind=str(number % COLOURS), parts=number // COLOURS % PARTS + 1)
        for number, node in enumerate(sorted(nodes))
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruler:
    """Turns Unix seconds into places on the line."""

    start: float
    seconds: float

    def at(self, moment: float) -> float:
        """Return the place of a moment, in half units: what is nearer cannot be told apart on a screen."""
        return round((moment - self.start) / self.seconds * SCALE * 2) / 2


def moments(evidence: Evidence) -> Iterator[float]:
    """Yield every time at which something of a trial was seen."""
    for trial in evidence.trials:
        if trial.started:
            yield trial.started
            yield trial.started + trial.observed_seconds
        yield from (reply.at for reply in trial.replies or ())
        yield from (one.at + (one.latency_seconds or 0.0) for one in trial.exchanges or ())


def lane(case: Case, ruler: Ruler, senders: Mapping[str, Sender]) -> Lane:
    """Return one Service's line."""
    replies = [reply for trial in case.trials for reply in trial.replies or ()]
    exchanges = [one for trial in case.trials for one in trial.exchanges or ()]
    return Lane(
        name=case.name,
        bands=tuple(band(trial, ruler) for trial in case.trials if trial.started),
        frames=distinct(frame(case, reply, ruler, senders) for reply in replies),
        exchanges=distinct(exchange(one, ruler) for one in exchanges),
    )


def distinct(marks: Iterator[Mark]) -> tuple[Mark, ...]:
    """Return one mark for each place and kind."""
    return tuple({(mark.x, mark.kind, mark.parts): mark for mark in marks}.values())


def band(trial: Trial, ruler: Ruler) -> Band:
    """Return a trial's time, with where its backend stood."""
    on = f" ({trial.target.node})" if trial.target and trial.target.node else ""
    start = ruler.at(trial.started)
    end = ruler.at(trial.started + trial.observed_seconds)
    return Band(x=start, width=max(0.5, end - start), label=f"{NAMES[trial.placement]}{on}")


def frame(case: Case, reply: NeighbourReply, ruler: Ruler, senders: Mapping[str, Sender]) -> Mark:
    """Return a neighbour frame, by who sent it."""
    node = node_of(case, reply.mac)
    look = senders.get(node or "")
    return Mark(
        x=ruler.at(reply.at),
        kind=look.kind if look else STRANGER,
        tip=f"{reply.ip} is at {reply.mac} ({node or 'no known node'})",
        parts=look.parts if look else 1,
    )


def exchange(one: Exchange, ruler: Ruler) -> Mark:
    """Return an exchange, by how it ended."""
    tip = f"{one.flow} to {one.vip}, {one.payload_bytes} bytes: {one.outcome}"
    return Mark(x=ruler.at(one.at), kind=ENDS.get(one.outcome, "bad"), tip=tip)
