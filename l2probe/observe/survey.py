"""What the cluster says it is: one round of lists, side by side, into a Cluster. Claims only; nothing is judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Generic, TypeVar

from l2probe.announcers import cilium, kubevip, metallb, servicelb
from l2probe.announcers.image import version_of
from l2probe.errors import ClusterError, NotAllowedError
from l2probe.model import AnnouncementPolicy, Cluster, Controller, Pool, Right
from l2probe.observe import custom, decode, objects
from l2probe.observe.lists import fetch, fetch_if_served
from l2probe.observe.refusals import NOT_FOUND, StatusError
from l2probe.observe.transport import Transport

WORKERS = 6
T = TypeVar("T")

NODES = Right(verb="list", resource="nodes")
SERVICES = Right(verb="list", resource="services")
SLICES = Right(verb="list", resource="endpointslices", group="discovery.k8s.io")
DAEMON_SETS = Right(verb="list", resource="daemonsets", group="apps")
CONFIG = Right(verb="get", resource="configmaps", namespace=cilium.NAMESPACE)
CILIUM_POOLS = Right(verb="list", resource="ciliumloadbalancerippools", group="cilium.io")
CILIUM_POLICIES = Right(verb="list", resource="ciliuml2announcementpolicies", group="cilium.io")
METALLB_POOLS = Right(verb="list", resource="ipaddresspools", group=metallb.GROUP)
ADVERTISEMENTS = Right(verb="list", resource="l2advertisements", group=metallb.GROUP)
BGP_ADVERTISEMENTS = Right(verb="list", resource="bgpadvertisements", group=metallb.GROUP)
PODS = Right(verb="list", resource="pods", namespace=kubevip.NAMESPACE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcer:
    """The detected implementation. `config` is cilium-config, None when absent or unreadable; `namespace` its own."""

    name: str | None
    namespace: str = cilium.NAMESPACE
    version: str | None = None
    announcing: bool | None = None
    config: dict[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """What was read; None where the server does not serve the kind or we may not read it (then a right is missing)."""

    daemon_sets: list[objects.DaemonSetObject] | None
    config: dict[str, str] | None
    cilium_pools: list[custom.CiliumPool] | None
    cilium_policies: list[custom.CiliumPolicy] | None
    metallb_pools: list[custom.MetallbPool] | None
    advertisements: list[custom.Advertisement] | None
    missing: tuple[Right, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed(Generic[T]):
    """What a list in all namespaces, or else in one, gave; None: it may not be read there either."""

    items: list[T] | None
    everywhere: bool


class Reader:
    """Reads kinds side by side; a denied one gives None and its right is noted."""

    def __init__(self, transport: Transport, pool: ThreadPoolExecutor) -> None:
        self.transport = transport
        self.missing: list[Right] = []
        self._pool = pool

    def start(self, right: Right, read: Callable[[], T], group: str = "") -> Future[T | None]:
        """Begin a read that needs this right; denial costs nothing where the API `group` it is about is not served."""
        return self._pool.submit(self._allowed, right, read, group)

    def _allowed(self, right: Right, read: Callable[[], T], group: str) -> T | None:
        try:
            return read()
        except NotAllowedError:
            if not group or self._groups is None or group in self._groups:
                self.missing.append(right)
            return None

    @cached_property
    def _groups(self) -> frozenset[str] | None:
        """The API groups that are served; None when the server does not tell.

        RBAC answers 403 for kinds that do not exist too; discovery is open to everyone (ClusterRole system:discovery).
        """
        try:
            return frozenset(group.name for group in self.transport.get("/apis", objects.Groups).groups)
        except ClusterError:
            return None

    def listed(self, right: Right, path: str, shape: type[T]) -> Future[list[T] | None]:
        """Begin to list a kind that every cluster has."""
        return self.start(right, lambda: fetch(self.transport, path, shape)[0])

    def within(self, right: Right, path: str, shape: type[T], namespace: str) -> Future[Listed[T]]:
        """Begin to list a kind of API `path` in all namespaces; where that is denied, in this one ("": nowhere)."""
        return self._pool.submit(self._within, right, path, shape, namespace)

    def _within(self, right: Right, path: str, shape: type[T], namespace: str) -> Listed[T]:
        try:
            return Listed(items=fetch(self.transport, f"{path}/{right.resource}", shape)[0], everywhere=True)
        except NotAllowedError:
            if not namespace:
                self.missing.append(right)
                return Listed(items=None, everywhere=False)
        inside = f"{path}/namespaces/{namespace}/{right.resource}"
        items = self._allowed(
            replace(right, namespace=namespace), lambda: fetch(self.transport, inside, shape)[0], group=""
        )
        return Listed(items=items, everywhere=False)

    def served(self, right: Right, paths: Sequence[str], shape: type[T]) -> Future[list[T] | None]:
        """Begin to list a kind that may not exist, from the first of the paths (versions) that is served."""
        return self.start(right, lambda: self._first(paths, shape), right.group)

    def _first(self, paths: Sequence[str], shape: type[T]) -> list[T] | None:
        found = (fetch_if_served(self.transport, path, shape) for path in paths)
        return next((items for items in found if items is not None), None)


def survey(transport: Transport, context: str | None, within: str = "") -> tuple[Cluster, Announcer]:
    """Return the cluster's claims about itself, and its announcer; raises ClusterError when the API fails.

    Services that may not be listed in all namespaces are those of the namespace `within`, where one is given.
    """
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="survey") as pool:
        reader = Reader(transport, pool)
        version = pool.submit(server_version, transport)
        nodes = reader.listed(NODES, "/api/v1/nodes", objects.NodeObject)
        services = reader.within(SERVICES, "/api/v1", objects.ServiceObject, within)
        slices = reader.within(SLICES, "/apis/discovery.k8s.io/v1", objects.SliceObject, within)
        raw = _read_announcers(reader)
        announcer = identify(raw, reader)
        found_services, found_slices, found_nodes = services.result(), slices.result(), nodes.result()
        return Cluster(
            context=context,
            server_version=version.result(),
            implementation=announcer.name,
            implementation_version=announcer.version,
            announcing=announcer.announcing,
            datapath=None if announcer.config is None else cilium.datapath(announcer.config),
            settings=cilium.settings(announcer.config or {}),
            pools=pools(raw, announcer),
            policies=policies(raw, announcer),
            nodes=None if found_nodes is None else tuple(decode.node(item) for item in found_nodes),
            services=None
            if found_services.items is None
            else decode.load_balancers(found_services.items, found_slices.items),
            within=within if within and not found_services.everywhere else "",
            missing_rights=tuple(dict.fromkeys(reader.missing)),
            controllers=controllers(raw),
            bgp=bgp(reader) if announcer.name == metallb.NAME else None,
        ), announcer


def server_version(transport: Transport) -> str:
    """Return the server's gitVersion."""
    return transport.get("/version", objects.Version).git_version


