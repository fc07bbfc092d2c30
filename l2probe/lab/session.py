"""What a person does with a lab: run a command in a private one, or keep one up and work in it.

`run_inside` boots, runs and tears down; `up`, `down`, `status`, `inside`, `fault` and `heal` concern the one lab of
this user that stays. The command inside cannot tell that it is in a lab: it gets a network, a KUBECONFIG and the
terminal, nothing else.
"""

from __future__ import annotations

import difflib
import os
import select
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from l2probe.errors import LabError, UsageError
from l2probe.lab import assets, control, entering, holder
from l2probe.lab.addresses import listen_on_host
from l2probe.lab.faults import FAULTS, check_world, profile_of
from l2probe.lab.passing import Relay
from l2probe.lab.profiles import PROFILES
from l2probe.lab.rights import DENIED, rights_of

EMBEDDED = assets.CONTROL_PLANES[0]
_GONE_MILLISECONDS = 30_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LabStatus:
    """The lab that is up. `pid`: its first process; `kubeconfig`: the file from the host; `started`: by this call."""

    profile: str
    control_plane: str
    faults: tuple[str, ...]
    pid: int
    kubeconfig: str
    server: str
    started: bool = False


def run_inside(
    argv: Sequence[str], *, profile: str | None, faults: Sequence[str], control_plane: str = EMBEDDED
) -> int:
    """Boot a private lab, run `l2probe ARGV…` in its client's namespace, tear it down; return the exit code.

    `profile` None: what the faults need. Signals go to the command, which cleans up; 128 + N when signal N ended it.
    UsageError for an unknown profile or fault and for a control plane that is not installed, LabError when the lab
    could not be built or was killed.
    """
    _known(profile, faults)
    plan = _plan(
        profile or profile_of(faults),
        faults,
        control_plane,
        inner=lambda client, raw: entering.become(holder.argv_of_ours(argv), client, raw=raw),
    )
    pid, line = holder.start(plan)
    plan.host.close()
    with Relay(pid) as relay:
        news = _hear_until(line, "exit", relay)
        os.waitpid(pid, 0)
    if relay.gave_up is not None:
        return 128 + relay.gave_up
    _raise_problem(news)
    status = int(news["exit"])
    return status if status >= 0 else 128 - status


def _hear_until(line: holder.Channel, last: str, relay: Relay) -> holder.News:
    while True:
        news, _ = line.hear()
        if "started" in news:
            relay.to(news["started"])
        elif last in news or "problem" in news or not news:
            return news


def up(profile: str | None, faults: Sequence[str], control_plane: str = EMBEDDED) -> LabStatus:
    """Boot a lab that stays, or find the one that is up. LabError when that is another one, or at failure.

    `profile` None: what the faults need. UsageError as `run_inside`.
    """
    _known(profile, faults)
    profile = profile or profile_of(faults)
    plan = _plan(profile, faults, control_plane)
    listening = control.listen()
    if listening is None:
        plan.host.close()
        return _already_up(profile, faults, control_plane)
    with listening:
        pid, line = holder.start(replace(plan, control=listening))
    with Relay(pid) as relay:
        news = _hear_until(line, "ready", relay)
    if relay.gave_up is not None:
        os.waitpid(pid, 0)
        raise LabError("The lab was interrupted while it booted.", "Nothing is left of it.")
    if "ready" not in news:
        os.waitpid(pid, 0)
    _raise_problem(news)
    return _status(news["ready"], started=True)


def _already_up(profile: str, faults: Sequence[str], control_plane: str) -> LabStatus:
    there = status()
    if there is None:
        raise LabError("The lab that was up ended just now.", "l2probe lab up again.")
    for what, wanted, found in (
        ("profile", profile, there.profile),
        ("control plane", control_plane, there.control_plane),
    ):
        if wanted != found:
            raise LabError(
                f"A lab is up already, with {what} {found}.", f"l2probe lab down, then up with the other {what}."
            )
    for name in faults:
        fault(name)
    return status() or there


def down() -> bool:
    """End the lab that is up and wait until nothing is left of it; False when none was up."""
    answer = control.ask("status")
    if answer is None:
        return False
    watched = [descriptor for key in ("pid", "holder") if (descriptor := _watch(answer[key])) is not None]
    control.ask("down")
    for descriptor in watched:
        ended, _, _ = select.select([descriptor], [], [], _GONE_MILLISECONDS / 1000)
        os.close(descriptor)
        if not ended:
            raise LabError("The lab did not end within 30 s.", f"kill -9 {answer['holder']}")
    return True


def _watch(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def status() -> LabStatus | None:
    """Return the lab that is up, or None."""
    answer = control.ask("status")
    return None if answer is None else _status(answer)


def inside(argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
    """Run a command (none: a shell) in the client's namespace of the lab that is up; return its exit code.

    LabError when no lab is up, or the command does not exist.
    """
    answer = _needed("status")
    where = {"pid": answer["pid"], "client": answer["client"], "raw": answer["raw"]}
    return entering.run(argv or entering.shell(), **where, env=env or {})


def fault(name: str) -> None:
    """Break the lab that is up in this way too. UsageError for an unknown fault, LabError when no lab is up."""
    _known(None, (name,))
    _needed("fault", name)


def heal() -> None:
    """Mend the lab that is up. LabError when none is."""
    _needed("heal")


def _needed(do: str, name: str = "") -> control.Answer:
    answer = control.ask(do, name)
    if answer is None:
        raise LabError("No lab is up.", "l2probe lab up")
    return answer


def _plan(
    profile: str, faults: Sequence[str], control_plane: str, inner: Callable[[int, bool], NoReturn] | None = None
) -> holder.Plan:
    found = None if control_plane == EMBEDDED else assets.find(os.environ)
    return holder.Plan(profile=profile, faults=tuple(faults), host=listen_on_host(), assets=found, inner=inner)


def _known(profile: str | None, faults: Sequence[str]) -> None:
    if profile is not None and profile not in PROFILES:
        raise UsageError(f"The lab has no profile {profile!r}.", f"It has {', '.join(PROFILES)}.")
    for name in faults:
        if name.startswith(DENIED):
            rights_of(name)
        elif name not in FAULTS:
            close = difflib.get_close_matches(name, FAULTS, n=3, cutoff=0.5)
            meant = f"Did you mean {' or '.join(close)}? " if close else ""
            raise UsageError(
                f"The lab has no fault {name!r}.",
                f"{meant}`l2probe lab faults` lists them; also {DENIED}VERB:RESOURCE.",
            )
    check_world(profile or profile_of(faults), faults)


def _raise_problem(news: holder.News) -> None:
    if "problem" in news:
        raise LabError(news["problem"], news.get("hint", ""))
    if not news:
        raise LabError("The lab was killed.", "Nothing is left of it; start the command again.")


def _status(answer: control.Answer, *, started: bool = False) -> LabStatus:
    return LabStatus(
        profile=answer["profile"],
        control_plane=answer["control_plane"],
        faults=tuple(answer["faults"]),
        pid=answer["pid"],
        kubeconfig=f"/proc/{answer['pid']}/root{answer['kubeconfig']}",
        server=answer["server"],
        started=started,
    )
