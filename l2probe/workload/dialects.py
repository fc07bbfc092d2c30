"""Which programs may run in the echo Pods: our own script, or an image that an air-gapped site already has.

Facts about the images: https://pkg.go.dev/k8s.io/kubernetes/test/images/agnhost (netexec.go of Kubernetes 1.34) and
https://github.com/traefik/whoami (app.go of 1.11).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from l2probe.model import Dialect, Protocol

POD_PORT = 8080


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One program: its default image, what it is started with, and what it can be asked.

    `args` empty: our script, delivered in a ConfigMap, which alone proves the run's secret. `ready`: the path that
    answers 200 once it serves. `warning`: what it lets everybody do who reaches it; "" for nothing worse than an echo.
    """

    image: str
    args: tuple[str, ...] = ()
    ready: str
    protocols: tuple[Protocol, ...]
    memory: str = "96Mi"
    warning: str = ""


SERVERS: Mapping[Dialect, Server] = {
    Dialect.SCRIPT: Server(image="python:3.13-alpine", ready="/healthz", protocols=(Protocol.TCP, Protocol.UDP)),
    Dialect.AGNHOST: Server(
        image="registry.k8s.io/e2e-test-images/agnhost:2.56",
        args=("netexec", f"--http-port={POD_PORT}", f"--udp-port={POD_PORT}"),
        ready="/hostname",  # /healthz and /readyz answer 412 until the UDP server runs
        protocols=(Protocol.TCP, Protocol.UDP),
        warning="agnhost runs any command that is sent to /shell, for everybody who reaches the address",
    ),
    Dialect.WHOAMI: Server(
        image="traefik/whoami:v1.11.0",
        args=("--port", str(POD_PORT)),
        ready="/health",
        protocols=(Protocol.TCP,),
    ),
}
