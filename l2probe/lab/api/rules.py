"""What makes an object of a built-in kind invalid (422), beyond its schema: a table of small functions.

Not every rule of the real server: those that people and controllers of a cluster with L2 announcements run into.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from l2probe.lab.api.causes import (
    config_key,
    dns_label,
    duplicate,
    label_causes,
    metadata_causes,
    not_allowed,
    required,
    unsupported,
    wrong,
)
from l2probe.lab.api.kinds import Kind, Storage
from l2probe.lab.api.objects import Json, Obj, dig, meta
from l2probe.lab.api.status import Cause

Rule = Callable[[Obj, Obj | None], Iterator[Cause]]
"""Takes the object and, on update, the one before."""

ENUMS: Final[dict[Storage, tuple[tuple[str, tuple[str, ...]], ...]]] = {
    ("", "services"): (
        ("spec.type", ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")),
        ("spec.sessionAffinity", ("ClientIP", "None")),
        ("spec.externalTrafficPolicy", ("Cluster", "Local")),
        ("spec.internalTrafficPolicy", ("Cluster", "Local")),
        ("spec.ipFamilyPolicy", ("PreferDualStack", "RequireDualStack", "SingleStack")),
    ),
    ("", "pods"): (
        ("spec.restartPolicy", ("Always", "OnFailure", "Never")),
        ("spec.dnsPolicy", ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")),
    ),
    ("", "namespaces"): (("status.phase", ("Active", "Terminating")),),
    ("discovery.k8s.io", "endpointslices"): (("addressType", ("FQDN", "IPv4", "IPv6")),),
}
PROTOCOLS: Final = ("SCTP", "TCP", "UDP")
PORTS: Final = range(1, 65536)
BAD_PORT: Final = "must be between 1 and 65535, inclusive"
MAX_DATA: Final = 1024 * 1024


def _enums(storage: Storage, obj: Obj) -> Iterator[Cause]:
    for field, allowed in ENUMS.get(storage, ()):
        value = dig(obj, *field.split("."))
        if value is not None and value not in allowed:
            yield unsupported(field, value, allowed)


def _fixed(obj: Obj, before: Obj | None, *fields: str) -> Iterator[Cause]:
    for field in fields:
        path = field.split(".")
        if before is not None and dig(before, *path) is not None and dig(before, *path) != dig(obj, *path):
            yield wrong(field, dig(obj, *path), "field is immutable")


def _port_causes(ports: Iterable[Obj], field: str, number: str) -> Iterator[Cause]:
    for index, port in enumerate(ports):
        here = f"{field}[{index}]"
        if port.get(number) not in PORTS:
            yield wrong(f"{here}.{number}", port.get(number), BAD_PORT)
        if port.get("protocol") not in PROTOCOLS:
            yield unsupported(f"{here}.protocol", port.get("protocol"), PROTOCOLS)


def _service_ports(service: Obj, _before: Obj | None) -> Iterator[Cause]:
    spec = service["spec"]
    ports = spec.get("ports") or []
    if not ports and spec["type"] != "ExternalName" and spec.get("clusterIP") != "None":
        yield required("spec.ports")
    yield from _port_causes(ports, "spec.ports", "port")
    seen: set[Json] = set()
    names: set[Json] = set()
    for index, port in enumerate(ports):
        pair = port.get("protocol"), port.get("port")
        if pair in seen:
            yield duplicate(f"spec.ports[{index}]", {"protocol": pair[0], "port": pair[1]})
        if not port.get("name") and len(ports) > 1:
            yield required(f"spec.ports[{index}].name")
        elif port.get("name") and (complaint := dns_label(port["name"])):
            yield wrong(f"spec.ports[{index}].name", port["name"], complaint)
        elif port.get("name") in names:
            yield duplicate(f"spec.ports[{index}].name", port["name"])
        seen.add(pair)
        names.add(port.get("name"))


def _target_ports(service: Obj, _before: Obj | None) -> Iterator[Cause]:
    for index, port in enumerate(service["spec"].get("ports") or ()):
        target = port.get("targetPort")
        if isinstance(target, int) and target not in PORTS:
            yield wrong(f"spec.ports[{index}].targetPort", target, BAD_PORT)


def _service_policy(service: Obj, before: Obj | None) -> Iterator[Cause]:
    spec = service["spec"]
    external = spec["type"] in {"NodePort", "LoadBalancer"} or spec.get("externalIPs")
    if spec.get("externalTrafficPolicy") and not external:
        yield wrong(
            "spec.externalTrafficPolicy",
            spec["externalTrafficPolicy"],
            "may only be set for externally-accessible services",
        )
    if spec.get("loadBalancerClass") and spec["type"] != "LoadBalancer":
        yield not_allowed("spec.loadBalancerClass", "may only be used when `type` is 'LoadBalancer'")
    if before is not None and before["spec"]["type"] == spec["type"] == "LoadBalancer":
        old, new = before["spec"].get("loadBalancerClass"), spec.get("loadBalancerClass")
        if old != new:
            yield wrong("spec.loadBalancerClass", new, "may not change once set")
    if spec["type"] == "ExternalName" and not spec.get("externalName"):
        yield required("spec.externalName")


def _service_addresses(service: Obj, before: Obj | None) -> Iterator[Cause]:
    spec = service["spec"]
    for index, family in enumerate(spec.get("ipFamilies") or ()):
        if family not in {"IPv4", "IPv6"}:
            yield unsupported(f"spec.ipFamilies[{index}]", family, ("IPv4", "IPv6"))
    for index, ip in enumerate(spec.get("clusterIPs") or ()):
        if ip != "None" and not is_address(ip):
            yield wrong(
                f"spec.clusterIPs[{index}]", ip, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
            )
    for index, text in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        if not is_network(text):
            yield wrong(
                f"spec.LoadBalancerSourceRanges[{index}]",
                text,
                "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
            )
    old = dig(before, "spec", "clusterIP")
    kept = before is not None and "ExternalName" not in {spec["type"], before["spec"]["type"]}
    if kept and old and spec.get("clusterIP") and old != spec["clusterIP"]:
        yield wrong("spec.clusterIPs[0]", [spec["clusterIP"]], "may not change once set")
    yield from label_causes(spec.get("selector"), "spec.selector")


def is_address(text: str) -> bool:
    """Say whether the text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_network(text: str) -> bool:
    """Say whether the text is a CIDR."""
    try:
        ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return False
    return "/" in text


