"""What API objects prove or predict: each code where it fits, silence where it does not, both causes where two fit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from l2probe.judge import judge
from l2probe.judge.ranges import widened
from l2probe.judge.takeover import parsed
from l2probe.model import Admission, Condition, Datapath, Evidence, Finding, Ip, Outcome, Pool, Requirement, Verdict
from tests.judge import objects
from tests.judge.diagnosed import API, ONE, THREE, TWO, WEB, diagnosed, unheard, with_trial
from tests.judge.evidence import CLIENT, NODES, node_address
from tests.judge.test_existing import causes, only

NEW = {"A05", "A06", "A07", "A08", "B03", "B05", "B08", "B09", "B10", "C07", "D13", "V07"}


def codes(evidence: Evidence) -> set[str]:
    """Return every code that is raised."""
    return {found.code for found in judge(evidence)}


def of(evidence: Evidence, code: str) -> tuple[Verdict, str] | None:
    """Return verdict and words of a code; None when it is not raised."""
    found: list[Finding] = [one for one in judge(evidence) if one.code == code]
    return (found[0].verdict, " ".join((found[0].says, *found[0].because, found[0].remedy))) if found else None


def test_nothing_is_said_of_a_shop_that_works() -> None:
    """On healthy evidence none of the codes that read objects is raised, with the wire and without."""
    for evidence in (diagnosed(), objects.blind(diagnosed()), diagnosed("v1.19.4", Datapath.SNAT)):
        assert not codes(evidence) & NEW


# A05


@pytest.mark.parametrize(
    ("block", "wide"),
    [
        ("192.0.2.200/28", "192.0.2.192 to 192.0.2.207"),
        ("192.0.2.192/28", ""),
        ("192.0.2.10-192.0.2.20", ""),
        ("2001:db8::1/64", "2001:db8:: to 2001:db8::ffff:ffff:ffff:ffff"),
        ("192.0.2.7/32", ""),
        ("rubbish/28", ""),
    ],
)
def test_host_bits_widen_a_block(block: str, wide: str) -> None:
    """Only a CIDR whose address is not its network's first one is more than it seems."""
    assert widened(block) == wide


@pytest.mark.parametrize(
    ("block", "says"),
    [
        ("198.51.100.200/28", "198.51.100.192 to 198.51.100.207"),
        ("198.51.100.8/29", "198.51.100.11 (node-1's own address)"),
        ("198.51.100.90-198.51.100.110", "198.51.100.100 (this host's own address)"),
        ("198.51.100.1-198.51.100.5", "198.51.100.1 (this segment's gateway)"),
    ],
)
def test_a_pool_with_what_is_not_free_is_a_warning(block: str, says: str) -> None:
    """A05 names the block and whose address it holds, and says that it predicts."""
    evidence = objects.pooled(block)
    evidence = replace(evidence, vantage=replace(evidence.vantage, routers=(Ip("198.51.100.1"),)))

    verdict, words = of(evidence, "A05") or (None, "")

    assert verdict is Verdict.WARN
    assert says in words
    assert "prediction" in words


def test_a_disabled_pool_surprises_nobody() -> None:
    """What hands out nothing cannot hand out a node's address."""
    pool = Pool(name="old", blocks=("198.51.100.8/29",), disabled=True)

    assert "A05" not in codes(objects.in_cluster(diagnosed(), pools=(pool,)))


def test_a_service_with_a_nodes_address_is_broken() -> None:
    """A05 fails when the pool did give a node's address away, and explains what follows from it."""
    evidence = objects.given_a_nodes_address()

    assert causes(evidence)[0] == ("A05", Verdict.FAIL)
    assert "node-2's own address" in only(evidence, "A05").says
    assert of(objects.blind(evidence), "A05") is not None


def test_what_answers_before_it_is_given_is_named() -> None:
    """A free pool address that a machine has already is a warning with its MAC; a node's own is not counted twice."""
    verdict, words = of(objects.answering_already(), "A05") or (None, "")

    assert verdict is Verdict.WARN
    assert "198.51.100.77 (02:00:00:00:00:c8)" in words
    assert "A05" not in codes(objects.answering_already("192.0.2.1"))


# A06


def test_two_controllers_that_fight_are_named() -> None:
    """A06 fails when addresses come and go, names both writers, and explains all else."""
    evidence = objects.fought_over()

    assert causes(evidence) == [("A06", Verdict.FAIL)]
    assert "k3s ServiceLB" in only(evidence, "A06").says


