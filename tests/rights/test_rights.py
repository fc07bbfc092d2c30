"""The printed rights are those that the commands use, and no right more."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from l2probe.cli import cli
from l2probe.diagnose import reading
from l2probe.model import Dialect, Right
from l2probe.observe import survey
from l2probe.rights import COMMANDS, NARROWED, WITHIN, Holder, Scope, manifests
from l2probe.run.preflight import NEEDED, WANTED, needed

READ = {right for module in (survey, reading) for right in vars(module).values() if isinstance(right, Right)}
READ |= set(reading.CLAIM_RIGHTS.values())
WRITES = {"create", "update", "patch", "delete", "deletecollection"}


def allowed(command: str, holder: Holder | None = None) -> set[tuple[str, str, str]]:
    """Return what the printed roles allow: verb, resource, group."""
    roles: list[Any] = [each for each in manifests(command, holder or Holder()) if "rules" in each]
    return {
        (verb, resource, group)
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


@pytest.mark.parametrize("command", ["run", "diagnose", "audit"])
def test_everything_that_is_read_is_granted(command: str) -> None:
    """Each right that the survey or the claims need is in the printed roles, in its namespace where it has one."""
    assert {(right.verb, right.resource, right.group) for right in READ} <= allowed(command)
    assert {right for right in READ if right.namespace} <= set(WITHIN)


def test_what_is_read_of_lost_connections_is_granted() -> None:
    """Network policies are read by a diagnosis alone, and no other command may."""
    wanted = {(right.verb, right.resource, right.group) for right in reading.POLICY_RIGHTS.values()}

    assert wanted <= allowed("diagnose")
    assert not wanted & allowed("run")


def test_run_gets_all_that_its_preflight_asks_for() -> None:
    """What `run` refuses to start without is granted."""
    assert {*NEEDED, *WANTED} <= allowed("run")


@pytest.mark.parametrize("command", ["diagnose", "audit"])
def test_who_only_looks_changes_nothing(command: str) -> None:
    """A read-only command is given no verb that writes."""
    assert {verb for verb, _, _ in allowed(command)} & WRITES == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_a_wildcard(command: str) -> None:
    """Least privilege names every verb, resource and group."""
    assert "*" not in {part for right in allowed(command) for part in right}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_role_is_bound_once_to_the_holder(command: str) -> None:
    """Each role has one binding of the same name and place, to the user that was named."""
    made: list[Any] = list(manifests(command, Holder(user="jane")))
    roles = [(each["kind"], each["metadata"]) for each in made if "rules" in each]
    bound = [(each["roleRef"]["kind"], each["metadata"]) for each in made if "roleRef" in each]

    assert roles == bound
    assert {subject["name"] for each in made for subject in each.get("subjects", ())} == {"jane"}
    assert "ServiceAccount" not in {each["kind"] for each in made}


def test_an_audit_of_one_namespace_needs_nothing_in_others() -> None:
    """Services, slices, events and leases there, leases in kube-system; everywhere only what has no tenant."""
    made: list[Any] = list(manifests("audit", Holder(), Scope(namespace="shop")))
    places = {
        each["metadata"].get("namespace", ""): {what for rule in each["rules"] for what in rule["resources"]}
        for each in made
        if "rules" in each
    }

    assert {place: found & NARROWED for place, found in places.items()} == {
        "": set(),
        "shop": NARROWED,
        "kube-system": {"leases"},
    }
    everything = {(right.verb, right.resource, right.group) for right in READ}
    assert everything <= {
        (verb, resource, group)
        for each in made
        for rule in each.get("rules", ())
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_roles_of_one_namespace_replace_no_others() -> None:
    """Two tenants, and who may audit all, keep their roles: each has a name of its own; one place has one role."""
    namespaces = ("", "shop", "bank", "kube-system")
    made: list[list[Any]] = [
        list(manifests("audit", Holder(user="jane"), Scope(namespace=namespace))) for namespace in namespaces
    ]
    own = made[-1]

    assert len({frozenset(each["metadata"]["name"] for each in some) for some in made}) == len(namespaces)
    assert len([each for each in own if each["kind"] == "Role"]) == 1


def made_by(scope: Scope) -> set[tuple[str, str, str]]:
    """Return what the roles for a run of this scope allow."""
    roles: list[Any] = [each for each in manifests("run", Holder(), scope) if "rules" in each]
    return {
        (place.get("namespace", ""), verb, resource)
        for role in roles
        for place in [role["metadata"]]
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


MAKES = {("", "create", "configmaps"), ("", "create", "secrets")}


@pytest.mark.parametrize("echo", [Dialect.AGNHOST, Dialect.WHOAMI])
def test_an_image_that_is_given_no_file_and_no_secret_costs_no_right_to_make_them(echo: Dialect) -> None:
    """All other rights are those of our script's run, and those that the preflight of such a run asks for."""
    script, image = made_by(Scope()), made_by(Scope(echo=echo))

    assert script - image == MAKES
    assert image <= script
    asked = {(verb, resource) for verb, resource, _ in needed(echo, login=False)}
    assert asked <= {(verb, resource) for place, verb, resource in image if not place}


def test_a_registrys_login_costs_that_secret_and_the_copy_of_it() -> None:
    """To read it by its name in its namespace; an image makes a Secret then too, and still no ConfigMap."""
    scope = Scope(echo=Dialect.AGNHOST, login=("ops", "registry"))
    roles: list[Any] = list(manifests("run", Holder(), scope))

    assert made_by(scope) - made_by(Scope(echo=Dialect.AGNHOST)) == {
        ("ops", "get", "secrets"),
        ("", "create", "secrets"),
    }
    (rule,) = (rule for each in roles if each["metadata"].get("namespace") == "ops" for rule in each.get("rules", ()))
    assert rule["resourceNames"] == ["registry"]


@pytest.mark.parametrize("words", [("--echo", "agnhost"), ("--image-pull-secret", "ops/registry")])
def test_who_makes_no_pods_needs_none_of_it(words: tuple[str, ...]) -> None:
    """The options of a run are refused with other commands, and each call of a run has roles of its own name."""
    refused = CliRunner().invoke(cli, ["rbac", "--for", "audit", *words])
    printed = CliRunner().invoke(cli, ["rbac", *words])

    assert refused.exit_code == 2
    assert "go with --for run" in refused.stderr
    assert printed.exit_code == 0
    assert "name: l2probe-run\n" not in printed.stdout


def test_only_an_audit_keeps_to_a_namespace() -> None:
    """The others would be given rights with which they cannot work."""
    done = CliRunner().invoke(cli, ["rbac", "--for", "diagnose", "--namespace", "shop"])

    assert done.exit_code == 2
    assert "--namespace goes with --for audit" in done.stderr


def test_what_is_printed_is_yaml_for_kubectl() -> None:
    """`l2probe rbac` prints one document for each object, with the ServiceAccount first."""
    done = CliRunner().invoke(cli, ["rbac", "--service-account", "ops/probe"])
    documents = list(yaml.safe_load_all(done.stdout))

    assert done.exit_code == 0
    assert documents[0]["kind"] == "ServiceAccount"
    assert documents[0]["metadata"] == {"name": "probe", "namespace": "ops"}
    assert len(documents) == len(manifests("run", Holder()))


def test_a_service_account_without_namespace_is_refused() -> None:
    """The value, the form and exit code 2."""
    done = CliRunner().invoke(cli, ["rbac", "--service-account", "probe"])

    assert done.exit_code == 2
    assert "'probe' is not NAMESPACE/NAME" in done.stderr
