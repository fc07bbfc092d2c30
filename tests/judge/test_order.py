"""Cause before consequence, the same found once, and an order that never depends on the order of the evidence."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from l2probe.judge import judge
from l2probe.judge.finding import whom
from l2probe.judge.order import EXPLAINS, arrange
from l2probe.judge.table import RANK
from l2probe.model import Finding, Subject, Verdict
from tests.judge import test_faults as faults
from tests.judge.evidence import healthy


def found(
    code: str, verdict: Verdict = Verdict.FAIL, name: str = "web", because: tuple[str, ...] = ("seen",)
) -> Finding:
    """Return a finding about shop/name."""
    return Finding(
        code=code,
        slug="",
        verdict=verdict,
        says=f"{code} of {name}.",
        because=because,
        remedy="",
        subject=Subject(namespace="shop", name=name),
    )


def test_who_is_named_already_is_not_named_again() -> None:
    """What two Services have in common is said of both; a longer name that begins alike is another Service."""
    both = replace(found("A08"), says="shop/web and shop/api had one address.")
    alike = found("A08", name="web-2")
    at = replace(found("A08"), subject=Subject(namespace="shop", name="db", address="192.0.2.7"))

    assert arrange([both, replace(both, subject=found("A08", name="api").subject)])[0].says == both.says
    assert arrange([both, alike, at])[0].says.endswith("The same was seen of shop/web-2 and shop/db at 192.0.2.7.")


def test_consequences_stand_behind_their_cause_and_are_marked() -> None:
    """What C01 explains follows it, in rank."""
    arranged = arrange([found("D01", Verdict.WARN), found("D11"), found("D03"), found("C01")])

    assert [(f.code, f.consequence_of) for f in arranged] == [
        ("C01", None),
        ("D03", "C01"),
        ("D11", "C01"),
        ("D01", "C01"),
    ]


@pytest.mark.parametrize("code", ["D12", "D06", "E03", "E02"])
@pytest.mark.parametrize("owners", ["C01", "C03", "C06"])
def test_a_second_owner_explains_neither_loss_without_a_pattern_nor_translation(owners: str, code: str) -> None:
    """Loss at one owner is a pattern, one of large packets is no owner's, what a Pod saw came through a node."""
    assert [f.consequence_of for f in arrange([found(owners), found(code)])] == [None, None]


def test_a_warning_explains_no_failure() -> None:
    """What is worse than its supposed cause stands for itself."""
    arranged = arrange([found("B04", Verdict.WARN), found("B07")])

    assert [f.consequence_of for f in arranged] == [None, None]
    assert arranged[0].code == "B07"


def test_a_prediction_explains_nothing_that_is_there() -> None:
    """A pool that may give an address away is no cause of what another warning saw."""
    arranged = arrange([found("A05", Verdict.WARN), found("D01", Verdict.WARN)])

    assert [f.consequence_of for f in arranged] == [None, None]


def test_the_same_code_of_two_services_is_one_finding() -> None:
    """Two silent Services are one B07 that names the second, with the observations of both."""
    (only,) = arrange([found("B07", because=("a",)), found("B07", name="dns", because=("b",))])

    assert only.because == ("a", "b")
    assert "shop/dns" in only.says
    assert only.subject == Subject(namespace="shop")
    assert only.subjects == (Subject(namespace="shop", name="web"), Subject(namespace="shop", name="dns"))


@pytest.mark.parametrize(
    ("names", "title"),
    [
        (("web",), "shop/web"),
        (("web", "web"), "shop/web"),
        (("web", "dns"), "shop/web and shop/dns"),
        (("web", "dns", "api"), "3 Services in shop"),
    ],
)
def test_a_title_says_whom_it_is_about(names: tuple[str, ...], title: str) -> None:
    """One or two Services by name, more by their number; never a namespace alone."""
    (only,) = arrange([found("B07", name=name) for name in names])

    assert whom(only) == title


def test_many_observations_are_cut_with_their_number() -> None:
    """A finding with a hundred observations shows some and says how many more there are."""
    (only,) = arrange([found("B07", because=tuple(map(str, range(100))))])

    assert len(only.because) < 20
    assert "84 more" in only.because[-1]


def test_a_second_nic_explains_that_answers_leave_by_another() -> None:
    """Who answers for an address on two NICs answers traffic from one of them: that is one finding."""
    nics, reply = arrange([found("D08", Verdict.WARN), found("C02", Verdict.WARN)])

    assert (nics.code, reply.code, reply.consequence_of) == ("C02", "D08", "C02")


@pytest.mark.parametrize("order", list(permutations(("C03", "D10", "D03", "D01"))))
def test_the_order_does_not_depend_on_the_order_of_rules(order: tuple[str, ...]) -> None:
    """Any permutation of the findings is arranged alike."""
    assert [f.code for f in arrange(map(found, order))] == ["C03", "D03", "D10", "D01"]


def test_nothing_explains_itself_and_every_code_is_known() -> None:
    """The table of causes has no loops and no unknown codes."""
    for code, explained in EXPLAINS.items():
        assert {code, *explained} <= set(RANK)
        seen, todo = set[str](), list(explained)
        while todo:
            one = todo.pop()
            if one not in seen:
                seen.add(one)
                todo += EXPLAINS.get(one, ())
        assert code not in seen, code


@pytest.mark.parametrize("name", faults.FAULTS)
def test_the_order_of_trials_does_not_change_what_is_found(name: str) -> None:
    """The same trials in another order raise the same codes in the same order."""
    evidence = faults.FAULTS[name][0]()

    turned = replace(evidence, trials=tuple(reversed(evidence.trials)))

    assert [(f.code, f.consequence_of) for f in judge(turned)] == [(f.code, f.consequence_of) for f in judge(evidence)]


def test_judging_twice_gives_the_same() -> None:
    """The judge is a function: no clock, no state."""
    assert judge(healthy()) == judge(healthy())


def test_what_several_services_suffer_needs_a_cause_that_all_have() -> None:
    """One Service that nobody answers for explains nothing that another loses too; the same cause of both does."""
    both = replace(
        found("D03"),
        subject=Subject(),
        subjects=(Subject(namespace="shop", name="web"), Subject(namespace="shop", name="api")),
    )

    one = arrange([found("C01", name="web"), both], apart=True)
    two = arrange([found("C01", name="web"), found("C01", name="api"), both], apart=True)

    assert [(f.code, f.consequence_of) for f in one] == [("C01", None), ("D03", None)]
    assert [(f.code, f.consequence_of) for f in two] == [("C01", None), ("D03", "C01")]


@pytest.mark.parametrize("cause", ["B01", "B07", "C01", "A07", "A08"])
@pytest.mark.parametrize("code", ["D02", "D13", "E03"])
def test_what_the_api_or_an_answer_proves_is_a_fault_of_its_own(cause: str, code: str) -> None:
    """Backends that are not ready, rules that refuse and a client that was not seen outlive a mended address."""
    assert {f.code: f.consequence_of for f in arrange([found(cause), found(code)])}[code] is None


def test_causes_stand_before_what_they_explain() -> None:
    """The order of codes and what explains what agree, so that no chain of causes comes back to itself."""
    assert all(RANK.index(cause) < RANK.index(code) for cause, codes in EXPLAINS.items() for code in codes)
