from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.tasks.egress.addresses import may_reach, parse_networks

PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.0.1", "172.32.0.1", "2606:4700::1111"]

#: An address of each kind that is no public host's.
NOT_PUBLIC = [
    "0.0.0.0",
    "10.1.2.3",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "100::1",
    "64:ff9b:1::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "2001::1",
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::",
    "3fff::1",
    "4000::1",
]

PRIVATE_4 = [ipaddress.ip_network(n) for n in ("10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16")]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_reached(address: str) -> None:
    assert may_reach(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_of_no_public_host_may_not(address: str) -> None:
    assert not may_reach(address)


@given(st.sampled_from(PRIVATE_4), st.data())
def test_an_ipv4_address_is_judged_alike_inside_ipv6(
    network: ipaddress.IPv4Network, data: st.DataObject
) -> None:
    address = data.draw(st.ip_addresses(v=4, network=str(network)))
    assert not may_reach(str(address))
    for inside in (f"::ffff:{address}", f"64:ff9b::{address}", f"::{address}"):
        assert not may_reach(inside)
        assert not may_reach(ipaddress.ip_address(inside).exploded)


@given(st.ip_addresses())
def test_nothing_passes_that_python_calls_private(address: ipaddress.IPv4Address) -> None:
    if may_reach(str(address)) and "64:ff9b::" not in str(address) and "ffff" not in str(address):
        assert address.is_global
        assert not address.is_multicast
        assert not address.is_reserved


@pytest.mark.parametrize("text", ["", "example.org", "1.2.3", "0x7f000001", "2606:4700::1%eth0"])
def test_what_is_no_plain_address_may_not(text: str) -> None:
    assert not may_reach(text)


def test_an_operator_adds_networks() -> None:
    networks = parse_networks("10.20.0.0/16, fd12::/16 127.0.0.1/32")
    assert may_reach("10.20.1.2", networks)
    assert may_reach("::ffff:10.20.1.2", networks)
    assert may_reach("fd12::7", networks)
    assert not may_reach("10.21.0.1", networks)
    assert not may_reach("127.0.0.2", networks)
    with pytest.raises(ValueError, match="does not appear"):
        parse_networks("10.20.0.0/16 here")
