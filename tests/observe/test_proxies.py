"""Which hosts NO_PROXY excepts, by the rules that Go documents; kubectl itself is asked in test_session."""

from __future__ import annotations

import pytest

from l2probe.observe.proxies import proxy_for

PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("server", "exceptions", "direct"),
    [
        ("https://api.example.com:6443", "", False),
        ("https://api.example.com:6443", "example.com", True),
        ("https://api.example.com:6443", ".example.com", True),
        ("https://api.example.com:6443", "*.example.com", True),
        ("https://api.example.com:6443", "API.example.com", True),
        ("https://api.example.com:6443", "ample.com", False),
        ("https://example.com", ".example.com", False),
        ("https://example.com", "example.com:443", True),
        ("https://example.com", "example.com:6443", False),
        ("https://example.com", " other.example , *", True),
        ("https://[2001:db8::7]:6443", "2001:db8::/32", True),
        ("https://[2001:db8::7]:6443", "[2001:db8::7]:6443", True),
        ("https://[2001:db8::7]:6443", "2001:db8::7", True),
        ("https://[2001:db8::7]:6443", "2001:db8::8", False),
        ("https://192.0.2.7:6443", "192.0.2.0/24", True),
        ("https://192.0.2.7:6443", "192.0.2.8,192.0.3.0/24", False),
        ("https://localhost:6443", "", True),
        ("https://[::1]:6443", "", True),
        ("https://127.1.2.3:6443", "", True),
    ],
)
def test_no_proxy_excepts_what_go_excepts(server: str, exceptions: str, direct: bool) -> None:  # noqa: FBT001
    """Names cover their subdomains, a leading dot only those; ports, addresses and networks are exact."""
    environ = {"HTTPS_PROXY": PROXY, "NO_PROXY": exceptions}

    assert (proxy_for(server, None, environ) is None) is direct


def test_plain_http_has_a_proxy_of_its_own() -> None:
    """HTTP_PROXY is for http, HTTPS_PROXY for https."""
    assert proxy_for("http://api.example.com", None, {"HTTPS_PROXY": PROXY}) is None
    assert proxy_for("http://api.example.com", None, {"HTTP_PROXY": "proxy.example:3128"}) == PROXY


@pytest.mark.parametrize("proxy", ["ftp://proxy.example", "proxy.example:3128", "socks4://proxy.example"])
def test_a_scheme_of_no_proxy_is_refused(proxy: str) -> None:
    """As kubectl: http, https and socks5."""
    with pytest.raises(ValueError, match="proxy-url"):
        proxy_for("https://api.example.com", proxy, {})
