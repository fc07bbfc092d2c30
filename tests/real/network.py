"""The LAN of the real cluster: one bridge in a namespace of its own, every machine a namespace with one cable to it.

Nothing of it is visible in the namespace that made it: no interface, no route, no sysctl, no name below /run/netns.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

from tests.real.command import PATH, RealError, run
from tests.real.hosts import CLIENT, CONTROL_PLANE, HOSTS, NODES, POD_NETWORKS, PREFIXES, ROUTER, WORLD, Host

SWITCH = "rc-lan"
NAMES = (SWITCH, *(each.name for each in HOSTS))
MASQUERADE = f"""
table inet pods-leaving {{
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {POD_NETWORKS[0]} ip daddr != {POD_NETWORKS[0]} masquerade
    ip6 saddr {POD_NETWORKS[1]} ip6 daddr != {{ {POD_NETWORKS[1]}, ff00::/8 }} masquerade
  }}
}}
"""
"""As a cluster's network add-on does; kube-proxy's own masquerading is another table."""


def namespace(name: str) -> Path:
    """Return the file that holds the network namespace `name`."""
    return WORLD / "netns" / name


def laid(name: str) -> bool:
    """Return whether that namespace is there; its file is then a mount point (Path.is_mount knows directories only)."""
    return os.path.ismount(namespace(name))


def within(name: str, *argv: str) -> tuple[str, ...]:
    """Return the command line that runs `argv` in namespace `name`, with that namespace's own /sys."""
    inner = 'mount --no-mtab -t sysfs sysfs /sys && exec "$@"'
    return ("nsenter", f"--net={namespace(name)}", "unshare", "--mount", "sh", "-c", inner, "sh", *argv)


def lay() -> None:
    """Make the switch, the namespaces and the cables; RealError when the kernel refuses one of them."""
    (WORLD / "netns").mkdir(parents=True)
    for name in NAMES:
        namespace(name).touch()
        run("unshare", f"--net={namespace(name)}", "ip", "link", "set", "lo", "up")
    _ip(SWITCH, "link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0")
    _ip(SWITCH, *_addresses(ROUTER, "br0"), "link set br0 up")
    _forward(SWITCH)
    for each in HOSTS:
        _connect(each)
    for node in NODES:
        _be_a_node(node)
    for each in HOSTS:
        _ip(each.name, *(line for node in NODES if node != each for line in _pod_routes(each, node)))


def _pod_routes(each: Host, node: Host) -> tuple[str, ...]:
    """Return the routes of one host to the Pods of a node: nodes and the control plane have them, nobody else does."""
    if not each.pods and each != CONTROL_PLANE:
        return ()
    return tuple(f"route add {pods} via {address}" for pods, address in zip(node.pods, node.addresses, strict=True))


def _addresses(addresses: Iterable[str], interface: str) -> tuple[str, ...]:
    """Return the lines that give an interface its addresses, usable at once: nobody else on this LAN can have them."""
    pairs = zip(addresses, PREFIXES, strict=True)
    return tuple(f"address add {each}/{prefix} dev {interface} nodad" for each, prefix in pairs)


def _connect(each: Host) -> None:
    """Plug one host into the switch."""
    _ip(SWITCH, f"link add {each.name} type veth peer name eth0 netns {namespace(each.name)}")
    _ip(SWITCH, f"link set {each.name} master br0 up")
    _ip(
        each.name,
        f"link set eth0 address {each.mac} up",
        *_addresses(each.addresses, "eth0"),
        *(f"route add default via {router}" for router in ROUTER),
    )


def _be_a_node(node: Host) -> None:
    _forward(node.name)
    run(*_in(node.name), "nft", "-f", "-", stdin=MASQUERADE)


def _forward(name: str) -> None:
    """Make a router of a namespace. The switch has no way out: it says so at once, and nobody waits for a time-out."""
    switches = "/proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding"
    run(*_in(name), "sh", "-c", f"echo 1 | tee {switches}")


def cut(name: str) -> None:
    """Pull the plug of one host: its port of the switch goes down, silently for everyone else."""
    _ip(SWITCH, f"link set {name} down")


def mend(name: str) -> None:
    """Plug one host in again."""
    _ip(SWITCH, f"link set {name} up")


def own(address: str, name: str = "rc-foreign") -> None:
    """Give `address` to another host, so that it answers ARP for it too."""
    _ip(name, f"address add {address} dev eth0 nodad")


def disown(address: str, name: str = "rc-foreign") -> None:
    """Take it away again."""
    _ip(name, f"address del {address} dev eth0")


def forget() -> None:
    """Let the client forget whose address is whose: entries of an earlier run would still work, and hide silence."""
    _ip(CLIENT.name, "neigh flush all")


def remember(address: str, owner: Host) -> None:
    """Have the client believe that `owner` has the address, as if it had answered a moment ago."""
    _ip(CLIENT.name, f"neigh replace {address} lladdr {owner.mac} dev eth0 nud reachable")


def processes() -> tuple[int, ...]:
    """Return every process in one of the namespaces, wherever it came from."""
    ours = {namespace(name).stat().st_ino for name in NAMES if laid(name)}
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            inode = (each / "ns/net").stat().st_ino
        except OSError:
            continue
        if inode in ours:
            found.append(int(each.name))
    return tuple(found)


def remove() -> None:
    """End every process in the namespaces, then the namespaces; twice is as good as once."""
    _end(deadline=time.monotonic() + 20)
    for name in NAMES:
        file = namespace(name)
        if laid(name):
            run("umount", "--no-mtab", str(file))
        file.unlink(missing_ok=True)


def _end(*, deadline: float) -> None:
    """Kill until nobody is left: a process may be making another one just now."""
    while left := processes():
        if time.monotonic() > deadline:
            raise RealError(f"processes {', '.join(map(str, left))} did not end")
        for pid in left:
            try:
                handle = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            os.close(handle)
        time.sleep(0.05)


def _in(name: str) -> tuple[str, ...]:
    return ("nsenter", f"--net={namespace(name)}")


def _ip(name: str, *lines: str) -> None:
    """Run lines of `ip` in one namespace, in one process."""
    run(*_in(name), "ip", "-batch", "-", stdin="\n".join(lines), env={"PATH": PATH})
