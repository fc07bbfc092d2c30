"""Renders a node's load balancing as nft rules: pure text. What Cilium does in eBPF and kube-proxy does in nft.

Facts that shape it (measured, see docs): the netdev ingress hook sees a frame before routing and connection tracking,
which is where DSR hands a flow to the backend's node and where refusals are sent from the VIP itself; NAT happens at
prerouting; what no rule took is dropped there too, because the VIP is on-link and the node would otherwise ask the
segment for it. kube-proxy has no hook of its own at the NIC: it translates and masquerades in the kernel's, and its
refusals are the kernel's ICMP errors, from the node's address and rate limited. Nothing from outside reaches the text
unparsed: addresses, ranges and ports go through `ipaddress` and `int`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from l2probe.lab.driver import Forwarding, Frontend, NoBackend, Target
from l2probe.lab.topology import NODES, PODS4, PODS6, SECOND, SUBNET4, SUBNET6, UPLINK, Site, home

_PROTOCOLS = {"TCP": "tcp", "UDP": "udp"}
_SEED = "0x6c327072"
_MASQUERADE = "0x4000"
"""kube-proxy's mark on what must be masqueraded (--iptables-masquerade-bit 14)."""
_CHAINS = ("frontends", "masqueraded", "refused", "handed", "astray")
_HANDED = "0x0832"
"""The mark of packets that another node handed over."""


def skeleton(site: Site) -> str:
    """Return the node's tables and chains, empty of frontends; loaded once, when the node is built."""
    peers = tuple(peer for peer in NODES if peer != site)
    handovers = "\n".join(_handover(peer) for peer in peers)
    return f"""\
table netdev lb {{
  set dropped4 {{ type ipv4_addr; }}
  set dropped6 {{ type ipv6_addr; }}
  chain fault {{
    ip daddr @dropped4 drop
    ip6 daddr @dropped6 meta l4proto {{ tcp, udp }} drop
  }}
{handovers}
  chain frontends {{ }}
  {_ingress(UPLINK)}
}}
{_routed(4, (site.v4, site.gateway4), SUBNET4, PODS4)}{_routed(6, (site.v6, site.gateway6), SUBNET6, PODS6)}"""


def _ingress(device: str) -> str:
    """Return the chain that a frame meets first on an interface: only what is meant for this NIC is served."""
    return f"""chain {_ingress_name(device)} {{
    type filter hook ingress device "{device}" priority -300; policy accept;
    meta pkttype other drop
    jump fault
    jump frontends
  }}"""


def _ingress_name(device: str) -> str:
    return f"on_{device}"


def render_plugged(device: str) -> str:
    """Return the transaction that serves one more interface, which must be there."""
    return f"table netdev lb {{\n  {_ingress(device)}\n}}\n"


def render_pulled(device: str) -> str:
    """Return the transaction that ends that."""
    chain = f"chain netdev lb {_ingress_name(device)}"
    return f"flush {chain}\ndelete {chain}\n"


def _handover(peer: Site) -> str:
    """Return the chains that give a frame to another node, its IP destination unchanged."""
    return f"""\
  chain {_handover_name(peer.name, 4)} {{ fwd ip to {peer.v4} device "{UPLINK}"; }}
  chain {_handover_name(peer.name, 6)} {{ fwd ip6 to {peer.v6} device "{UPLINK}"; }}"""


def _handover_name(node: str, version: int) -> str:
    return f"to_{node.replace('-', '_')}_v{version}"


def _routed(version: int, addresses: tuple[str, str], subnet: str, pods: str) -> str:
    """Return one family's table: NAT to the backend, SNAT to remote ones, and the drop of what nobody serves.

    `addresses`: the node's own on the segment and on its side of the Pods' links.
    """
    family, (own, gateway) = _family(version), addresses
    return f"""\
table {family} lb {{
  set owned {{ type ipv{version}_addr; }}
  chain handed {{ type filter hook prerouting priority dstnat - 5; policy accept; }}
  chain frontends {{ type nat hook prerouting priority dstnat; policy accept; }}
  chain refused {{ type filter hook prerouting priority dstnat + 3; policy accept; }}
  chain astray {{ type filter hook postrouting priority srcnat + 5; policy accept; }}
  chain unserved {{
    type filter hook prerouting priority dstnat + 5; policy accept;
    ct status dnat accept
    {family} daddr @owned accept
    iifname {{ "{UPLINK}", "{SECOND}" }} {family} daddr != {own} {family} daddr {subnet} drop
  }}
  chain masqueraded {{ type nat hook postrouting priority srcnat - 1; policy accept; }}
  chain remote {{
    type nat hook postrouting priority srcnat; policy accept;
    oifname "{UPLINK}" ct status dnat {family} daddr {pods} snat to {own}
    meta mark & {_MASQUERADE} == {_MASQUERADE} {family} daddr {pods} snat to {gateway}
  }}
}}
"""