def test_a_nodes_own_address_that_no_pool_holds_is_foreign() -> None:
    """Somebody beside the address management wrote it, once or for ever; with Node IPAM it is meant so."""
    evidence = objects.of_api(diagnosed(), vips=(node_address(THREE, 4),))
    meant = objects.of_api(diagnosed(), vips=(node_address(THREE, 4),), load_balancer_class="io.cilium/node")
    default = objects.in_cluster(evidence, settings=(("default-lb-service-ipam", "nodeipam"),))
    unread = objects.in_cluster(evidence, pools=None)

    assert (of(evidence, "A06") or (None,))[0] is Verdict.WARN
    assert "A06" not in codes(meant) | codes(default) | codes(unread)


def test_a_second_controller_without_effect_is_a_warning() -> None:
    """DaemonSets of ServiceLB for this Service alone prove no damage; those of another Service say nothing of it."""
    evidence = objects.in_cluster(diagnosed(), controllers=objects.SERVICE_LB)
    other = objects.in_cluster(
        diagnosed(), controllers=tuple(replace(c, service=c.service and "shop/other") for c in objects.SERVICE_LB)
    )
    two = objects.in_cluster(diagnosed(), controllers=tuple(replace(c, service="") for c in objects.SERVICE_LB))

    assert (of(evidence, "A06") or (None,))[0] is Verdict.WARN
    assert "A06" not in codes(other) | codes(two)


# A07


def test_an_address_that_nobody_asks_for_is_named() -> None:
    """A07: announced, in no subnet of the segment, and traffic did not arrive."""
    evidence = objects.astray()

    assert causes(evidence) == [("A07", Verdict.FAIL)]
    assert "198.51.100.0/24" in only(evidence, "A07").says
    assert "node-1" in only(evidence, "A07").says


def test_an_address_that_a_router_knows_is_fine() -> None:
    """Traffic that arrives the ordinary way ends the suspicion; so does a subnet that holds it, or no answer."""
    mute = objects.astray()
    assert mute.off_link is not None
    silent = replace(mute, off_link=replace(mute.off_link, replies=()))
    wide = replace(mute, off_link=replace(mute.off_link, subnets=("0.0.0.0/0",)))
    elsewhere = replace(mute, off_link=replace(mute.off_link, subnets=("192.0.2.0/24",)))

    for evidence in (objects.astray(Outcome.ANSWERED), silent, wide, elsewhere):
        assert "A07" not in codes(evidence)


def test_without_a_route_nothing_could_be_sent() -> None:
    """A host of the segment that has no route to the address proves it; one that only lacks a TCP port does not."""
    unsent = with_trial(objects.astray(), "api", lambda one: replace(one, exchanges=()))
    dns = replace(API, vips=(objects.OFF,), ports=())
    unasked = with_trial(unsent, "api", lambda one: replace(one, service=dns))

    assert (of(unsent, "A07") or (None,))[0] is Verdict.FAIL
    assert (of(unasked, "A07") or (None,))[0] is Verdict.WARN


def test_another_segment_is_not_silence() -> None:
    """An address that lies elsewhere may be announced there: nobody is called a silent leader here."""
    evidence = objects.astray()
    assert evidence.off_link is not None
    mute = replace(evidence, off_link=replace(evidence.off_link, replies=()))
    mixed = with_trial(mute, "api", lambda one: replace(one, replies=()))

    assert not {"B06", "B07", "B14", "C05"} & codes(mixed)


def test_a_host_without_an_ipv6_address_accuses_no_pool() -> None:
    """Where no node's address of the family lies in the subnets, they say nothing of the segment."""
    evidence = diagnosed()

    assert "A07" not in codes(replace(evidence, vantage=replace(evidence.vantage, subnets=("198.51.100.0/24",))))


# A08


def test_two_owners_of_one_port_are_both_named() -> None:
    """One address and one port of two Services are a failure from the API alone."""
    evidence = objects.owned_twice()

    for seen in (evidence, objects.blind(evidence)):
        assert (of(seen, "A08") or (None,))[0] is Verdict.FAIL
    assert "shop/api" in only(evidence, "A08").says
    assert "shop/web" in only(evidence, "A08").says


