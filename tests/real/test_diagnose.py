"""`l2probe diagnose` on real situations, with the printed rights only, held against arping, curl and MetalLB."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.real import cluster, network, witness
from tests.real.cluster import kubectl, until
from tests.real.hosts import CLIENT, FOREIGN, NODES
from tests.real.prober import Prober, Ran, printed
from tests.real.scene import (
    Scene,
    advertised_from,
    foreign_owner,
    given,
    scene,
    unplugged,
    without_advertisement,
    without_pool,
)

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

ELSEWHERE = ("10.1.2.0/24", "2001:db8:beef::/48")


@pytest.fixture
def diagnose(real: None, l2probe: Prober) -> Iterator[Prober]:
    """Return l2probe as a user who may do what `l2probe rbac --for diagnose` prints."""
    with printed("diagnose"):
        yield l2probe


def told(diagnose: Prober, where: Scene) -> Ran:
    """Diagnose the scene's Service from a client that remembers nobody."""
    network.forget()
    return diagnose("diagnose", f"{where.namespace}/web", "-o", "json")


def announced(where: Scene) -> set[str]:
    """Wait until one host alone answers for the scene's address, and return who does, by arping.

    For a moment two may: the Pod's readiness makes MetalLB choose again.
    """
    until(lambda: len(witness.owners(where.addresses[0])) == 1, "one ARP answerer", seconds=20)
    return witness.owners(where.addresses[0])


def text(ran: Ran) -> str:
    """Return the words of the first finding."""
    first = ran.report["findings"][0]
    return " ".join((first["says"], *first["because"]))


@pytest.mark.parametrize("policy", ["Cluster", "Local"])
def test_a_healthy_service_is_called_good(diagnose: Prober, policy: str) -> None:
    """Nothing is found where arping hears one node, MetalLB names the same, and curl gets its page."""
    with scene("healthy", policy=policy, node="rc-n2") as web:
        owners = announced(web)
        until(lambda: {witness.announcer("healthy", "web")} == owners, "ServiceL2Status", seconds=10)
        ran = told(diagnose, web)

        assert all(map(witness.seen, web.addresses))
    assert len(owners) == 1
    assert ran.codes <= {"E01"}
    assert ran.code == 0
    assert owners.pop() in str(ran.report["evidence"])


def test_a_service_that_has_only_just_come_up(diagnose: Prober) -> None:
    """While kube-proxy and MetalLB still set it up nobody is accused: what is refused at first is asked again."""
    for number in range(4):
        with scene(f"fresh-{number}", policy=("Cluster", "Local")[number % 2], node="rc-n2") as web:
            ran = told(diagnose, web)

        assert ran.codes <= {"E01"}, text(ran)


def test_no_advertisement(diagnose: Prober) -> None:
    """Nobody answers, because no L2Advertisement exists: B01."""
    with without_advertisement(), scene("unadvertised") as web:
        ran = told(diagnose, web)

        assert witness.owners(web.addresses[0]) == set()
        assert witness.seen(web.addresses[0]) is None
    assert ran.causes == ["B01"]
    assert ran.code == 1


def test_node_selector_that_excludes_the_backends_node(diagnose: Prober) -> None:
    """With policy Local only the backend's node may announce, and the advertisement excludes it: B02 says so."""
    with advertised_from("rc-n1", "rc-n2"), scene("excluded", policy="Local", node="rc-n3") as web:
        ran = told(diagnose, web)

        assert witness.owners(web.addresses[0]) == set()
    assert ran.causes == ["B02"]
    assert "rc-n3" in text(ran)


def test_node_selector_with_policy_cluster_is_fine(diagnose: Prober) -> None:
    """With policy Cluster any advertised node forwards to it."""
    with advertised_from("rc-n1"), scene("selected", node="rc-n3") as web:
        until(lambda: witness.owners(web.addresses[0]) == {"rc-n1"}, "the announcer", seconds=15)
        ran = told(diagnose, web)

        assert all(map(witness.seen, web.addresses))
    assert ran.codes <= {"E01"}


