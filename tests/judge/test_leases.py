"""Whether a lease lives: what one clock measured says so, and never the difference of two machines' clocks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from l2probe.judge import judge
from l2probe.judge.case import cases
from l2probe.judge.leases import LONGEST_SECONDS, Life, is_undecided, life
from l2probe.model import Claim, Evidence, Finding, NodeName, Trial, Verdict
from tests.judge.diagnosed import ONE, TWO, diagnosed, lease, unheard
from tests.judge.evidence import T0, each_trial

BEHIND = 600.0
"""By how many seconds a holder's clock is behind ours."""


def read(seconds: float, renewed: float, holder: NodeName | None = ONE, name: str = "api") -> Claim:
    """Return the lease as it was read so many seconds after T0, renewed at a time of its holder's clock."""
    return replace(lease(name, holder, T0 + seconds), renewed=T0 + renewed)


def followed(*history: Claim, seconds: float = 3.0) -> Evidence:
    """Return silent Services, whose claims were followed for so long; shop/web's are those of shop/api."""

    def claimed(trial: Trial) -> Trial:
        return replace(trial, claims=history, observed_seconds=seconds)

    return each_trial(unheard(diagnosed()), claimed)


def only(evidence: Evidence) -> Finding:
    """Return the one cause."""
    (found,) = (one for one in judge(evidence) if one.consequence_of is None)
    return found


LIVES = {
    "renewed in view by a clock that is behind": (followed(read(0, -BEHIND), read(2, 2 - BEHIND)), Life.HELD),
    "renewed in view by a clock that is ahead": (followed(read(0, BEHIND), read(2, 2 + BEHIND)), Life.HELD),
    "fresh by both clocks, and not seen renewed": (followed(read(0, -4.0)), Life.HELD),
    "old by two clocks, and followed for three seconds": (followed(read(0, -BEHIND)), Life.UNSURE),
    "old by two clocks, and followed beyond the renew deadline": (followed(read(0, -BEHIND), seconds=6.0), Life.OVER),
    "fresh by two clocks, and followed beyond the renew deadline": (followed(read(0, 0), seconds=6.0), Life.HELD),
    "ahead, and not renewed for its whole duration": (followed(read(0, BEHIND), seconds=16.0), Life.OVER),
    "renewed in view, and then not for its duration": (followed(read(0, -2), read(1, 0), seconds=17.0), Life.OVER),
    "named nobody": (followed(replace(read(0, 0), holder=None)), Life.OVER),
    "MetalLB's status, which has no times": (
        followed(replace(read(0, 0), renewed=None, duration_seconds=None), seconds=60.0),
        Life.HELD,
    ),
}


@pytest.mark.parametrize("name", LIVES)
def test_a_claim_is_over_by_one_clock_only(name: str) -> None:
    """The holder's clock against ours says nothing; what either measured alone does."""
    evidence, expected = LIVES[name]

    assert life(cases(evidence)[0]) is expected


def test_the_holders_own_clock_tells_that_it_forgot_one_lease() -> None:
    """It renewed another lease long after this one: B06, however its clock differs. Another holder's is no measure."""

    def with_other(holder: NodeName) -> Evidence:
        other = replace(diagnosed().trials[1], claims=(read(0, -BEHIND, holder, "web"),))
        old = followed(read(0, -BEHIND - 100.0))
        return replace(old, trials=(old.trials[0], other))

    same, different = with_other(ONE), with_other(TWO)

    assert life(cases(same)[0]) is Life.OVER
    assert "renewed another lease 100 s later" in " ".join(next(f for f in judge(same) if f.code == "B06").because)
    assert life(cases(different)[0]) is Life.UNSURE


def test_a_silent_leader_with_a_clock_behind_is_not_called_dead() -> None:
    """Its renewals were seen: B07, although each of them is ten minutes old by our clock."""
    found = only(followed(read(0, -BEHIND), read(2, 2 - BEHIND)))

    assert (found.code, found.verdict) == ("B07", Verdict.FAIL)


def test_an_unrenewed_lease_is_no_silent_leader() -> None:
    """A lease that outlived its duration, and was not renewed while it was followed for long enough, is B06."""
    found = only(followed(read(0, -BEHIND), seconds=6.0))

    assert (found.code, found.verdict) == ("B06", Verdict.FAIL)
    assert "followed for 6.0 s and not renewed" in " ".join(found.because)


def test_where_only_the_clocks_disagree_neither_is_accused() -> None:
    """Nobody answers, which is proven; whether the holder is dead or silent is said to be open, with what tells it."""
    found = only(followed(read(0, -BEHIND)))

    assert (found.code, found.verdict) == ("B14", Verdict.FAIL)
    assert "whether node-1 still renewed its lease was not known" in found.says
    assert any("may differ" in line for line in found.because)
    assert "`date -u` on node-1" in found.remedy


UNDECIDED = {
    "old, just read": ((read(0, -BEHIND),), 1.0, True),
    "old, and followed beyond the renew deadline": ((read(0, -BEHIND),), 5.6, False),
    "old, and seen renewed": ((read(0, -BEHIND), read(2, 2 - BEHIND)), 2.1, False),
    "fresh": ((read(0, 0),), 1.0, False),
    "released": ((replace(read(0, -BEHIND), holder=None),), 1.0, False),
    "nothing claimed": ((), 1.0, False),
}


@pytest.mark.parametrize("name", UNDECIDED)
def test_only_a_lease_that_looks_old_is_waited_for(name: str) -> None:
    """Waiting costs seconds, so it is done where it decides something, and ends when it has."""
    history, seconds, expected = UNDECIDED[name]

    assert is_undecided(diagnosed().cluster, history, T0 + seconds) is expected


def test_a_lease_of_minutes_is_not_waited_for() -> None:
    """Where the renew deadline is not known, its duration counts; longer than a lease is by default nobody waits."""
    cluster = replace(diagnosed().cluster, settings=())
    long = replace(read(0, -BEHIND), duration_seconds=60.0)

    assert is_undecided(cluster, (read(0, -BEHIND),), T0 + LONGEST_SECONDS - 1)
    assert not is_undecided(cluster, (long,), T0 + 1)