def detect(transport: Transport) -> Announcer:
    """Return the announcer alone, with fewer reads than `survey`."""
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="detect") as pool:
        reader = Reader(transport, pool)
        return identify(_read_announcers(reader), reader)


def _read_announcers(reader: Reader) -> Raw:
    daemon_sets = reader.listed(DAEMON_SETS, "/apis/apps/v1/daemonsets", objects.DaemonSetObject)
    config = reader.start(CONFIG, lambda: _config(reader.transport, cilium.NAMESPACE), CILIUM_POOLS.group)
    v2, v2alpha1 = "/apis/cilium.io/v2", "/apis/cilium.io/v2alpha1"
    paths = [f"{version}/ciliumloadbalancerippools" for version in (v2, v2alpha1)]
    cilium_pools = reader.served(CILIUM_POOLS, paths, custom.CiliumPool)
    path = f"{v2alpha1}/ciliuml2announcementpolicies"
    cilium_policies = reader.served(CILIUM_POLICIES, [path], custom.CiliumPolicy)
    group = f"/apis/{metallb.GROUP}/v1beta1"
    metallb_pools = reader.served(METALLB_POOLS, [f"{group}/ipaddresspools"], custom.MetallbPool)
    advertisements = reader.served(ADVERTISEMENTS, [f"{group}/l2advertisements"], custom.Advertisement)
    return Raw(
        daemon_sets=daemon_sets.result(),
        config=config.result(),
        cilium_pools=cilium_pools.result(),
        cilium_policies=cilium_policies.result(),
        metallb_pools=metallb_pools.result(),
        advertisements=advertisements.result(),
        missing=tuple(reader.missing),
    )


def _config(transport: Transport, namespace: str) -> dict[str, str] | None:
    path = f"/api/v1/namespaces/{namespace}/configmaps/{cilium.CONFIG_MAP}"
    try:
        return transport.get(path, objects.ConfigMapObject).data or {}
    except StatusError as error:
        if error.status == NOT_FOUND:
            return None
        raise


def identify(raw: Raw, reader: Reader) -> Announcer:
    """Return who announces: one that is configured to, before one that is merely installed."""
    found = [candidate for candidate in (_cilium(raw, reader), _metallb(raw)) if candidate is not None]
    active = next((candidate for candidate in found if candidate.announcing), None)
    if active is not None:
        return active
    kube_vip = _kube_vip(raw, reader)
    if kube_vip is not None:
        return kube_vip
    nothing = Announcer(name=None, announcing=None if reader.missing else False)
    return found[0] if found else nothing


def _daemon_set(raw: Raw, wanted: Callable[[objects.DaemonSetObject, str], bool]) -> tuple[str, str] | None:
    """Return namespace and image of the first DaemonSet that is wanted."""
    for item in raw.daemon_sets or ():
        for container in item.spec.template.spec.containers or ():
            if wanted(item, container.image):
                return item.metadata.namespace, container.image
    return None


