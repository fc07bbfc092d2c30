"""Family A: why a Service has no address, in words that name the cause."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from l2probe.judge import judge
from l2probe.model import (
    Evidence,
    Pool,
    Verdict,
)
from tests.judge.broken import pending, refused, taken, the, with_cluster
from tests.judge.evidence import (
    healthy,
)


def causes(evidence: Evidence) -> Iterator[str]:
    """Return the codes that no other explains."""
    return (found.code for found in judge(evidence) if found.consequence_of is None)


@pytest.mark.parametrize(
    ("reason", "pools", "says"),
    [
        ("no_pool", (), "there is no CiliumLoadBalancerIPPool"),
        ("no_pool", (Pool(name="lan", blocks=("198.51.100.0/24",), disabled=True),), "disabled"),
        ("no_pool", (Pool(name="lan", blocks=("198.51.100.0/24",)),), "no pool selects it"),
        ("out_of_ips", (Pool(name="lan", blocks=("198.51.100.0/30",), available=0),), "used up"),
    ],
)
def test_a_pending_address_says_why(reason: str, pools: tuple[Pool, ...], says: str) -> None:
    """A01 tells no pool, disabled pool, selector and exhaustion apart."""
    assert says in the("A01", with_cluster(pending(refused(reason)), pools=pools)).says


def test_the_owner_of_a_taken_address_is_named() -> None:
    """A03 names the Service that has the address; A01 is its consequence."""
    assert "shop/web" in the("A03", taken()).says
    assert list(causes(taken())) == ["A03"]
    assert "the one it asked for belongs to another Service" in the("A01", taken()).says


def test_a_class_that_nobody_serves_is_why_nobody_said_anything() -> None:
    """A01 beside A04 does not claim that the reason is unknown."""
    foreign = pending(None, load_balancer_class="example.com/none")

    assert "nobody serves its load balancer class" in the("A01", foreign).says
    assert list(causes(foreign)) == ["A04"]


def test_a_conflicting_pool_beside_a_good_one_explains_nothing() -> None:
    """A02 is a warning when other pools could have served."""
    pools = (
        Pool(name="clash", blocks=("198.51.100.0/28",), conflicting=True),
        Pool(name="lan", blocks=("192.0.2.0/24",)),
    )

    assert the("A02", with_cluster(healthy(), pools=pools)).verdict is Verdict.WARN
    assert "A01" in causes(with_cluster(pending(refused("no_pool")), pools=pools))
