"""The one file that a worker on another machine needs: where Redis and the store are, and by which
secrets, the fleet's settings of jobs, its models.toml and the authority of its certificates.
"""

from __future__ import annotations

import base64
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from .. import __version__
from ..jobs import JobsSettings
from ..jobs.sentinel_url import SentinelUrl
from ..protocol.env_file import env_text
from ..tasks.locate import PACKAGE
from ..workers.joining import AUTHORITY
from .exposure import is_loopback

#: Bytes of a models.toml that one variable can hold, for Linux takes 128 KiB of text.
_MAX_MODELS_BYTES = 90_000

#: Settings of jobs that are not the same on each machine, or are looked at here by themselves.
_NOT_AS_THEY_ARE = frozenset({"redis_url", "family_redis", "store_url", "store_dir", "run_places"})

#: Parameters of a Redis URL that name this machine's own certificate.
_OWN_CERTIFICATE = ("ssl_certfile", "ssl_keyfile")

_HEAD = """\
A worker on another machine:  wherry worker FAMILY --env-file wherry.env
This file is a key to the fleet: whoever has it takes its jobs and reads them.
"""


class JoinError(ValueError):
    """No worker elsewhere could work by such a file; a line a fault, each with its remedy."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What is otherwise on the worker's machine."""

    #: Where it has the folder of the store mounted; None where it is not asked for.
    store_dir: Path | None = None
    #: Where it has models.toml; None to take this one along.
    models: Path | None = None


