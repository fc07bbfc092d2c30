"""What `l2probe rbac` prints is enough in the lab, and one right less is said: as somebody who has nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.conftest import Command, commander, dialect_images
from tests.lab.planes import needs_kubectl
from tests.lab.test_lab_command import free

pytestmark = [pytest.mark.lab, pytest.mark.kubectl, pytest.mark.xdist_group("the one lab of this user")]


@pytest.fixture(scope="module")
def lab() -> Iterator[Command]:
    """Bring one lab up for these tests; its server judges whom the person impersonates by roles and bindings."""
    needs_kubectl()
    command = free(commander())
    with dialect_images() as images:
        assert command("lab", "up", env=images).code == 0
        yield command
        assert command("lab", "down").code == 0


def inside(lab: Command, script: str) -> int:
    """Run a shell script in the lab and return its exit code."""
    return lab("lab", "shell", "--", "sh", "-c", script).code


@pytest.mark.parametrize(
    ("command", "needs"),
    [
        (("run",), ("run",)),
        (("run", "--echo", "agnhost"), ("run", "--echo", "agnhost")),
        (("diagnose", "--all"), ("diagnose",)),
        (("audit", "--on-wire"), ("audit",)),
    ],
    ids="-".join,
)
def test_the_printed_rights_are_enough(lab: Command, command: tuple[str, ...], needs: tuple[str, ...]) -> None:
    """With them and no other right nothing stays unread; without any, nothing is read at all."""
    user = f"jane-{'-'.join(needs)}"
    who = ("--as", user, "-o", "json")
    before = lab("lab", "shell", "--", "l2probe", *command, *who)
    grant = f"l2probe rbac --for {' '.join(needs)} --user {user} | kubectl apply -f -"
    assert inside(lab, grant) == 0
    after = lab("lab", "shell", "--", "l2probe", *command, *who)

    assert before.code == 2
    assert after.code in {0, 1}, after.stderr
    assert "V05" not in after.codes


def test_an_audit_of_one_namespace_needs_the_rights_in_it_alone(lab: Command) -> None:
    """With what is printed for it nothing that was asked for stays unread, and what others would have shown is said."""
    who = ("--as", "tenant", "-o", "json")
    assert inside(lab, "l2probe rbac --for audit --namespace shop --user tenant | kubectl apply -f -") == 0

    mine = lab("lab", "shell", "--", "l2probe", "audit", "--on-wire", "-n", "shop", *who)
    all_of_them = lab("lab", "shell", "--", "l2probe", "audit", *who)

    assert mine.code in {0, 1}, mine.stderr
    assert "V05" not in mine.codes
    assert mine.report["evidence"]["cluster"]["within"] == "shop"
    assert all_of_them.code == 2
    assert "list services in all namespaces" in all_of_them.stderr


def test_a_bare_tenant_audits_by_what_the_namespace_shows(lab: Command) -> None:
    """Services, slices and nothing else: no crash, no accusation; what was missing is named with its cost."""
    allow = "kubectl create role bare -n shop --verb=list --resource=services,endpointslices.discovery.k8s.io"
    bind = "kubectl create rolebinding bare -n shop --role=bare --user=bare"
    assert inside(lab, f"{allow} && {bind}") == 0

    for wire in ((), ("--on-wire",)):
        ran = lab("lab", "shell", "--", "l2probe", "audit", *wire, "-n", "shop", "--as", "bare", "-o", "json")

        assert "V05" in ran.codes
        assert "fail" not in ran.worst
        denied = next(found["because"] for found in ran.report["findings"] if found["code"] == "V05")
        assert any(line.startswith("list nodes in all namespaces") for line in denied)
        assert not any("services" in line.partition(":")[0] for line in denied)
