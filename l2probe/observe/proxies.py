"""Which proxy stands before a server, by kubeconfig or environment, with the rules of Go's net/http (and so kubectl's).

https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from urllib3.util import parse_url
from urllib3.util.url import Url

SCHEMES = ("http", "https", "socks5", "socks5h")
PORTS = {"http": 80, "https": 443}
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def proxy_for(server: str, named: object, environ: Mapping[str, str]) -> str | None:
    """Return the URL of the proxy to a server; None for a direct connection.

    `named` is the kubeconfig's proxy-url, which no NO_PROXY overrules. Raises ValueError for a scheme of no proxy.
    """
    if isinstance(named, str) and named:
        return _checked(named, "proxy-url")
    url = parse_url(server)
    variable = f"{url.scheme}_proxy".upper()
    value = environ.get(variable) or environ.get(variable.lower()) or ""
    if not value or _is_direct(url, environ.get("NO_PROXY") or environ.get("no_proxy") or ""):
        return None
    return _checked(value if "://" in value else f"http://{value}", variable)


def _checked(proxy: str, where: str) -> str:
    scheme = proxy.partition("://")[0]
    if scheme not in SCHEMES:
        raise ValueError(f"{where} has the scheme {scheme!r}, and a proxy has http, https or socks5")
    return proxy


def _is_direct(url: Url, exceptions: str) -> bool:
    """Tell whether a host needs no proxy: this machine never does."""
    host = (url.host or "").strip("[]").lower()
    port = url.port or PORTS.get(url.scheme or "", 0)
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    entries = (entry.strip().lower() for entry in exceptions.split(","))
    return any(_covers(entry, host, port, address) for entry in entries if entry)


def _covers(entry: str, host: str, port: int, address: Address | None) -> bool:
    """Tell whether one entry of NO_PROXY covers a host: *, address, CIDR, name with its subdomains, or .subdomains."""
    if entry == "*":
        return True
    name, has_port, wanted = entry.rpartition(":")
    if has_port and wanted.isdecimal() and (":" not in name or name.endswith("]")):
        if int(wanted) != port:
            return False
        entry = name
    network = _network(entry.strip("[]"))
    if network is not None:
        return address is not None and address in network
    entry = entry[1:] if entry.startswith("*.") else entry
    return host.endswith(entry) if entry.startswith(".") else host == entry or host.endswith(f".{entry}")


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
