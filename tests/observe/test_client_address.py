"""The client address in every form that echo servers write, and nothing else taken for one."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2probe.observe.client_address import parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("172.18.0.6:41040", ("172.18.0.6", 41040)),
        ("172.18.0.6", ("172.18.0.6", None)),
        (" 172.18.0.6:41040\n", ("172.18.0.6", 41040)),
        ("[fd00::6]:41040", ("fd00::6", 41040)),
        ("[fd00::6]", ("fd00::6", None)),
        ("fd00:0:0::6", ("fd00::6", None)),
        ("FD00::6", ("fd00::6", None)),
        ("[fe80::1%eth0]:41040", ("fe80::1", 41040)),
        ("fe80::1%eth0", ("fe80::1", None)),
        ("::ffff:172.18.0.6", ("172.18.0.6", None)),
        ("[::ffff:172.18.0.6]:41040", ("172.18.0.6", 41040)),
        ("::ffff:ac12:6", ("172.18.0.6", None)),
    ],
)
def test_every_form_is_read_and_normalised(text: str, expected: tuple[str, int | None]) -> None:
    """Go writes brackets and ports, nginx none, sockets of both families an IPv4-mapped address."""
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "localhost", "172.18.0.6:", "172.18.0.6:x", "172.18.0.6:-1", "172.18.0.6:65536", "172.18.0.256:1"),
        *("172.018.0.6", "[fd00::6", "fd00::6]", "[172.18.0.6:1]", "[]:1", "fe80::1%", "fe80::1%e%f", "1.2.3.4%eth0"),
        *("[fd00::6]:123456", "10.0.0.1:1:1", "1" * 5000, "10.0.0.1\x00", "\u0661.\u0661.\u0661.\u0661"),
    ],
)
def test_what_is_no_address_is_none(text: str) -> None:
    """An answer that says nonsense proves nothing."""
    assert parse(text) is None


@given(
    address=st.ip_addresses(),
    port=st.none() | st.integers(0, 65535),
)
def test_what_go_writes_comes_back(address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int | None) -> None:
    """net.JoinHostPort and back."""
    host = f"[{address}]" if address.version == 6 and port is not None else str(address)
    mapped = getattr(address, "ipv4_mapped", None)

    assert parse(host if port is None else f"{host}:{port}") == (str(mapped or address), port)


@given(text=st.text(max_size=100))
def test_no_text_breaks_it(text: str) -> None:
    """It is somebody else's text: an address comes out, or nothing."""
    found = parse(text)

    assert found is None or str(ipaddress.ip_address(found[0])) == found[0]
