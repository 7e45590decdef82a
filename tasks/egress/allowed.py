"""Which URLs an operator allows, by their names alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import httpx

_PORTS = {"https": 443, "http": 80}

#: Characters of a URL: longer ones carry something else than an address.
_MAX_URL = 2048


class OutboundError(Exception):
    """Something could not be fetched or called. Its text names the host, never query or address."""


class NoConnection(OutboundError):
    """Nothing was sent: the host has no address now, or takes no connection."""


class NoAnswer(OutboundError):
    """The answer did not come in time."""


class BrokenAnswer(OutboundError):
    """The answer broke off, or is no HTTP."""


class NotAllowed(OutboundError):
    """The operator does not allow this URL, or its host's address."""


class UrlRules(Protocol):
    """What says which URLs may be asked."""

    def url(self, text: str | httpx.URL) -> httpx.URL:
        """The URL, if it may be asked. Raises NotAllowed."""
        ...

    def __bool__(self) -> bool:
        """Whether any may."""
        ...


@dataclass(frozen=True, slots=True)
class Allowed:
    """Schemes and hosts, and the names of the settings that hold them."""

    schemes: frozenset[str]
    hosts: tuple[str, ...]
    scheme_setting: str
    host_setting: str

    @classmethod
    def of(cls, schemes: str, hosts: str, *, setting: str) -> Allowed:
        """The lists of an operator; `setting` is what the two settings' names begin with.

        Raises ValueError for a scheme other than https and http.
        """
        found = frozenset(_words(schemes))
        if not found <= set(_PORTS):
            raise ValueError(f"{setting}_SCHEMES: https and http are the schemes there are")
        return cls(found, _words(hosts), f"{setting}_SCHEMES", f"{setting}_HOSTS")

    def __bool__(self) -> bool:
        """Whether any host is allowed."""
        return bool(self.hosts)

    def url(self, text: str | httpx.URL) -> httpx.URL:
        """The URL, if it may be asked. Raises NotAllowed."""
        if len(str(text)) > _MAX_URL:
            raise NotAllowed(f"the URL is longer than {_MAX_URL} characters")
        try:
            url = httpx.URL(text)
        except (httpx.InvalidURL, TypeError, UnicodeError):
            raise NotAllowed("not a URL") from None
        if url.scheme not in self.schemes:
            raise NotAllowed(
                f"scheme {url.scheme[:20]!r} is not allowed; {self.scheme_setting} has "
                f"{', '.join(sorted(self.schemes)) or 'none'}"
            )
        host = url.raw_host.decode("ascii").rstrip(".").lower()
        if not host:
            raise NotAllowed("the URL names no host")
        if url.userinfo:
            raise NotAllowed(f"host {host!r}: no user and password in a URL")
        port = url.port or _PORTS[url.scheme]
        if not any(_fits(pattern, host, port, url.scheme) for pattern in self.hosts):
            named = host if port == _PORTS[url.scheme] else f"{host}:{port}"
            raise NotAllowed(f"host {named[:120]!r} is not in {self.host_setting}")
        return url.copy_with(fragment=None)


def _fits(pattern: str, host: str, port: int, scheme: str) -> bool:
    name, _, number = pattern.rpartition(":") if _has_port(pattern) else (pattern, "", "")
    if number != "*" and port != (int(number) if number else _PORTS[scheme]):
        return False
    name = name.strip("[]")
    if name.startswith("*."):
        return host.endswith(name[1:]) and len(host) >= len(name)
    return name in ("*", host)


def _has_port(pattern: str) -> bool:
    """Whether a pattern ends in a port; an IPv6 address that does is in brackets."""
    head, colon, number = pattern.rpartition(":")
    plain = ":" not in head or head.endswith("]")
    return bool(colon) and plain and (number.isdigit() or number == "*")


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.lower().replace(",", " ").split())