def render(site: Site, frontends: Sequence[Frontend]) -> str:
    """Return the transaction that replaces all of the node's frontends by these."""
    served = [frontend for frontend in frontends if frontend.protocol in _PROTOCOLS]
    peers = ", ".join(peer.mac for peer in NODES if peer != site)
    mark = "" if all(frontend.reversing for frontend in served) else f"meta mark set {_HANDED} "
    lines = [
        "flush chain netdev lb frontends",
        *(f"flush chain {family} lb {chain}" for chain in _CHAINS for family in ("ip", "ip6")),
        # A peer has chosen this node already: no second choice, no loop.
        f"add rule netdev lb frontends ether saddr {{ {peers} }} {mark}accept",
        *(rule for frontend in served for rule in _rules(site, frontend)),
        *(rule for frontend in served if not frontend.reversing for rule in _gone_astray(site, frontend)),
    ]
    return "\n".join(lines) + "\n"


def _gone_astray(site: Site, frontend: Frontend) -> list[str]:
    """Return the rules by which answers to what a peer handed over keep the node's own address, but for the SYN-ACK.

    As Cilium with DSR and iptables masquerading does (cilium/cilium#26407).
    """
    local = [target for target in frontend.targets if _node(target) == site.name]
    if frontend.protocol != "TCP" or not local:
        return []
    family, own = _family_of(frontend), site.v6 if ":" in frontend.vip else site.v4
    answer = f"{family} saddr {_ip(frontend.vip)} tcp sport {int(frontend.port)} tcp flags & (syn | rst) == 0x0"
    changed = f"tcp sport set {int(local[0].port)} {family} saddr set {own}"
    return [
        f"add rule {family} lb handed {_match(frontend)} meta mark {_HANDED} ct mark set {_HANDED}",
        f"add rule {family} lb astray ct mark {_HANDED} ct direction reply {answer} {changed}",
    ]


def render_dropped(addresses: Iterable[str]) -> str:
    """Return the transaction that makes the node drop exactly the traffic to these addresses."""
    lines = ["flush set netdev lb dropped4", "flush set netdev lb dropped6"]
    for address in sorted(addresses):
        ip = ipaddress.ip_address(address)
        lines.append(f"add element netdev lb dropped{ip.version} {{ {ip} }}")
    return "\n".join(lines) + "\n"


def render_owned(addresses: Iterable[str]) -> str:
    """Return the transaction that lets exactly these addresses' traffic through to the node itself."""
    lines = ["flush set ip lb owned", "flush set ip6 lb owned"]
    for address in sorted(addresses):
        ip = ipaddress.ip_address(address)
        lines.append(f"add element {_family(ip.version)} lb owned {{ {ip} }}")
    return "\n".join(lines) + "\n"


def _rules(site: Site, frontend: Frontend) -> list[str]:
    """Return one frontend's rules: who may come, then where they go."""
    usable = [target for target in frontend.targets if not frontend.local_only or _node(target) == site.name]
    rules = _source_ranges(frontend)
    if frontend.forwarding is Forwarding.MASQUERADE:
        return [*rules, *_proxied(frontend, usable)]
    if not usable:
        return [*rules, f"add rule netdev lb frontends {_match(frontend)} {_nothing_there(frontend)}"]
    if frontend.forwarding is Forwarding.SNAT:
        return [*rules, *_masquerade(site, frontend), _translate(frontend, usable)]
    local = [target for target in usable if _node(target) == site.name]
    rules += [*_masquerade(site, frontend), *_hand_over(site, frontend, usable)]
    return [*rules, *([_translate(frontend, local)] if local else [])]


def _match(frontend: Frontend) -> str:
    return (
        f"{_family_of(frontend)} daddr {_ip(frontend.vip)} {_PROTOCOLS[frontend.protocol]} dport {int(frontend.port)}"
    )


