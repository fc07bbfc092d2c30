"""Where things are in the lab, for both sides of its door. Standard library only, nothing heavy."""

from __future__ import annotations

import socket

HOME = "/run/l2probe"
"""The lab's own directory, on a tmpfs that only the lab sees."""
KUBECONFIG = f"{HOME}/kubeconfig"
LOG = f"{HOME}/lab.log"
SHELL_RC = f"{HOME}/bashrc"
SPARE_ROOT = f"{HOME}/root"
PYTHON = f"{HOME}/python"
LOOPBACK = "127.0.0.1"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def listen_on_host() -> socket.socket:
    """Return the API's socket on the host's loopback; its port is the API's port everywhere."""
    return socket.create_server((LOOPBACK, 0), backlog=128)
