"""A registry's login read from a Secret: the one key of its type, or a sentence why there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from l2probe.errors import ClusterError, NotAllowedError
from l2probe.observe.access import Access
from l2probe.observe.kube import connect
from l2probe.observe.pull_secret import RegistryLogin, pull_secret
from tests.observe.scripted import Answer, Api, reply, status

PATH = "GET /api/v1/namespaces/team/secrets/registry"


def ask(api: Api, tmp_path: Path) -> RegistryLogin:
    """Read team/registry from the scripted server."""
    kube = connect(Access(kubeconfig=api.kubeconfig(tmp_path), request_timeout=1.0))
    try:
        return pull_secret(kube._transport, "team", "registry")
    finally:
        kube.close()


@pytest.mark.parametrize(
    ("kind", "key"),
    [("kubernetes.io/dockerconfigjson", ".dockerconfigjson"), ("kubernetes.io/dockercfg", ".dockercfg")],
)
def test_the_key_of_the_type_is_taken_and_no_other(api: Api, tmp_path: Path, kind: str, key: str) -> None:
    """Both forms of a registry's login; the value stays out of what could be logged."""
    api.on(PATH, reply({"type": kind, "data": {key: "e30=", "other": "cHJpdmF0ZQ=="}}))

    login = ask(api, tmp_path)

    assert login == RegistryLogin(type=kind, key=key, value="e30=")
    assert "e30=" not in repr(login)


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (status(404, "not there"), ClusterError, "Secret team/registry was not found."),
        (status(403, "may not get"), NotAllowedError, "may not get"),
        (
            reply({"type": "Opaque", "data": {"a": "b"}}),
            ClusterError,
            "held no login of an image registry: its type was",
        ),
        (reply({"type": "kubernetes.io/dockercfg", "data": {}}), ClusterError, "held no login of an image registry"),
        (reply({"type": "kubernetes.io/dockercfg"}), ClusterError, "held no login of an image registry"),
        (reply({"type": 7}), ClusterError, "no Kubernetes JSON"),
    ],
    ids=["missing", "denied", "another type", "without its key", "without data", "rubbish"],
)
def test_what_is_no_login_is_one_sentence(
    api: Api, tmp_path: Path, answer: Answer, kind: type[Exception], message: str
) -> None:
    """A Pod would only say ErrImagePull, minutes later."""
    api.on(PATH, answer)

    with pytest.raises(kind, match=message):
        ask(api, tmp_path)
