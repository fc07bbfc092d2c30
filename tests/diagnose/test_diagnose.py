"""The flow of a diagnosis against a played cluster: what it reads, asks, sends, and what evidence it makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from l2probe.diagnose import Ground, Plan, diagnose
from l2probe.diagnose.observing import rounds
from l2probe.diagnose.place import Place, stand
from l2probe.diagnose.subjects import Wish
from l2probe.judge import judge
from l2probe.model import (
    Condition,
    Ip,
    NeighbourReply,
    Node,
    NodeName,
    Outcome,
    Placement,
    Port,
    Protocol,
    Right,
    Vantage,
)
from tests.diagnose.played import World
from tests.judge.diagnosed import API, WEB
from tests.judge.evidence import NODES, cluster, mac, vantage

ALL = Plan(wish=Wish(everything=True))


def codes(world: World, plan: Plan = ALL) -> list[str]:
    """Diagnose and judge."""
    return [found.code for found in judge(diagnose(plan, world.edges()))]


def test_a_healthy_shop_gives_evidence_without_findings() -> None:
    """Both Services side by side, with announcer, claims, replies and connects, marked as not ours."""
    world = World()

    evidence = diagnose(ALL, world.edges())

    assert evidence.command == "diagnose"
    assert [(t.name, t.own, t.announcer, t.placement) for t in evidence.trials] == [
        ("api", False, "node-1", Placement.ANY),
        ("web", False, "node-2", Placement.ON_ANNOUNCER),
    ]
    assert all(t.replies and t.claims and t.exchanges for t in evidence.trials)
    assert judge(evidence) == ()


def test_everybody_and_the_answerers_alone_are_asked() -> None:
    """Broadcast, multicast and unicast questions for each address."""
    world = World()

    diagnose(ALL, world.edges())

    asked = set(world.asked)
    assert {("broadcast", API.vips[0]), ("multicast", API.vips[1])} <= asked
    assert {("unicast", vip) for service in (API, WEB) for vip in service.vips} <= asked


class Relieved(World):
    """A world in which another node answered for shop/api, too, until `until`."""

    until: float

    def answer(self, address: Ip, asked: str) -> None:
        """Hear both while there are two."""
        with self.lock:
            if address == API.vips[0] and self.clock < self.until:
                told = NeighbourReply(
                    at=self.clock, ip=address, mac=mac(NODES[2]), op="reply", solicited=True, asked=asked
                )
                self.frames.append(told)
        super().answer(address, asked)


@pytest.mark.parametrize(("until", "found"), [(1000.05, []), (2000.0, ["C01"])])
def test_what_several_answer_for_is_asked_on(until: float, found: list[str]) -> None:
    """A node that took over while we asked is alone soon after, and no split brain; one that does not give way is."""
    world = Relieved()
    world.until = until

    assert codes(world, Plan(wish=Wish(words=("shop/api",)))) == found


def test_an_address_that_hears_unicast_only_is_found_out() -> None:
    """Nobody answers broadcasts: the nodes are asked one by one, which shows that somebody has it all the same."""
    world = World(unicast_only=True)

    assert "B12" in codes(world)


def test_silence_is_watched_until_a_renewal_shows_who_lives() -> None:
    """A silent leader renews its lease meanwhile; a dead one does not."""
    assert codes(World(silent=True, outcome=Outcome.NO_NEIGHBOUR)) == ["B07"]
    assert codes(World(silent=True, renewing=False, outcome=Outcome.NO_NEIGHBOUR)) == ["B06"]
    assert codes(World(silent=True, behind=600.0, outcome=Outcome.NO_NEIGHBOUR)) == ["B07"], "a clock that is behind"


def test_policy_local_off_the_announcer_is_placed_so() -> None:
    """A Service whose announcer has no ready backend is marked, so that the judge can tell a blackhole."""
    world = World(holders={"api": NODES[0], "web": NODES[2]}, outcome=Outcome.TIMEOUT)

    evidence = diagnose(Plan(wish=Wish(words=("shop/web",))), world.edges())

    assert evidence.trials[0].placement is Placement.OFF_ANNOUNCER
    assert [found.code for found in judge(evidence)] == ["D01"]


def test_only_connects_are_sent_unless_more_was_asked() -> None:
    """Harmless by default: no payload at all; a GET and datagrams only on request."""
    plain, asked = World(), World(services=(replace(API, ports=(*API.ports, Port(protocol=Protocol.UDP, port=53))),))

    diagnose(ALL, plain.edges())
    diagnose(Plan(wish=Wish(everything=True), http=True, udp_payload=b"hi"), asked.edges())

    assert {(one.protocol, one.payload) for one in plain.knocked} == {(Protocol.TCP, b"")}
    assert {one.payload for one in asked.knocked if one.protocol is Protocol.UDP} == {b"hi"}
    assert any(one.payload.startswith(b"GET / HTTP/1.1\r\n") for one in asked.knocked)


@pytest.mark.parametrize(("services", "most"), [(1, 8), (2000, 4)])
def test_attempts_shrink_where_there_are_many(services: int, most: int) -> None:
    """One Service gets eight connects for each port, thousands get four."""
    many = tuple(replace(API, name=f"api-{n}", vips=(Ip(f"10.1.{n // 250}.{n % 250}"),)) for n in range(services))
    place = Place(vantage=vantage(), near=frozenset(), obstacles={}, unroutable=frozenset())

    found = rounds(ALL, Ground(cluster=cluster(), services=many, place=place))

    assert len(found) == most
    assert sum(map(len, found)) == most * services


def test_denied_leases_are_a_missing_right_and_no_end() -> None:
    """Claims stay unknown (not empty), and the right is named."""
    evidence = diagnose(ALL, World(claims_denied=True).edges())

    assert [t.claims for t in evidence.trials] == [None, None]
    assert Right(verb="list", resource="leases", group="coordination.k8s.io") in evidence.cluster.missing_rights


def test_without_a_raw_socket_the_wire_stays_closed() -> None:
    """Nobody listened: replies are None, and the claimed holder stands for the announcer."""
    world = World(place=replace(vantage(), raw_socket=False))

    evidence = diagnose(ALL, world.edges())

    assert world.opened == []
    assert [t.replies for t in evidence.trials] == [None, None]
    assert [t.announcer for t in evidence.trials] == ["node-1", "node-2"]


def test_on_a_cluster_node_nothing_is_sent() -> None:
    """No frame and no connect from a host whose traffic proves nothing."""
    world = World(place=replace(vantage(), cluster_node=NodeName("node-1")))

    assert "V01" in codes(world)
    assert world.knocked == []
    assert world.opened == []


def test_behind_a_router_traffic_is_tried_and_nobody_asked() -> None:
    """Questions would reach nobody; connects still tell, and their frames by which way answers come."""
    away = replace(vantage(), on_link=False, gateway=Ip("198.51.100.1"))
    world = World(place=away, places=dict.fromkeys((*API.vips, *WEB.vips), away))

    evidence = diagnose(ALL, world.edges())

    assert "V02" in {found.code for found in judge(evidence)}
    assert all(trial.replies is None for trial in evidence.trials)
    assert not {reply.ip for reply in world.frames} & {*API.vips, *WEB.vips}
    assert world.knocked
    assert all(one.sent_mac for trial in evidence.trials for one in trial.exchanges or ())


def test_an_address_without_route_is_an_obstacle_and_not_knocked_at() -> None:
    """No route: said so, and nothing sent."""
    nowhere = Vantage(interface=None, raw_socket=True)
    world = World(services=(API,), places={API.vips[1]: nowhere})

    evidence = diagnose(ALL, world.edges())

    assert "no route leads there" in (evidence.trials[0].obstacle or "")
    assert {one.vip for one in world.knocked} == {API.vips[0]}


def test_an_address_on_another_segment_is_an_obstacle_of_its_own() -> None:
    """One Service here and one elsewhere: the near one is asked for, the far one is not taken for silent."""
    far = replace(vantage(), interface="eth1", on_link=False, gateway=Ip("192.0.2.1"))
    world = World(places=dict.fromkeys(WEB.vips, far))

    evidence = diagnose(ALL, world.edges())

    assert evidence.trials[1].replies is None
    assert "eth1 through 192.0.2.1" in (evidence.trials[1].obstacle or "")
    assert judge(evidence) == ()


def test_a_pending_service_brings_its_warning() -> None:
    """MetalLB sets no condition; its event stands in for one."""
    pending = replace(API, vips=())
    world = World(services=(pending,), warning=Condition(type="Event", status="Warning", reason="AllocationFailed"))

    evidence = diagnose(ALL, world.edges())

    assert evidence.trials[0].service.conditions[-1].reason == "AllocationFailed"
    assert world.opened == []
    assert [found.code for found in judge(evidence)] == ["A01"]


def test_frames_are_saved_on_request(tmp_path: Path) -> None:
    """--pcap names the file."""
    world = World()

    diagnose(Plan(wish=Wish(everything=True), pcap=tmp_path / "x.pcap"), world.edges())

    assert world.saved == [tmp_path / "x.pcap"]


def test_many_addresses_on_one_segment_are_not_looked_at_one_by_one() -> None:
    """Hundreds of Services ask the kernel a few times, and all their addresses are near."""
    many = tuple(Ip(f"198.51.100.{n}") for n in range(1, 101))
    looked: list[int] = []

    def look(vips: Sequence[Ip], nodes: Sequence[Node]) -> Vantage:
        looked.append(len(vips))
        return vantage()

    place = stand(look, (*many, Ip("2001:db8:1::40")), ())

    assert place.near == {*many, Ip("2001:db8:1::40")}
    assert len(looked) <= 4
