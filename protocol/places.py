"""Which places a fleet reads data sets from and writes them to, when a client names one.

A place is how paths and URLs begin that are allowed: `/data/`, `s3://bucket/photos/`. What leads
out of it in any spelling is not in it.
"""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

#: Among places: all of this machine's paths and every URL, as for a fleet of one user.
LOCAL = "local"

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")

#: How the URL of a database server begins.
_DATABASE = "postgresql://"

#: The revision of a data set on a hub, which is in a place as the data set is.
_REVISION = re.compile(r"^(hf://datasets/[^/@]+/[^/@]+)@[^/]*(?:(?<=@refs)/[^/]+/[^/]+)?")


@dataclass(frozen=True, slots=True)
class AllowedPlaces:
    """Places that are allowed."""

    prefixes: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str) -> AllowedPlaces:
        """Places as a setting lists them, by commas. Raises ValueError for one that is none."""
        named = [part.strip() for part in text.split(",") if part.strip()]
        for name in named:
            if name != LOCAL and not name.startswith("/") and not _SCHEME.match(name):
                raise ValueError(f"{name!r} is no place: name /folder/, s3://bucket/ or {LOCAL!r}")
        return cls(tuple(name if name == LOCAL else _as_folder(plain(name)) for name in named))

    @property
    def everywhere(self) -> bool:
        """Whether nothing is closed."""
        return LOCAL in self.prefixes

    def without_local(self) -> AllowedPlaces:
        """The same, but for what is only for a fleet of one user."""
        return AllowedPlaces(tuple(prefix for prefix in self.prefixes if prefix != LOCAL))

    def allow(self, path: str) -> bool:
        """Whether a path, a glob or a URL is in a place, by how it is spelled."""
        if self.everywhere:
            return True
        path = plain(path)
        if "::" in path or ".." in path.split("/") or "\\" in path or "\0" in path:
            return False  # one URL in another; a way up; what some systems read as one
        if path.startswith(_DATABASE) and ("?" in path or "#" in path):
            return False  # parameters, which may name another server
        path = _REVISION.sub(r"\1", path)
        return any(_as_folder(path).startswith(prefix) for prefix in self.prefixes)

    def has_room_beside(self, path: str) -> bool:
        """Whether what lies beside a path, which is in a place, is in the place too."""
        scheme, mark, rest = plain(path).partition("://")
        names = [name for name in (rest if mark else scheme).split("/") if name]
        is_named = len(names) > bool(mark)  # a URL's first is a host or a bucket
        return is_named and _as_folder(plain(path)) not in self.prefixes

    def __str__(self) -> str:
        """As a refusal lists them."""
        return ", ".join(self.prefixes) or "none"

    def allow_file(self, path: str) -> bool:
        """Whether a path of this machine is in a place, wherever links lead."""
        if self.everywhere:
            return True
        real = _as_folder(os.path.realpath(path))
        local = (prefix for prefix in self.prefixes if prefix.startswith("/"))
        return any(real.startswith(_as_folder(os.path.realpath(prefix))) for prefix in local)


def plain(path: str) -> str:
    """A path or URL in one spelling; what begins with file:// or sqlite:// is a path."""
    scheme, mark, rest = path.partition("://")
    if not mark:
        return posixpath.normpath(path) if ".." not in path.split("/") and path else path
    scheme = scheme.lower()
    if scheme in ("file", "local"):
        return plain(f"/{rest.lstrip('/')}")
    if scheme == "sqlite":  # the third slash ends the name of no server
        return plain(rest.removeprefix("/"))
    if scheme == "postgres":
        scheme = "postgresql"
    return f"{scheme}://{rest}"


def has_password(url: str) -> bool:
    """Whether a URL holds a secret: a password of its user, or one among its parameters."""
    if not _SCHEME.match(url):
        return False
    try:
        parts = urlsplit(url)
        names = [name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
        return parts.password is not None or any("password" in name for name in names)
    except ValueError:
        return True  # nobody can tell


def _as_folder(path: str) -> str:
    return path if path.endswith("/") else f"{path}/"
