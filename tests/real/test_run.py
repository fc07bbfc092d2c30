"""`l2probe run` against a real cluster, held against what tcpdump and arping saw on the same LAN."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from l2probe.run.preflight import NEEDED
from l2probe.workload.manifests import SERVICE_PORT
from tests.real import announcer, cluster, network, witness
from tests.real.command import RealError
from tests.real.hosts import CLIENT, FOREIGN, NODES, POOL
from tests.real.prober import Prober, Ran, grant, printed
from tests.real.scene import foreign_owner, namespaces, scene, without_advertisement, without_pool

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

NAMES = {node.name for node in NODES}
FLOWS = ("tcp4", "udp4", "tcp6", "udp6")
FIRST = POOL[0].partition("-")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One run on the healthy cluster, and the capture that tcpdump made of the client's interface meanwhile."""

    ran: Ran
    frames: Path


@pytest.fixture(scope="module")
def seen(possible: None, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Run the default suite once for all tests that read what came of it."""
    cluster.up()
    grant()
    directory = tmp_path_factory.mktemp("run")
    frames = directory / "frames.pcap"
    with witness.capture(frames):
        ran = Prober(directory=directory)("run", "-o", "json")
    return Seen(ran=ran, frames=frames)


def test_run_learns_what_a_metallb_cluster_does(seen: Seen) -> None:
    """Announced by one node, reachable in every flow, the source never kept; with policy Local the announcer moves."""
    capabilities = seen.ran.report["capabilities"]

    assert capabilities["announced_by"] in NAMES
    assert capabilities["exclusive"] is True
    assert capabilities["reachable"] == dict.fromkeys(FLOWS, True)
    assert capabilities["source"] == dict.fromkeys(FLOWS, "never")
    assert capabilities["local_policy"] == dict.fromkeys(FLOWS, "moved")
    assert capabilities["largest_payload_bytes"] >= 1400


def test_a_lost_source_is_a_warning_and_nothing_is_called_broken(seen: Seen) -> None:
    """SNAT is what kube-proxy is made to do: a WARN that names it, exit code 0."""
    assert "E01" in seen.ran.codes
    assert {finding["verdict"] for finding in seen.ran.report["findings"]} == {"warn"}
    assert seen.ran.report["verdict"] == "warn"
    assert seen.ran.code == 0


def test_required_source_makes_it_a_failure(l2probe: Prober) -> None:
    """`--require source` turns the same observation into FAIL and exit code 1."""
    ran = l2probe("run", "--require", "source", "-o", "json")

    assert (ran.code, ran.report["verdict"]) == (1, "fail")


def test_every_announcer_in_the_report_is_one_that_tcpdump_saw(seen: Seen) -> None:
    """For each IPv4 address, tcpdump recorded ARP answers of each node in the evidence.

    It may see more: policy Local moves the address once more while the run's Pods are removed.
    """
    reported: dict[str, set[str]] = {}
    for trial in seen.ran.trials:
        for reply in trial["replies"]:
            if ":" not in reply["ip"] and reply["op"] == "reply":
                reported.setdefault(reply["ip"], set()).add(reply["node"])

    assert reported
    for address, nodes in reported.items():
        assert nodes <= witness.answers(seen.frames, address)


@pytest.mark.parametrize(("policy", "kept"), [("Cluster", False), ("Local", True)])
def test_the_pods_saw_the_client_only_with_policy_local(seen: Seen, policy: str, *, kept: bool) -> None:
    """Every answered exchange agrees with what curl shows on the same cluster."""
    saw = list(_seen_by_pods(seen.ran.trials, policy))
    with scene("beside", policy=policy) as web:
        by_curl = [witness.seen(address) in CLIENT.addresses for address in web.addresses]

    assert saw
    assert {address in CLIENT.addresses for address in saw} == {kept}
    assert by_curl == [kept, kept]


def _seen_by_pods(trials: list[dict[str, Any]], policy: str) -> Iterator[str]:
    for trial in trials:
        if trial["service"]["policy"] == policy:
            yield from (each["seen"] for each in trial["exchanges"] or () if each["outcome"] == "answered")


def test_a_run_leaves_nothing_in_the_cluster(seen: Seen) -> None:
    """When the command has ended, the namespace controller has removed all that it made."""
    assert namespaces() == ()


def test_a_service_that_gets_no_address_is_pending_and_nothing_else(l2probe: Prober) -> None:
    """Without a pool MetalLB gives no address: A01 says so, and no finding accuses the wire."""
    with without_pool():
        ran = l2probe("run", "--timeout", "8", "-o", "json")

    assert ran.codes == {"A01"}
    assert ran.code == 1
    assert namespaces() == ()


def test_addresses_without_an_advertisement_are_announced_by_nobody(l2probe: Prober) -> None:
    """Without an L2Advertisement addresses are given and arping hears nobody: B01 is the cause."""
    with without_advertisement(), scene("unadvertised") as web:
        network.forget()
        ran = l2probe("run", "-o", "json")
        heard = witness.owners(web.addresses[0])

    causes = [finding["code"] for finding in ran.report["findings"] if not finding["consequence_of"]]
    assert heard == set()
    assert causes == ["B01"]
    assert ran.code == 1


def test_an_old_neighbour_entry_does_not_hide_that_nobody_announces(l2probe: Prober) -> None:
    """Traffic still arrives by what this host remembers, and nobody answers for the address: that is not good."""
    for address in (f"{pool.partition('-')[0][:-1]}{last}" for pool in POOL for last in range(4)):
        network.remember(address, NODES[0])
    with without_advertisement():
        ran = l2probe("run", "-o", "json")
    network.forget()

    assert [code for code in ran.codes if code.startswith("B")]
    assert ran.code == 1


def test_a_machine_outside_the_cluster_that_owns_the_address_is_named(l2probe: Prober) -> None:
    """Somebody else has the address and serves there: C03 with that machine's MAC, as arping hears it."""
    taken = [f"{FIRST.rpartition('.')[0]}.{last}" for last in range(200, 204)]
    with foreign_owner(*taken, port=SERVICE_PORT):
        ran = l2probe("run", "-o", "json")
        heard = witness.owners(taken[0])

    foreign = [finding for finding in ran.report["findings"] if finding["code"] == "C03"]
    assert FOREIGN.name in heard
    assert foreign
    assert FOREIGN.mac in str(foreign[0])
    assert ran.code == 1


def test_the_rights_that_preflight_names_are_enough(l2probe: Prober) -> None:
    """With NEEDED and no other right a run comes to a verdict; what it could not read costs it V05 at most."""
    grant(NEEDED)

    ran = l2probe("run", "-o", "json")

    assert ran.code == 0
    assert "V05" in ran.codes


@pytest.mark.parametrize("command", [("run",), ("diagnose", "--all")], ids=lambda command: command[0])
def test_the_printed_rights_are_enough(l2probe: Prober, command: tuple[str, ...]) -> None:
    """With what `l2probe rbac` prints and no other right, nothing stays unread."""
    with printed(command[0]), scene("printed-rights"):
        ran = l2probe(*command, "-o", "json")

    assert ran.code in {0, 1}, ran.stderr
    assert "V05" not in ran.codes


@pytest.mark.parametrize("denied", [("patch", "services", ""), ("create", "pods", ""), ("list", "nodes", "")])
def test_one_right_less_is_an_answer_and_not_a_crash(l2probe: Prober, denied: tuple[str, str, str]) -> None:
    """With one right missing the run ends with code 2 before it made anything, and names the right."""
    grant(without=denied)

    ran = l2probe("run")

    assert ran.code == 2
    assert f"{denied[0]} {denied[1]}" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert namespaces() == ()


def test_an_image_that_no_node_has_is_named(l2probe: Prober) -> None:
    """Nothing can be pulled here: the error names the image's trouble, and nothing is left."""
    ran = l2probe("run", "--image", "absent:1", "--timeout", "8")

    assert ran.code == 2
    assert "--image" in ran.stderr
    assert namespaces() == ()


def test_metallbs_own_admission_is_on(real: None) -> None:
    """The webhook of the released manifest answers: an overlapping pool is refused by MetalLB itself."""
    with pytest.raises(RealError, match="overlaps"):
        cluster.apply(announcer.pool("second", POOL[0]))
