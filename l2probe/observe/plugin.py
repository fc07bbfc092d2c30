"""Credentials from an exec plugin of the kubeconfig. A plugin that fails is an error, never an anonymous request.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

import msgspec

from l2probe.errors import ClusterError
from l2probe.observe.kubeconfig import Login

SECONDS = 60.0
SECONDS_WITH_A_PERSON = 300.0
KEPT_STDERR_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What a plugin returned: a token, or a certificate with its key (PEM). `expires` is Unix seconds."""

    token: str | None = None
    certificate: str | None = None
    key: str | None = None
    expires: float | None = None


class _Status(msgspec.Struct, rename="camel"):
    token: str | None = None
    client_certificate_data: str | None = None
    client_key_data: str | None = None
    expiration_timestamp: datetime | None = None


class _ExecCredential(msgspec.Struct):
    status: _Status


def credential(login: Login) -> Credential | None:
    """Return the credential of the login's exec plugin; None when its user has none. Raises ClusterError."""
    spec = login.user.get("exec")
    if not isinstance(spec, dict) or not isinstance(spec.get("command"), str):
        return None
    command = _command(spec["command"], login.directory)
    arguments = [str(argument) for argument in spec.get("args") or []]
    output = _run([command, *arguments], _environment(spec, login), spec)
    return _decode(output, command)


def _command(command: str, directory: str) -> str:
    """Return the program: a bare name is looked up in PATH, a relative path in the kubeconfig's directory."""
    return str(Path(directory) / command) if "/" in command else command


def _environment(spec: Mapping[str, object], login: Login) -> dict[str, str]:
    listed = spec.get("env")
    extra = {str(item["name"]): str(item["value"]) for item in listed} if isinstance(listed, list) else {}
    about: dict[str, object] = {"interactive": _interactive(spec)}
    if spec.get("provideClusterInfo"):
        about["cluster"] = _cluster_info(login)
    info = {"apiVersion": spec.get("apiVersion"), "kind": "ExecCredential", "spec": about}
    return os.environ | extra | {"KUBERNETES_EXEC_INFO": msgspec.json.encode(info).decode()}


def _cluster_info(login: Login) -> dict[str, object]:
    names = ("server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority-data", "proxy-url")
    return {name: login.cluster[name] for name in names if name in login.cluster}


def _interactive(spec: Mapping[str, object]) -> bool:
    return spec.get("interactiveMode") != "Never" and sys.stdin is not None and sys.stdin.isatty()


def _run(argv: list[str], environment: Mapping[str, str], spec: Mapping[str, object]) -> bytes:
    person = _interactive(spec)
    seconds = SECONDS_WITH_A_PERSON if person else SECONDS
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's kubeconfig names the program, as for kubectl
            argv,
            env=dict(environment),
            stdin=None if person else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        hint = spec.get("installHint")
        remedy = str(hint).strip() if hint else "Install it, or correct the kubeconfig's user.exec.command."
        raise ClusterError(f"The exec plugin {argv[0]!r} could not be started: {error.strerror}.", remedy) from error
    return _finish(process, argv[0], seconds)


def _finish(process: subprocess.Popen[bytes], name: str, seconds: float) -> bytes:
    said = bytearray()
    assert process.stdout is not None
    assert process.stderr is not None
    teller = threading.Thread(target=_tell, args=(process.stderr, said), daemon=True)
    teller.start()
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    with process.stdout:
        output = process.stdout.read()
    status = process.wait()
    late = not timer.is_alive()
    timer.cancel()
    teller.join(1.0)
    if late or status:
        ended = f"was stopped after {seconds:g} s" if late else f"ended with status {status}"
        raise ClusterError(f"The exec plugin {name!r} {ended}{_last_line(said)}.", "Run it by hand, or log in again.")
    return output


def _tell(stderr: IO[bytes], said: bytearray) -> None:
    """Keep what the plugin says, and let a person who must act on it read it at once."""
    with stderr:
        while chunk := os.read(stderr.fileno(), 4096):
            said += chunk
            del said[:-KEPT_STDERR_BYTES]
            if sys.stderr is not None and sys.stderr.isatty():
                sys.stderr.write(chunk.decode(errors="replace"))
                sys.stderr.flush()


def _last_line(said: bytearray) -> str:
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    return f": {lines[-1][:300].rstrip('.')}" if lines else " and said nothing"


def _decode(output: bytes, name: str) -> Credential:
    try:
        status = msgspec.json.decode(output, type=_ExecCredential).status
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ClusterError(f"The exec plugin {name!r} wrote no ExecCredential.", "Run it by hand to see.") from error
    certificate, key = status.client_certificate_data, status.client_key_data
    if not status.token and not (certificate and key):
        raise ClusterError(f"The exec plugin {name!r} gave neither a token nor a certificate.", "Log in again.")
    expires = status.expiration_timestamp
    return Credential(
        token=status.token,
        certificate=certificate,
        key=key,
        expires=None if expires is None else expires.timestamp(),
    )
