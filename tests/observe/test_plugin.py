"""Exec plugins: their credential is used, and their failure is an error, never an anonymous request."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from l2probe.errors import ClusterError
from tests.observe.conftest import Connect
from tests.observe.scripted import Api, recorded, reply, self_signed, status

FINE = reply(recorded("metallb/version.json"))
VERSION = "client.authentication.k8s.io/v1"


def plugin(directory: Path, script: str, name: str = "plugin", **more: object) -> dict[str, object]:
    """Write a plugin as a shell script; returns the kubeconfig's exec section."""
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return {"apiVersion": VERSION, "command": f"./{name}", "interactiveMode": "Never", **more}


def granting(**granted: str) -> str:
    """Return a script line that prints a credential."""
    credential = {"apiVersion": VERSION, "kind": "ExecCredential", "status": granted}
    return f"cat <<'END'\n{json.dumps(credential)}\nEND"


def test_its_token_is_sent(api: Api, kube: Connect, tmp_path: Path) -> None:
    """The plugin, found beside the kubeconfig, gives the token of every request."""
    api.on("GET /version", FINE)

    kube(exec=plugin(tmp_path, granting(token="fresh"))).version()

    assert api.asked[0].headers["authorization"] == "Bearer fresh"


def test_it_gets_arguments_and_environment(api: Api, kube: Connect, tmp_path: Path) -> None:
    """Arguments, extra environment and the cluster's facts reach it."""
    script = 'echo "$1 $EXTRA $KUBERNETES_EXEC_INFO" > "$(dirname "$0")/got"; ' + granting(token="t")
    api.on("GET /version", FINE)

    given: dict[str, Any] = {"args": ["login"], "env": [{"name": "EXTRA", "value": "more"}], "provideClusterInfo": True}
    kube(exec=plugin(tmp_path, script, **given)).version()

    got = (tmp_path / "got").read_text()
    assert got.startswith("login more {")
    assert json.loads(got.split(" ", 2)[2])["spec"] == {"interactive": False, "cluster": {"server": api.url}}


def test_a_refused_token_is_asked_for_again_once(api: Api, kube: Connect, tmp_path: Path) -> None:
    """After a 401 the plugin runs again, because its token may have expired."""
    script = 'f="$(dirname "$0")/count"; echo x >> "$f"; cat <<END\n'
    script += '{"status": {"token": "token-$(grep -c x "$f")"}}\nEND'
    api.on("GET /version", status(401, "Unauthorized"), FINE)

    kube(exec=plugin(tmp_path, script)).version()

    assert [asked.headers["authorization"] for asked in api.asked] == ["Bearer token-1", "Bearer token-2"]


def test_an_expired_token_is_not_sent(api: Api, kube: Connect, tmp_path: Path) -> None:
    """A credential past its expirationTimestamp is renewed before the request."""
    past = (dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)).isoformat()
    script = 'echo x >> "$(dirname "$0")/count"; ' + granting(token="t", expirationTimestamp=past)
    api.on("GET /version", FINE)
    connected = kube(exec=plugin(tmp_path, script))

    connected.version()
    connected.version()

    assert (tmp_path / "count").read_text().count("x") == 2


def test_its_certificate_never_touches_the_disk(
    api: Api, kube: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate and key from a plugin are accepted and kept in memory."""
    certificate, key = self_signed()
    api.on("GET /version", FINE)
    granted = granting(clientCertificateData=certificate, clientKeyData=key)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))

    kube(exec=plugin(tmp_path, granted)).version()

    assert "authorization" not in api.asked[0].headers
    assert list(temporary.iterdir()) == []


FAILURES = {
    "fails": ("echo noise >&2; echo 'token expired, run login' >&2; exit 3", r"status 3: token expired, run login\."),
    "fails silently": ("exit 1", r"ended with status 1 and said nothing"),
    "prints nonsense": ("echo hello", r"wrote no ExecCredential"),
    "grants nothing": (granting(), r"neither a token nor a certificate"),
    "certificate without key": (granting(clientCertificateData="x"), r"neither a token nor a certificate"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_its_failure_is_an_error_before_any_request(api: Api, kube: Connect, tmp_path: Path, case: str) -> None:
    """The plugin's last word is in the message, and the server hears nothing."""
    script, says = FAILURES[case]

    with pytest.raises(ClusterError, match=rf"exec plugin .*plugin' .*{says}") as caught:
        kube(exec=plugin(tmp_path, script))
    assert caught.value.hint
    assert api.asked == []


def test_a_plugin_that_does_not_exist(api: Api, kube: Connect) -> None:
    """The install hint of the kubeconfig is the remedy."""
    missing = {"apiVersion": VERSION, "command": "no-such-plugin", "installHint": "Install it from the portal."}

    with pytest.raises(ClusterError, match=r"'no-such-plugin' could not be started: No such file") as caught:
        kube(exec=missing)
    assert caught.value.hint == "Install it from the portal."


def test_a_plugin_that_hangs_is_stopped(
    api: Api, kube: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for a plugin for ever."""
    monkeypatch.setattr("l2probe.observe.plugin.SECONDS", 0.2)

    with pytest.raises(ClusterError, match=r"was stopped after 0.2 s"):
        kube(exec=plugin(tmp_path, "exec sleep 60"))
