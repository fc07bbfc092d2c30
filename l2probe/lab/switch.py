"""The switch and the foreign host: what they can do to frames and addresses. Implements the driver's `SwitchDriver`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from typing import cast

from l2probe.lab import rtnetlink as rt
from l2probe.lab.netns import Namespace
from l2probe.lab.programs import Programs
from l2probe.lab.topology import NODES, UPLINK_INDEX

_PAGE_PORT = 9
"""Where the foreign host's own server listens; every other port leads there."""
_PAGE = b"This is the printer on the third floor.\n"
_ANSWER = b"HTTP/1.1 200 OK\r\nServer: printer\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (
    len(_PAGE),
    _PAGE,
)
_IP6_HEADER = 40
_NDP = "nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, nd-redirect"
_PORTS = {site.name: site.port for site in NODES}


def skeleton() -> str:
    """Return the switch's empty fault chains: frames from a node, frames to a node."""
    devices = ", ".join(f'"{port}"' for port in _PORTS.values())
    return f"""\
table netdev cable {{
  chain from_node {{ type filter hook ingress devices = {{ {devices} }} priority 0; policy accept; }}
  chain to_node {{ type filter hook egress devices = {{ {devices} }} priority 0; policy accept; }}
}}
"""


def foreign_skeleton() -> str:
    """Return the foreign host's rules: whatever port of it is asked, one server answers."""
    rules = "".join(f"    {protocol} dport != {_PAGE_PORT} redirect to :{_PAGE_PORT}\n" for protocol in ("tcp", "udp"))
    chain = f"  chain every_port {{\n    type nat hook prerouting priority dstnat; policy accept;\n{rules}  }}\n"
    return f"table ip page {{\n{chain}}}\ntable ip6 page {{\n{chain}}}\n"


def render(limits: Mapping[str, int], losses: Mapping[str, int]) -> str:
    """Return the transaction for these faults: each node's largest IP packet in bytes, and its loss in percent."""
    lines = ["flush chain netdev cable from_node", "flush chain netdev cable to_node"]
    for chain, field in (("from_node", "iifname"), ("to_node", "oifname")):
        for node, port in _PORTS.items():
            rule = f'add rule netdev cable {chain} {field} "{port}"'
            lines += [f"{rule} {drop} drop" for drop in _drops(limits.get(node), losses.get(node))]
    return "\n".join(lines) + "\n"


def _drops(limit: int | None, loss: int | None) -> list[str]:
    found = []
    if limit is not None:
        found += [
            f"meta protocol ip ip length > {limit}",
            f"meta protocol ip6 ip6 length > {max(limit - _IP6_HEADER, 0)}",
        ]
    if loss:
        chance = f"numgen random mod 100 <= {loss - 1}"
        found += [
            f"meta protocol ip {chance}",
            f"meta protocol ip6 meta l4proto != ipv6-icmp {chance}",
            f"icmpv6 type != {{ {_NDP} }} {chance}",
        ]
    return found


class Switch:
    """The driver's `SwitchDriver`."""

    def __init__(self, namespace: Namespace, foreign: Namespace, programs: Programs) -> None:
        self._namespace = namespace
        self._foreign = foreign
        self._programs = programs
        self._limits: dict[str, int] = {}
        self._losses: dict[str, int] = {}
        self._owned: frozenset[str] = frozenset()
        with foreign.entered():
            self._page = socket.create_server(("::", _PAGE_PORT), family=socket.AF_INET6, dualstack_ipv6=True)
            self._datagrams = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            self._datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            self._datagrams.bind(("::", _PAGE_PORT))
        self._datagrams.setblocking(False)

    async def start(self) -> None:
        """Let the foreign host serve its page."""
        await asyncio.start_server(_serve_page, sock=self._page)
        await asyncio.get_running_loop().create_datagram_endpoint(_Echo, sock=self._datagrams)

    async def limit_frames(self, node: str | None, max_bytes: int | None) -> None:
        """See `SwitchDriver`."""
        _set(self._limits, node, max_bytes)
        await self._apply()

    async def lose(self, node: str | None, percent: int) -> None:
        """See `SwitchDriver`."""
        _set(self._losses, node, min(percent, 100) or None)
        await self._apply()

    async def _apply(self) -> None:
        await self._programs.nft(self._namespace, render(self._limits, self._losses))

    def foreign(self, addresses: frozenset[str]) -> None:
        """See `SwitchDriver`: the foreign host's kernel gets the addresses, as when somebody typed them in there."""
        new, old = addresses - self._owned, self._owned - addresses
        self._foreign.netlink.do(
            *(rt.remove_address(UPLINK_INDEX, rt.host(address)) for address in sorted(old)),
            *(rt.address(UPLINK_INDEX, rt.host(address)) for address in sorted(new)),
        )
        self._owned = addresses


def _set(faults: dict[str, int], node: str | None, value: int | None) -> None:
    for name in _PORTS if node is None else (node,):
        faults.pop(name, None)
        if value is not None:
            faults[name] = value


async def _serve_page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        async with asyncio.timeout(5):
            await reader.read(4096)
        writer.write(_ANSWER)
        await writer.drain()
    except (OSError, TimeoutError):
        pass
    finally:
        writer.close()


class _Echo(asyncio.DatagramProtocol):
    """Says the same to whoever asks, never more than was asked."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio's own selector transport is no subclass of what the documentation names.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(_PAGE[: len(data)], addr)
