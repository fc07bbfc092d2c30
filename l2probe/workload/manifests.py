"""The Kubernetes objects of a run, as plain mappings. Pure: no I/O, no clock, no random numbers.

Pods meet PodSecurity `restricted` (https://kubernetes.io/docs/concepts/security/pod-security-standards/); everything
carries the label that says it is ours and which run made it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from l2probe.model import Dialect, NodeName, TrafficPolicy
from l2probe.workload.dialects import POD_PORT, SERVERS, Server

Manifest = Mapping[str, object]

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "l2probe"
RUN_LABEL = "l2probe/run"
POD_LABEL = "l2probe/pod"
EXPIRES_ANNOTATION = "l2probe/expires"
PROCESS_ANNOTATION = "l2probe/process"
HOSTNAME_LABEL = "kubernetes.io/hostname"
SERVICE_PORT = 80
OURS = f"{MANAGED_BY_LABEL}={MANAGED_BY}"
"""Label selector of everything that any run made."""

_NAME = "l2probe"
_PULL_COPY = "l2probe-pull"
_USER = 65532


@dataclass(frozen=True, slots=True, kw_only=True)
class Toleration:
    """A Pod's toleration; operator Exists when `value` is None. `effect` empty: all effects."""

    key: str
    value: str | None = None
    effect: str = ""

    def covers(self, key: str, value: str, effect: str) -> bool:
        """Tell whether a Pod with this toleration may stand on a node with this taint."""
        return self.key == key and self.value in {None, value} and self.effect in {"", effect}


@dataclass(frozen=True, slots=True, kw_only=True)
class PullSecret:
    """The user's Secret with the login of an image registry. Pods read none of another namespace: it is copied."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What all objects of one run share. `secret` is hexadecimal, `expires` RFC 3339, `process` names its maker.

    `mark` ends the hostname of every Pod whose image holds no secret, so that what it says of itself shows whose it is.
    `image` empty: the default of the dialect.
    """

    run: str
    secret: str
    expires: str
    process: str = ""
    dialect: Dialect = Dialect.SCRIPT
    mark: str = ""
    image: str = ""
    pull_secret: PullSecret | None = None
    node_selector: tuple[tuple[str, str], ...] = ()
    tolerations: tuple[Toleration, ...] = ()

    @property
    def namespace(self) -> str:
        """The one namespace that holds everything of the run."""
        return f"l2probe-{self.run}"

    @property
    def server(self) -> Server:
        """What runs in the Pods."""
        return SERVERS[self.dialect]

    @property
    def scripted(self) -> bool:
        """Whether our own script runs in the Pods."""
        return self.dialect is Dialect.SCRIPT


def _metadata(workload: Workload, name: str, labels: Mapping[str, str] | None = None) -> dict[str, object]:
    own = {MANAGED_BY_LABEL: MANAGED_BY, "app.kubernetes.io/name": _NAME, RUN_LABEL: workload.run}
    return {"name": name, "namespace": workload.namespace, "labels": {**own, **(labels or {})}}


def namespace(workload: Workload) -> Manifest:
    """Return the run's Namespace: PodSecurity restricted, with expiry."""
    mode = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    metadata = _metadata(workload, workload.namespace, mode)
    del metadata["namespace"]
    annotations = {EXPIRES_ANNOTATION: workload.expires, PROCESS_ANNOTATION: workload.process}
    metadata["annotations"] = {key: value for key, value in annotations.items() if value}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def service_account(workload: Workload) -> Manifest:
    """Return an account without a token: the namespace's default one appears only some time after the namespace."""
    metadata = _metadata(workload, _NAME)
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, "automountServiceAccountToken": False}


def config_map(workload: Workload) -> Manifest:
    """Return the ConfigMap that delivers the echo server's source."""
    source = (files("l2probe.workload") / "echo.py").read_text()
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(workload, _NAME),
        "data": {"echo.py": source},
    }


def secret(workload: Workload) -> Manifest:
    """Return the Secret with what the echo server and this run share."""
    data = {"secret": workload.secret}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": _metadata(workload, _NAME), "stringData": data}


