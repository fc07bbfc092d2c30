"""The recipes' questions to Docker, put by docker's own client to a stand-in of its API: Go renders the templates."""

from __future__ import annotations

import json
import os
import socketserver
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.kind_config.stage import RECIPES, have

pytestmark = pytest.mark.skipif(not have("docker"), reason="docker's client is not installed here")

SETTINGS = "NAME=l2probe-cilium NETWORK=kind RANGE="
VERSION = {"Version": "28.2.2", "ApiVersion": "1.50", "MinAPIVersion": "1.24", "Os": "linux", "Arch": "amd64"}


@contextmanager
def daemon(options: object) -> Iterator[str]:
    """Serve Docker's API for one network with these options; yields DOCKER_HOST."""
    network = {
        "Name": "kind",
        "Id": "0123456789abcdef" * 4,
        "IPAM": {"Config": [{"Subnet": "fc00:f853:ccd:e793::/64"}, {"Subnet": "10.89.0.0/24", "Gateway": "10.89.0.1"}]},
        "Containers": {"a": {"Name": "l2probe-cilium-control-plane", "IPv4Address": "10.89.0.2/24", "IPv6Address": ""}},
        "Options": options,
    }

    class Answer(BaseHTTPRequestHandler):
        def address_string(self) -> str:
            return "docker"

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the base class's names
            pass

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            body = json.dumps(network if "/networks/" in self.path else VERSION).encode()
            self.send_response(200)
            self.send_header("Api-Version", "1.50")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    with tempfile.TemporaryDirectory(prefix="l2p") as directory:  # a unix socket's path is at most 107 bytes
        path = f"{directory}/docker.sock"
        with socketserver.ThreadingUnixStreamServer(path, Answer) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                yield f"unix://{path}"
            finally:
                server.shutdown()
                thread.join()


def ask(docker_host: str, script: str, home: Path) -> str:
    """Run a piece of recipe.sh against this daemon; returns what it printed."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f'. "$0"; {SETTINGS}; {script}', str(RECIPES / "recipe.sh")],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "DOCKER_HOST": docker_host},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("options", "bridge"),
    [
        ({}, "br-0123456789ab"),
        (None, "br-0123456789ab"),
        ({"com.docker.network.driver.mtu": "1500"}, "br-0123456789ab"),
        ({"com.docker.network.bridge.name": "br-mine"}, "br-mine"),
    ],
)
def test_the_bridge_is_found_with_and_without_a_name_of_its_own(tmp_path: Path, options: object, bridge: str) -> None:
    """Docker renders the template whatever options the network has, none included."""
    with daemon(options) as docker_host:
        assert ask(docker_host, "bridge_name", tmp_path) == bridge


def test_containers_and_range_are_read(tmp_path: Path) -> None:
    """The names that the check compares and the JSON that the range is derived from are docker's own output."""
    with daemon({}) as docker_host:
        said = ask(docker_host, 'check_network; choose_range; echo "$FIRST $LAST"', tmp_path)
    assert said == "10.89.0.200 10.89.0.249"
