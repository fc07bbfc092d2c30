"""What the API server fills in when a field is left out (pkg/apis/core/v1/defaults.go and admission plugins)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Final

from l2probe.lab.api.kinds import Kind, Storage
from l2probe.lab.api.objects import Obj, dig

EXTERNAL: Final = frozenset({"NodePort", "LoadBalancer"})
NO_EXECUTE: Final = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
MODE: Final = 0o644


def _fill(target: Obj, values: Obj) -> None:
    for key, value in values.items():
        if target.get(key) is None:
            target[key] = value


def _service(service: Obj) -> None:
    spec = service.setdefault("spec", {})
    _fill(spec, {"type": "ClusterIP", "sessionAffinity": "None"})
    if spec["sessionAffinity"] == "ClientIP":
        _fill(spec, {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}}})
    for port in spec.get("ports") or ():
        _fill(port, {"protocol": "TCP", "targetPort": port.get("port")})
    if spec["type"] != "ExternalName":
        _fill(spec, {"internalTrafficPolicy": "Cluster"})
    if spec["type"] in EXTERNAL or spec.get("externalIPs"):
        _fill(spec, {"externalTrafficPolicy": "Cluster"})
    if spec["type"] == "LoadBalancer":
        _fill(spec, {"allocateLoadBalancerNodePorts": True})
    for ingress in dig(service, "status", "loadBalancer", "ingress") or ():
        if ingress.get("ip"):
            _fill(ingress, {"ipMode": "VIP"})


def _probe(probe: Obj) -> None:
    _fill(probe, {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3})
    if isinstance(probe.get("httpGet"), dict):
        _fill(probe["httpGet"], {"path": "/", "scheme": "HTTP"})


def _pull_policy(image: str) -> str:
    tag = image.rsplit("/", 1)[-1].partition("@")[0].partition(":")[2]
    return "Always" if tag in {"", "latest"} and "@" not in image else "IfNotPresent"


def _container(container: Obj) -> None:
    defaults: Obj = {
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": _pull_policy(container.get("image") or ""),
        "resources": {},
    }
    _fill(container, defaults)
    for port in container.get("ports") or ():
        _fill(port, {"protocol": "TCP"})
    for name in ("readinessProbe", "livenessProbe", "startupProbe"):
        if isinstance(container.get(name), dict):
            _probe(container[name])
    for variable in container.get("env") or ():
        if reference := dig(variable, "valueFrom", "fieldRef"):
            _fill(reference, {"apiVersion": "v1"})
    limits = dig(container, "resources", "limits")
    if limits:
        _fill(container["resources"].setdefault("requests", {}), limits)


def _volume(volume: Obj) -> None:
    for source in ("configMap", "secret", "projected", "downwardAPI"):
        if isinstance(volume.get(source), dict):
            _fill(volume[source], {"defaultMode": MODE})
    if set(volume) == {"name"}:
        volume["emptyDir"] = {}


def pod_spec(spec: Obj) -> None:
    """Fill in what every Pod template gets."""
    defaults: Obj = {
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "terminationGracePeriodSeconds": 30,
    }
    _fill(spec, defaults)
    for group in ("containers", "initContainers"):
        for container in spec.get(group) or ():
            _container(container)
    for volume in spec.get("volumes") or ():
        _volume(volume)


def _quality(spec: Obj) -> str:
    resources = [container.get("resources") or {} for container in spec.get("containers") or ()]
    if not any(each.get("requests") or each.get("limits") for each in resources):
        return "BestEffort"
    exact = all({"cpu", "memory"} <= (each.get("limits") or {}).keys() for each in resources)
    same = all(each.get("limits") == (each.get("requests") or each.get("limits")) for each in resources)
    return "Guaranteed" if exact and same else "Burstable"


def _pod(pod: Obj) -> None:
    spec = pod.setdefault("spec", {})
    pod_spec(spec)
    _fill(spec, {"enableServiceLinks": True})


def _prepared_service(service: Obj, before: Obj | None) -> None:
    spec = service["spec"]
    if before is not None:
        _drop_what_the_type_lost(service, before)
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    _fill(service.setdefault("status", {}), {"loadBalancer": {}})


def _drop_what_the_type_lost(service: Obj, before: Obj) -> None:
    """Take away what only the old type had and nobody changed (registry/core/service, dropTypeDependentFields)."""
    spec, old = service["spec"], before["spec"]
    lost = ["allocateLoadBalancerNodePorts", "loadBalancerClass"] if spec["type"] != "LoadBalancer" else []
    if spec["type"] not in EXTERNAL and not spec.get("externalIPs"):
        lost.append("externalTrafficPolicy")
    for key in lost:
        if spec.get(key) == old.get(key):
            spec.pop(key, None)
    if spec["type"] != "LoadBalancer" and old["type"] == "LoadBalancer":
        service["status"] = {**(service.get("status") or {}), "loadBalancer": {}}


def _prepared_namespace(namespace: Obj, _before: Obj | None) -> None:
    _fill(namespace.setdefault("spec", {}), {"finalizers": ["kubernetes"]})
    _fill(namespace.setdefault("status", {}), {"phase": "Active"})


def _prepared_pod(pod: Obj, _before: Obj | None) -> None:
    spec = pod["spec"]
    account = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    more: Obj = {
        "serviceAccountName": account,
        "serviceAccount": account,
        "priority": 0,
        "preemptionPolicy": "PreemptLowerPriority",
    }
    _fill(spec, more)
    tolerated = {(each.get("key"), each.get("effect")) for each in spec.get("tolerations") or ()}
    for key in NO_EXECUTE:
        if not tolerated & {(key, "NoExecute"), (key, None), (None, None)}:
            taint = {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            spec["tolerations"] = [*(spec.get("tolerations") or []), taint]
    _fill(pod.setdefault("status", {}), {"phase": "Pending", "qosClass": _quality(spec)})


def _workload(obj: Obj) -> None:
    if template := dig(obj, "spec", "template", "spec"):
        pod_spec(template)
    _fill(obj.setdefault("spec", {}), {"revisionHistoryLimit": 10})
    obj.setdefault("status", {})


def _deployment(obj: Obj) -> None:
    _workload(obj)
    rolling = {"maxUnavailable": "25%", "maxSurge": "25%"}
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    _fill(obj["spec"], {"replicas": 1, "strategy": strategy, "progressDeadlineSeconds": 600})


def _daemon_set(obj: Obj) -> None:
    _workload(obj)
    rolling = {"maxUnavailable": 1, "maxSurge": 0}
    _fill(obj["spec"], {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": rolling}})
    counts = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
    _fill(obj["status"], dict.fromkeys(counts, 0))


def _namespace(namespace: Obj) -> None:
    name = namespace["metadata"].get("name")
    if name:
        namespace["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name


def _secret(secret: Obj) -> None:
    _fill(secret, {"type": "Opaque"})
    plain = secret.pop("stringData", None) or {}
    if plain:
        encoded = {key: base64.b64encode(value.encode(errors="replace")).decode() for key, value in plain.items()}
        secret["data"] = {**(secret.get("data") or {}), **encoded}


def _endpoint_slice(obj: Obj) -> None:
    obj.setdefault("endpoints", [])
    for port in obj.get("ports") or ():
        _fill(port, {"name": "", "protocol": "TCP"})


def _endpoints(obj: Obj) -> None:
    for subset in obj.get("subsets") or ():
        for port in subset.get("ports") or ():
            _fill(port, {"protocol": "TCP"})


def _definition(crd: Obj) -> None:
    spec = crd.get("spec") or {}
    names = spec.get("names") or {}
    kind = str(names.get("kind") or "")
    _fill(names, {"singular": kind.lower(), "listKind": f"{kind}List"})
    _fill(spec, {"conversion": {"strategy": "None"}})


def _spec(obj: Obj) -> None:
    obj.setdefault("spec", {})


DEFAULTS: Final[dict[Storage, Callable[[Obj], None]]] = {
    ("", "services"): _service,
    ("", "pods"): _pod,
    ("", "namespaces"): _namespace,
    ("", "nodes"): _spec,
    ("", "secrets"): _secret,
    ("", "endpoints"): _endpoints,
    ("apps", "daemonsets"): _daemon_set,
    ("apps", "deployments"): _deployment,
    ("discovery.k8s.io", "endpointslices"): _endpoint_slice,
    ("coordination.k8s.io", "leases"): _spec,
    ("apiextensions.k8s.io", "customresourcedefinitions"): _definition,
}


PREPARED: Final[dict[Storage, Callable[[Obj, Obj | None], None]]] = {
    ("", "services"): _prepared_service,
    ("", "pods"): _prepared_pod,
    ("", "namespaces"): _prepared_namespace,
}


def fill_defaults(kind: Kind, obj: Obj) -> None:
    """Fill in, in place, what this kind's objects get when it is left out; the writer owns these fields."""
    fill = None if kind.custom else DEFAULTS.get(kind.storage)
    if fill is not None:
        fill(obj)


def prepare(kind: Kind, obj: Obj, before: Obj | None) -> None:
    """Do, in place, what the server's strategies and admission plugins do on create and update; nobody owns this."""
    fill = None if kind.custom else PREPARED.get(kind.storage)
    if fill is not None:
        fill(obj, before)
