"""The flags that say which cluster and as whom do what kubectl's do: both are run against the same servers."""

from __future__ import annotations

import json
import os
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from l2probe.errors import ClusterError, UsageError
from l2probe.observe.access import Access
from l2probe.observe.kube import connect
from tests.observe.kubectl import kubectls
from tests.observe.scripted import Api, recorded, reply, serving

VERSION = "GET /version"
IDENTITY = ("authorization", "impersonate-user", "impersonate-uid", "impersonate-group")
EXTRA = "impersonate-extra-"
Servers = dict[str, Api]


@pytest.fixture
def servers() -> Iterator[Servers]:
    """Return two API servers, a and b."""
    with ExitStack() as stack:
        found = {name: stack.enter_context(serving(tls=True)) for name in ("a", "b")}
        for each in found.values():
            each.on(VERSION, reply(recorded("metallb/version.json")))
        yield found


def config(
    directory: Path, servers: Servers, *, current: str | None = "a", user: dict[str, object] | None = None
) -> Path:
    """Write a kubeconfig in which context, cluster and user of each name belong together; `user`: more about a's."""
    document: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in servers],
        "clusters": [
            {
                "name": name,
                "cluster": {"server": each.url, "certificate-authority-data": b64encode(each.ca_pem.encode()).decode()},
            }
            for name, each in servers.items()
        ],
        "users": [
            {"name": name, "user": {"token": f"token-{name}", **((user or {}) if name == "a" else {})}}
            for name in servers
        ],
        **({"current-context": current} if current else {}),
    }
    path = directory / "config"
    path.write_text(json.dumps(document))
    return path


def asked_as(servers: Servers) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """Return which server was asked as whom, and forget it; some kubectls ask twice."""
    found: list[tuple[str, list[tuple[str, list[str]]]]] = []
    for name, server in servers.items():
        for asked in server.asked:
            wanted = {header: values for header, values in asked.every.items() if header.startswith(EXTRA)}
            wanted |= {header: asked.every[header] for header in IDENTITY if header in asked.every}
            if (who := (name, sorted(wanted.items()))) not in found:
                found.append(who)
        server.asked.clear()
    return found


def kubectl(program: str, path: Path, *flags: str) -> int:
    """Ask for the version with kubectl and these flags; return its exit code."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(path.parent), "KUBECONFIG": str(path)}
    command = (program, "get", "--raw", "/version", *flags)
    return subprocess.run(command, env=environment, capture_output=True, check=False, timeout=60).returncode


CASES: dict[str, tuple[Access, tuple[str, ...]]] = {
    "nothing": (Access(), ()),
    "context": (Access(context="b"), ("--context=b",)),
    "cluster": (Access(cluster="b"), ("--cluster=b",)),
    "user": (Access(user="b"), ("--user=b",)),
    "all": (Access(context="b", cluster="a", user="b"), ("--context=b", "--cluster=a", "--user=b")),
    "as": (Access(as_user="jane"), ("--as=jane",)),
    "as and groups": (
        Access(as_user="jane", as_groups=("dev", "ops,db")),
        ("--as=jane", "--as-group=dev", "--as-group=ops,db"),
    ),
    "as and uid": (Access(as_user="jane", as_uid="7"), ("--as=jane", "--as-uid=7")),
}


@pytest.mark.kubectl
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "user",
    [
        {},
        {"as": "bob", "as-groups": ["x", "y"], "as-uid": "3", "as-user-extra": {"Scopes/Odd%": ["one", "two"]}},
    ],
    ids=["plain", "impersonating"],
)
def test_kubectl_asks_the_same_server_as_the_same_person(
    tmp_path: Path, servers: Servers, monkeypatch: pytest.MonkeyPatch, case: str, user: dict[str, object]
) -> None:
    """Which server gets the request, and every header that says who asks, are kubectl's."""
    access, flags = CASES[case]
    path = config(tmp_path, servers, user=user)
    monkeypatch.setenv("KUBECONFIG", str(path))

    connect(access).version()
    ours = asked_as(servers)

    assert len(ours) == 1
    for program in kubectls():
        assert kubectl(program, path, *flags) == 0
        assert asked_as(servers) == ours, program


BARE: dict[str, tuple[Access, tuple[str, ...], bool]] = {
    "cluster and user": (Access(cluster="b", user="b"), ("--cluster=b", "--user=b"), True),
    "user only": (Access(user="b"), ("--user=b",), False),
    "unknown cluster": (Access(cluster="c", user="b"), ("--cluster=c", "--user=b"), False),
    "unknown user": (Access(cluster="a", user="c"), ("--cluster=a", "--user=c"), False),
    "groups of nobody": (
        Access(cluster="a", user="a", as_groups=("x",)),
        ("--cluster=a", "--user=a", "--as-group=x"),
        False,
    ),
}


@pytest.mark.kubectl
@pytest.mark.parametrize("case", BARE)
def test_kubectl_needs_no_context_where_we_need_none(
    tmp_path: Path, servers: Servers, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """Without a current context, the same flags are enough, and the same are refused before anybody is asked."""
    access, flags, fine = BARE[case]
    path = config(tmp_path, servers, current=None)
    monkeypatch.setenv("KUBECONFIG", str(path))

    def ask() -> None:
        connect(access).version()

    ours = asked_by(ask, servers, fine=fine)

    for program in kubectls():
        assert (kubectl(program, path, *flags) == 0) is fine, program
        assert asked_as(servers) == ours, program


def asked_by(ask: Callable[[], None], servers: Servers, *, fine: bool) -> list[Any]:
    """Return whom it asked as whom; it must raise an error for people if it is not `fine`."""
    if fine:
        ask()
    else:
        with pytest.raises((ClusterError, UsageError)):
            ask()
    return asked_as(servers)


def test_groups_without_a_user_are_refused(tmp_path: Path, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what is missing."""
    monkeypatch.setenv("KUBECONFIG", str(config(tmp_path, servers)))

    with pytest.raises(UsageError, match="--as-group and --as-uid need --as"):
        connect(Access(as_groups=("dev",)))
