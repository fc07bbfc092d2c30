"""What others see: arping, tcpdump, curl and kubectl on the same LAN. Shares no code with l2probe."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.real.cluster import environment, kubectl
from tests.real.command import run
from tests.real.hosts import HOSTS
from tests.real.network import within

NAMES = {host.mac: host.name for host in HOSTS}


def owners(address: str) -> set[str]:
    """Return the names of the hosts that answer ARP for an IPv4 address (others by MAC), as arping hears them."""
    said = _client("arping", "-r", "-c", "4", "-W", "0.3", "-i", "eth0", address)
    return {NAMES.get(mac, mac) for mac in said.split()}


def seen(address: str, *, timeout: float = 3) -> str | None:
    """Return the client address that the echo Pod behind `address` saw, by curl; None when nothing came back."""
    url = f"http://[{address}]/" if ":" in address else f"http://{address}/"
    return _client("curl", "-s", "-m", str(timeout), url) or None


def _client(*argv: str) -> str:
    """Run a program on the client and return what it printed, whatever came of it."""
    done = subprocess.run(within("rc-client", *argv), env=environment(), capture_output=True, text=True, check=False)
    return done.stdout.strip()


@contextmanager
def capture(file: Path) -> Iterator[None]:
    """Write all that passes the client's interface to `file` for as long as this lasts."""
    argv = within("rc-client", "tcpdump", "-i", "eth0", "-U", "-w", str(file), "-Z", "root")
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "listening" in process.stderr.readline()
        try:
            yield
        finally:
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=10)


def answers(file: Path, address: str) -> set[str]:
    """Return the hosts that answered ARP for an IPv4 address in a capture, as tcpdump prints it."""
    printed = run("tcpdump", "-nn", "-r", str(file), "arp", "and", "arp[6:2]", "=", "2")
    found = re.findall(rf"Reply {re.escape(address)} is-at (\S+?),", printed)
    return {NAMES.get(mac, mac) for mac in found}


def announcer(namespace: str, service: str) -> str | None:
    """Return the node that MetalLB's ServiceL2Status names for a Service, None when none."""
    labels = f"metallb.io/service-namespace={namespace},metallb.io/service-name={service}"
    return kubectl("get", "servicel2statuses", "-A", "-l", labels, "-o", "jsonpath={.items[*].status.node}") or None