@pytest.mark.parametrize(
    ("mine", "theirs", "implementation", "raised"),
    [
        ("shop", "shop", "cilium", False),
        ("", "", "cilium", True),
        ("shop", "other", "metallb", True),
        ("", "", "kube-vip", False),
        (None, None, "cilium", False),
    ],
)
def test_sharing_on_purpose_is_no_accident(
    mine: str | None, theirs: str | None, implementation: str, *, raised: bool
) -> None:
    """One key for both is meant; no key is not; keys that nobody read accuse nobody."""
    api, dns = objects.shop_at("api", 80, key=mine), objects.shop_at("dns", 53, key=theirs)
    evidence = objects.of_api(diagnosed(), vips=api.vips, ports=api.ports, sharing_key=mine)
    evidence = objects.in_cluster(evidence, services=(api, dns, WEB), implementation=implementation)

    assert ("A08" in codes(evidence)) is raised


def test_an_address_that_was_replaced_is_a_failure() -> None:
    """Another address of the same family than the one read first; one that is merely added is none."""
    old = Ip("198.51.100.60")
    moved = with_trial(diagnosed(), "api", objects.ingress((old,), API.vips))
    grown = with_trial(diagnosed(), "api", objects.ingress(API.vips[:1], API.vips))

    assert (of(moved, "A08") or (None,))[0] is Verdict.FAIL
    assert f"{old} became {API.vips[0]}" in only(moved, "A08").says
    assert "A08" not in codes(grown)


def test_an_address_changed_from_what_was_read_first_to_what_was_read_last() -> None:
    """A diagnosis keeps the Service as it was first; what the server told stands, though it told no more after it."""
    new = Ip("198.51.100.60")
    for later in ((new,),), ((new,), ()):
        moved = with_trial(diagnosed(), "api", objects.ingress(API.vips, *later))

        assert f"{API.vips[0]} became {new}" in only(moved, "A08").says
        assert only(moved, "A08").verdict is Verdict.FAIL


def test_an_address_that_was_taken_away_is_a_failure() -> None:
    """The Service had one and has none at the end: nobody is accused of the silence. One that came again is none."""
    lost = with_trial(unheard(diagnosed()), "api", objects.ingress(API.vips, ()))
    found = [one for one in judge(lost) if one.subject.name == "api"]

    assert [(one.code, one.consequence_of) for one in found] == [("A08", None), ("B07", "A08")]
    assert "lost it while it was looked at" in found[0].says
    assert "A08" not in codes(with_trial(diagnosed(), "api", objects.ingress(API.vips, (), API.vips)))


def test_another_address_than_was_asked_for_is_a_warning() -> None:
    """The condition's own words stand beside it; a family that has no address at all is another matter."""
    said = Condition(type="cilium.io/IPAMRequestSatisfied", status="False", reason="already_allocated", message="taken")
    evidence = objects.of_api(diagnosed(), wanted=(Ip("198.51.100.44"),), conditions=(said,))

    verdict, words = of(evidence, "A08") or (None, "")

    assert verdict is Verdict.WARN
    assert "already_allocated" in words
    assert "A08" not in codes(objects.of_api(diagnosed(), wanted=API.vips))


# B03


def test_a_pattern_that_misses_the_agents_devices_is_named() -> None:
    """B03 where the agents are told their devices; it explains the silence and nothing is called a silent leader."""
    evidence = objects.wrong_interface()

    assert causes(evidence) == [("B03", Verdict.FAIL)]
    assert "B07" not in {code for code, _ in causes(evidence)}
    assert "^enp.*" in only(evidence, "B03").says


@pytest.mark.parametrize("devices", [None, "eth+", "enp3s0 eth0"])
def test_where_devices_are_not_known_both_causes_are_named(devices: str | None) -> None:
    """B07 stands, and names the pattern as what would look the same, unless a device matches."""
    evidence = objects.wrong_interface(devices)

    assert causes(evidence) == [("B07", Verdict.FAIL)]
    assert ("(B03)" in only(evidence, "B07").remedy) is (devices != "enp3s0 eth0")


def test_a_pattern_of_gos_engine_accuses_nobody() -> None:
    """What Python cannot read is not called wrong."""
    assert "B03" not in codes(objects.wrong_interface(pattern=r"^\pL+$"))
    assert "B03" not in codes(objects.wrong_interface(pattern="x" * 500))


