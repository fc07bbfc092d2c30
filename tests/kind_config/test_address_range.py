"""kind-config/address_range.py: a LoadBalancer range by arithmetic, clear of everything that has an address."""

from __future__ import annotations

import importlib.util
import ipaddress
import json
import subprocess
import sys
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kind_config.stage import RECIPES, network

PROGRAM = RECIPES / "address_range.py"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("address_range", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


address_range = _load()


def ask(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
    """Run the program; return exit code, standard output and standard error."""
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *arguments], input=stdin, capture_output=True, text=True, check=False, timeout=30
    )
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def pick(subnet: str, *used: str, family: int = 4) -> str:
    """Return first-last in one subnet with these addresses in use."""
    segment = address_range.Segment(
        subnets=(ipaddress.ip_network(subnet),), used=frozenset(map(ipaddress.ip_address, used))
    )
    first, last = address_range.pick(segment, family)
    return f"{first}-{last}"


@pytest.mark.parametrize(
    ("subnet", "expected"),
    [
        ("172.18.0.0/16", "172.18.255.200-172.18.255.249"),
        ("192.168.16.0/20", "192.168.31.200-192.168.31.249"),
        ("10.89.0.0/24", "10.89.0.200-10.89.0.249"),
        ("10.0.0.128/25", "10.0.0.200-10.0.0.249"),
        ("10.0.0.0/8", "10.255.255.200-10.255.255.249"),
    ],
)
def test_the_range_lies_below_the_last_addresses_of_any_subnet(subnet: str, expected: str) -> None:
    """Fifty addresses end six below the last one, whatever the prefix length."""
    assert pick(subnet) == expected


def test_ipv6_is_picked_likewise_when_asked() -> None:
    """The same arithmetic holds for kind's IPv6 subnet."""
    expected = "fc00:f853:ccd:e793:ffff:ffff:ffff:ffc8-fc00:f853:ccd:e793:ffff:ffff:ffff:fff9"
    assert pick("fc00:f853:ccd:e793::/64", family=6) == expected


@pytest.mark.parametrize("subnet", ["10.0.0.0/26", "10.0.0.0/28", "10.0.0.0/31", "10.0.0.1/32"])
def test_a_subnet_too_small_for_nodes_and_range_is_refused(subnet: str) -> None:
    """Fewer than sixteen addresses below the range would leave the nodes none."""
    with pytest.raises(address_range.RangeError, match=r"No 50 addresses in a row are free"):
        pick(subnet)


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        ("10.89.0.220", "10.89.0.170-10.89.0.219"),
        ("10.89.0.200", "10.89.0.150-10.89.0.199"),
        ("10.89.0.249", "10.89.0.199-10.89.0.248"),
        ("10.89.0.250", "10.89.0.200-10.89.0.249"),
        ("10.89.0.199", "10.89.0.200-10.89.0.249"),
        ("172.18.0.7", "10.89.0.200-10.89.0.249"),
    ],
)
def test_an_address_in_use_pushes_the_range_down(used: str, expected: str) -> None:
    """Only an address inside the range matters, and the range then ends just below it."""
    assert pick("10.89.0.0/24", used) == expected


def test_addresses_in_use_can_leave_no_room() -> None:
    """A subnet cut into pieces shorter than the range is refused rather than shared."""
    with pytest.raises(address_range.RangeError, match=r"10\.89\.0\.0/24"):
        pick("10.89.0.0/24", *(f"10.89.0.{host}" for host in range(20, 255, 40)))


@given(
    prefix=st.integers(8, 25),
    base=st.integers(0, 2**32 - 1),
    hosts=st.lists(st.integers(0, 400), max_size=12),
)
def test_the_range_never_touches_what_is_in_use(prefix: int, base: int, hosts: list[int]) -> None:
    """For every subnet and any used addresses near its end: fifty addresses inside it, all free, none reserved."""
    subnet = ipaddress.ip_network((base, prefix), strict=False)
    end = int(subnet.broadcast_address)
    used = frozenset(ipaddress.ip_address(max(end - host, 0)) for host in hosts)
    try:
        first, last = address_range.pick(address_range.Segment(subnets=(subnet,), used=used), 4)
    except address_range.RangeError:
        assert used, "an empty network of this size has room"
        return
    assert int(last) - int(first) + 1 == 50
    assert int(subnet.network_address) + 16 <= int(first)
    assert int(last) <= end - 6
    assert not any(first <= address <= last for address in used)


