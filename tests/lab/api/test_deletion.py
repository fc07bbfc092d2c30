"""Deletion: what goes at once, what waits for whom, and what goes with it."""

from __future__ import annotations

from typing import Any

from tests.lab.api.client import CORE, DEFAULT, SLICES, Json, Server, config_map, fixture, pod, service

PODS = f"{DEFAULT}/pods"
NOW = {"gracePeriodSeconds": 0}


def gone(server: Server, path: str) -> bool:
    """Say whether nothing is there."""
    return server.get(path).code == 404


def test_the_answer_is_object_or_status(server: Server) -> None:
    """Services and Pods answer themselves, as recorded; other kinds answer a Status with name, kind and uid."""
    recorded = fixture("status-200-service-deleted.json")
    server.make(f"{DEFAULT}/services", service("web"))
    made = server.make(f"{DEFAULT}/configmaps", config_map("a"))
    answer = server.ask("DELETE", f"{DEFAULT}/services/web").body
    status = server.ask("DELETE", f"{DEFAULT}/configmaps/a").body

    assert answer["kind"] == recorded["kind"] == "Service"
    assert ("deletionTimestamp" in answer["metadata"]) == ("deletionTimestamp" in recorded["metadata"])
    assert (status["status"], status["details"]) == (
        "Success",
        {"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]},
    )


def test_a_pod_on_a_node_waits_for_its_kubelet(server: Server) -> None:
    """DELETE sets deletionTimestamp and the grace; only grace 0, as the kubelet sends it, removes the Pod."""
    made = server.make(PODS, pod("a", terminationGracePeriodSeconds=7))
    answer = server.ask("DELETE", f"{PODS}/a").body["metadata"]
    again = server.ask("DELETE", f"{PODS}/a", {"gracePeriodSeconds": 60}).body["metadata"]
    shorter = server.ask("DELETE", f"{PODS}/a", {"gracePeriodSeconds": 2}).body["metadata"]

    assert (answer["deletionGracePeriodSeconds"], answer["generation"]) == (7, made["metadata"]["generation"] + 1)
    assert (again["deletionGracePeriodSeconds"], shorter["deletionGracePeriodSeconds"]) == (7, 2)
    assert not gone(server, f"{PODS}/a")
    server.ask("DELETE", f"{PODS}/a", NOW)
    assert gone(server, f"{PODS}/a")


def test_a_pod_without_a_node_or_at_its_end_goes_at_once(server: Server) -> None:
    """Nobody needs to end an unscheduled or finished Pod."""
    server.make(PODS, pod("unscheduled", node=None))
    server.make(PODS, pod("finished"))
    server.patch(f"{PODS}/finished/status", {"status": {"phase": "Succeeded"}})
    for name in ("unscheduled", "finished"):
        server.ask("DELETE", f"{PODS}/{name}")

    assert [gone(server, f"{PODS}/{name}") for name in ("unscheduled", "finished")] == [True, True]


def test_finalizers_hold_an_object(server: Server) -> None:
    """An object with a finalizer is marked and stays until the last finalizer is taken; no new one can be added."""
    path = f"{DEFAULT}/configmaps/a"
    server.make(f"{DEFAULT}/configmaps", {"metadata": {"name": "a", "finalizers": ["lab.test/hold"]}})
    marked = server.ask("DELETE", path).body
    more = server.patch(path, {"metadata": {"finalizers": ["lab.test/hold", "lab.test/more"]}})

    assert marked["kind"] == "ConfigMap"
    assert marked["metadata"]["deletionTimestamp"]
    assert (more.code, "no new finalizers can be added" in more.body["message"]) == (422, True)
    server.patch(path, {"metadata": {"finalizers": None}})
    assert gone(server, path)


def test_preconditions(server: Server) -> None:
    """A DELETE that means another uid or version answers 409 and deletes nothing."""
    made = server.make(f"{DEFAULT}/configmaps", config_map("a"))["metadata"]
    path = f"{DEFAULT}/configmaps/a"
    codes = [
        server.ask("DELETE", path, {"preconditions": {"uid": "other"}}).code,
        server.ask("DELETE", path, {"preconditions": {"resourceVersion": "1"}}).code,
        server.ask("DELETE", path, {"dryRun": ["All"]}).code,
        server.ask("DELETE", path, {"propagationPolicy": "Sideways"}).code,
        server.ask("DELETE", path, {"gracePeriodSeconds": "soon"}).code,
    ]

    assert codes == [409, 409, 200, 400, 400]
    assert server.ask("DELETE", path, {"preconditions": {"uid": made["uid"]}}).code == 200
    assert gone(server, path)


def test_a_collection_is_deleted_by_selector(server: Server) -> None:
    """DELETE of a collection takes what the selector selects and answers it."""
    for name, app in (("a", "x"), ("b", "x"), ("c", "y")):
        server.make(f"{DEFAULT}/configmaps", {"metadata": {"name": name, "labels": {"app": app}}})
    answer = server.ask("DELETE", f"{DEFAULT}/configmaps?labelSelector=app=x").body

    assert (answer["kind"], [item["metadata"]["name"] for item in answer["items"]]) == ("ConfigMapList", ["a", "b"])
    assert [gone(server, f"{DEFAULT}/configmaps/{name}") for name in "abc"] == [True, True, False]


def test_a_namespace_takes_its_contents_with_it(server: Server) -> None:
    """An empty namespace and its ordinary contents go; names can be used again."""
    server.make(f"{CORE}/namespaces", {"metadata": {"name": "shop"}})
    server.make(f"{CORE}/namespaces/shop/services", service("web"))
    server.make(f"{CORE}/namespaces/shop/pods", pod("unscheduled", node=None))
    server.ask("DELETE", f"{CORE}/namespaces/shop")

    assert gone(server, f"{CORE}/namespaces/shop")
    assert server.get(f"{CORE}/namespaces/shop/services").body["items"] == []
    server.make(f"{CORE}/namespaces", {"metadata": {"name": "shop"}})
    assert gone(server, f"{CORE}/namespaces/shop/services/web")


def test_a_namespace_waits_for_pods_and_finalizers(server: Server) -> None:
    """While a Pod ends or a finalizer holds, the namespace is Terminating, says why, and takes nothing new."""
    path = f"{CORE}/namespaces/shop"
    server.make(f"{CORE}/namespaces", {"metadata": {"name": "shop"}})
    server.make(f"{path}/pods", pod("a"))
    server.make(f"{path}/configmaps", {"metadata": {"name": "held", "finalizers": ["lab.test/hold"]}})
    server.ask("DELETE", path)
    body = server.get(path).body
    conditions = {each["type"]: each for each in body["status"]["conditions"]}
    refused = server.ask("POST", f"{path}/configmaps", config_map("late"))

    assert body["status"]["phase"] == "Terminating"
    assert server.get(f"{path}/pods/a").body["metadata"]["deletionTimestamp"]
    assert conditions["NamespaceContentRemaining"]["message"] == (
        "Some resources are remaining: configmaps. has 1 resource instances, pods. has 1 resource instances"
    )
    assert conditions["NamespaceFinalizersRemaining"]["status"] == "True"
    assert (refused.code, refused.body["message"]) == (
        403,
        'configmaps "late" is forbidden: unable to create new content in namespace shop because it is being terminated',
    )
    assert refused.body["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    server.ask("DELETE", f"{path}/pods/a", NOW)
    assert not gone(server, path)
    server.patch(f"{path}/configmaps/held", {"metadata": {"finalizers": []}})
    assert gone(server, path)


def test_a_watcher_sees_the_namespace_go(server: Server) -> None:
    """Who waits for the end of a namespace by watching gets a DELETED event."""
    server.make(f"{CORE}/namespaces", {"metadata": {"name": "shop"}})
    events = server.watch(f"{CORE}/namespaces?watch=1&fieldSelector=metadata.name=shop&timeoutSeconds=5")
    next(events)
    server.ask("DELETE", f"{CORE}/namespaces/shop")
    types = []
    for event in events:
        types.append(event["type"])
        if event["type"] == "DELETED":
            break

    assert types[-1] == "DELETED"


def test_some_namespaces_are_immortal(server: Server) -> None:
    """The namespaces default, kube-system and kube-public may not be deleted."""
    answer = server.ask("DELETE", f"{CORE}/namespaces/kube-system")

    assert (answer.code, answer.body["message"]) == (
        403,
        'namespaces "kube-system" is forbidden: this namespace may not be deleted',
    )


def owned_slice(name: str, owner: Json, **reference: object) -> dict[str, Any]:
    """Return an EndpointSlice that belongs to a Service."""
    entry = {
        "apiVersion": "v1",
        "kind": "Service",
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        **reference,
    }
    return {"metadata": {"name": name, "ownerReferences": [entry]}, "addressType": "IPv4", "endpoints": []}


def test_endpoint_slices_go_with_their_service(server: Server) -> None:
    """The garbage collector takes what has no owner any more, also when it is made too late."""
    web = server.make(f"{DEFAULT}/services", service("web"))
    server.make(SLICES, owned_slice("web-1", web))
    server.make(SLICES, {"metadata": {"name": "free"}, "addressType": "IPv4", "endpoints": []})
    server.ask("DELETE", f"{DEFAULT}/services/web")
    server.make(SLICES, owned_slice("web-late", web))

    assert [gone(server, f"{SLICES}/{name}") for name in ("web-1", "web-late", "free")] == [True, True, False]


def test_orphans_stay(server: Server) -> None:
    """PropagationPolicy Orphan frees the dependents instead of deleting them."""
    web = server.make(f"{DEFAULT}/services", service("web"))
    server.make(SLICES, owned_slice("web-1", web))
    server.ask("DELETE", f"{DEFAULT}/services/web", {"propagationPolicy": "Orphan"})

    assert gone(server, f"{DEFAULT}/services/web")
    assert not server.get(f"{SLICES}/web-1").body["metadata"].get("ownerReferences")


def test_foreground_waits_for_dependents(server: Server) -> None:
    """PropagationPolicy Foreground keeps the owner until the last dependent is gone."""
    web = server.make(f"{DEFAULT}/services", service("web"))
    held = owned_slice("web-1", web, blockOwnerDeletion=True)
    held["metadata"]["finalizers"] = ["lab.test/hold"]
    server.make(SLICES, held)
    server.ask("DELETE", f"{DEFAULT}/services/web", {"propagationPolicy": "Foreground"})

    assert server.get(f"{DEFAULT}/services/web").body["metadata"]["finalizers"] == ["foregroundDeletion"]
    server.patch(f"{SLICES}/web-1", {"metadata": {"finalizers": None}})
    assert [gone(server, path) for path in (f"{SLICES}/web-1", f"{DEFAULT}/services/web")] == [True, True]


def test_pods_can_be_bound_and_evicted(server: Server) -> None:
    """Binding assigns a node once and says so in a condition; eviction deletes with grace."""
    server.make(PODS, pod("a", node=None))
    binding = {"metadata": {"name": "a"}, "target": {"kind": "Node", "name": "node-2"}}
    first, second = (server.ask("POST", f"{PODS}/a/binding", binding).code for _ in range(2))
    bound = server.get(f"{PODS}/a").body
    evicted = server.ask("POST", f"{PODS}/a/eviction", {"metadata": {"name": "a"}, "deleteOptions": {}})

    assert (first, second, bound["spec"]["nodeName"]) == (201, 409, "node-2")
    assert [(each["type"], each["status"]) for each in bound["status"]["conditions"]] == [("PodScheduled", "True")]
    assert evicted.code == 201
    assert server.get(f"{PODS}/a").body["metadata"]["deletionTimestamp"]
