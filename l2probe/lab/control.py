"""How a command finds the lab that is up: an abstract unix socket of the user, one JSON line each way.

An abstract socket has no file and no permissions, so both ends ask the kernel who the other is (SO_PEERCRED) and talk
only to the same user. It dies with the lab.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Mapping
from typing import Any

from l2probe.errors import LabError

MAX_LINE = 4096
ASK_SECONDS = 60.0
Answer = Mapping[str, Any]


def address() -> str:
    """Return the socket's name: one lab for each user and network namespace."""
    return f"\0l2probe-lab-{os.getuid()}"


def listen() -> socket.socket | None:
    """Return the lab's control socket, or None when a lab of this user is up already."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(address())
        listening.listen(8)
    except OSError:
        listening.close()
        return None
    return listening


def peer_is_us(connection: socket.socket) -> bool:
    """Say whether the process at the other end belongs to the same user (as this user namespace numbers users)."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", credentials)
    return bool(user == os.getuid())


def ask(do: str, name: str = "", *, seconds: float = ASK_SECONDS) -> Answer | None:
    """Put a request to the lab that is up and return its answer; None when none is up, or it ended instead.

    LabError when the lab refused, did not answer in time, or somebody else sits on its name.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(seconds)
        try:
            connection.connect(address())
        except ConnectionRefusedError:
            return None
        if not peer_is_us(connection):
            raise LabError(
                "Another user of this machine occupies the lab's name.", "Find it: ss -xlp | grep l2probe-lab."
            )
        try:
            connection.sendall(json.dumps({"do": do, "name": name}).encode() + b"\n")
            line = connection.makefile("rb").readline(MAX_LINE)
        except (BrokenPipeError, ConnectionResetError):
            return None
        except OSError as problem:
            raise LabError(
                f"The lab did not answer {do!r} within {seconds:.0f} s: {problem}.", "l2probe lab down"
            ) from problem
    return _answer(line) if line.endswith(b"\n") else None


def _answer(line: bytes) -> Answer:
    answer: Answer = json.loads(line)
    if "problem" in answer:
        raise LabError(answer["problem"], answer.get("hint", ""))
    return answer
