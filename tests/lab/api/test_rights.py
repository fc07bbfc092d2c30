"""Who may do what: reviews of one's own rights, rights that were switched off, and the controllers that keep theirs."""

from __future__ import annotations

from tests.lab.api.client import CORE, DEFAULT, Json, Server, fixture

ACCESS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
RULES = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
WHOAMI = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


def review(server: Server, **attributes: str) -> Json:
    """Ask for one right."""
    return server.make(
        ACCESS,
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        },
    )


def test_everything_is_allowed_until_it_is_not(server: Server) -> None:
    """A review answers as recorded for a right one has and for one that was switched off, and follows the switch."""
    wanted = {"namespace": "default", "verb": "create", "resource": "services"}
    allowed = review(server, **wanted)
    server.api.restrict(("create", "", "services"), allowed=False)
    denied = review(server, **wanted)
    server.api.restrict(("create", "", "services"), allowed=True)

    recorded = [fixture(f"ssar-{who}-create-services.json") for who in ("admin", "limited")]
    assert [(each["spec"], each["status"]) for each in (allowed, denied)] == [
        (each["spec"], each["status"]) for each in recorded
    ]
    assert review(server, **wanted)["status"]["allowed"] is True


def test_patterns_and_subresources(server: Server) -> None:
    """A star stands for all verbs, groups or resources; a subresource is a right of its own."""
    server.api.restrict(("*", "coordination.k8s.io", "leases"), allowed=False)
    server.api.restrict(("get", "", "pods/log"), allowed=False)
    asked = {
        "leases": review(server, verb="watch", group="coordination.k8s.io", resource="leases"),
        "pods": review(server, verb="get", resource="pods"),
        "log": review(server, verb="get", resource="pods", subresource="log"),
    }

    assert {name: each["status"]["allowed"] for name, each in asked.items()} == {
        "leases": False,
        "pods": True,
        "log": False,
    }
    assert server.get("/apis/coordination.k8s.io/v1/leases").code == 403
    assert server.get(f"{DEFAULT}/pods/x/log").code == 403


def test_a_namespace_is_its_own_scope(server: Server) -> None:
    """The refusal of one namespace is worded as being in that namespace."""
    server.api.restrict(("delete", "", "namespaces"), allowed=False)
    answer = server.ask("DELETE", f"{CORE}/namespaces/shop")

    assert answer.body["message"] == (
        'namespaces "shop" is forbidden: User "kubernetes-admin" cannot delete resource "namespaces" in API group "" '
        'in the namespace "shop"'
    )


def test_watching_is_a_right_of_its_own(server: Server) -> None:
    """Without `watch` a list still works."""
    server.api.restrict(("watch", "", "pods"), allowed=False)

    assert [server.get(f"{CORE}/pods?watch=1").code, server.get(f"{CORE}/pods").code] == [403, 200]


def test_the_cluster_itself_is_never_restricted(server: Server) -> None:
    """The controllers' token keeps every right that the person lost."""
    server.api.restrict(("*", "*", "*"), allowed=False)
    system = {"Authorization": f"Bearer {server.api.system_token}"}

    assert server.get(f"{CORE}/pods").code == 403
    assert server.ask("GET", f"{CORE}/pods", headers=system).code == 200


def test_rules_and_identity(server: Server) -> None:
    """The rules review ends with everything for everyone unrestricted; the self review names user and groups."""
    rules = server.make(RULES, {"spec": {"namespace": "default"}})["status"]
    recorded = fixture("ssrr-admin-default.json")["status"]["resourceRules"]
    who = server.make(WHOAMI, {})["status"]["userInfo"]
    server.api.restrict(("list", "", "pods"), allowed=False)

    assert rules["resourceRules"] == recorded
    assert (who["username"], "system:authenticated" in who["groups"]) == ("kubernetes-admin", True)
    assert server.make(RULES, {"spec": {}})["status"]["incomplete"] is True


JANE = {"Impersonate-User": "jane"}
ACCOUNT = {"Impersonate-User": "system:serviceaccount:ops:robot"}
RBAC = "/apis/rbac.authorization.k8s.io/v1"


def bound(server: Server, subject: Json, rules: list[Json], *, namespace: str = "") -> None:
    """Give a subject a role with these rules, everywhere or in one namespace."""
    kind, home = ("Role", f"{RBAC}/namespaces/{namespace}") if namespace else ("ClusterRole", RBAC)
    head = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "given"}}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": "given"}
    server.make(f"{home}/{kind.lower()}s", {**head, "kind": kind, "rules": rules})
    binding = {**head, "kind": f"{kind}Binding", "subjects": [subject], "roleRef": reference}
    server.make(f"{home}/{kind.lower()}bindings", binding)


def test_who_is_impersonated_has_what_roles_give_and_nothing_else(server: Server) -> None:
    """Without a binding everything is refused in the real server's words; with one exactly its rules are allowed."""
    refused = server.ask("GET", f"{DEFAULT}/pods", headers=JANE)
    bound(server, {"kind": "User", "name": "jane"}, [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}])

    codes = {
        path: server.ask("GET", path, headers=JANE).code
        for path in (f"{CORE}/pods", f"{DEFAULT}/pods", f"{CORE}/services")
    }

    assert refused.code == 403
    assert (
        'User "jane" cannot list resource "pods" in API group "" in the namespace "default"' in refused.body["message"]
    )
    assert codes == {f"{CORE}/pods": 200, f"{DEFAULT}/pods": 200, f"{CORE}/services": 403}
    assert server.ask("GET", f"{DEFAULT}/pods/x", headers=JANE).code == 403


def test_a_role_counts_in_its_namespace_only(server: Server) -> None:
    """A RoleBinding of an account gives nothing elsewhere, nor at the cluster's scope; a name narrows it further."""
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["one"], "verbs": ["get"]}]
    bound(server, {"kind": "ServiceAccount", "name": "robot", "namespace": "ops"}, rules, namespace="default")

    codes = {
        path: server.ask("GET", path, headers=ACCOUNT).code
        for path in (
            f"{DEFAULT}/configmaps/one",
            f"{DEFAULT}/configmaps/two",
            f"{CORE}/namespaces/kube-system/configmaps/one",
        )
    }

    assert list(codes.values()) == [404, 403, 403]


def test_groups_count_too(server: Server) -> None:
    """system:masters may do everything; a made-up group nothing."""
    masters = {**JANE, "Impersonate-Group": "system:masters"}

    assert server.ask("GET", f"{CORE}/nodes", headers=masters).code == 200
    assert server.ask("GET", f"{CORE}/nodes", headers={**JANE, "Impersonate-Group": "friends"}).code == 403