def test_a_pattern_matters_only_in_silence() -> None:
    """An address that is answered for proves that a device matched."""
    heard = objects.in_cluster(diagnosed(), policies=objects.wrong_interface().cluster.policies)

    assert "B03" not in codes(objects.in_cluster(heard, settings=(("devices", "eth0"),)))


# B05


def test_a_gateway_with_policy_local_is_named() -> None:
    """B05: nobody may hold the lease; without the wire it is a prediction where the version is known."""
    evidence = objects.homeless()

    assert causes(evidence) == [("B05", Verdict.FAIL)]
    assert "synthetic endpoint" in " ".join(only(evidence, "B05").because)
    assert (of(objects.blind(evidence), "B05") or (None,))[0] is Verdict.WARN


def test_before_the_lease_followed_backends_another_cause_is_named() -> None:
    """Cilium 1.19 announces without looking at backends: the missing lease is B06."""
    assert causes(objects.homeless("v1.19.4")) == [("B06", Verdict.FAIL)]
    assert "B05" not in codes(objects.blind(objects.homeless("v1.19.4")))


def test_one_backend_with_a_node_is_enough() -> None:
    """A single eligible node ends B05."""
    one = replace(WEB, backends=(objects.GATEWAY, *(WEB.backends or ())))

    assert "B05" not in codes(with_trial(objects.homeless(), "web", lambda t: replace(t, service=one)))


# B08


@pytest.mark.parametrize(
    ("number", "settings", "raised"),
    [
        (50, {}, False),
        (51, {}, True),
        (51, {"k8s_client_qps": "20"}, False),
        (120, {"k8s_client_qps": "20"}, True),
        (120, {"l2_announcements_renew_deadline": "15s"}, False),
        (120, {"k8s_client_qps": "much"}, False),
    ],
)
def test_the_sizing_rule_decides(number: int, settings: dict[str, str], *, raised: bool) -> None:
    """Services / renew deadline against k8s-client-qps, or its default."""
    assert ("B08" in codes(objects.crowded(number, **settings))) is raised


def test_climbing_transitions_make_it_a_failure() -> None:
    """A lease that changed hands while it was watched is no prediction any more."""
    evidence = with_trial(
        objects.crowded(200),
        "api",
        lambda one: replace(one, claims=tuple(replace(c, transitions=n) for n, c in enumerate(one.claims or ()))),
    )

    assert (of(evidence, "B08") or (None,))[0] is Verdict.FAIL
    assert "went from 0 to 1" in (of(evidence, "B08") or (None, ""))[1]


@pytest.mark.parametrize(("text", "value"), [("5s", 5.0), ("1m30s", 90.0), ("500ms", 0.5), ("", None), ("5", None)])
def test_go_durations_are_read(text: str, value: float | None) -> None:
    """What is no duration is not guessed."""
    assert parsed(text) == value


# B09


def test_all_nodes_excluded_is_named() -> None:
    """B09 fails with silence, and predicts from the labels alone."""
    evidence = objects.labelled(*NODES)

    assert causes(evidence) == [("B09", Verdict.FAIL)]
    assert (of(objects.blind(evidence), "B09") or (None,))[0] is Verdict.WARN


def test_one_free_node_ends_it() -> None:
    """A node without the label may announce; Cilium does not look at labels at all."""
    cilium = objects.in_cluster(objects.labelled(*NODES), implementation="cilium", implementation_version="1.20.2")

    assert "B09" not in codes(objects.labelled(ONE, TWO)) | codes(cilium)


def test_a_speaker_that_ignores_the_label_is_believed() -> None:
    """A holder is named: then somebody announces in spite of the label."""
    held = objects.labelled(*NODES)
    named = replace(held, trials=tuple(replace(t, claims=diagnosed().trials[0].claims) for t in held.trials))

    assert "B09" not in codes(named)


# B10


def test_acceleration_is_a_suspicion() -> None:
    """B10 warns beside the silent leader, and says that it proves nothing."""
    evidence = objects.accelerated()

    assert causes(evidence) == [("B07", Verdict.FAIL), ("B10", Verdict.WARN)]
    assert "suspicion" in only(evidence, "B10").says
    assert "B10" not in codes(objects.accelerated("disabled"))
    assert "B10" not in codes(objects.in_cluster(diagnosed(), settings=(("bpf-lb-acceleration", "native"),)))


# C07


