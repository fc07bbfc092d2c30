"""The Kubernetes API for a diagnosis: lists and gets only, so that `list` and `get` are the only rights it needs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from l2probe.announcers import cilium, kubevip, metallb
from l2probe.announcers.lease import Lease
from l2probe.diagnose.edges import Name
from l2probe.errors import ClusterError, NotAllowedError
from l2probe.model import Claim, Cluster, Condition, Ip, NetworkPolicy, Right, Service
from l2probe.observe import custom, decode, objects, survey
from l2probe.observe import network_policies as policies
from l2probe.observe.lists import fetch, fetch_if_served
from l2probe.observe.refusals import NOT_FOUND, StatusError, one_line
from l2probe.observe.survey import Announcer
from l2probe.observe.transport import Transport

LEASES = Right(verb="list", resource="leases", group="coordination.k8s.io")
L2_STATUSES = Right(verb="list", resource="servicel2statuses", group=metallb.GROUP)
CLAIM_RIGHTS = {cilium.NAME: LEASES, kubevip.NAME: LEASES, metallb.NAME: L2_STATUSES}
"""What must be allowed to read who should announce, by implementation."""
POLICY_RIGHTS = {
    kind: Right(verb="list", resource=kind.resource, group=kind.group)
    for kind in (policies.KUBERNETES, policies.CILIUM, policies.CLUSTERWIDE)
}
"""What must be allowed to read which clients the Pods admit; only used where connections were lost."""
SINGLY = 16
"""Services whose addresses are read again one by one; of more the whole list is read."""
PARALLEL = 8
WARNING = "Warning"
Leases = dict[Name, objects.LeaseObject]
Found = Mapping[Name, tuple[Claim, ...]]
Announced = tuple[Found, tuple[Claim, ...]]
"""The claims about the Services that were asked about, and those about none of them."""


class Reading:
    """One cluster's API server, read only. `namespace`: that of the kubeconfig's context."""

    def __init__(self, transport: Transport, *, context: str | None, namespace: str) -> None:
        self.namespace = namespace
        self._transport = transport
        self._context = context
        self._announcer = Announcer(name=None)
        self._within = ""

    def survey(self, within: str = "") -> Cluster:
        """Return what the cluster says it is; a kind that we may not read is None and in `missing_rights`.

        `within`: the namespace to which all later lists keep too where Services elsewhere may not be listed.
        """
        cluster, self._announcer = survey.survey(self._transport, self._context, within)
        self._within = cluster.within
        return cluster

    def claims(self, services: Collection[Name]) -> Found:
        """Return what is claimed now about each Service, at most one claim; call `survey` first."""
        return self.announced(services)[0]

    def announced(self, services: Collection[Name]) -> Announced:
        """Return the same, and the claims about other Services than these; call `survey` first."""
        read = READERS.get(self._announcer.name or "")
        return read(self._transport, self._announcer, services) if read else ({}, ())

    def document(self, name: Name) -> Mapping[str, object] | None:
        """Return a Service of any type; None when there is none of that name."""
        try:
            document = json.loads(self._transport.call("GET", _path(name)))
        except StatusError as error:
            if error.status == NOT_FOUND:
                return None
            raise
        except ValueError as error:
            raise ClusterError(f"The API server answered {_path(name)} with what is no JSON.") from error
        return document if isinstance(document, dict) else None

    def service(self, name: Name) -> Service | None:
        """Return one LoadBalancer Service with its backends (None: EndpointSlices may not be read)."""
        try:
            found = self._transport.get(_path(name), objects.ServiceObject)
        except StatusError as error:
            if error.status == NOT_FOUND:
                return None
            raise
        return next(iter(decode.load_balancers([found], self._slices(name))), None)

    def addresses(self, services: Collection[Name]) -> Mapping[Name, tuple[Ip, ...]]:
        """Return the ingress addresses that these Services have now; () of one that is gone.

        One that the server did not tell of is left out, so that it costs no other its reading.
        """
        return self._some(services) if len(services) <= SINGLY else self._all(services)

    def _all(self, services: Iterable[Name]) -> dict[Name, tuple[Ip, ...]]:
        items = fetch(self._transport, f"/api/v1{_inside(self._within)}/services", objects.ServiceObject)[0]
        found = {(item.metadata.namespace, item.metadata.name): decode.service(item, None).vips for item in items}
        return {name: found.get(name, ()) for name in services}

    def _some(self, services: Collection[Name]) -> dict[Name, tuple[Ip, ...]]:
        """Get each; who may only list (an audit needs no more) lists what was denied."""
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="addresses") as pool:
            found = dict(zip(services, pool.map(self._now, services), strict=True))
        told = {name: vips for name, vips in found.items() if isinstance(vips, tuple)}
        if denied := [name for name, vips in found.items() if isinstance(vips, NotAllowedError)]:
            with suppress(ClusterError):
                told |= self._all(denied)
        return told

    def _now(self, name: Name) -> tuple[Ip, ...] | ClusterError:
        try:
            return decode.service(self._transport.get(_path(name), objects.ServiceObject), None).vips
        except StatusError as error:
            return () if error.status == NOT_FOUND else error
        except ClusterError as error:
            return error

    def network_policies(self, namespace: str) -> tuple[tuple[NetworkPolicy, ...] | None, tuple[Right, ...]]:
        """Return the policies that may concern a namespace's Pods, and the rights that were denied.

        None when a kind that is served could not be read: then nobody is known to be refused.
        """
        found: list[NetworkPolicy] = []
        denied: list[Right] = []
        for kind, right in POLICY_RIGHTS.items():
            try:
                found += self._policies_of(kind, namespace)
            except NotAllowedError:
                denied.append(right)
            except ClusterError:
                return None, tuple(denied)  # it only adds words to what is known already
        unserved = [right for right in denied if right.group == "cilium.io" and self._announcer.name != cilium.NAME]
        missing = tuple(right for right in denied if right not in unserved)
        return (None if missing else tuple(found)), missing

    def _policies_of(self, kind: policies.Kind, namespace: str) -> Iterable[NetworkPolicy]:
        path = kind.path(namespace)
        if kind is policies.KUBERNETES:
            plain = fetch_if_served(self._transport, path, policies.NetworkPolicyObject) or ()
            return (policy for item in plain for policy in policies.kubernetes(item))
        items = fetch_if_served(self._transport, path, policies.CiliumPolicyObject) or ()
        return (policy for item in items for policy in policies.cilium(kind, item))

    def _slices(self, name: Name) -> list[objects.SliceObject] | None:
        path = f"/apis/discovery.k8s.io/v1/namespaces/{name[0]}/endpointslices"
        query = {"labelSelector": f"{decode.SERVICE_NAME_LABEL}={name[1]}"}
        try:
            return fetch(self._transport, path, objects.SliceObject, query)[0]
        except NotAllowedError:
            return None

    def warning(self, name: Name) -> Condition | None:
        """Return the newest warning event about a Service as a condition; None without one, or when denied."""
        query = {"fieldSelector": f"involvedObject.kind=Service,involvedObject.name={name[1]},type={WARNING}"}
        return self._warnings(f"/api/v1/namespaces/{name[0]}/events", query, name[0]).get(name)

    def warnings(self) -> Mapping[Name, Condition]:
        """Return the newest warning event about each Service that has one; nothing when denied."""
        path = f"/api/v1{_inside(self._within)}/events"
        return self._warnings(path, {"fieldSelector": f"involvedObject.kind=Service,type={WARNING}"})

    def _warnings(self, path: str, query: Mapping[str, str], namespace: str = "") -> dict[Name, Condition]:
        try:
            events, _ = fetch(self._transport, path, objects.EventObject, query)
        except ClusterError:
            return {}  # it only adds words to what is known already
        return {
            (namespace or event.metadata.namespace, event.involved_object.name): _condition(event)
            for event in events
            if event.type == WARNING
        }


def _condition(event: objects.EventObject) -> Condition:
    reason, message = one_line(event.reason or ""), one_line(event.message or "")
    return Condition(type="Event", status=WARNING, reason=reason, message=message)


def _path(name: Name) -> str:
    return f"/api/v1/namespaces/{name[0]}/services/{name[1]}"


def _inside(namespace: str) -> str:
    """Return the part of a path that keeps a list to one namespace; "" for all of them."""
    return f"/namespaces/{namespace}" if namespace else ""


def _leases(transport: Transport, namespace: str) -> Leases:
    """Return the leases of a namespace, or of all ("")."""
    path = f"/apis/coordination.k8s.io/v1{_inside(namespace)}/leases"
    found, _ = fetch(transport, path, objects.LeaseObject)
    return {(item.metadata.namespace, item.metadata.name): item for item in found}


def _pick(
    leases: Leases,
    wanted: Mapping[Name, Sequence[Name]],
    ours: Callable[[Name], bool],
    read: Callable[[Lease, float], Claim],
) -> Announced:
    """Return for each Service the claim renewed last of the leases it may have, and the other leases that are `ours`.

    After an upgrade the lease of the older name may still lie there.
    """
    now = time.time()
    found: dict[Name, tuple[Claim, ...]] = {}
    known: set[Name] = set()
    for service, names in wanted.items():
        held = [name for name in names if name in leases]
        known.update(held)
        found[service] = (read(decode.lease(_newest([leases[name] for name in held])), now),) if held else ()
    strays = (lease for name, lease in leases.items() if name not in known and ours(name))
    return found, tuple(read(decode.lease(lease), now) for lease in strays)


def _newest(leases: Sequence[objects.LeaseObject]) -> objects.LeaseObject:
    return leases[0] if len(leases) == 1 else max(leases, key=lambda one: decode.seconds(one.spec.renew_time) or 0.0)


def _cilium(transport: Transport, announcer: Announcer, services: Collection[Name]) -> Announced:
    leases = _leases(transport, announcer.namespace)
    wanted = {service: [(announcer.namespace, lease) for lease in cilium.lease_names(*service)] for service in services}
    return _pick(leases, wanted, lambda name: name[1].startswith(cilium.LEASE_PREFIX), cilium.claim)


def _kube_vip(transport: Transport, announcer: Announcer, services: Collection[Name]) -> Announced:
    leases = _leases_around(transport, announcer, {namespace for namespace, _ in services})
    wanted = {
        (namespace, name): [
            (where, lease) for lease in kubevip.lease_names(name) for where in (namespace, announcer.namespace)
        ]
        for namespace, name in services
    }
    return _pick(leases, wanted, lambda name: name[1].startswith(kubevip.LEASE_PREFIX), kubevip.claim)


def _leases_around(transport: Transport, announcer: Announcer, namespaces: Collection[str]) -> Leases:
    """Return all leases; who may not list them all gets those of a single namespace and of the announcer's own."""
    try:
        return _leases(transport, "")
    except NotAllowedError:
        if len(namespaces) != 1:
            raise
    return _leases(transport, announcer.namespace) | _leases(transport, next(iter(namespaces)))


def _metallb(transport: Transport, _: Announcer, services: Collection[Name]) -> Announced:
    path = f"/apis/{metallb.GROUP}/v1beta1/servicel2statuses"
    statuses = fetch_if_served(transport, path, custom.L2Status) or []
    found: dict[Name, tuple[Claim, ...]] = dict.fromkeys(services, ())
    strays: list[Claim] = []
    for item in statuses:
        labels = item.metadata.labels or {}
        name = (labels.get(metallb.SERVICE_NAMESPACE_LABEL, ""), labels.get(metallb.SERVICE_LABEL, ""))
        node = item.status.node if item.status else None
        claim = metallb.claim(item.metadata.namespace, item.metadata.name, node, time.time())
        if name in found:
            found[name] = (claim,)
        else:
            strays.append(claim)
    return found, tuple(strays)


READERS = {cilium.NAME: _cilium, kubevip.NAME: _kube_vip, metallb.NAME: _metallb}
"""How each implementation's claims are read."""
