"""LB IPAM decides as the recorded cilium-operator did, and by the documented rules where nothing was recorded."""

from __future__ import annotations

from typing import Any

import pytest

from l2probe.lab.controllers.allocation import Answer, allocate
from l2probe.lab.controllers.ipam import SATISFIED, pool_conditions, service_status, used
from l2probe.lab.controllers.objects import Key
from l2probe.lab.controllers.pools import read_pools
from tests.lab.controllers.recorded import items, recorded

NOW = "2026-11-23T10:00:00Z"


def pool(name: str, *blocks: dict[str, str], created: str = "2026-01-01T00:00:00Z", **spec: object) -> dict[str, Any]:
    """Return a pool as the API holds it."""
    return {"metadata": {"name": name, "creationTimestamp": created}, "spec": {"blocks": list(blocks), **spec}}


def span(start: str, stop: str) -> dict[str, str]:
    """Return a start-stop block."""
    return {"start": start, "stop": stop}


def service(
    name: str, *, held: tuple[str, ...] = (), annotations: dict[str, str] | None = None, **spec: object
) -> dict[str, Any]:
    """Return a LoadBalancer Service as the API holds it."""
    ports = spec.pop("ports", [{"port": 80, "protocol": "TCP"}])
    return {
        "metadata": {"name": name, "namespace": spec.pop("namespace", "ns"), "annotations": annotations or {}},
        "spec": {"type": "LoadBalancer", "ipFamilies": ["IPv4"], "ports": ports, **spec},
        "status": {"loadBalancer": {"ingress": [{"ip": address} for address in held]}},
    }


def given(
    pools: list[dict[str, Any]], *services: dict[str, Any], families: tuple[int, ...] = (4, 6)
) -> dict[str, Answer]:
    """Return what each Service gets, by name."""
    return {key.name: answer for key, answer in allocate(read_pools(pools), services, families).items()}


def texts(answer: Answer) -> list[str]:
    """Return the addresses as text."""
    return [str(address) for address in answer.addresses]


LAN = [pool("lan", span("192.0.2.10", "192.0.2.12"))]


@pytest.mark.parametrize("name", sorted(items("services")))
def test_a_settled_cluster_is_left_as_recorded(name: str) -> None:
    """With the recorded pools, every recorded Service keeps its address, reason and message."""
    # l2-class was recorded without L2 announcements; a cluster that has them serves its class.
    services = {key: value for key, value in items("services").items() if key != "l2-class"}
    if name not in services:
        return
    answers = allocate(read_pools(recorded("ippools")["items"]), services.values(), (4,))
    answer = answers.get(Key("cilfix", name))

    if answer is None:
        assert "conditions" not in services[name]["status"]
        return
    status = service_status(services[name], answer, NOW)
    assert status["conditions"] == services[name]["status"]["conditions"]
    assert status["loadBalancer"]["ingress"] == services[name]["status"]["loadBalancer"].get("ingress")


def test_a_deleted_pool_takes_its_addresses_away_as_recorded() -> None:
    """Without pool red its Services lose their addresses for the recorded reasons; the younger pool starts to serve."""
    pools = [item for item in recorded("ippools-conflict")["items"] if item["metadata"]["name"] != "red"]
    services = [*items("services").values(), recorded("service-wants-conflicting-pool")]
    answers = allocate(
        read_pools(pools), [found for found in services if found["metadata"]["name"] != "l2-class"], (4,)
    )

    for name, after in items("pool-deleted-services").items():
        answer = answers.get(Key("cilfix", name))
        recorded_condition = (after["status"].get("conditions") or [None])[0]
        if answer is None or recorded_condition is None:
            assert name in {"l2-class", "other-class"}
            continue
        assert (answer.reason, answer.message) == (recorded_condition["reason"], recorded_condition["message"]), name
        assert texts(answer) == [entry["ip"] for entry in after["status"]["loadBalancer"].get("ingress", ())], name


@pytest.mark.parametrize("name", ["blue", "clash", "off", "red"])
def test_pool_conditions_are_as_recorded(name: str) -> None:
    """Conflict and counts of each pool come out as recorded, times included: only a changed status moves them."""
    objects = items("ippools-conflict")
    pools = read_pools(objects.values())
    answers = allocate(pools, items("services").values(), (4,))
    found = next(found for found in pools if found.name == name)
    count = used(found, (answer for key, answer in answers.items() if key.name != "l2-class"))

    assert pool_conditions(objects[name], found, count, NOW) == objects[name]["status"]["conditions"]


def test_the_oldest_service_gets_the_lowest_free_address() -> None:
    """Addresses are given oldest first, lowest first, and held ones are not touched."""
    old, young = service("old"), service("young")
    old["metadata"]["creationTimestamp"], young["metadata"]["creationTimestamp"] = (
        "2026-01-01T00:00:00Z",
        "2026-01-02T00:00:00Z",
    )
    answers = given(LAN, young, old, service("held", held=("192.0.2.10",)))

    assert {name: texts(answer) for name, answer in answers.items()} == {
        "held": ["192.0.2.10"],
        "old": ["192.0.2.11"],
        "young": ["192.0.2.12"],
    }


