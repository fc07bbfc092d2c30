"""Kubeconfig files resolve as kubectl resolves them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from l2probe.errors import ClusterError
from l2probe.observe.access import Access
from l2probe.observe.kube import connect
from l2probe.observe.kubeconfig import Login, resolve
from tests.observe.kubectl import kubectls


def document(*names: str, current: str | None = None, **extra: object) -> dict[str, Any]:
    """Return a kubeconfig in which context, cluster and user of each name belong together."""
    return {
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.example:6443", **extra}} for name in names],
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": name, "namespace": f"ns-{name}"}} for name in names
        ],
        "users": [{"name": name, "user": {"token": f"token-{name}"}} for name in names],
        **({"current-context": current} if current is not None else {}),
    }


def write(path: Path, content: object) -> Path:
    """Write a file as YAML (JSON is YAML)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def resolved(*paths: Path | str, context: str | None = None) -> Login:
    """Resolve a $KUBECONFIG list."""
    login = resolve(Access(context=context), {"KUBECONFIG": ":".join(map(str, paths))})
    assert login is not None
    return login


def test_the_first_file_with_a_current_context_wins(tmp_path: Path) -> None:
    """Of several current-contexts the first counts, not the last as in the Python client."""
    first = write(tmp_path / "1", document("a", current="a"))
    second = write(tmp_path / "2", document("b", current="b"))

    assert (resolved(first, second).context, resolved(second, first).context) == ("a", "b")


def test_a_file_without_current_context_does_not_hide_a_later_one(tmp_path: Path) -> None:
    """An empty current-context is no current-context."""
    first = write(tmp_path / "1", document("a", current=""))
    second = write(tmp_path / "2", document("b", current="b"))

    login = resolved(first, second)

    assert (login.context, login.namespace, login.server) == ("b", "ns-b", "https://b.example:6443")


def test_an_entry_of_an_earlier_file_hides_the_whole_later_entry(tmp_path: Path) -> None:
    """Entries of one name are not mixed."""
    first = write(tmp_path / "1", document("a"))
    second = write(tmp_path / "2", document("a", current="a", **{"tls-server-name": "elsewhere"}))

    assert "tls-server-name" not in resolved(first, second).cluster


def test_context_cluster_and_user_may_live_in_three_files(tmp_path: Path) -> None:
    """Files complete each other."""
    whole = document("a", current="a")
    parts = [write(tmp_path / key, {key: whole[key]}) for key in ("users", "clusters", "contexts")]

    login = resolved(*parts, context="a")

    assert (login.server, login.user["token"]) == ("https://a.example:6443", "token-a")


def test_missing_files_of_a_list_are_skipped(tmp_path: Path) -> None:
    """A list may name files that do not exist, and hold empty parts."""
    real = write(tmp_path / "2", document("a", current="a"))

    assert resolved(tmp_path / "absent", "", real).context == "a"


def test_relative_files_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    """Certificate paths of each file start at its own directory."""
    content = document("a", current="a", **{"certificate-authority": "pki/ca.pem"})
    content["users"][0]["user"] = {"client-certificate": "pki/me.pem", "client-key": "/abs/key", "tokenFile": "t"}
    login = resolved(write(tmp_path / "deep" / "config", content))

    assert login.cluster["certificate-authority"] == str(tmp_path / "deep/pki/ca.pem")
    assert login.user["client-certificate"] == str(tmp_path / "deep/pki/me.pem")
    assert (login.user["client-key"], login.user["tokenFile"]) == ("/abs/key", str(tmp_path / "deep/t"))


def test_without_a_namespace_it_is_default(tmp_path: Path) -> None:
    """A context without namespace means default."""
    content = document("a", current="a")
    del content["contexts"][0]["context"]["namespace"]

    assert resolved(write(tmp_path / "1", content)).namespace == "default"


def test_home_is_the_default_place(tmp_path: Path) -> None:
    """Without --kubeconfig and $KUBECONFIG it is ~/.kube/config."""
    write(tmp_path / ".kube" / "config", document("a", current="a"))

    login = resolve(Access(), {"HOME": str(tmp_path)})

    assert login is not None
    assert login.context == "a"


def test_the_flag_beats_the_environment(tmp_path: Path) -> None:
    """--kubeconfig names the one file."""
    flag, other = write(tmp_path / "1", document("a", current="a")), write(tmp_path / "2", document("b", current="b"))

    login = resolve(Access(kubeconfig=str(flag)), {"KUBECONFIG": str(other)})

    assert login is not None
    assert login.context == "a"


