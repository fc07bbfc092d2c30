"""What we ask of the API server to create, select, delete and review; each refusal keeps the server's own words."""

from __future__ import annotations

import threading
import time

import pytest

from l2probe.errors import ClusterError, NotAllowedError
from l2probe.model import Right
from l2probe.observe.refusals import StatusError
from tests.observe.conftest import Connect
from tests.observe.scripted import Api, Asked, Handler, drop, end, recorded, reply, status, stream

POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "namespace": "here"}}
PODS = "POST /api/v1/namespaces/here/pods"
SERVICE = "/api/v1/namespaces/here/services/web"
NAMESPACE = "/api/v1/namespaces/l2probe-1"
REVIEWS = "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
PATHS = {
    "/api/v1/namespaces": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}},
    "/api/v1/namespaces/here/configmaps": {**POD, "kind": "ConfigMap"},
    "/apis/cilium.io/v2alpha1/ciliuml2announcementpolicies": {
        "apiVersion": "cilium.io/v2alpha1",
        "kind": "CiliumL2AnnouncementPolicy",
        "metadata": {"name": "x"},
    },
}


@pytest.mark.parametrize("path", PATHS)
def test_create_posts_the_manifest_to_its_kinds_path(api: Api, kube: Connect, path: str) -> None:
    """Core kinds, namespaced kinds, other groups."""
    api.on(f"POST {path}", reply({}, 201))

    kube().create(PATHS[path])

    assert [asked.body for asked in api.requests(f"POST {path}")] == [PATHS[path]]


REFUSED = {
    "PodSecurity": ("metallb/status-403-podsecurity-restricted.json", 403, 'violates PodSecurity "restricted:latest"'),
    "quota": ("metallb/status-403-quota-loadbalancers.json", 403, "exceeded quota: q, requested"),
    "RBAC": ("metallb/status-403-limited-create-namespace.json", 403, "is forbidden: User"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_creation_says_why(api: Api, kube: Connect, case: str) -> None:
    """Admission, quota and RBAC raise NotAllowedError with the server's words, at once."""
    name, code, words = REFUSED[case]
    api.on(PODS, reply(recorded(name), code))

    with pytest.raises(NotAllowedError) as caught:
        kube().create(POD)
    assert words in caught.value.message
    assert len(api.asked) == 1


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("metallb/status-409-service-exists.json", 409, 'services "ok-cluster" already exists'),
        ("metallb/status-422-service-invalid.json", 422, 'Service "Bad_Name" is invalid'),
    ],
)
def test_a_conflict_or_invalid_object_is_an_error_with_its_status(
    api: Api, kube: Connect, name: str, code: int, words: str
) -> None:
    """409 and 422 keep their status for the caller."""
    api.on(PODS, reply(recorded(name), code))

    with pytest.raises(StatusError) as caught:
        kube().create(POD)
    assert (caught.value.status, words in caught.value.message) == (code, True)


def test_a_denying_webhook_is_a_refusal(api: Api, kube: Connect) -> None:
    """An admission webhook may answer 400; it is a refusal all the same."""
    api.on(PODS, status(400, 'admission webhook "policy.example" denied the request: no'))

    with pytest.raises(NotAllowedError, match="denied the request: no"):
        kube().create(POD)


def test_created_although_the_answer_got_lost(api: Api, kube: Connect) -> None:
    """When the first attempt's answer was lost, "already exists" means that it succeeded."""
    api.on(PODS, drop, reply(recorded("metallb/status-409-service-exists.json"), 409))

    kube().create(POD)

    assert len(api.asked) == 2


def test_select_replaces_the_whole_selector(api: Api, kube: Connect) -> None:
    """Keys that the new selector lacks are set to null, as a merge patch removes them."""
    api.on(f"GET {SERVICE}", reply({"metadata": {"name": "web"}, "spec": {"selector": {"old": "1", "both": "1"}}}))
    api.on(f"PATCH {SERVICE}", reply({}))

    kube().select("here", "web", {"both": "2", "new": "3"})

    (patch,) = api.requests(f"PATCH {SERVICE}")
    assert patch.body == {"spec": {"selector": {"old": None, "both": "2", "new": "3"}}}
    assert patch.headers["content-type"] == "application/merge-patch+json"


def test_select_of_a_service_that_is_gone(api: Api, kube: Connect) -> None:
    """The server's 404 is told, with its words."""
    api.on(f"GET {SERVICE}", reply(recorded("metallb/status-404-service.json"), 404))

    with pytest.raises(ClusterError, match=r"with 404: services .* not found"):
        kube().select("here", "web", {})


def terminating(version: str) -> dict[str, object]:
    """Return the namespace while it is being deleted."""
    return {"metadata": {"name": "l2probe-1", "resourceVersion": version}, "status": {"phase": "Terminating"}}


def test_delete_waits_until_the_namespace_is_gone(api: Api, kube: Connect) -> None:
    """It returns when the watch says DELETED, not before and not later."""
    gone = threading.Event()

    def deleted_when_told(handler: Handler) -> None:
        gone.wait(10)
        stream({"type": "DELETED", "object": terminating("3")})(handler)

    api.on(f"DELETE {NAMESPACE}", reply(terminating("2")))
    api.on("GET /api/v1/namespaces", reply({"items": [terminating("2")], "metadata": {"resourceVersion": "2"}}))
    api.on("WATCH /api/v1/namespaces", deleted_when_told)
    threading.Timer(0.3, gone.set).start()
    began = time.monotonic()

    assert kube().delete_namespace("l2probe-1", timeout=10)
    assert 0.25 < time.monotonic() - began < 3
    assert api.requests("GET /api/v1/namespaces")[0].query["fieldSelector"] == "metadata.name=l2probe-1"


