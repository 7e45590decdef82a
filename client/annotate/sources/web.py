"""Files of web servers, http:// and https://, through the guard that all fetching passes.

Which hosts may be asked the settings say (`WHERRY_URL_HOSTS`, docs/outbound.md); besides, whoever
names a source names its host, and a fleet's places may be URLs.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import unquote

import httpx

from ....protocol.errors import InvalidRequest, RowError
from ....protocol.places import AllowedPlaces
from ....tasks.egress.addresses import Network, may_reach, parse_networks
from ....tasks.egress.allowed import Allowed, NotAllowed, OutboundError, UrlRules
from ....tasks.egress.fetch import FetchLimits
from ....tasks.egress.guard import OutboundGuard, Resolve, lookup
from ....tasks.egress.kept import KeptConnections
from ....tasks.egress.ranges import ServedFile
from ....tasks.egress.settings import UrlSettings
from ....tasks.media.archives.sized import SizedReader
from .fetcher import Fetcher, connections, waited
from .files import FileStore, FolderEntry, is_web

#: Where a URL leads that is no web server's.
Elsewhere = Callable[[str], tuple[FileStore, str]]

#: Bytes of a range.
_BLOCK_BYTES = 4 << 20

#: Why no URL is fetched, where none is.
NOT_FETCHED = (
    "URLs are not fetched (WHERRY_URL_HOSTS is empty): name their hosts there, or download the"
    " files"
)

#: What any URL has to be, whoever allows it.
_ANY = Allowed.of("http,https", "*:*", setting="WHERRY_URL")


@dataclass(frozen=True, slots=True)
class WebRules:
    """Which URLs may be asked: of the settings' hosts, and of places."""

    hosts: Allowed
    places: AllowedPlaces

    def __bool__(self) -> bool:
        """Whether any may."""
        return bool(self.hosts) or any(map(is_web, self.places.prefixes))

    def url(self, text: str | httpx.URL) -> httpx.URL:
        """The URL, if it may be asked. Raises NotAllowed."""
        checked = _ANY.url(text)
        if {".", ".."} & set(unquote(checked.path).replace("\\", "/").split("/")):
            raise NotAllowed("a path with . or .. in it is not fetched")
        if self.places.allow(str(checked)):
            return checked
        if not self.hosts:
            raise NotAllowed(NOT_FETCHED)
        return self.hosts.url(text)


class _Guards:
    """The guard of a source's own host, where that is another one, and that of all others."""

    def __init__(self, guard: OutboundGuard, own: OutboundGuard | None) -> None:
        self._guard, self._own = guard, own

    def request(
        self, method: str, url: str | httpx.URL, *, headers: Any
    ) -> AbstractAsyncContextManager[httpx.Response]:
        """Send a request. Raises NotAllowed, OutboundError."""
        guard = self._guard
        if self._own is not None:
            try:
                self._own.allowed.url(url)
                guard = self._own
            except NotAllowed:
                pass
        return guard.request(method, url, headers=headers)


class WebFiles(FileStore):
    """Files by their URLs. Web servers list no folders."""

    threads = 16

    def __init__(self, fetcher: Fetcher, others: Elsewhere, *, fetches: bool = True) -> None:
        """`others` says where other URLs lead that a data set here names."""
        self._fetcher, self._others, self._fetches = fetcher, others, fetches
        self._seen: tuple[str, ServedFile] | None = None

    @property
    def fetches(self) -> bool:
        """Whether any URL is allowed."""
        return self._fetches

    def is_file(self, path: str) -> bool:
        """Whether there is a file of that URL. Raises RowError where it is not given out."""
        try:
            self._look(path)
        except RowError as error:
            if error.message.endswith("there is no such file"):
                return False
            raise
        return True

    def is_folder(self, path: str) -> bool:  # noqa: ARG002 # whatever it is called
        """It is none."""
        return False

    def open(self, path: str) -> BinaryIO:
        """A file to read from its beginning. Raises RowError."""
        self._seen = None  # it may have changed since
        served = self._look(path)
        if served.has_ranges:
            return io.BufferedReader(_Ranges(self._fetcher, path, served), _BLOCK_BYTES)
        near = TemporaryFile()  # noqa: SIM115 # whoever reads it closes it
        try:
            self._fetcher.copy(path, near)
            near.seek(0)
        except BaseException:
            near.close()
            raise
        return near

    def read(self, path: str) -> bytes:
        """A whole file, of WHERRY_URL_MAX_BYTES at most. Raises RowError."""
        return self._fetcher.row(path)

    @contextmanager
    def held(self, path: str) -> Iterator[BinaryIO]:
        """A whole file, as `read` has it. Raises RowError."""
        yield io.BytesIO(self.read(path))

    def mark(self, path: str) -> str:
        """By its ETag, its date or its size. Raises RowError."""
        self._seen = None
        served = self._look(path)
        told = served.tag or (f"{served.size} bytes" if served.size is not None else "")
        return f"{self.name_of(path).rpartition('/')[2]} ({told})" if told else ""

    def entries(self, folder: str) -> Iterator[FolderEntry]:  # noqa: ARG002 # whatever it is called
        """Raises RowError: there is no listing."""
        raise RowError("a web server lists no folders: name a file, a table or a list of URLs")

    def join(self, folder: str, path: str) -> str:
        """A URL, or a path as seen from a folder."""
        if is_web(path):
            return path
        return str(httpx.URL(f"{folder}/").join(path.replace("#", "%23")))

    def folder_of(self, path: str) -> str:
        """A URL up to its last slash, without the query."""
        return self.name_of(path).rpartition("/")[0]

    def name_of(self, path: str) -> str:
        """A URL without its query: what the file is called."""
        return path.partition("#")[0].partition("?")[0]

    def elsewhere(self, url: str) -> tuple[FileStore, str]:
        """Where a URL leads. Raises RowError, InvalidRequest."""
        return (self, url) if is_web(url) else self._others(url)

    def _look(self, path: str) -> ServedFile:
        if self._seen is None or self._seen[0] != path:
            self._seen = (path, self._fetcher.look(path))
        return self._seen[1]