def _load_balancer_status(service: Obj, _before: Obj | None) -> Iterator[Cause]:
    ingresses = dig(service, "status", "loadBalancer", "ingress") or ()
    if ingresses and service["spec"]["type"] != "LoadBalancer":
        yield not_allowed("status.loadBalancer.ingress", "may only be used when `spec.type` is LoadBalancer")
    for index, ingress in enumerate(ingresses):
        ip = ingress.get("ip")
        if ip and not is_address(ip):
            yield wrong(
                f"status.loadBalancer.ingress[{index}].ip",
                ip,
                "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
            )


def _containers(pod: Obj, _before: Obj | None) -> Iterator[Cause]:
    spec = pod["spec"]
    if not spec.get("containers"):
        yield required("spec.containers")
    volumes = {volume.get("name") for volume in spec.get("volumes") or ()}
    seen: set[str] = set()
    for group in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(group) or ()):
            here, name = f"spec.{group}[{index}]", container.get("name") or ""
            if name and (complaint := dns_label(name)):
                yield wrong(f"{here}.name", name, complaint)
            if name in seen:
                yield duplicate(f"{here}.name", name)
            seen.add(name)
            yield from _container(container, here, volumes)


def _container(container: Obj, here: str, volumes: set[Json]) -> Iterator[Cause]:
    if not container.get("image"):
        yield required(f"{here}.image")
    policy = container.get("imagePullPolicy")
    if policy not in {"Always", "IfNotPresent", "Never"}:
        yield unsupported(f"{here}.imagePullPolicy", policy, ("Always", "IfNotPresent", "Never"))
    yield from _port_causes(container.get("ports") or (), f"{here}.ports", "containerPort")
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        if mount.get("name") and mount["name"] not in volumes:
            field = f"{here}.volumeMounts[{index}].name"
            yield Cause("FieldValueNotFound", field, f'Not found: "{mount["name"]}"')


MUTABLE_POD_SPEC: Final = frozenset({"activeDeadlineSeconds", "terminationGracePeriodSeconds", "tolerations"})


def _pod_stays(pod: Obj, before: Obj | None) -> Iterator[Cause]:
    if before is None:
        return
    if _without_images(pod["spec"]) != _without_images(before["spec"]):
        fields = (
            "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
            "`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` "
            "(allow it to be set to 1 if it was previously negative)"
        )
        yield not_allowed("spec", f"pod updates may not change fields other than {fields}")


def _without_images(spec: Obj) -> Obj:
    kept = {key: value for key, value in spec.items() if key not in MUTABLE_POD_SPEC}
    for group in ("containers", "initContainers"):
        kept[group] = [{**container, "image": ""} for container in spec.get(group) or ()]
    return kept


