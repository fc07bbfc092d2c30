"""The official Python client, end to end: what l2probe and operators' scripts use."""

from __future__ import annotations

import threading

import pytest

from tests.lab.api.client import CRDS, DEFAULT, Json, Server, config_map, custom_kind, pod, service

kubernetes = pytest.importorskip("kubernetes")
pytest.importorskip("kubernetes.dynamic")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def client(server: Server) -> Json:
    """Return an ApiClient configured from the server's kubeconfig, as a tool would."""
    api = kubernetes.config.new_client_from_config(str(server.kubeconfig))
    yield api
    api.close()


def test_objects_from_beginning_to_end(client: Json) -> None:
    """Create, read, list, patch, replace and delete through typed methods."""
    core = kubernetes.client.CoreV1Api(client)
    core.create_namespace({"metadata": {"name": "shop"}})
    made = core.create_namespaced_service("shop", service("web", ipFamilyPolicy="PreferDualStack"))
    core.patch_namespaced_service("web", "shop", {"spec": {"selector": {"app": None, "tier": "front"}}})
    found = core.read_namespaced_service("web", "shop")

    assert len(client.sanitize_for_serialization(made)["spec"]["clusterIPs"]) == 2
    assert found.spec.selector == {"tier": "front"}
    assert [
        each.metadata.name for each in core.list_service_for_all_namespaces(field_selector="metadata.name=web").items
    ] == ["web"]
    stale = client.sanitize_for_serialization(found)
    core.patch_namespaced_service("web", "shop", {"metadata": {"labels": {"a": "b"}}})
    with pytest.raises(kubernetes.client.ApiException) as conflict:
        core.replace_namespaced_service("web", "shop", stale)
    assert conflict.value.status == 409
    assert core.delete_namespaced_service("web", "shop").metadata.name == "web"
    core.delete_namespace("shop")
    with pytest.raises(kubernetes.client.ApiException) as missing:
        core.read_namespace("shop")
    assert missing.value.status == 404


def test_pods_and_their_logs(client: Json, server: Server) -> None:
    """A Pod is created, gets a status, is deleted with grace 0, and its log is read."""

    async def source(_query: object) -> Json:
        yield b"hello\n"

    server.api.serve_logs(source)
    core = kubernetes.client.CoreV1Api(client)
    core.create_namespaced_pod("default", pod("a"))
    core.patch_namespaced_pod_status("a", "default", {"status": {"phase": "Running"}})

    assert core.read_namespaced_pod("a", "default").status.phase == "Running"
    assert core.read_namespaced_pod_log("a", "default") == "hello\n"
    assert core.delete_namespaced_pod("a", "default", grace_period_seconds=0).metadata.name == "a"
    assert core.list_namespaced_pod("default").items == []


def test_watches(client: Json, server: Server) -> None:
    """watch.Watch yields typed events, ends at its timeout, and resumes from a resourceVersion."""
    core = kubernetes.client.CoreV1Api(client)
    version = core.list_namespaced_config_map("default").metadata.resource_version
    names: list[tuple[str, str]] = []
    watch = kubernetes.watch.Watch()

    def listen() -> None:
        for event in watch.stream(
            core.list_namespaced_config_map, "default", resource_version=version, timeout_seconds=10
        ):
            names.append((event["type"], event["object"].metadata.name))
            if len(names) == 3:
                watch.stop()

    thread = threading.Thread(target=listen)
    thread.start()
    server.make(f"{DEFAULT}/configmaps", config_map("a"))
    server.patch(f"{DEFAULT}/configmaps/a", {"data": {"k": "v"}})
    server.ask("DELETE", f"{DEFAULT}/configmaps/a")
    thread.join(10)

    assert names == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


