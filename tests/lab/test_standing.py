"""Faults of the place from which one looks: what several of them make together."""

from __future__ import annotations

from l2probe.lab.faults import FAULTS
from l2probe.lab.rights import rights_of
from l2probe.lab.standing import STANDINGS, USUAL, Standing, standing


def test_the_client_is_the_usual_place() -> None:
    """Faults of the cluster leave commands where they are, with all rights."""
    assert standing(("mtu", "denied:list:pods")) == standing(()) == USUAL


def test_places_and_rights_add_up() -> None:
    """Several such faults hold at once, in any order."""
    names = ("behind-a-router", "no-raw-socket", "not-allowed")

    assert standing(names) == standing(reversed(names))
    assert standing(names) == Standing(machine="remote", raw=False, denied=STANDINGS["not-allowed"].denied)


def test_every_place_is_a_fault_that_can_be_asked_for() -> None:
    """Each is listed, and what it denies is what `denied:VERB:RESOURCE` could deny."""
    assert set(STANDINGS) <= set(FAULTS)
    assert all(rights_of(name) for place in STANDINGS.values() for name in place.denied)
