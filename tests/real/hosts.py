"""Who stands on the LAN of the real cluster, and where: names and addresses only.

The addresses are those of the recorded fixtures, so that a capture made here reads like one of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A machine with one interface, `eth0`, on the LAN. `pods`: the networks of its Pods, IPv4 first; () for none."""

    name: str
    address: str
    mac: str
    pods: tuple[str, ...] = ()

    @property
    def addresses(self) -> tuple[str, str]:
        """Both addresses; the IPv6 one ends like the IPv4 one, so that a person sees whose it is."""
        return self.address, f"2001:db8:99::{self.address.rpartition('.')[2]}"


CONTROL_PLANE = Host(name="rc-cp", address="10.99.0.10", mac="02:99:00:00:00:10")
NODES = tuple(
    Host(
        name=f"rc-n{n}",
        address=f"10.99.0.1{n}",
        mac=f"02:99:00:00:00:1{n}",
        pods=(f"10.244.{n}.0/24", f"fd00:10:244:{n}::/64"),
    )
    for n in (1, 2, 3)
)
CLIENT = Host(name="rc-client", address="10.99.0.100", mac="02:99:00:00:01:00")
FOREIGN = Host(name="rc-foreign", address="10.99.0.150", mac="02:99:00:00:01:96")
"""A machine of someone else on the same LAN; it owns nothing until a test says so."""
HOSTS = (CONTROL_PLANE, *NODES, CLIENT, FOREIGN)

PREFIXES = (24, 64)
ROUTER = ("10.99.0.1", "2001:db8:99::1")
"""The LAN's default gateway, an address of the switch; it has no way out."""
POOL = ("10.99.0.200-10.99.0.219", "2001:db8:99::200-2001:db8:99::219")
POD_NETWORKS = ("10.244.0.0/16", "fd00:10:244::/48")
SERVICE_NETWORKS = ("10.96.0.0/16", "fd00:10:96::/112")
FIRST_SERVICE = "10.96.0.1"
NAME_SERVER = "10.96.0.10"
"""Where Pods would ask for names; nothing answers there, and nothing asks."""
API = f"https://{CONTROL_PLANE.address}:6443"

WORLD = Path("/run/l2probe-real")
"""All that a running cluster keeps outside its machines; removed by `down`."""
CGROUP = "l2probe-real"


def host(name: str) -> Host:
    """Return the host called `name`; KeyError when there is none."""
    return {each.name: each for each in HOSTS}[name]
