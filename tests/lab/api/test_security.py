"""Pod Security: what the levels baseline and restricted let pass, and in which words they do not."""

from __future__ import annotations

from typing import Any

import pytest

from l2probe.lab.api.podsecurity import verdict_of
from tests.lab.api.client import CORE, Server, pod

SAFE_CONTEXT = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def spec(container: dict[str, Any] | None = None, **more: object) -> dict[str, Any]:
    """Return a Pod whose one container is safe but for `container`, and whose spec is changed by `more`."""
    return {"spec": {"containers": [{"name": "a", "securityContext": SAFE_CONTEXT, **(container or {})}], **more}}


@pytest.mark.parametrize(
    ("body", "baseline", "restricted"),
    [
        (spec(), "", ""),
        (spec(volumes=[{"name": "c", "configMap": {"name": "x"}}]), "", ""),
        (
            spec(volumes=[{"name": "h", "hostPath": {"path": "/"}}]),
            'hostPath volumes (volume "h")',
            'restricted volume types (volume "h" uses restricted volume type "hostPath")',
        ),
        (
            spec(hostNetwork=True, hostPID=True),
            "host namespaces (hostNetwork=true, hostPID=true)",
            "host namespaces (hostNetwork=true, hostPID=true)",
        ),
        (
            spec({"ports": [{"containerPort": 80, "hostPort": 80}]}),
            'hostPort (container "a" uses hostPort 80)',
            'hostPort (container "a" uses hostPort 80)',
        ),
        (
            spec({"securityContext": {**SAFE_CONTEXT, "privileged": True}}),
            'privileged (container "a" must not set securityContext.privileged=true)',
            'privileged (container "a" must not set securityContext.privileged=true)',
        ),
        (
            spec({"securityContext": {**SAFE_CONTEXT, "capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]}}}),
            'non-default capabilities (container "a" must not include "NET_RAW" in securityContext.capabilities.add)',
            'unrestricted capabilities (container "a" must not include "NET_RAW" in securityContext.capabilities.add)',
        ),
        (
            spec({"securityContext": {**SAFE_CONTEXT, "runAsNonRoot": False}}),
            "",
            'runAsNonRoot != true (container "a" must not set securityContext.runAsNonRoot=false)',
        ),
        (
            spec(securityContext={"runAsUser": 0}),
            "",
            "runAsUser=0 (pod must not set runAsUser=0)",
        ),
        (
            spec({"securityContext": {**SAFE_CONTEXT, "seccompProfile": {"type": "Unconfined"}}}),
            'seccompProfile (container "a" must not set securityContext.seccompProfile.type to "Unconfined")',
            'seccompProfile (container "a" must not set securityContext.seccompProfile.type to "Unconfined")',
        ),
    ],
)
def test_levels(body: dict[str, Any], baseline: str, restricted: str) -> None:
    """Each rule speaks in the words of pod-security-admission; restricted replaces what it is stricter about."""
    assert verdict_of(body, "privileged") == ""
    assert verdict_of(body, "baseline") == baseline
    assert verdict_of(body, "restricted") == restricted


def test_pod_level_settings_count_for_all_containers() -> None:
    """A Pod's own securityContext spares its containers runAsNonRoot and seccompProfile."""
    bare = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    context = {"runAsNonRoot": True, "seccompProfile": {"type": "Localhost"}}

    assert verdict_of(spec({"securityContext": bare}, securityContext=context), "restricted") == ""


def test_warn_lets_pass_and_warns(server: Server) -> None:
    """A namespace's warn level answers a Warning header, its enforce level refuses."""
    prefix = "pod-security.kubernetes.io"
    labels = {f"{prefix}/enforce": "baseline", f"{prefix}/enforce-version": "v1.30", f"{prefix}/warn": "restricted"}
    server.make(f"{CORE}/namespaces", {"metadata": {"name": "mild", "labels": labels}})
    passed = server.ask("POST", f"{CORE}/namespaces/mild/pods", pod("a"))
    refused = server.ask("POST", f"{CORE}/namespaces/mild/pods", pod("b", hostNetwork=True))

    assert passed.code == 201
    assert passed.warnings[0].startswith(
        'would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false'
    )
    assert (refused.code, 'violates PodSecurity "baseline:v1.30": host namespaces' in refused.body["message"]) == (
        403,
        True,
    )


def test_a_pod_needs_its_account(server: Server) -> None:
    """A service account that does not exist refuses the Pod in the real words; `default` is always there."""
    answer = server.ask("POST", f"{CORE}/namespaces/default/pods", pod("a", serviceAccountName="robot"))

    assert (answer.code, answer.body["message"]) == (
        403,
        'pods "a" is forbidden: error looking up service account default/robot: serviceaccount "robot" not found',
    )
