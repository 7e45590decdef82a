"""URLs of a Redis that fails over: the sentinels that are asked where its primary is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, unquote, urlsplit

#: By how a URL begins: whether servers and sentinels are spoken to over TLS.
SCHEMES = {"sentinel": False, "sentinels": True}

#: Parameters beside those for TLS: how the sentinels themselves are logged in to, and the name
#: that Celery's form of the URL has no place for.
PARAMETERS = ("sentinel_username", "sentinel_password", "master_name")

EXPECTED = "expected sentinel://:password@host:26379,host:26379/mymaster/0"

_PORT = 26379

_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\[\]:@/?#,\s]+)(?::(?P<port>\d{1,5}))?")


@dataclass(frozen=True, slots=True, repr=False)  # it may hold passwords
class SentinelUrl:
    """What such a URL says."""

    hosts: tuple[tuple[str, int], ...]
    #: The name under which the sentinels know the primary and its replicas.
    master: str
    db: int = 0
    #: How the servers are logged in to.
    username: str | None = None
    password: str | None = None
    #: How the sentinels are.
    sentinel_username: str | None = None
    sentinel_password: str | None = None
    tls: bool = False

    @classmethod
    def parse(cls, url: str) -> SentinelUrl | None:
        """Read a URL; None for one of another kind. Raises ValueError, which shows nothing of it.

        Celery's form, a URL for each sentinel with `;` between, is read too; it names the primary
        by the parameter `master_name`.
        """
        scheme = url.partition("://")[0].lower()
        if scheme not in SCHEMES:
            return None
        first, *others = url.split(";")
        parts = [urlsplit(each) for each in (first, *others)]
        if any(part.scheme != scheme for part in parts):
            raise ValueError(f"names its sentinels in more ways than one: {EXPECTED}")
        login, _, named = parts[0].netloc.rpartition("@")
        told = [named, *(part.netloc.rpartition("@")[2] for part in parts[1:])]
        hosts = tuple(_host(each) for each in ",".join(told).split(","))
        query = "&".join(part.query for part in parts if part.query)
        said = {name: values[0] for name, values in parse_qs(query).items()}
        path = next((part.path for part in parts if part.path.strip("/")), "")
        master, db = _named(path, said.get("master_name", ""))
        user, colon, password = login.partition(":")
        return cls(
            hosts=hosts,
            master=master,
            db=db,
            username=unquote(user) or None,
            password=unquote(password) if colon else None,
            sentinel_username=said.get("sentinel_username"),
            sentinel_password=said.get("sentinel_password"),
            tls=SCHEMES[scheme],
        )

    def of_celery(self) -> str:
        """The URL in the form that kombu and Celery's result backends read."""
        login = ""
        if self.username or self.password is not None:
            login = f"{quote(self.username or '', '')}:{quote(self.password or '', '')}@"
        return ";".join(f"sentinel://{login}{where}/{self.db}" for where in self._places())

    def shown(self) -> str:
        """The URL as it may be printed: without its passwords."""
        scheme = "sentinels" if self.tls else "sentinel"
        login = f"{self.username or ''}:***@" if self.password is not None else ""
        if self.username and not login:
            login = f"{self.username}@"
        return f"{scheme}://{login}{','.join(self._places())}/{self.master}/{self.db}"

    def _places(self) -> list[str]:
        return [
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts
        ]


def _host(text: str) -> tuple[str, int]:
    found = _HOST.fullmatch(text)
    port = int(found["port"] or _PORT) if found else 0
    if found is None or not 0 < port < 65536:  # which is not shown: it may be half a password
        raise ValueError(
            f"has a sentinel that cannot be read: {EXPECTED}, "
            "special characters of the password percent-encoded"
        )
    return found["host"].strip("[]"), port


def _named(path: str, master: str) -> tuple[str, int]:
    """The primary's name and the database, of the path: /mymaster/0, or /0 beside the name."""
    said = [unquote(part) for part in path.split("/") if part]
    if not master and said and not said[0].isdigit():  # which is a database in Celery's form
        master = said.pop(0)
    if not master or not re.fullmatch(r"[\w.-]+", master):
        raise ValueError(f"does not say by which name its sentinels know the primary: {EXPECTED}")
    if len(said) > 1 or (said and not said[0].isdigit()):
        raise ValueError(f"has no number of a database behind the primary's name: {EXPECTED}")
    return master, int(said[0]) if said else 0
