"""The devices between the machines, as nft rules at the switch's ports: a firewall, a proxy, isolation, a translator.

Implements the driver's `PathDriver`. The netdev hooks see a frame before the bridge does (ingress) and after it
(egress), so what is changed there looks to both ends as if a box in the cable had done it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from l2probe.lab.driver import Meddling, Severed
from l2probe.lab.netns import Namespace
from l2probe.lab.programs import Programs
from l2probe.lab.responder import Responder
from l2probe.lab.topology import CLIENT, FOREIGN, NODES, POOL4, POOL6

TRANSLATED4, TRANSLATED6 = "198.51.100.254", "2001:db8:1::fe"
"""The addresses that the translator gives what the client sends."""
_NDP = "nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, nd-redirect"
_POOL = {"ip": "-".join(POOL4), "ip6": "-".join(POOL6)}
_OWN = {"ip": (CLIENT.v4, TRANSLATED4), "ip6": (CLIENT.v6, TRANSLATED6)}
_CHAINS = ("from_node", "from_client", "to_client")


def skeleton() -> str:
    """Return the empty chains: frames from a node, from the client, to the client."""
    devices = ", ".join(f'"{site.port}"' for site in NODES)
    return f"""\
table netdev between {{
  chain from_node {{ type filter hook ingress devices = {{ {devices} }} priority 10; policy accept; }}
  chain from_client {{ type filter hook ingress device "{CLIENT.port}" priority 10; policy accept; }}
  chain to_client {{ type filter hook egress device "{CLIENT.port}" priority 10; policy accept; }}
}}
"""


def render(meddling: Meddling) -> str:
    """Return the transaction after which exactly this is done."""
    flushed = [f"flush chain netdev between {chain}" for chain in _CHAINS]
    added = [f"add rule netdev between {rule}" for rule in _rules(meddling)]
    return "\n".join((*flushed, *added)) + "\n"


def _rules(meddling: Meddling) -> Iterator[str]:
    yield from _severed(meddling.severed)
    if meddling.isolating:
        for chain in ("from_client", "to_client"):
            yield f"{chain} meta protocol arp drop"
            yield f"{chain} icmpv6 type {{ {_NDP} }} drop"
    if meddling.intercepting:
        for family, pool in _POOL.items():
            yield f"from_client {family} daddr {pool} meta l4proto {{ tcp, udp }} ether daddr set {FOREIGN.mac}"
    if meddling.translating:
        for family, (inside, outside) in _OWN.items():
            yield f"from_client {family} saddr {inside} {family} daddr {_POOL[family]} {family} saddr set {outside}"
            yield f"to_client {family} daddr {outside} {family} daddr set {inside}"


def _severed(what: Severed) -> Iterator[str]:
    if what is Severed.NOTHING:
        return
    nodes = ", ".join(mac for site in NODES for mac in (site.mac, site.second.mac))
    between = f"from_node ether daddr {{ {nodes} }}"
    if what is Severed.UDP:
        yield f"{between} meta l4proto udp drop"
        return
    yield f"{between} meta protocol ip drop"
    yield f"{between} meta protocol ip6 meta l4proto != ipv6-icmp drop"


class Path:
    """The driver's `PathDriver`."""

    def __init__(self, switch: Namespace, client: Namespace, programs: Programs) -> None:
        self._switch = switch
        self._programs = programs
        # The translator answers for its addresses with the client's MAC, so that answers find the client's port.
        self._answers = Responder(client, CLIENT.mac)

    def start(self) -> None:
        """Answer for the translator's addresses, when it has some."""
        self._answers.start(asyncio.get_running_loop())

    async def meddle(self, meddling: Meddling) -> None:
        """See `PathDriver`."""
        self._answers.own(frozenset({TRANSLATED4, TRANSLATED6} if meddling.translating else ()), gratuitous=False)
        await self._programs.nft(self._switch, render(meddling))
