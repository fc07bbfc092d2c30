"""Addresses across days: who was told the old one is told of the new one, nobody is blamed for what moves anyway."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from l2probe.cli.diff import command
from l2probe.diff import Change, Effect, compare, got_worse
from l2probe.judge import conclude
from l2probe.model import Evidence, Ip, Report, Service
from l2probe.report import render
from tests.judge.audited import audited
from tests.judge.diagnosed import API, WEB
from tests.judge.evidence import NODES, healthy, node

OLD, NEW = API.vips[0], Ip("198.51.100.77")
MONDAY, FRIDAY = "2026-11-23T20:00:00Z", "2026-11-27T20:00:00Z"


def world(*services: Service, within: str = "", listed: bool = True) -> Evidence:
    """Return an audit's evidence of these Services; `within` the only namespace, or one that did not list them all."""
    seen = audited()
    trials = tuple(replace(seen.trials[0], name=one.name, service=one) for one in services)
    known = services if listed and not within else None
    return replace(seen, trials=trials, cluster=replace(seen.cluster, services=known, within=within))


def report(evidence: Evidence, started: str, command: str = "l2probe audit") -> Report:
    """Return the report about this evidence."""
    return conclude(evidence, started=started, duration_seconds=1.0, command=command)


def found(before: Evidence, after: Evidence, command: str = "l2probe audit") -> list[Change]:
    """Return what changed about addresses and Services from Monday to Friday."""
    changes = compare(report(before, MONDAY), report(after, FRIDAY, command))
    return [change for change in changes if change.topic in {"address", "service"}]


def test_another_address_is_worse_and_says_since_when() -> None:
    """Old and new, the time between which it happened, and what still names the old one."""
    moved = replace(API, vips=(NEW, *API.vips[1:]))

    (change,) = found(world(API, WEB), world(moved, WEB))

    assert (change.effect, change.topic, change.subject) == (Effect.WORSE, "address", "shop/api")
    assert (change.before, change.after) == (f"{OLD} and {API.vips[1]}", f"{NEW} and {API.vips[1]}")
    assert f"lost {OLD} between {MONDAY} and {FRIDAY}" in change.says
    assert "DNS" in change.says
    assert "Pin the address" in change.says


def test_an_address_that_is_still_asked_for_says_so() -> None:
    """Pinned, and not given: the remedy is not to pin it."""
    moved = replace(API, vips=(NEW, *API.vips[1:]), wanted=(OLD,))

    (change,) = found(world(replace(API, wanted=(OLD,))), world(moved))

    assert change.effect is Effect.WORSE
    assert f"It still asks for {OLD}" in change.says
    assert "Pin the address" not in change.says


def test_an_address_that_another_service_took_is_named_with_it() -> None:
    """The worst of it: clients of the old address reach somebody else."""
    moved, thief = replace(API, vips=(NEW,)), replace(WEB, vips=(OLD,))

    changes = found(world(replace(API, vips=(OLD,)), replace(WEB, vips=())), world(moved, thief))

    by_name = {change.subject: change for change in changes}
    assert f"{OLD} belongs to shop/web now" in by_name["shop/api"].says
    assert by_name["shop/web"].effect is Effect.BETTER


@pytest.mark.parametrize(
    ("before", "after", "effect", "ends"),
    [
        ((OLD,), (), Effect.WORSE, (OLD, "no address")),
        ((), (OLD,), Effect.BETTER, ("no address", OLD)),
        ((OLD,), API.vips, Effect.CHANGED, (OLD, f"{OLD} and {API.vips[1]}")),
        (API.vips, (OLD,), Effect.WORSE, (f"{OLD} and {API.vips[1]}", OLD)),
    ],
)
def test_lost_is_worse_and_won_is_not(
    before: tuple[Ip, ...], after: tuple[Ip, ...], effect: Effect, ends: tuple[str, str]
) -> None:
    """Each way in which the addresses of a Service can change."""
    (change,) = found(world(replace(API, vips=before)), world(replace(API, vips=after)))

    assert (change.effect, change.before, change.after) == (effect, *ends)


def test_the_same_addresses_in_another_order_are_the_same() -> None:
    """Dual-stack Services list their addresses in any order."""
    assert found(world(API), world(replace(API, vips=API.vips[::-1]))) == []


def test_nodes_own_addresses_follow_the_pods() -> None:
    """ServiceLB and Node IPAM give them: that they are others is a change, and nothing is lost."""
    here, there = (node(name).addresses[0] for name in NODES[:2])

    (change,) = found(world(replace(API, vips=(here,))), world(replace(API, vips=(there,))))

    assert change.effect is Effect.CHANGED


def test_services_that_went_and_came_are_named() -> None:
    """What is gone is reached no more; what is new hurts nobody."""
    gone, came = found(world(API), world(WEB))

    assert (gone.effect, gone.topic, gone.subject, gone.after) == (Effect.WORSE, "service", "shop/api", "no Service")
    assert "is gone" in gone.says
    assert (came.effect, came.topic, came.subject, came.before) == (Effect.CHANGED, "service", "shop/web", "no Service")


def test_a_service_that_one_of_them_did_not_look_for_is_no_change() -> None:
    """Where not all were listed, an absent one was perhaps not asked for; the same command would have shown it."""
    blind, tenant = world(WEB, listed=False), world(WEB, within="shop")

    assert found(world(API, WEB), blind) == []
    assert found(blind, world(API, WEB)) == []
    assert {change.subject for change in found(world(API, within="shop"), tenant)} == {"shop/api", "shop/web"}
    assert found(world(API, within="shop"), tenant, "l2probe audit -l app=web") == []


def test_every_report_knows_the_services_that_were_listed() -> None:
    """A run that moved no Service of the user's still sees that one has another address than before the upgrade."""
    before, after = (
        replace(healthy(), cluster=replace(healthy().cluster, services=(one,)))
        for one in (API, replace(API, vips=(NEW,)))
    )

    assert [(change.effect, change.subject) for change in found(before, after)] == [(Effect.WORSE, "shop/api")]


def test_the_command_exits_with_one(tmp_path: Path) -> None:
    """Another address alone is enough."""
    paths = []
    for name, one in (("before", API), ("after", replace(API, vips=(NEW, API.vips[1])))):
        paths.append(str(tmp_path / f"{name}.json"))
        Path(paths[-1]).write_text(render(report(world(one), MONDAY), "json"))

    done = CliRunner().invoke(command, paths, standalone_mode=False)

    assert done.return_value == 1
    assert f"WORSE    address shop/api: {OLD} and {API.vips[1]} -> {NEW} and {API.vips[1]}" in done.output
    assert got_worse(compare(*(report(world(one), MONDAY) for one in (API, replace(API, vips=(NEW,))))))