class _Ranges(SizedReader):
    """A file of a web server, a range at a time."""

    def __init__(self, fetcher: Fetcher, url: str, served: ServedFile) -> None:
        super().__init__(served.size or 0)
        self._fetcher, self._url, self._served = fetcher, url, served

    def readinto(self, buffer: Any) -> int:  # any that can be written to
        view = memoryview(buffer).cast("B")
        size = min(len(view), self._size - self._at, _BLOCK_BYTES)
        if size <= 0:
            return 0
        view[:size] = self._fetcher.range(self._url, self._served, self._at, size)
        self._at += size
        return size


class _How(NamedTuple):
    """By what a process looks names up and connects."""

    resolve: Resolve
    transport: KeptConnections
    connect_s: float

    def guard(self, rules: UrlRules, networks: Sequence[Network]) -> OutboundGuard:
        """A guard that does so."""
        resolve, transport, connect_s = self
        return OutboundGuard(
            rules, networks, resolve=resolve, transport=transport, connect_s=connect_s
        )

    def addresses(self, host: str, port: int) -> Sequence[str]:
        """A host's addresses; none where it has none now: whoever asks it hears of that."""

        async def found() -> Sequence[str]:
            return await self.resolve(host, port)

        try:
            return waited(found())
        except (OSError, UnicodeError):
            return ()


def web_files(
    others: Elsewhere,
    *,
    source: str = "",
    places: AllowedPlaces | None = None,
    settings: UrlSettings | None = None,
    resolve: Resolve = lookup,
) -> WebFiles:
    """What web servers give, by the environment's settings.

    `source` is a URL whose host is allowed as it is named here; it may be at an address that is not
    public, unless there are `places`: then somebody else has named it. Raises InvalidRequest.
    """
    settings = settings or UrlSettings()
    # Half of the time: a host that takes no connection is told from one that is slow.
    how = _How(resolve, connections(), settings.url_timeout_s / 2)
    try:
        networks = parse_networks(settings.outbound_networks)
        hosts = Allowed.of(settings.url_schemes, settings.url_hosts, setting="WHERRY_URL")
        named = places.without_local() if places else AllowedPlaces()
        rules = WebRules(hosts, named)
        guard = how.guard(rules, networks)
        own = _own_guard(source, networks, how, is_trusted=places is None) if source else None
    except ValueError as error:
        raise InvalidRequest(str(error)) from None
    except OutboundError as error:
        raise InvalidRequest(f"{source}: {error}") from None
    limits = FetchLimits(settings.url_max_bytes, settings.url_timeout_s, settings.url_max_redirects)
    fetcher = Fetcher(_Guards(guard, own), limits)
    return WebFiles(fetcher, others, fetches=bool(rules) or own is not None)


def _own_guard(
    source: str, networks: Sequence[Network], how: _How, *, is_trusted: bool
) -> OutboundGuard:
    """The guard of a source's own host, at the addresses that it has now. Raises OutboundError."""
    url = _ANY.url(source)
    host = url.raw_host.decode("ascii")
    port = url.port or {"https": 443, "http": 80}[url.scheme]
    own = Allowed.of(
        url.scheme, f"[{host}]:{port}" if ":" in host else f"{host}:{port}", setting=""
    )
    if is_trusted:
        # A name of the network here stays one; a public one cannot become one of here meanwhile.
        found = how.addresses(host, port)
        here = (address for address in found if not may_reach(address))
        networks = (*networks, *parse_networks(" ".join(here)))
    return how.guard(own, networks)