def test_zero_endpoints(diagnose: Prober) -> None:
    """A selector that matches no Pod: MetalLB announces nothing, and the cause is the missing backend."""
    with scene("empty", selector={"app": "nobody"}) as web:
        ran = told(diagnose, web)

        assert witness.owners(web.addresses[0]) == set()
    assert ran.causes == ["B13"]
    assert "0 backends, 0 ready" in text(ran)
    assert ran.code == 1


def test_unready_endpoints(diagnose: Prober) -> None:
    """The only Pod runs and is not ready: the same cause, in words that tell it from no Pod at all."""
    with scene("unready", ready=False) as web:
        ran = told(diagnose, web)

        assert witness.owners(web.addresses[0]) == set()
    assert ran.causes == ["B13"]
    assert "2 backends, 0 ready" in text(ran)


def test_wrong_target_port(diagnose: Prober) -> None:
    """The Pod refuses what arrives: nothing listens on the target port, and the network is not accused."""
    with scene("mistyped", ports=[{"port": 80, "targetPort": 8088}]) as web:
        announced(web)
        ran = told(diagnose, web)

        assert witness.seen(web.addresses[0]) is None
    assert ran.causes == ["D11"]
    assert ran.code == 1


def test_source_ranges_without_this_client(diagnose: Prober) -> None:
    """kube-proxy drops who is not in loadBalancerSourceRanges: that is named, not a broken announcer."""
    with scene("fenced", loadBalancerSourceRanges=ELSEWHERE) as web:
        announced(web)
        ran = told(diagnose, web)

        assert witness.seen(web.addresses[0]) is None
    assert ran.causes == ["D13"]
    assert "loadBalancerSourceRanges" in text(ran)
    assert ran.code == 2


def test_source_ranges_with_this_client(diagnose: Prober) -> None:
    """Who is let in is served, and nothing is found."""
    with scene(
        "open",
        loadBalancerSourceRanges=[
            f"{address}/{length}" for address, length in zip(CLIENT.addresses, (32, 128), strict=True)
        ],
    ) as web:
        announced(web)
        ran = told(diagnose, web)

        assert witness.seen(web.addresses[0]) is not None
    assert ran.codes <= {"E01"}


def test_a_machine_outside_the_cluster_owns_the_address_too(diagnose: Prober) -> None:
    """The stranger's MAC is named, which arping hears beside the node's; C03 where it is excluded as a second NIC."""
    with scene("shared") as web:
        announced(web)
        with foreign_owner(*web.addresses):
            ran = told(diagnose, web)
            heard = witness.owners(web.addresses[0])

    assert FOREIGN.name in heard
    assert len(heard) == 2
    assert {"C03", "V06"} & set(ran.causes)
    assert FOREIGN.mac in text(ran)


def test_a_node_owns_the_address_by_accident(diagnose: Prober) -> None:
    """Somebody typed the address into a second node: two nodes answer, C01."""
    with scene("doubled") as web:
        (owner,) = announced(web)
        other = next(node.name for node in NODES if node.name != owner)
        network.own(web.addresses[0], other)
        try:
            ran = told(diagnose, web)
            heard = witness.owners(web.addresses[0])
        finally:
            network.disown(web.addresses[0], other)

    assert heard == {owner, other}
    assert ran.causes[0] == "C01"


def test_the_announcers_cable_is_out(diagnose: Prober) -> None:
    """While the speakers have not missed it nobody answers; once they have, another node serves and all is well."""
    with advertised_from("rc-n1", "rc-n2"), scene("cut", node="rc-n3") as web:
        (owner,) = announced(web)
        other = ({"rc-n1", "rc-n2"} - {owner}).pop()
        with unplugged(owner):
            at_once = told(diagnose, web)
            until(lambda: witness.owners(web.addresses[0]) == {other}, "the other announcer", seconds=40)
            later = told(diagnose, web)

            assert all(map(witness.seen, web.addresses))
    assert at_once.codes or {trial["announcer"] for trial in at_once.trials} == {other}
    assert not [code for code in at_once.codes if code.startswith(("A", "C", "D"))]
    assert not [code for code in later.codes if code.startswith(("A", "B", "D"))]