def _source_ranges(frontend: Frontend) -> list[str]:
    """Return the rule of spec.loadBalancerSourceRanges: whoever is in none of them is dropped without a word."""
    if not frontend.source_ranges:
        return []
    networks = [ipaddress.ip_network(text.strip(), strict=False) for text in frontend.source_ranges]
    version = ipaddress.ip_address(frontend.vip).version
    allowed = ipaddress.collapse_addresses(network for network in networks if network.version == version)  # type: ignore[type-var]
    listed = ", ".join(str(network) for network in allowed)
    others = f"{_family(version)} saddr != {{ {listed} }} " if listed else ""
    return [f"add rule netdev lb frontends {_match(frontend)} {others}drop"]


def _nothing_there(frontend: Frontend) -> str:
    """Return the verdict for a frontend without backend (Cilium service-no-backend-response).

    The netdev hook answers with the VIP as ICMP source and without the kernel's rate limit, as Cilium's eBPF does.
    """
    if frontend.no_backend is NoBackend.DROP:
        return "drop"
    return f"reject with {'icmpv6' if ':' in frontend.vip else 'icmp'} type port-unreachable"


def _proxied(frontend: Frontend, usable: Sequence[Target]) -> list[str]:
    """Return what kube-proxy does: policy Cluster is masqueraded, whatever the Pod's node, policy Local never.

    A Service without any backend is rejected by the kernel, policy Local with backends elsewhere only is dropped
    (k8s.io/kubernetes/pkg/proxy/nftables; recorded: captures wire-local-no-endpoints, wire-local-wrong-node).
    """
    if usable:
        return [_translate(frontend, usable, mark="" if frontend.local_only else f"meta mark set {_MASQUERADE} ")]
    verdict = "drop" if frontend.targets else _nothing_there(frontend)
    return [f"add rule {_family_of(frontend)} lb refused {_match(frontend)} {verdict}"]


def _hand_over(site: Site, frontend: Frontend, usable: Sequence[Target]) -> list[str]:
    """Return DSR's first half: by the flow's hash, keep the frame or give it to the backend's node."""
    version = ipaddress.ip_address(frontend.vip).version
    placed = [node for node in map(_node, usable) if node is not None]
    verdicts = ["accept" if node == site.name else f"goto {_handover_name(node, version)}" for node in placed]
    if len(set(verdicts)) <= 1:
        return [f"add rule netdev lb frontends {_match(frontend)} {verdict}" for verdict in sorted(set(verdicts))]
    chosen = f"jhash {_family(version)} saddr . {_PROTOCOLS[frontend.protocol]} sport mod {len(verdicts)} seed {_SEED}"
    places = ", ".join(f"{number} : {verdict}" for number, verdict in enumerate(verdicts))
    return [f"add rule netdev lb frontends {_match(frontend)} {chosen} vmap {{ {places} }}"]


def _translate(frontend: Frontend, targets: Sequence[Target], *, mark: str = "") -> str:
    """Return the NAT rule that gives each new flow one of these backends; `mark` is a statement before that."""
    rule = f"add rule {_family_of(frontend)} lb frontends {_match(frontend)} {mark}dnat to"
    if len(targets) == 1:
        (only,) = targets
        address = _ip(only.address)
        return f"{rule} {f'[{address}]' if ':' in address else address}:{int(only.port)}"
    places = (f"{number} : {_ip(target.address)} . {int(target.port)}" for number, target in enumerate(targets))
    return f"{rule} numgen random mod {len(targets)} map {{ {', '.join(places)} }}"


def _masquerade(site: Site, frontend: Frontend) -> list[str]:
    """Return the rule by which even the node's own Pods see the node instead of the client."""
    if not frontend.masquerade:
        return []
    family = _family_of(frontend)
    flow = (
        f"meta l4proto {_PROTOCOLS[frontend.protocol]} ct original {family} daddr {_ip(frontend.vip)} "
        f"ct original proto-dst {int(frontend.port)}"
    )
    own = site.v6 if ":" in frontend.vip else site.v4
    return [f"add rule {family} lb masqueraded ct status dnat {flow} snat to {own}"]


def _node(target: Target) -> str | None:
    """Return the backend's node, from its address when the API did not say; None when the lab has no such node."""
    names = {site.name for site in NODES}
    return target.node if target.node in names else home(target.address)


def _family(version: int) -> str:
    return "ip6" if version == 6 else "ip"  # noqa: PLR2004 - the IP version


def _family_of(frontend: Frontend) -> str:
    return _family(ipaddress.ip_address(frontend.vip).version)


def _ip(address: str) -> str:
    return str(ipaddress.ip_address(address))
