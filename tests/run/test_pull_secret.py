"""--image-pull-secret in the flow: read before anything is made, copied before the Pods, gone with the namespace."""

from __future__ import annotations

from dataclasses import replace

import pytest

from l2probe.errors import ClusterError, NotAllowedError
from l2probe.model import Dialect
from l2probe.run import run
from l2probe.run.plan import Plan
from l2probe.run.preflight import survey
from l2probe.workload.manifests import PullSecret
from tests.run.played import World, plan


def wanting(name: str) -> Plan:
    """Return a plan whose image needs the login in default/NAME."""
    made = plan()
    return replace(made, workload=replace(made.workload, pull_secret=PullSecret(namespace="default", name=name)))


def test_the_login_is_there_before_the_pods_that_need_it() -> None:
    """A Pod that is made first would fail its first pull and wait for the next."""
    world = World()

    ran = run(wanting("registry"), world.edges())

    made = [(each["kind"], each["metadata"]["name"]) for each in world.objects]
    copy = world.objects[made.index(("Secret", "l2probe-pull"))]
    pods = [number for number, (kind, _) in enumerate(made) if kind == "Pod"]
    assert made.index(("Secret", "l2probe-pull")) < min(pods)
    assert copy["type"] == "kubernetes.io/dockerconfigjson"
    assert copy["data"] == {".dockerconfigjson": "e30="}
    assert copy["metadata"]["namespace"] == "l2probe-0badcafe"
    assert copy["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "l2probe"
    assert all(
        each["spec"]["imagePullSecrets"] == [{"name": "l2probe-pull"}]
        for each in world.objects
        if each["kind"] == "Pod"
    )
    assert ran.leftover is None
    assert "e30=" not in repr(ran.evidence)


def test_a_secret_that_is_not_there_ends_the_run_before_it_began() -> None:
    """Nothing is created for an image that cannot be pulled."""
    world = World()

    with pytest.raises(ClusterError, match="Secret default/typo was not found"):
        run(wanting("typo"), world.edges())

    assert world.calls["create"] == 0


def test_the_right_to_read_secrets_is_asked_for_only_when_needed() -> None:
    """A run without a pull secret reads nobody's Secrets."""
    world = World(denied=frozenset({"get secrets"}))

    run(plan(), world.edges())
    assert world.calls["pull_secret"] == 0
    with pytest.raises(NotAllowedError, match="get secrets"):
        run(wanting("registry"), world.edges())


@pytest.mark.parametrize("dialect", [Dialect.AGNHOST, Dialect.WHOAMI])
def test_an_image_needs_no_right_to_make_what_it_is_not_given(dialect: Dialect) -> None:
    """No ConfigMap and no Secret is made for it, so nobody is asked for the right; our script is refused without."""
    world = World(denied=frozenset({"create configmaps", "create secrets"}))
    made = plan()

    survey(replace(made, workload=replace(made.workload, dialect=dialect)), world.edges())
    with pytest.raises(NotAllowedError, match="create configmaps, create secrets"):
        survey(made, world.edges())


def test_the_copy_of_a_login_is_a_right_whatever_runs() -> None:
    """A Secret is made for it beside any image; the remedy prints the rights of exactly this call."""
    made = wanting("registry")
    image = replace(made, workload=replace(made.workload, dialect=Dialect.AGNHOST))

    with pytest.raises(NotAllowedError, match="create secrets") as refused:
        survey(image, World(denied=frozenset({"create configmaps", "create secrets"})).edges())

    assert "create configmaps" not in refused.value.message
    assert "l2probe rbac --echo agnhost --image-pull-secret default/registry --user" in refused.value.hint