@dataclass
class JoinFile:
    """What such a file says. Raises JoinError when it is made."""

    settings: JobsSettings
    environment: Mapping[str, str]
    elsewhere: Elsewhere = field(default_factory=Elsewhere)
    #: What whoever makes it should know, a line each.
    notes: list[str] = field(default_factory=list, init=False)
    values: dict[str, str] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._faults: list[str] = []
        self.values = {"WHERRY_JOIN_VERSION": __version__}
        authorities = self._redis()
        self._api(authorities)
        if authorities:
            self.values["WHERRY_JOIN_CA"] = self._packed(list(authorities))
        self._store()
        self._jobs()
        self._models()
        if self._faults:
            raise JoinError("\n".join(self._faults))

    @property
    def text(self) -> str:
        """The file."""
        return env_text(self.values, head=_HEAD)

    def _redis(self) -> dict[Path, None]:
        authorities: dict[Path, None] = {}
        home = self.environment.get("WHERRY_JOIN_REDIS_URL") or self.settings.redis_url
        self.values["WHERRY_REDIS_URL"] = self._redis_url("WHERRY_REDIS_URL", home, authorities)
        own = {
            family: self._redis_url(f"WHERRY_FAMILY_REDIS: {family}", url, authorities)
            for family, url in self.settings.own_redis.items()
        }
        if own:
            self.values["WHERRY_FAMILY_REDIS"] = ",".join(f"{f}={url}" for f, url in own.items())
        return authorities

    def _redis_url(self, setting: str, url: str, authorities: dict[Path, None]) -> str:
        """A URL as another machine can use it; the authority that it names goes along."""
        sentinels, parts = SentinelUrl.parse(url), urlsplit(url)
        hosts = [host for host, _ in sentinels.hosts] if sentinels else [parts.hostname or ""]
        near = [host for host in hosts if parts.scheme == "unix" or is_loopback(host)]
        if near and setting == "WHERRY_REDIS_URL" and not sentinels:
            self._faults.append(
                "Redis listens where no other machine gets in: start `wherry up --host ADDRESS"
                " --redis-port 6379`, or name one that all reach by WHERRY_REDIS_URL"
            )
        elif near:
            self._faults.append(
                f"{setting}: {', '.join(near) or 'a socket'} is this machine alone: name it as"
                " other machines reach it"
            )
        self._note_login(setting, sentinels, parts)
        if sentinels:
            self.notes.append(
                f"{setting}: the sentinels tell where the servers are: by addresses that other"
                " machines reach (replica-announce-ip)"
            )
        pieces = url.split(";") if sentinels else [url]
        return ";".join(self._without_files(setting, each, authorities) for each in pieces)

    def _note_login(self, setting: str, sentinels: SentinelUrl | None, parts: SplitResult) -> None:
        of = "" if setting == "WHERRY_REDIS_URL" else f"{setting}: "
        user, password = parts.username, parts.password
        if sentinels:
            user, password = sentinels.username, sentinels.password
        if not password:
            self.notes.append(f"{of}Redis asks for no password: whoever reaches it owns the fleet")
        elif not user:
            self.notes.append(
                f"{of}it has Redis' own password, with which one can empty and stop it:"
                " docs/hardening.md has the rule of a user for workers"
            )

    def _without_files(self, setting: str, url: str, authorities: dict[Path, None]) -> str:
        """A URL that names no file of this machine."""
        parts = urlsplit(url)
        said = dict(parse_qsl(parts.query))
        if said.keys() & set(_OWN_CERTIFICATE):
            name = setting.partition(":")[0]
            self._faults.append(
                f"{setting} shows a certificate of this machine (ssl_certfile): make one for"
                f" the worker's, and write that machine's {name} into its environment"
            )
        if authority := said.get("ssl_ca_certs"):
            authorities[Path(authority)] = None
            said["ssl_ca_certs"] = AUTHORITY
        return urlunsplit(parts._replace(query=urlencode(said, safe="/")))

    def _api(self, authorities: dict[Path, None]) -> None:
        """Run workers call the API."""
        url = self.environment.get("WHERRY_JOIN_API_URL") or self.environment.get(
            "WHERRY_API_URL", ""
        )
        if not url or is_loopback(urlsplit(url).hostname or ""):
            return
        self.values["WHERRY_API_URL"] = url
        if (authority := self.environment.get("WHERRY_CA_FILE")) and url.startswith("https:"):
            authorities[Path(authority)] = None

    def _store(self) -> None:
        settings = self.settings
        if settings.store_url.startswith("s3://"):
            self.values["WHERRY_STORE_URL"] = settings.store_url
            endpoint = urlsplit(settings.s3_endpoint_url or "").hostname
            if endpoint and is_loopback(endpoint):
                self._faults.append(
                    f"WHERRY_S3_ENDPOINT_URL: {endpoint} is this machine alone: name the server as"
                    " other machines reach it"
                )
            if settings.s3_access_key_id is None:
                self.notes.append("S3's credentials are not in it: the worker's machine needs some")
        elif self.elsewhere.store_dir is not None:
            self.values["WHERRY_STORE_DIR"] = str(self.elsewhere.store_dir)
        else:
            folder = settings.store_url or settings.store_dir
            self._faults.append(
                f"the store is {folder}, a folder of this machine: --store-dir says where the"
                " worker's has it mounted, or WHERRY_STORE_URL=s3://... is one for all"
            )

    def _jobs(self) -> None:
        """What all processes must have alike, where the fleet says so."""
        for name in sorted(self.settings.model_fields_set - _NOT_AS_THEY_ARE):
            variable = f"WHERRY_{name.upper()}"
            if value := self.environment.get(variable, ""):
                self.values[variable] = value
        places = self.settings.run_places
        if places and places != "local":
            self.values["WHERRY_RUN_PLACES"] = places

    def _models(self) -> None:
        if self.elsewhere.models is not None:
            self.values["WHERRY_MODELS"] = str(self.elsewhere.models)
            return
        path = Path(self.environment.get("WHERRY_MODELS") or "models.toml")
        if path.is_dir():
            self._faults.append(f"{path} is a folder of models: {_ELSEWHERE}")
            return
        try:
            content = path.read_bytes()
            tables = tomllib.loads(content.decode()).get("models", [])
        except (OSError, ValueError) as error:
            self._faults.append(f"WHERRY_MODELS: {path}: {error}")
            return
        if len(content) > _MAX_MODELS_BYTES:
            self._faults.append(f"{path} is too long to be taken along: {_ELSEWHERE}")
        for name, source in _sources(tables):
            if Path(source).is_absolute():
                self.notes.append(f"model {name!r}: the worker's machine needs {source}, too")
            elif (path.parent / source).exists():
                self._faults.append(
                    f"model {name!r}: source {source!r} lies beside {path}: write it as a path"
                    f" that the worker's machine has too, or {_ELSEWHERE}"
                )
        self.values["WHERRY_JOIN_MODELS"] = base64.b64encode(content).decode()

    def _packed(self, authorities: list[Path]) -> str:
        found = b""
        for path in dict.fromkeys(path.absolute() for path in authorities):
            try:
                found += path.read_bytes()
            except OSError as error:
                self._faults.append(f"authority {path}: {error.strerror}")
        return base64.b64encode(found).decode()


#: What helps where models.toml cannot be taken along.
_ELSEWHERE = "--models says where the worker's machine has the models"


def _sources(tables: object) -> Iterator[tuple[str, str]]:
    """Models and their sources, as models.toml has them, where those may be folders."""
    for table in tables if isinstance(tables, list) else ():
        source = table.get("source", "") if isinstance(table, dict) else ""
        if isinstance(source, str) and source and not source.startswith(PACKAGE):
            yield str(table.get("name", "?")), source
