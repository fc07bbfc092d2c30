"""The client address as echo servers write it: bounded, normalised, never trusted to be one."""

from __future__ import annotations

import ipaddress
import re

from l2probe.model import Ip

LONGEST = 80
"""Characters: a full IPv6 address, a zone of 15 and a port are 64."""
_BRACKETED = re.compile(r"\[(?P<address>[^\[\]]+)\](?::(?P<port>[0-9]{1,5}))?")
_WITH_PORT = re.compile(r"(?P<address>[0-9.]+):(?P<port>[0-9]{1,5})")
_ZONE = re.compile(r"[A-Za-z0-9_.-]{1,15}")
_LAST_PORT = 65535


def parse(text: str) -> tuple[Ip, int | None] | None:
    """Return the address, and the port where there is one; None for what is no address.

    Takes `ip:port`, `[v6]:port`, `[v6%zone]:port`, `v6%zone` and a bare address; an IPv4-mapped one (RFC 4291, 2.5.5.2)
    is the IPv4 address that it means. A bare IPv6 address with a port behind it cannot be told from one without.
    """
    text = text.strip() if len(text) <= LONGEST else ""
    found = _BRACKETED.fullmatch(text) or _WITH_PORT.fullmatch(text)
    address = plain(found["address"] if found else text)
    port = int(found["port"]) if found and found["port"] else None
    return None if address is None or (port or 0) > _LAST_PORT else (address, port)


def plain(text: str) -> Ip | None:
    """Return an address without zone and IPv4-mapped prefix, in canonical form; None when it is none."""
    text, zoned, zone = text.partition("%")
    if zoned and (":" not in text or not _ZONE.fullmatch(zone)):
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return Ip(str(mapped or address))
