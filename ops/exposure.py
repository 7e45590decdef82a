"""From where a stack is reached: the host that it listens on, its name there, its certificate."""

from __future__ import annotations

import contextlib
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
        """Raises StackError for what no server could use; it tells the option."""
        self._offer()

    def check_trust(self, name: str) -> None:
        """Raises StackError, too, for what no client could trust by that name."""
        offering = self._offer()
        try:
            _shake_hands(offering, self.trust(), name)
        except ssl.SSLCertVerificationError as error:
            raise StackError(
                f"--tls-cert {self.cert}: clients would not trust it as {name}:"
                f" {error.verify_message}: --address names what it is for, --tls-ca who vouches for"
                " it"
            ) from None

    def _offer(self) -> ssl.SSLContext:
        named = {"--tls-cert": self.cert, "--tls-key": self.key}
        for option, path in (named | ({"--tls-ca": self.ca} if self.ca else {})).items():
            try:
                path.open("rb").close()
            except OSError as error:
                raise StackError(f"{option} {path}: {error.strerror}") from None
        offering = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            offering.load_cert_chain(self.cert, self.key)
        except ssl.SSLError as error:
            why = error.reason or "not PEM"
            raise StackError(
                f"--tls-cert {self.cert} and --tls-key {self.key} are no pair: {why}"
            ) from None
        try:
            self.trust()
        except ssl.SSLError:
            raise StackError(f"--tls-ca {self.ca}: holds no certificate as PEM") from None
        return offering

    def trust(self) -> ssl.SSLContext:
        """What a client of the server trusts."""
        context = ssl.create_default_context()
        if self.ca:
            context.load_verify_locations(self.ca)
        return context


@dataclass(frozen=True, slots=True)
class Exposure:
    """Where a stack listens. On loopback, unless it is told otherwise."""

    host: str = LOOPBACK
    #: What other machines call it; "" for the host, or this machine's address.
    address: str = ""
    tls: TlsFiles | None = None

    def check(self, *, by_name: bool = True) -> None:
        """Raises StackError for a host that is none of this machine's, or files of no use.

        With `by_name` also where clients would not trust the certificate as what this is called.
        """
        try:
            family, _, _, _, where = socket.getaddrinfo(self.host, 0, type=socket.SOCK_STREAM)[0]
            with socket.socket(family) as probe:
                probe.bind(where)
        except OSError as error:
            raise StackError(
                f"--host {self.host}: no address of this machine ({error.strerror}): "
                "name one that `ip address` lists, or 0.0.0.0 for all"
            ) from None
        if self.tls and by_name:
            self.tls.check_trust(self.name)
            self._check_name()
        elif self.tls:
            self.tls.check()

    def _check_name(self) -> None:
        """With TLS its own processes call it so, too."""
        try:
            socket.getaddrinfo(self.name, 0)
        except OSError as error:
            raise StackError(
                f"--address {self.name}: {error.strerror}: this machine has to know it as well"
            ) from None

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


def _shake_hands(offering: ssl.SSLContext, trusting: ssl.SSLContext, name: str) -> None:
    """Have a client trust a server by a name, without a network. Raises what it raises."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        trusting.wrap_bio(back, there, server_hostname=name),
        offering.wrap_bio(there, back, server_side=True),
    ]
    for side in sides * 2:  # the client's hello, the server's, what the client says to it
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()


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