def test_a_namespace_that_is_not_there_is_gone(api: Api, kube: Connect) -> None:
    """404 on deletion is success."""
    api.on(f"DELETE {NAMESPACE}", status(404, "not found"))

    assert kube().delete_namespace("l2probe-1", timeout=1)


def test_a_stuck_namespace_is_told_in_time(api: Api, kube: Connect) -> None:
    """False after the timeout, and the reason in the server's words."""
    stuck = terminating("2")
    stuck["status"] = {
        "phase": "Terminating",
        "conditions": [
            {"type": "NamespaceDeletionDiscoveryFailure", "status": "False", "message": "All discovered"},
            {"type": "NamespaceFinalizersRemaining", "status": "True", "message": "example.org/hook in 1 instances"},
        ],
    }
    api.on(f"DELETE {NAMESPACE}", status(409, "The system is ensuring all content is removed"))
    api.on("GET /api/v1/namespaces", reply({"items": [stuck], "metadata": {"resourceVersion": "2"}}))
    api.on(f"GET {NAMESPACE}", reply(stuck))
    connected = kube()
    began = time.monotonic()

    assert not connected.delete_namespace("l2probe-1", timeout=0.3)
    assert time.monotonic() - began < 1.5
    assert connected.why_namespace_stays("l2probe-1") == "example.org/hook in 1 instances"


def test_deletion_survives_a_watch_that_ends(api: Api, kube: Connect) -> None:
    """A stream that the server ends, or an expired version, does not end the waiting."""
    api.on(f"DELETE {NAMESPACE}", reply(terminating("2")))
    api.on(
        "GET /api/v1/namespaces",
        reply({"items": [terminating("2")], "metadata": {"resourceVersion": "2"}}),
        reply({"items": [], "metadata": {"resourceVersion": "9"}}),
    )
    api.on("WATCH /api/v1/namespaces", stream(then=end), drop, status(410, "too old resource version"))

    assert kube().delete_namespace("l2probe-1", timeout=5)


def test_missing_rights_are_those_that_the_server_denies(api: Api, kube: Connect) -> None:
    """One review for each right, with verb, group, resource, subresource, namespace and name."""

    def review(handler: Handler) -> None:
        wanted = handler.api.asked[-1].body["spec"]["resourceAttributes"]
        allowed = wanted["resource"] != "leases"
        name = "metallb/ssar-admin-create-services.json" if allowed else "metallb/ssar-limited-create-services.json"
        reply(recorded(name), 201)(handler)

    api.on(REVIEWS, review)
    rights = [
        Right(verb="list", resource="leases", group="coordination.k8s.io", namespace="kube-system"),
        Right(verb="get", resource="pods/log", namespace="here"),
        Right(verb="get", resource="secrets", namespace="here", name="login"),
    ]
    connected = kube()

    assert connected.missing_rights(rights[:1]) == (rights[0],)
    assert connected.missing_rights(rights[1:]) == ()
    asked = [each.body["spec"]["resourceAttributes"] for each in api.requests(REVIEWS)]
    assert asked == [
        {"verb": "list", "group": "coordination.k8s.io", "resource": "leases", "namespace": "kube-system"},
        {"verb": "get", "group": "", "resource": "pods", "subresource": "log", "namespace": "here"},
        {"verb": "get", "group": "", "resource": "secrets", "namespace": "here", "name": "login"},
    ]


def test_a_server_that_refuses_reviews_is_an_error(api: Api, kube: Connect) -> None:
    """Not being allowed to ask is not the same as having no rights."""
    api.on(REVIEWS, status(403, "forbidden"))

    with pytest.raises(NotAllowedError, match="selfsubjectaccessreviews"):
        kube().missing_rights([Right(verb="get", resource="pods")])


def test_namespaces_are_found_by_label_on_every_page(api: Api, kube: Connect) -> None:
    """Pages are followed by their continue token; labels and annotations come merged."""
    first = {"metadata": {"name": "a", "labels": {"run": "1"}, "annotations": {"expires": "soon"}}}
    api.on(
        "GET /api/v1/namespaces",
        reply({"items": [first], "metadata": {"resourceVersion": "5", "continue": "next"}}),
        reply({"items": [{"metadata": {"name": "b"}}], "metadata": {"resourceVersion": "5"}}),
    )

    found = kube().namespaces("app=l2probe")

    assert found == (("a", {"run": "1", "expires": "soon"}), ("b", {}))
    pages: list[Asked] = api.requests("GET /api/v1/namespaces")
    assert [page.query.get("continue") for page in pages] == [None, "next"]
    assert {page.query["labelSelector"] for page in pages} == {"app=l2probe"}


def test_a_list_that_expires_between_pages_is_begun_anew(api: Api, kube: Connect) -> None:
    """410 in the middle of a list loses nothing and repeats nothing."""
    one = {"items": [{"metadata": {"name": "a"}}], "metadata": {"resourceVersion": "5", "continue": "next"}}
    whole = {"items": [{"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}], "metadata": {"resourceVersion": "9"}}
    api.on("GET /api/v1/namespaces", reply(one), status(410, "expired"), reply(whole))

    assert [name for name, _ in kube().namespaces("")] == ["a", "b"]


def test_a_list_without_items_is_no_empty_list(api: Api, kube: Connect) -> None:
    """`{}` from some proxy must not read as "there is nothing"."""
    api.on("GET /api/v1/namespaces", reply({}))

    with pytest.raises(ClusterError, match="no Kubernetes JSON"):
        kube().namespaces("")


def test_context_namespace_and_server_are_those_of_the_kubeconfig(api: Api, kube: Connect) -> None:
    """They are known without any request."""
    connected = kube()

    assert (connected.context, connected.namespace, connected.server) == ("test", "here", api.url)
    assert api.asked == []
