"""Neighbour replies with the nodes that sent them filled in. Pure; an unknown one stays so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from l2probe.model import NeighbourReply, Node, owners_of_macs


def map_nodes(
    replies: Sequence[NeighbourReply], node_replies: Sequence[NeighbourReply], nodes: Sequence[Node]
) -> tuple[NeighbourReply, ...]:
    """Return the replies with `node` filled in where exactly one node answered with that MAC.

    `node_replies` are answers to who-has for the nodes' own addresses.
    """
    owners = owners_of_macs(node_replies, nodes)
    return tuple(replace(reply, node=owners.get(reply.mac)) for reply in replies)