def _data(obj: Obj, before: Obj | None) -> Iterator[Cause]:
    size = 0
    for field in ("data", "binaryData"):
        for key, value in (obj.get(field) or {}).items():
            size += len(value.encode(errors="replace"))
            if complaint := config_key(key):
                yield wrong(f"{field}[{key}]", key, complaint)
    if size > MAX_DATA:
        yield Cause("FieldValueTooLong", "", f"Too long: may not be more than {MAX_DATA} bytes")
    if before is not None and before.get("immutable"):
        if not obj.get("immutable"):
            yield not_allowed("immutable", "field is immutable when `immutable` is set")
        if obj.get("data") != before.get("data"):
            yield not_allowed("data", "field is immutable when `immutable` is set")


def _lease(lease: Obj, _before: Obj | None) -> Iterator[Cause]:
    duration, transitions = dig(lease, "spec", "leaseDurationSeconds"), dig(lease, "spec", "leaseTransitions")
    if duration is not None and duration <= 0:
        yield wrong("spec.leaseDurationSeconds", duration, "must be greater than 0")
    if transitions is not None and transitions < 0:
        yield wrong("spec.leaseTransitions", transitions, "must be greater than or equal to 0")


def _endpoint_slice(obj: Obj, before: Obj | None) -> Iterator[Cause]:
    yield from _fixed(obj, before, "addressType")
    version = {"IPv4": 4, "IPv6": 6}.get(obj.get("addressType") or "")
    for index, endpoint in enumerate(obj.get("endpoints") or ()):
        for place, address in enumerate(endpoint.get("addresses") or ()):
            if version and not (is_address(address) and ipaddress.ip_address(address).version == version):
                field = f"endpoints[{index}].addresses[{place}]"
                yield wrong(field, address, f"must be a valid {obj['addressType']} address")


def _definition(crd: Obj, before: Obj | None) -> Iterator[Cause]:
    spec = crd["spec"]
    expected = f"{dig(spec, 'names', 'plural')}.{spec.get('group')}"
    if meta(crd).get("name") != expected:
        yield wrong("metadata.name", meta(crd).get("name"), 'must be spec.names.plural+"."+spec.group')
    if spec.get("scope") not in {"Cluster", "Namespaced"}:
        yield unsupported("spec.scope", spec.get("scope"), ("Cluster", "Namespaced"))
    versions = spec.get("versions") or ()
    if sum(bool(version.get("storage")) for version in versions) != 1:
        yield wrong(
            "spec.versions",
            [version.get("name") for version in versions],
            "must have exactly one version marked as storage version",
        )
    for index, version in enumerate(versions):
        if dig(version, "schema", "openAPIV3Schema") is None:
            yield required(f"spec.versions[{index}].schema.openAPIV3Schema", "schemas are required")
    yield from _fixed(crd, before, "spec.group", "spec.scope", "spec.names.plural", "spec.names.kind")


def _taints(node: Obj, _before: Obj | None) -> Iterator[Cause]:
    for index, taint in enumerate(dig(node, "spec", "taints") or ()):
        allowed = ("NoExecute", "NoSchedule", "PreferNoSchedule")
        if taint.get("effect") not in allowed:
            yield unsupported(f"spec.taints[{index}].effect", taint.get("effect"), allowed)


RULES: Final[dict[Storage, tuple[Rule, ...]]] = {
    ("", "services"): (_service_ports, _target_ports, _service_policy, _service_addresses, _load_balancer_status),
    ("", "pods"): (_containers, _pod_stays),
    ("", "configmaps"): (_data,),
    ("", "nodes"): (_taints,),
    ("coordination.k8s.io", "leases"): (_lease,),
    ("discovery.k8s.io", "endpointslices"): (_endpoint_slice,),
    ("apiextensions.k8s.io", "customresourcedefinitions"): (_definition,),
}


def new_finalizers(obj: Obj, before: Obj | None) -> Iterator[Cause]:
    """Judge finalizers: an object that is being deleted gets no new ones."""
    if before is None or not meta(before).get("deletionTimestamp"):
        return
    extra = sorted(set(meta(obj).get("finalizers") or ()) - set(meta(before).get("finalizers") or ()))
    if extra:
        found = ", ".join(f'"{each}"' for each in extra)
        why = f"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{found}}}"
        yield not_allowed("metadata.finalizers", why)


def judge(kind: Kind, obj: Obj, before: Obj | None) -> list[Cause]:
    """Return everything that is wrong with an object's values, in the order of its fields."""
    found = [*metadata_causes(kind.storage, obj), *new_finalizers(obj, before)]
    if not kind.custom:
        found += _enums(kind.storage, obj)
        for rule in RULES.get(kind.storage, ()):
            found += rule(obj, before)
    return found
