"""From where a stack is reached: the host that it listens on, its name there, its certificate."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from .checks import StackError
from .ports import LOOPBACK

#: Hosts that stand for all of a machine's addresses, and loopback of that kind.
_ANY = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104 # they are compared

#: Addresses to which a machine would send by its usual way; nothing is sent.
_AFAR = {"0.0.0.0": (socket.AF_INET, "192.0.2.1"), "::": (socket.AF_INET6, "2001:db8::1")}  # noqa: S104


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """A server's certificate and key, and whom its clients have to trust, as PEM files."""

    cert: Path
    key: Path
    #: Authority to trust besides the system's; None where those vouch for the certificate.
    ca: Path | None = None

    def check(self) -> None:
        """Raises StackError for what no server could use; it names the option."""
        named = {"--tls-cert": self.cert, "--tls-key": self.key}
        for option, path in (named | ({"--tls-ca": self.ca} if self.ca else {})).items():
            try:
                path.open("rb").close()
            except OSError as error:
                raise StackError(f"{option} {path}: {error.strerror}") from None
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.cert, self.key)
        except ssl.SSLError as error:
            why = error.reason or "not PEM"
            raise StackError(
                f"--tls-cert {self.cert} and --tls-key {self.key} are no pair: {why}"
            ) from None
        try:
            self.trust()
        except ssl.SSLError:
            raise StackError(f"--tls-ca {self.ca}: holds no certificate as PEM") from None

    def trust(self) -> ssl.SSLContext:
        """What a client of the server trusts."""
        context = ssl.create_default_context()
        if self.ca:
            context.load_verify_locations(self.ca)
        return context


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a stack listens. On loopback, unless it is told otherwise."""

    host: str = LOOPBACK
    #: What other machines call it; "" for the host, or this machine's address.
    address: str = ""
    tls: TlsFiles | None = None

    def check(self) -> None:
        """Raises StackError for a host that is none of this machine's, or files of no use."""
        try:
            family, _, _, _, where = socket.getaddrinfo(self.host, 0, type=socket.SOCK_STREAM)[0]
            with socket.socket(family) as probe:
                probe.bind(where)
        except OSError as error:
            raise StackError(
                f"--host {self.host}: no address of this machine ({error.strerror}): "
                "name one that `ip address` lists, or 0.0.0.0 for all"
            ) from None
        if self.tls:
            self.tls.check()

    @property
    def is_open(self) -> bool:
        """Whether other machines get in."""
        return not is_loopback(self.host)

    @property
    def name(self) -> str:
        """What it is called by whoever comes from elsewhere, and by its own certificate."""
        if self.address:
            return self.address
        return machine_address(self.host) if self.host in _ANY else self.host

    @property
    def inward(self) -> str:
        """What this machine's own processes call it: with TLS, as the certificate does."""
        return self.name if self.tls else _ANY.get(self.host, self.host)

    @property
    def scheme(self) -> str:
        """What the API speaks."""
        return "https" if self.tls else "http"


def is_loopback(host: str) -> bool:
    """Whether a host is reached from its own machine alone. One that nobody knows is not."""
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ipaddress.ip_address(where[0]).is_loopback for *_, where in found)


def machine_address(among: str = "0.0.0.0") -> str:  # noqa: S104 # nothing listens there
    """The address from which this machine sends; loopback where it has no other."""
    family, afar = _AFAR[among]
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((afar, 9))
            found: str = probe.getsockname()[0]
        except OSError:
            return _ANY[among]
        return found


def url_host(host: str) -> str:
    """A host as URLs write it: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host