def pull_secret(workload: Workload, kind: str, key: str, value: str) -> Manifest:
    """Return the copy of the user's registry login: a Secret of type `kind` with `value` (base64) under `key`."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": _metadata(workload, _PULL_COPY),
        "type": kind,
        "data": {key: value},
    }


def pod_selector(workload: Workload, pod: str | None = None) -> dict[str, str]:
    """Return the Service selector for all Pods of the run, or for one of them."""
    return {RUN_LABEL: workload.run, **({} if pod is None else {POD_LABEL: pod})}


def pod(workload: Workload, name: str, hostname: str | None) -> Manifest:
    """Return an echo Pod on the node with this `kubernetes.io/hostname`; None: on any node without one of ours."""
    spec: dict[str, object] = {
        "serviceAccountName": _NAME,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(workload)],
        **_program_of_pod(workload, name),
        "tolerations": [_toleration(toleration) for toleration in workload.tolerations],
        "nodeSelector": {**dict(workload.node_selector), **({HOSTNAME_LABEL: hostname} if hostname else {})},
    }
    if workload.pull_secret is not None:
        spec["imagePullSecrets"] = [{"name": _PULL_COPY}]
    if hostname is None:
        spec["affinity"] = _apart(workload)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": _metadata(workload, name, {POD_LABEL: name}), "spec": spec}


def _program_of_pod(workload: Workload, name: str) -> dict[str, object]:
    """Return what the Pod needs for its program: the script's volume, or a hostname that shows whose Pod it is."""
    if workload.scripted:
        return {"volumes": [{"name": "echo", "configMap": {"name": _NAME}}]}
    return {"hostname": f"{name}-{workload.mark}"}


def _apart(workload: Workload) -> Manifest:
    term = {"topologyKey": HOSTNAME_LABEL, "labelSelector": {"matchLabels": {RUN_LABEL: workload.run}}}
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def _toleration(toleration: Toleration) -> Manifest:
    how = {"operator": "Exists"} if toleration.value is None else {"operator": "Equal", "value": toleration.value}
    return {"key": toleration.key, **how, **({"effect": toleration.effect} if toleration.effect else {})}


def _container(workload: Workload) -> Manifest:
    return {
        "name": "echo",
        "image": workload.image or workload.server.image,
        "imagePullPolicy": "IfNotPresent",
        **_program(workload),
        "ports": [
            {"name": protocol.lower(), "containerPort": POD_PORT, "protocol": str(protocol)}
            for protocol in workload.server.protocols
        ],
        "readinessProbe": {
            "httpGet": {"path": workload.server.ready, "port": POD_PORT},
            "periodSeconds": 1,
            "timeoutSeconds": 1,
        },
        "resources": {
            "requests": {"cpu": "10m", "memory": "24Mi"},
            "limits": {"cpu": "500m", "memory": workload.server.memory},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def _program(workload: Workload) -> dict[str, object]:
    """Return what the container starts. An image's own entry point is used; what it shall do stands in `args`."""
    if not workload.scripted:
        return {"args": list(workload.server.args)}
    return {
        "command": ["python3", "/l2probe/echo.py"],
        "env": [
            {"name": "L2PROBE_SECRET", "valueFrom": {"secretKeyRef": {"name": _NAME, "key": "secret"}}},
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        ],
        "volumeMounts": [{"name": "echo", "mountPath": "/l2probe", "readOnly": True}],
    }


def service(
    workload: Workload,
    name: str,
    policy: TrafficPolicy,
    families: Sequence[int] | None,
    source_ranges: Sequence[str] = (),
) -> Manifest:
    """Return the LoadBalancer Service of one question, pointing at all Pods; `families` None: those of the cluster."""
    spec: dict[str, object] = {
        "type": "LoadBalancer",
        "externalTrafficPolicy": str(policy),
        "selector": pod_selector(workload),
        "ports": [
            {"name": protocol.lower(), "protocol": str(protocol), "port": SERVICE_PORT, "targetPort": POD_PORT}
            for protocol in workload.server.protocols
        ],
        **_families(families),
    }
    if source_ranges:
        spec["loadBalancerSourceRanges"] = list(source_ranges)
    return {"apiVersion": "v1", "kind": "Service", "metadata": _metadata(workload, name), "spec": spec}


def _families(families: Sequence[int] | None) -> dict[str, object]:
    if families is not None and len(set(families)) == 1:
        return {"ipFamilyPolicy": "SingleStack", "ipFamilies": [f"IPv{families[0]}"]}
    return {"ipFamilyPolicy": "PreferDualStack"}


def hostname_of(name: NodeName, labels: Sequence[tuple[str, str]]) -> str:
    """Return a node's `kubernetes.io/hostname`, which may differ from its name."""
    return dict(labels).get(HOSTNAME_LABEL, str(name))