def test_a_split_that_both_answer_is_one_cause() -> None:
    """C07 fails when both were heard, and C01 is its consequence."""
    evidence = objects.split()

    assert causes(evidence) == [("C07", Verdict.FAIL)]
    assert "C01" in codes(evidence)
    assert "shop/dns" in only(evidence, "C07").says


def test_a_split_in_the_api_alone_is_a_prediction() -> None:
    """Without the wire, or where one alone was heard, it is a warning."""
    for evidence in (objects.split(both_answer=False), objects.blind(objects.split())):
        assert (of(evidence, "C07") or (None,))[0] is Verdict.WARN


def test_one_holder_for_all_sharers_is_fine() -> None:
    """Sharing itself is no finding, nor is a holder that nobody read."""
    evidence = objects.split(both_answer=False)
    together = replace(
        evidence, sharers=tuple(replace(s, claims=diagnosed().trials[0].claims) for s in evidence.sharers)
    )
    unread = replace(evidence, sharers=tuple(replace(s, claims=None) for s in evidence.sharers))

    assert not codes(together) & NEW
    assert not codes(unread) & NEW


# D13


def test_a_policy_without_world_is_named() -> None:
    """D13 instead of D03: the policies refuse what came, and the Pods see the client itself."""
    evidence = objects.guarded(objects.policy())

    assert causes(evidence) == [("D13", Verdict.FAIL)]
    assert "D03" not in codes(evidence)
    assert "CiliumNetworkPolicy shop/api" in only(evidence, "D13").says


@pytest.mark.parametrize(
    "policies",
    [
        (objects.policy("0.0.0.0/0", "::/0"),),
        (objects.policy(), objects.policy("198.51.100.0/24", "2001:db8:1::/64", name="clients")),
        (objects.policy(selector=(Requirement(key="tier", operator="In", values=("front",)),)),),
        (objects.policy(selector=(Requirement(key="tier", operator="DoesNotExist"),)),),
        (objects.policy(namespace="other"),),
        (),
    ],
)
def test_a_policy_that_admits_or_may_not_select_accuses_nobody(policies: tuple[object, ...]) -> None:
    """Policies add up; one that is not known to select the Pods decides nothing: D03 stands."""
    evidence = objects.guarded(*policies)  # type: ignore[arg-type]

    assert causes(evidence) == [("D03", Verdict.FAIL)]


def test_a_denial_beats_an_admission() -> None:
    """What a policy denies is refused whatever else admits it."""
    deny = objects.policy("0.0.0.0/0", "::/0", denies=(Admission(network="0.0.0.0/0"), Admission(network="::/0")))

    assert causes(objects.guarded(deny)) == [("D13", Verdict.FAIL)]


def test_an_exception_is_no_admission() -> None:
    """ipBlock.except leaves this host out."""
    holed = objects.policy(
        admits=(
            Admission(network="0.0.0.0/0", without=("198.51.100.0/24",)),
            Admission(network="::/0", without=("2001:db8::/32",)),
        )
    )

    assert causes(objects.guarded(holed)) == [("D13", Verdict.FAIL)]


def test_translated_traffic_is_judged_as_before() -> None:
    """With SNAT across nodes the Pods see a node: the policy is not what refuses the client."""
    snat = objects.in_cluster(objects.guarded(objects.policy()), datapath=Datapath.SNAT)

    assert "D13" not in codes(snat)


def test_traffic_that_passes_is_not_refused() -> None:
    """Whatever the rules say, an answer was an answer."""
    assert not codes(objects.guarded(objects.policy(), outcome=Outcome.ANSWERED)) & NEW


def test_source_ranges_leave_it_open() -> None:
    """A Service that is not meant for this host is not called broken, nor proven."""
    barred = objects.guarded(source_ranges=("192.0.2.0/24",))
    inside = objects.guarded(source_ranges=("198.51.100.0/24", "2001:db8:1::/64"))

    assert causes(barred) == [("D13", Verdict.UNKNOWN)]
    assert CLIENT[0] in only(barred, "D13").says
    assert causes(inside) == [("D03", Verdict.FAIL)]


# V07


def test_ping_is_no_test_and_no_blemish() -> None:
    """V07 is a pass, only for who asked, only where ping failed and connections did not."""
    evidence = objects.pinged()

    assert causes(evidence) == [("V07", Verdict.PASS)]
    assert "V07" not in codes(objects.pinged(answered=True)) | codes(diagnosed())
