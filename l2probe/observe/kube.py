"""The Kubernetes API -> model, and creation and deletion of what is ours."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from l2probe.model import Cluster, Right
from l2probe.observe import objects, survey
from l2probe.observe.access import Access
from l2probe.observe.lists import fetch
from l2probe.observe.live import LEAVE_SECONDS, Known, Live
from l2probe.observe.login import log_in
from l2probe.observe.refusals import CONFLICT, NOT_FOUND, StatusError, one_line
from l2probe.observe.survey import Announcer
from l2probe.observe.transport import Transport
from l2probe.observe.watch import Kind, Watch

NOTHING_SAID = Access()
WORKERS = 8
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
MERGE_PATCH = "application/merge-patch+json"


def connect(access: Access = NOTHING_SAID) -> Api:
    """Return the API of the context that kubectl would use; raises as `log_in`."""
    login = log_in(access)
    return Api(login.transport, context=login.context, namespace=login.namespace)


def plural(kind: str) -> str:
    """Return the resource name of a kind, by the rule that API servers and generators share (English plurals)."""
    word = kind.lower()
    if word.endswith("y"):
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith("s") else f"{word}s"


class Api:
    """One cluster's API server; safe to use from many threads. Every method raises ClusterError or NotAllowedError."""

    def __init__(self, transport: Transport, *, context: str | None, namespace: str) -> None:
        self.context = context
        self.namespace = namespace
        self.server = transport.server
        self._transport = transport
        self._announcer: Announcer | None = None
        self._lock = threading.Lock()

    @property
    def transport(self) -> Transport:
        """The session that we are logged in with, for readers of what this class does not offer."""
        return self._transport

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def version(self) -> str:
        """Return the server's gitVersion."""
        return survey.server_version(self._transport)

    def missing_rights(self, rights: Sequence[Right]) -> tuple[Right, ...]:
        """Return those of the rights that the server would deny us (SelfSubjectAccessReview)."""
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="rights") as pool:
            allowed = list(pool.map(self._allowed, rights))
        return tuple(right for right, ok in zip(rights, allowed, strict=True) if not ok)

    def _allowed(self, right: Right) -> bool:
        resource, _, subresource = right.resource.partition("/")
        wanted = {"verb": right.verb, "group": right.group, "resource": resource, "namespace": right.namespace}
        if subresource:
            wanted["subresource"] = subresource
        if right.name:
            wanted["name"] = right.name
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": wanted},
        }
        body = self._transport.call("POST", REVIEWS, body=review)
        return self._transport.decode(body, objects.Review, REVIEWS).status.allowed

    def cluster(self) -> Cluster:
        """Return what the cluster says about itself; a kind that we may not read is None and in `missing_rights`."""
        cluster, announcer = survey.survey(self._transport, self.context)
        with self._lock:
            self._announcer = announcer
        return cluster

    def create(self, manifest: Mapping[str, object]) -> None:
        """Create one object; raises StatusError (409, 422) or NotAllowedError with the server's own message."""
        metadata = manifest["metadata"]
        assert isinstance(metadata, Mapping)
        kind = str(manifest["kind"])
        version = str(manifest["apiVersion"])
        base = f"/api/{version}" if "/" not in version else f"/apis/{version}"
        inside = f"/namespaces/{metadata['namespace']}" if metadata.get("namespace") else ""
        try:
            self._transport.call("POST", f"{base}{inside}/{plural(kind)}", body=manifest)
        except StatusError as error:
            if not (error.repeated and error.status == CONFLICT):
                raise  # else our own first attempt arrived although its answer did not

    def select(self, namespace: str, service: str, selector: Mapping[str, str]) -> None:
        """Make this the whole selector of a Service; keys it no longer has are removed (RFC 7386: null)."""
        path = f"/api/v1/namespaces/{namespace}/services/{service}"
        old = self._transport.get(path, objects.ServiceObject).spec.selector or {}
        patch = {"spec": {"selector": {**dict.fromkeys(old), **selector}}}
        self._transport.call("PATCH", path, body=patch, content_type=MERGE_PATCH)

    def delete_namespace(self, name: str, *, timeout: float) -> bool:
        """Delete a namespace and wait at most `timeout` seconds; True when it is gone, or never was."""
        path = f"/api/v1/namespaces/{name}"
        try:
            self._transport.call("DELETE", path, body={"kind": "DeleteOptions", "apiVersion": "v1"})
        except StatusError as error:
            if error.status == NOT_FOUND:
                return True
            if error.status != CONFLICT:  # 409: it is being deleted already
                raise
        return self._wait_until_gone(name, timeout)

    def _wait_until_gone(self, name: str, timeout: float) -> bool:
        changed = threading.Condition()
        known = Known[objects.NamespaceObject](changed)
        query = {"fieldSelector": f"metadata.name={name}"}
        watch = Watch(
            self._transport, Kind(path="/api/v1/namespaces", shape=objects.NamespaceObject, query=query), known
        )
        watch.start()
        with changed:
            gone = changed.wait_for(lambda: known.error or (known.synced and not known.items), timeout)
        watch.close()
        watch.join(LEAVE_SECONDS)
        if known.error is not None:
            raise known.error
        return bool(gone)

    def why_namespace_stays(self, name: str) -> str:
        """Return why a namespace that was deleted is still there, in the server's words; "" when it is gone."""
        try:
            status = self._transport.get(f"/api/v1/namespaces/{name}", objects.NamespaceObject).status
        except StatusError as error:
            if error.status == NOT_FOUND:
                return ""
            raise
        reasons = [part.message or part.reason or "" for part in status.conditions or () if part.status == "True"]
        return one_line("; ".join(reason for reason in reasons if reason)) or f"it is {status.phase}"

    def namespaces(self, selector: str) -> tuple[tuple[str, Mapping[str, str]], ...]:
        """Return the namespaces that a label selector matches: names, with labels and annotations merged."""
        items, _ = fetch(self._transport, "/api/v1/namespaces", objects.Bare, {"labelSelector": selector})
        return tuple(
            (item.metadata.name, {**(item.metadata.labels or {}), **(item.metadata.annotations or {})})
            for item in items
        )

    def live(self, namespace: str) -> Live:
        """Return a context manager that follows a namespace and the announcer's claims about its Services."""
        with self._lock:
            if self._announcer is None:
                self._announcer = survey.detect(self._transport)
        return Live(self._transport, namespace, self._announcer)
