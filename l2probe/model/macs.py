"""Whose a MAC is: what the nodes' own answers say, whoever asks. Pure; an unknown MAC stays unknown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from l2probe.model.claims import Node
from l2probe.model.facts import NeighbourReply
from l2probe.model.terms import Mac, NodeName


def owners_of_macs(node_replies: Sequence[NeighbourReply], nodes: Sequence[Node]) -> Mapping[Mac, NodeName]:
    """Map each MAC to the node for whose own address it answered.

    A node may have several MACs (two NICs). A MAC that answered for two nodes belongs to a router or to proxy ARP, not
    to a node, and is left out; so is what was answered for an address that two nodes give as theirs, as behind the NAT
    of their hypervisor (Vagrant's 10.0.2.15).
    """
    holders = [(address, node.name) for node in nodes for address in set(node.addresses)]
    times = Counter(address for address, _ in holders)
    by_address = dict(holders)
    found: dict[Mac, set[NodeName]] = {}
    for reply in node_replies:
        node = by_address.get(reply.ip) or reply.node
        if node is not None and times[reply.ip] <= 1:
            found.setdefault(reply.mac, set()).add(node)
    return {mac: next(iter(names)) for mac, names in found.items() if len(names) == 1}