def _cilium(raw: Raw, reader: Reader) -> Announcer | None:
    agent = _daemon_set(raw, lambda item, _: cilium.DAEMON_SET_LABEL in decode.pairs(item.metadata.labels))
    agent = agent or _daemon_set(raw, lambda item, _: item.metadata.name == cilium.NAME)
    namespace = agent[0] if agent else cilium.NAMESPACE
    config = raw.config
    if config is None and agent and namespace != cilium.NAMESPACE:
        right = Right(verb="get", resource="configmaps", namespace=namespace)
        config = reader.start(right, lambda: _config(reader.transport, namespace)).result()
    if config is None and agent is None:
        return None
    return Announcer(
        name=cilium.NAME,
        namespace=namespace,
        version=version_of(agent[1]) if agent else None,
        announcing=None if config is None else cilium.announces(config),
        config=config,
    )


def _metallb(raw: Raw) -> Announcer | None:
    if raw.metallb_pools is None and raw.advertisements is None and METALLB_POOLS not in raw.missing:
        return None
    speaker = _daemon_set(
        raw, lambda item, image: metallb.is_speaker(item.metadata.name, decode.pairs(item.metadata.labels), image)
    )
    return Announcer(
        name=metallb.NAME,
        namespace=speaker[0] if speaker else metallb.NAMESPACE,
        version=version_of(speaker[1]) if speaker else None,
        # A speaker is all that is switched on or off; a missing L2Advertisement is a missing policy.
        announcing=True if speaker or raw.advertisements else None,
        config=raw.config,
    )


def _kube_vip(raw: Raw, reader: Reader) -> Announcer | None:
    image = _daemon_set(raw, lambda _, image: kubevip.is_kube_vip(image))
    if image is None:
        path = f"/api/v1/namespaces/{kubevip.NAMESPACE}/pods"
        pods = reader.listed(PODS, path, objects.PodObject).result() or []
        images = (container.image for item in pods for container in item.spec.containers or ())
        image = next(((kubevip.NAMESPACE, each) for each in images if kubevip.is_kube_vip(each)), None)
    if image is None:
        return None
    return Announcer(
        name=kubevip.NAME, namespace=image[0], version=version_of(image[1]), announcing=True, config=raw.config
    )


def pools(raw: Raw, announcer: Announcer) -> tuple[Pool, ...] | None:
    """Return the pools of the announcer; None when they could not be read, or it has no such kind (kube-vip)."""
    if announcer.name == kubevip.NAME:
        return None
    if announcer.name == metallb.NAME:
        denied, found = METALLB_POOLS in raw.missing, [decode.metallb_pool(item) for item in raw.metallb_pools or ()]
    else:
        denied, found = CILIUM_POOLS in raw.missing, [decode.cilium_pool(item) for item in raw.cilium_pools or ()]
    return None if denied else tuple(found)


def policies(raw: Raw, announcer: Announcer) -> tuple[AnnouncementPolicy, ...] | None:
    """Return the announcement policies of the announcer; None when they could not be read, or it has no such kind."""
    if announcer.name == kubevip.NAME:
        return None
    if announcer.name == metallb.NAME:
        found = [policy for item in raw.advertisements or () for policy in decode.advertisement(item)]
        return None if ADVERTISEMENTS in raw.missing else tuple(found)
    found = [decode.cilium_policy(item) for item in raw.cilium_policies or ()]
    return None if CILIUM_POLICIES in raw.missing else tuple(found)


def bgp(reader: Reader) -> tuple[AnnouncementPolicy, ...] | None:
    """Return MetalLB's BGPAdvertisements; None when we may not read them, which costs nothing but the knowledge."""
    path = f"/apis/{BGP_ADVERTISEMENTS.group}/v1beta1/{BGP_ADVERTISEMENTS.resource}"
    try:
        items = fetch_if_served(reader.transport, path, custom.Advertisement)
    except NotAllowedError:
        return None
    return tuple(policy for item in items or () for policy in decode.advertisement(item))


def controllers(raw: Raw) -> tuple[Controller, ...] | None:
    """Return who writes addresses into LoadBalancer Services, as far as pools and DaemonSets show it.

    None when DaemonSets could not be read.
    """
    if raw.daemon_sets is None:
        return None
    allocating = (raw.config or {}).get("enable-lb-ipam", "true") != "false"
    kinds = (
        ("Cilium LB IPAM", "CiliumLoadBalancerIPPool", raw.cilium_pools if allocating else None),
        ("MetalLB", "IPAddressPool", raw.metallb_pools),
    )
    everywhere = [
        Controller(name=name, source=f"{len(found)} {kind}{'s' if len(found) > 1 else ''}")
        for name, kind, found in kinds
        if found
    ]
    return (*everywhere, *(one for item in raw.daemon_sets if (one := _service_lb(item)) is not None))


def _service_lb(item: objects.DaemonSetObject) -> Controller | None:
    meta, containers = item.metadata, item.spec.template.spec.containers or ()
    image = containers[0].image if containers else ""
    service = servicelb.service_of(meta.namespace, meta.name, meta.labels or {}, image)
    if service is None:
        return None
    return Controller(name=servicelb.NAME, source=f"DaemonSet {meta.namespace}/{meta.name}", service=service)