def test_a_lost_history_is_an_api_exception(forgetful: Server) -> None:
    """A watch from a forgotten revision raises 410, from which controllers relist."""
    api = kubernetes.config.new_client_from_config(str(forgetful.kubeconfig))
    core = kubernetes.client.CoreV1Api(api)
    version = core.list_namespaced_config_map("default").metadata.resource_version
    for number in range(6):
        forgetful.make(f"{DEFAULT}/configmaps", config_map(f"m{number}"))
    with pytest.raises(kubernetes.client.ApiException) as gone:
        list(
            kubernetes.watch.Watch().stream(
                core.list_namespaced_config_map, "default", resource_version=version, timeout_seconds=5
            )
        )
    api.close()

    assert gone.value.status == 410


def test_leases_and_slices(client: Json) -> None:
    """The kinds of election and endpoints work through their typed APIs; a second writer of a lease conflicts."""
    leases = kubernetes.client.CoordinationV1Api(client)
    slices = kubernetes.client.DiscoveryV1Api(client)
    lease = leases.create_namespaced_lease(
        "default",
        {"metadata": {"name": "l"}, "spec": {"holderIdentity": "a", "renewTime": "2026-11-23T10:00:00.123456Z"}},
    )
    body = client.sanitize_for_serialization(lease)
    leases.replace_namespaced_lease("l", "default", {**body, "spec": {"holderIdentity": "b"}})
    slices.create_namespaced_endpoint_slice(
        "default", {"metadata": {"name": "s"}, "addressType": "IPv4", "endpoints": []}
    )

    with pytest.raises(kubernetes.client.ApiException) as late:
        leases.replace_namespaced_lease("l", "default", {**body, "spec": {"holderIdentity": "c"}})
    assert late.value.status == 409
    assert leases.read_namespaced_lease("l", "default").spec.holder_identity == "b"
    assert [each.metadata.name for each in slices.list_endpoint_slice_for_all_namespaces().items] == ["s"]


def test_custom_objects_and_the_dynamic_client(client: Json, server: Server) -> None:
    """CustomObjectsApi and DynamicClient find and change a kind that was just registered."""
    server.make(CRDS, custom_kind())
    custom = kubernetes.client.CustomObjectsApi(client)
    body = {"apiVersion": "lab.test/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1}}
    custom.create_namespaced_custom_object("lab.test", "v1", "default", "widgets", body)
    custom.patch_namespaced_custom_object_status("lab.test", "v1", "default", "widgets", "w", {"status": {"ok": True}})
    found = custom.get_namespaced_custom_object("lab.test", "v1", "default", "widgets", "w")
    resource = kubernetes.dynamic.DynamicClient(client).resources.get(api_version="lab.test/v1", kind="Widget")
    applied = resource.server_side_apply(
        body={**body, "spec": {"size": 2}}, name="w", namespace="default", field_manager="test", force_conflicts=True
    )

    assert found["status"] == {"ok": True}
    assert applied.spec.size == 2


def test_rights_and_version(client: Json, server: Server) -> None:
    """A SelfSubjectAccessReview through the typed API, a 403 with its reason, and the server's version."""
    server.api.restrict(("list", "", "nodes"), allowed=False)
    reviews = kubernetes.client.AuthorizationV1Api(client)
    attributes = {"verb": "list", "resource": "nodes"}
    answer = reviews.create_self_subject_access_review({"spec": {"resourceAttributes": attributes}})
    with pytest.raises(kubernetes.client.ApiException) as refused:
        kubernetes.client.CoreV1Api(client).list_node()

    assert answer.status.allowed is False
    assert (refused.value.status, "Forbidden" in refused.value.body) == (403, True)
    assert kubernetes.client.VersionApi(client).get_code().git_version.startswith("v1.34")


def test_pages(client: Json, server: Server) -> None:
    """Limit and continue through the typed API."""
    for number in range(5):
        server.make(f"{DEFAULT}/configmaps", {"metadata": {"name": f"m{number}", "labels": {"mine": "yes"}}})
    core = kubernetes.client.CoreV1Api(client)
    first = core.list_namespaced_config_map("default", limit=3, label_selector="mine=yes")
    rest = core.list_namespaced_config_map(
        "default", limit=3, label_selector="mine=yes", _continue=first.metadata._continue
    )

    assert [len(first.items), len(rest.items), rest.metadata._continue] == [3, 2, None]