def test_nothing_at_all_is_no_login(tmp_path: Path) -> None:
    """No file anywhere: the caller may try the Pod's service account."""
    assert resolve(Access(), {"HOME": str(tmp_path)}) is None


def test_no_kubeconfig_and_no_pod_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside a cluster, no kubeconfig means: say where it was looked for."""
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))

    monkeypatch.delenv("SUDO_USER", raising=False)
    with pytest.raises(ClusterError, match=rf"No kubeconfig was found \({tmp_path}/\.kube/config\)") as raised:
        connect()
    assert "sudo" not in raised.value.hint

    monkeypatch.setenv("SUDO_USER", "jo")
    with pytest.raises(ClusterError, match="sudo hid the one of jo"):
        connect()


BROKEN: dict[str, tuple[object, str | None, str]] = {
    "unknown context": (document("prod", "stage"), "prd", r"context 'prd' was not found .*Did you mean 'prod'"),
    "no current context": (document("b", "a"), None, r"names no current context\. Pass --context: 'a', 'b'"),
    "unknown cluster": (
        {**document("a", current="a"), "clusters": []},
        None,
        r"cluster 'a' was not found in the kubeconfig .* It defines none",
    ),
    "unknown user": ({**document("a", current="a"), "users": []}, None, r"user 'a' was not found"),
    "no server": (
        {**document("a", current="a"), "clusters": [{"name": "a", "cluster": {}}]},
        None,
        r"cluster 'a' has no server",
    ),
    "bad YAML": ("clusters: [\n  {]", None, r"not valid YAML at line 2, column 4"),
    "not a mapping": ("- a\n- b\n", None, r"malformed: it is not a mapping"),
    "list is a mapping": ("contexts: {a: b}\n", None, r"malformed: contexts is not a list"),
    "nameless": ("users: [{user: {}}]\n", None, r"malformed: an entry of users has no name"),
    "entry is text": ("users: [{name: a, user: b}]\n", None, r"malformed: user 'a' is not a mapping"),
    "binary": ("\x00\x01", None, r"not valid YAML"),
    "empty": ("", None, r"defines no cluster"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_kubeconfig_is_one_sentence(tmp_path: Path, case: str) -> None:
    """What is wrong, in which file, and what to do."""
    content, context, says = BROKEN[case]
    path = write(tmp_path / "config", content)

    with pytest.raises(ClusterError, match=says) as caught:
        resolve(Access(kubeconfig=str(path), context=context), {})
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_a_file_that_must_exist_does_not(tmp_path: Path) -> None:
    """--kubeconfig with a wrong path is an error, never a fallback."""
    with pytest.raises(ClusterError, match=r"absent could not be read: No such file"):
        resolve(Access(kubeconfig=str(tmp_path / "absent")), {})


def test_a_directory_is_no_kubeconfig(tmp_path: Path) -> None:
    """A path that cannot be read says why."""
    with pytest.raises(ClusterError, match=r"could not be read: Is a directory"):
        resolve(Access(kubeconfig=str(tmp_path)), {})


@pytest.mark.kubectl
@pytest.mark.parametrize("context", [None, "a", "b", "c"])
def test_kubectl_agrees(tmp_path: Path, context: str | None) -> None:
    """For a list of overlapping files, kubectl chooses the same server, namespace and user."""
    listed = overlapping(tmp_path)
    ours = resolve(Access(context=context), {"KUBECONFIG": listed})
    assert ours is not None

    for kubectl in kubectls():
        command = [kubectl, "config", "view", "--minify", "--raw", "-o", "json"]
        command += ["--context", context] if context else []
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": listed}
        done = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60)
        theirs = json.loads(done.stdout)

        assert theirs["clusters"][0]["cluster"]["server"] == ours.server, kubectl
        assert theirs["contexts"][0]["context"]["namespace"] == ours.namespace
        assert theirs["users"][0]["user"]["token"] == ours.user["token"]


def overlapping(directory: Path) -> str:
    """Write files that hide parts of each other, and return them as a $KUBECONFIG list."""
    second = document("a", "b", current="b")
    second["clusters"][0]["cluster"]["server"] = "https://other.example"
    files = [
        write(directory / "1", document("a")),
        directory / "absent",
        write(directory / "2", second),
        write(directory / "3", document("c", current="c")),
    ]
    return ":".join(map(str, files))
