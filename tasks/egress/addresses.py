"""Which IP addresses may be reached: the public ones, and the networks that an operator adds.

The tables are IANA's special-purpose registries (RFC 6890 and its updates), written out because
Python's own `is_global` changes from release to release and counts multicast as global.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: IPv4 addresses that no public host has.
_NOT_PUBLIC_4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # shared by a carrier's customers; Alibaba's metadata
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # Azure's own services, public only by its number
            "169.254.0.0/16",  # link-local: the metadata of most clouds
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocol assignments; Oracle's metadata
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",  # private
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, broadcast
        ),
    )
)

#: All that IANA has given out for public IPv6 hosts, and what in it is none.
_PUBLIC_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments, Teredo among them
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4: an IPv4 address inside, by way of a stranger's relay
            "3fff::/20",  # documentation
        ),
    )
)

#: IPv6 addresses that stand for the IPv4 address in their last 32 bits: mapped ones (RFC 4291) and
#: those of NAT64's well-known prefix (RFC 6052).
_IPV4_INSIDE = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))


def parse_networks(text: str) -> tuple[Network, ...]:
    """Networks from an operator's list. Raises ValueError for one that is none."""
    try:
        return tuple(ip_network(part) for part in text.replace(",", " ").split())
    except ValueError as error:
        raise ValueError(f"WHERRY_OUTBOUND_NETWORKS: {error}") from None


def may_reach(address: str, networks: Sequence[Network] = ()) -> bool:
    """Whether a numeric address is public or in one of the networks. A zone makes it neither."""
    try:
        found = _as_ipv4(ip_address(address))
    except ValueError:
        return False
    if any(found in network for network in networks):
        return True
    if isinstance(found, IPv4Address):
        return not any(found in network for network in _NOT_PUBLIC_4)
    return (
        found in _PUBLIC_6
        and not found.scope_id
        and not any(found in network for network in _NOT_PUBLIC_6)
    )


def _as_ipv4(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for; else the address itself."""
    if isinstance(address, IPv6Address) and any(address in network for network in _IPV4_INSIDE):
        return IPv4Address(address.packed[-4:])
    return address