@given(hosts=st.sets(st.integers(1, 254), max_size=20))
def test_the_highest_free_range_is_taken(hosts: set[int]) -> None:
    """No free range lies above the one picked, and none is missed."""
    subnet = ipaddress.ip_network("10.89.0.0/24")
    free = [start for start in range(16, 201) if not any(start <= host < start + 50 for host in hosts)]
    segment = address_range.Segment(subnets=(subnet,), used=frozenset(subnet[host] for host in hosts))
    if not free:
        with pytest.raises(address_range.RangeError):
            address_range.pick(segment, 4)
    else:
        assert address_range.pick(segment, 4)[0] == subnet[max(free)]


def test_it_reads_docker_and_picks_the_ipv4_subnet_among_several() -> None:
    """Docker lists kind's IPv6 subnet in either order; the IPv4 one is meant unless asked otherwise."""
    inspected = network(subnet="192.168.16.0/20", cluster="l2probe-cilium")
    assert ask(stdin=inspected) == (0, "192.168.31.200-192.168.31.249", "")
    assert ask("--family", "6", stdin=inspected)[1].endswith("-fc00:f853:ccd:e793:ffff:ffff:ffff:fff9")


def test_it_keeps_clear_of_gateway_containers_and_reserved_addresses() -> None:
    """Everything that docker says is taken is taken: the gateway, containers, auxiliary addresses, --avoid."""
    config = {"Subnet": "10.89.0.0/24", "Gateway": "10.89.0.249", "AuxiliaryAddresses": {"router": "10.89.0.248"}}
    inspected = [
        {"IPAM": {"Config": [config]}, "Containers": {"a": {"IPv4Address": "10.89.0.247/24", "IPv6Address": ""}}}
    ]
    assert ask("--avoid", "10.89.0.246", stdin=json.dumps(inspected))[1] == "10.89.0.196-10.89.0.245"


def test_the_second_ipv4_subnet_serves_when_the_first_is_too_small() -> None:
    """Several subnets of one family are tried in the order in which docker lists them."""
    assert ask("--subnet", "10.0.0.0/28", "--subnet", "10.89.0.0/24")[1] == "10.89.0.200-10.89.0.249"


def test_it_reads_podman_too() -> None:
    """Podman spells the same things in lower case."""
    inspected = [{"name": "kind", "subnets": [{"subnet": "10.89.0.0/24", "gateway": "10.89.0.1"}]}]
    assert ask(stdin=json.dumps(inspected)) == (0, "10.89.0.200-10.89.0.249", "")


@pytest.mark.parametrize(
    ("stdin", "sentence"),
    [
        ("", "Standard input is not the JSON"),
        ("[]", "exactly one network"),
        ("[1]", "exactly one network"),
        ("{}", "exactly one network"),
        ("[{}]", "The network has no IPv4 subnet."),
        ('[{"IPAM": null, "Containers": 7}]', "The network has no IPv4 subnet."),
        ('[{"IPAM": {"Config": [{"Subnet": "fc00::/64"}]}}]', "The network has no IPv4 subnet."),
        ('[{"IPAM": {"Config": [{"Subnet": "ten"}]}}]', "'ten' is not a subnet"),
        ('[{"IPAM": {"Config": [{"Subnet": "10.0.0.0/24", "Gateway": "x"}]}}]', "'x' is not an address"),
        ('[{"IPAM": {"Config": [{"Subnet": "10.0.0.0/26"}]}}]', "10.0.0.0/26"),
    ],
)
def test_what_it_cannot_read_ends_as_one_sentence(stdin: str, sentence: str) -> None:
    """Wrong input is exit code 2, nothing on standard output and one line that names what was wrong."""
    code, out, err = ask(stdin=stdin)
    assert (code, out) == (2, "")
    assert sentence in err
    assert "\n" not in err
