"""DaemonSets and Deployments with the Pods that their controllers would make of them; nobody here scales them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence

from l2probe.lab.controllers.client import Client
from l2probe.lab.controllers.kinds import DAEMON_SET, DEPLOYMENT, POD, Kind
from l2probe.lab.controllers.making import body, ensure
from l2probe.lab.controllers.objects import Obj, key_of, labels_of

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""What Kubernetes makes random names of (apimachinery util/rand)."""
_COUNTS = (
    "currentNumberScheduled",
    "desiredNumberScheduled",
    "numberReady",
    "updatedNumberScheduled",
    "numberAvailable",
)


def suffix(text: str, length: int = 5) -> str:
    """Return the end of a Pod's name as Kubernetes would choose it by chance, the same for a text each time."""
    digest = hashlib.blake2b(text.encode(), digest_size=length).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest)


def host_agent(account: str, container: Obj) -> Obj:
    """Return the spec of a Pod that runs on every node, in its network, whatever the node's taints."""
    return {
        "hostNetwork": True,
        "serviceAccountName": account,
        "automountServiceAccountToken": False,
        "priorityClassName": "",
        "terminationGracePeriodSeconds": 1,
        "tolerations": [{"operator": "Exists"}],
        "containers": [{"imagePullPolicy": "IfNotPresent", **container}],
    }


def _workload(kind: Kind, name: str, namespace: str, labels: dict[str, str], **spec: object) -> Obj:
    made = body(kind, name, namespace, spec=spec)
    made["metadata"]["labels"] = labels
    return made


def _template(labels: dict[str, str], spec: Obj) -> Obj:
    return {"metadata": {"labels": labels}, "spec": spec}


def daemon_set(name: str, namespace: str, labels: dict[str, str], spec: Obj, *, by: Sequence[str] = ()) -> Obj:
    """Return a DaemonSet; `by`: the labels that select its Pods, all of them when empty."""
    selector = {"matchLabels": {key: labels[key] for key in by or labels}}
    return _workload(DAEMON_SET, name, namespace, labels, selector=selector, template=_template(labels, spec))


def deployment(name: str, namespace: str, labels: dict[str, str], spec: Obj) -> Obj:
    """Return a Deployment of one Pod."""
    selector, template = {"matchLabels": labels}, _template(labels, spec)
    return _workload(DEPLOYMENT, name, namespace, labels, replicas=1, selector=selector, template=template)


def _pod(owner: Obj, name: str, **placed: str) -> Obj:
    template = owner["spec"]["template"]
    made = body(POD, name, owner["metadata"]["namespace"], spec={**template["spec"], **placed})
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    made["metadata"] |= {"labels": labels_of(template), "ownerReferences": [reference]}
    return made


async def run_everywhere(client: Client, wanted: Obj, nodes: Sequence[str]) -> None:
    """Make a DaemonSet, its Pod on each node, and its status."""
    owner = await ensure(client, DAEMON_SET, wanted)
    name = owner["metadata"]["name"]
    counts = {**dict.fromkeys(_COUNTS, len(nodes)), "numberMisscheduled": 0, "observedGeneration": 1}
    pods = [_pod(owner, f"{name}-{suffix(f'{name}/{node}')}", nodeName=node) for node in nodes]
    done = client.merge(DAEMON_SET, key_of(owner), {"status": counts}, subresource="status")
    await asyncio.gather(done, *(ensure(client, POD, pod) for pod in pods))


async def run_once(client: Client, wanted: Obj) -> None:
    """Make a Deployment, its Pod and its status; the Pod's owner is the Deployment, for the lab has no ReplicaSets."""
    owner = await ensure(client, DEPLOYMENT, wanted)
    name = owner["metadata"]["name"]
    pod = _pod(owner, f"{name}-{suffix(name, 10)}-{suffix(f'{name}/pod')}")
    counts = dict.fromkeys(
        ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "observedGeneration"), 1
    )
    done = client.merge(DEPLOYMENT, key_of(owner), {"status": counts}, subresource="status")
    await asyncio.gather(done, ensure(client, POD, pod))