def test_the_backends_node_is_down(diagnose: Prober) -> None:
    """The address is announced and the only backend cannot be reached: traffic fails, and the announcer is known."""
    with advertised_from("rc-n1"), scene("dead", node="rc-n2") as web:
        until(lambda: witness.owners(web.addresses[0]) == {"rc-n1"}, "the announcer", seconds=15)
        with unplugged("rc-n2"):
            ran = told(diagnose, web)

            assert witness.owners(web.addresses[0]) == {"rc-n1"}
            assert witness.seen(web.addresses[0]) is None
    assert ran.code == 1
    assert ran.causes == ["D04"]
    assert "rc-n2" in text(ran)


def test_an_old_neighbour_entry_misleads_nobody(diagnose: Prober) -> None:
    """This host remembers a machine that does not have the address; the wire says who does, and that counts."""
    with scene("remembered") as web:
        (owner,) = announced(web)
        for address in web.addresses:
            network.remember(address, FOREIGN)
        ran = diagnose("diagnose", "remembered/web", "-o", "json")
        network.forget()

        assert all(map(witness.seen, web.addresses))
    assert not [code for code in ran.codes if code.startswith(("A", "B", "C"))]
    assert {trial["announcer"] for trial in ran.trials} == {owner}


def test_an_old_neighbour_entry_does_not_hide_silence(diagnose: Prober) -> None:
    """Nobody announces, and traffic still arrives by what this host remembers: that is B01, not good."""
    with scene("forgotten") as web, without_advertisement():
        until(lambda: not witness.owners(web.addresses[0]), "silence", seconds=15)
        for address in web.addresses:
            network.remember(address, NODES[0])
        by_memory = witness.seen(web.addresses[0])
        ran = diagnose("diagnose", "forgotten/web", "-o", "json")
        network.forget()

    assert by_memory is not None
    assert ran.causes == ["B01"]
    assert ran.code == 1


def test_no_pool(diagnose: Prober) -> None:
    """Without a pool the Service is pending: A01, and nothing is said of the wire."""
    with scene("pending") as web, without_pool():
        until(lambda: not given("pending"), "the loss of the addresses", seconds=15)
        ran = told(diagnose, web)

    assert ran.causes == ["A01"]
    assert ran.code == 1


def test_a_class_that_nobody_serves(diagnose: Prober) -> None:
    """A foreign loadBalancerClass is named: MetalLB could have been told to serve it, so nobody is accused."""
    with scene("classy", loadBalancerClass="example.test/other") as web:
        ran = told(diagnose, web)

        assert web.addresses == ()
    assert ran.causes == ["A01"]
    assert "example.test/other" in text(ran)


def test_excluded_nodes(diagnose: Prober) -> None:
    """With every node excluded from external load balancers MetalLB announces nothing: B09 names the label."""
    label = "node.kubernetes.io/exclude-from-external-load-balancers"
    with scene("shunned") as web:
        kubectl("label", "node", "--all", f"{label}=")
        try:
            until(lambda: not witness.owners(web.addresses[0]), "silence", seconds=15)
            ran = told(diagnose, web)
        finally:
            kubectl("label", "node", "--all", f"{label}-")

    assert ran.causes == ["B09"]
    assert label in text(ran)


def test_a_dead_speaker(diagnose: Prober) -> None:
    """No speaker runs: the addresses stay in status, and nobody answers for them."""
    with scene("speechless") as web:
        announced(web)
        nowhere = '{"spec":{"template":{"spec":{"nodeSelector":{"nowhere":"yes"}}}}}'
        kubectl("-n", "metallb-system", "patch", "daemonset", "speaker", "-p", nowhere)
        try:
            until(lambda: not witness.owners(web.addresses[0]), "silence", seconds=30)
            ran = told(diagnose, web)
        finally:
            back = '[{"op":"remove","path":"/spec/template/spec/nodeSelector/nowhere"}]'
            kubectl("-n", "metallb-system", "patch", "daemonset", "speaker", "--type=json", "-p", back)
            kubectl("-n", "metallb-system", "rollout", "status", "daemonset/speaker", "--timeout=90s", timeout=100)

    assert ran.code == 1
    assert all(code.startswith("B") for code in ran.causes)
    assert cluster.status().up