DUAL = [pool("lan", span("192.0.2.10", "192.0.2.12"), span("2001:db8::10", "2001:db8::1f"))]


@pytest.mark.parametrize(
    ("spec", "families", "expected"),
    [
        ({"ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv4", "IPv6"]}, (4, 6), ["192.0.2.10", "2001:db8::10"]),
        (
            {"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6", "IPv4"]},
            (4, 6),
            ["2001:db8::10", "192.0.2.10"],
        ),
        ({"ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv4", "IPv6"]}, (4,), ["192.0.2.10"]),
        ({"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv6"]}, (4, 6), ["2001:db8::10"]),
        ({"ipFamilies": ["IPv4"]}, (4, 6), ["192.0.2.10"]),
    ],
)
def test_families(spec: dict[str, Any], families: tuple[int, ...], expected: list[str]) -> None:
    """A Service gets one address of each family that it asks for and that the cluster has."""
    answer = given(DUAL, service("web", **spec), families=families)["web"]

    assert texts(answer) == expected
    assert answer.satisfied


def test_half_a_dual_stack_wish_is_unsatisfied_but_served() -> None:
    """Without an IPv6 pool the IPv4 address is given and the condition says what is missing."""
    answer = given(LAN, service("web", ipFamilyPolicy="RequireDualStack", ipFamilies=["IPv4", "IPv6"]))["web"]

    assert texts(answer) == ["192.0.2.10"]
    assert answer.reason == "no_pool"


SHARED = {"lbipam.cilium.io/sharing-key": "k"}


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"ports": [{"port": 81}]}, None),
        ({"ports": [{"port": 80}]}, "same port and protocol"),
        ({"ports": [{"port": 80, "protocol": "UDP"}]}, None),
        ({"ports": [{"port": 81}], "externalTrafficPolicy": "Local"}, "different ExternalTrafficPolicy"),
        ({"ports": [{"port": 81}], "namespace": "elsewhere"}, "different and not permitted namespace"),
    ],
)
def test_a_shared_address_needs_all_of_the_sharing_rules(other: dict[str, Any], reason: str | None) -> None:
    """Two Services share an address only with one key, one namespace, disjoint ports and one policy."""
    wish = {**SHARED, "lbipam.cilium.io/ips": "192.0.2.10"}
    answer = given(
        LAN, service("first", held=("192.0.2.10",), annotations=SHARED), service("second", annotations=wish, **other)
    )["second"]

    if reason is None:
        assert texts(answer) == ["192.0.2.10"]
        return
    assert answer.reason == "already_allocated_incompatible_service"
    assert answer.message == f"The IP '192.0.2.10' is already allocated to an incompatible service. Reason: {reason}"


def test_a_sharing_key_alone_finds_the_shared_address() -> None:
    """A second Service with the same key and another port gets the address of the first without asking for it."""
    answers = given(LAN, service("a", annotations=SHARED), service("b", annotations=SHARED, ports=[{"port": 81}]))

    assert texts(answers["a"]) == texts(answers["b"]) == ["192.0.2.10"]


def test_a_disabled_pool_keeps_what_it_gave() -> None:
    """Disabling a pool ends new allocations only."""
    answers = given(
        [pool("lan", span("192.0.2.10", "192.0.2.12"), disabled=True)], service("a", held=("192.0.2.10",)), service("b")
    )

    assert texts(answers["a"]) == ["192.0.2.10"]
    assert answers["b"].reason == "no_pool"


@pytest.mark.parametrize(
    ("block", "spec", "first", "size"),
    [
        ({"cidr": "192.0.2.200/28"}, {}, "192.0.2.192", 16),
        ({"cidr": "192.0.2.192/28"}, {"allowFirstLastIPs": "No"}, "192.0.2.193", 14),
        ({"start": "192.0.2.5"}, {}, "192.0.2.5", 1),
        ({"cidr": "192.0.2.6/31"}, {"allowFirstLastIPs": "No"}, "192.0.2.6", 2),
    ],
)
def test_blocks(block: dict[str, str], spec: dict[str, str], first: str, size: int) -> None:
    """Host bits of a CIDR are masked, its ends left out on request, and a block may be one address."""
    pools = [pool("lan", block, **spec)]

    assert texts(given(pools, service("a"))["a"]) == [first]
    assert read_pools(pools)[0].size == size


def test_a_class_of_another_implementation_is_not_served() -> None:
    """Only class-less Services and those of the L2 announcer's class get an answer at all."""
    ours = service("ours", loadBalancerClass="io.cilium/l2-announcer")
    theirs = service("theirs", loadBalancerClass="example.com/none")

    assert set(given(LAN, ours, theirs, service("plain", type="ClusterIP"))) == {"ours"}


def test_losing_management_takes_address_and_condition_away() -> None:
    """A Service that is no LoadBalancer any more ends without ingress and without our condition; others stay."""
    found = service("a", held=("192.0.2.10",))
    found["status"]["conditions"] = [{"type": SATISFIED, "status": "True"}, {"type": "other", "status": "True"}]

    assert service_status(found, None, NOW) == {
        "loadBalancer": {"ingress": None},
        "conditions": [{"type": "other", "status": "True"}],
    }
