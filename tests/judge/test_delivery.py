"""Family D: whom a blackhole can hurt, and what size passed."""

from __future__ import annotations

from l2probe.model import (
    Service,
    TrafficPolicy,
)
from tests.judge import test_faults as faults
from tests.judge.broken import the, with_cluster
from tests.judge.evidence import (
    NODES,
    VIP4,
    backend,
    healthy,
)


def test_d01_names_whom_it_can_hurt() -> None:
    """Existing Services with policy Local and a node without a ready backend are named, others are not."""

    def service(name: str, nodes: tuple[str, ...], policy: TrafficPolicy) -> Service:
        behind = tuple(one for one in map(backend, NODES) if one.node in nodes)
        return Service(namespace="shop", name=name, vips=(VIP4,), policy=policy, backends=behind)

    local, cluster = TrafficPolicy.LOCAL, TrafficPolicy.CLUSTER
    existing = (service("web", ("node-1",), local), service("dns", NODES, local), service("api", ("node-1",), cluster))

    says = the("D01", with_cluster(healthy(), services=existing)).says

    assert "shop/web (none ready on node-2 and node-3)" in says
    assert "1 of 2 existing Services" in says
    assert "dns" not in says
    assert "api" not in says


def test_at_most_five_are_named() -> None:
    """A hundred endangered Services are five names and a number."""
    existing = tuple(
        Service(namespace="shop", name=f"s{n}", vips=(VIP4,), policy=TrafficPolicy.LOCAL, backends=(backend(NODES[0]),))
        for n in range(100)
    )

    says = the("D01", with_cluster(healthy(), services=existing)).says

    assert says.count("shop/") == 5
    assert "and 95 more" in says


def test_largest_size_that_passed_is_named() -> None:
    """D06 names the largest payload that got through."""
    assert "512 bytes passed" in the("D06", faults.mtu()).says
