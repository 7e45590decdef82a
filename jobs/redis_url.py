"""What a Redis URL may say. Redis's clients read its parameters, each in its own way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from redis.connection import parse_url

from ..protocol.errors import Unavailable, WherryError
from . import sentinel_url
from .sentinel_url import SentinelUrl

#: Parameters that name a file, of those for TLS.
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")

#: What redis-py, for the API and the workers, kombu and Flower all can do.
_TLS = (*_FILES, "ssl_cert_reqs", "ssl_check_hostname")

_CERT_REQS = ("none", "optional", "required")


def check(url: str) -> None:
    """Raises ValueError, whose text shows nothing of a password, for what would fail later."""
    if SentinelUrl.parse(url):
        queries = "&".join(urlsplit(each).query for each in url.split(";"))
        _check_parameters(urlsplit(url).scheme, queries, sentinel_url.PARAMETERS)
        return
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 # what Redis's clients read first
    except ValueError:
        raise ValueError(
            "cannot be read: expected redis://:password@host:6379/0, "
            "special characters of the password percent-encoded"
        ) from None
    if parts.scheme == "unix":
        return
    if parts.scheme not in ("redis", "rediss"):  # which is not shown: it may be half a password
        raise ValueError(
            "cannot be read: expected redis://host:port/0, rediss:// over TLS, "
            "or sentinel://host:port,host:port/mymaster/0"
        )
    _check_parameters(parts.scheme, parts.query)


def _check_parameters(scheme: str, query: str, others: Sequence[str] = ()) -> None:
    """Raises ValueError for parameters that nobody reads, and files that nobody can."""
    said = {name: values[0] for name, values in parse_qs(query).items()}
    for name in others:
        said.pop(name, None)
    if not said.keys() <= set(_TLS):  # which is not shown: it may be half a password
        raise ValueError(f"has a parameter other than {', '.join((*_TLS, *others))}")
    if said and scheme in ("redis", "sentinel"):
        raise ValueError(
            f"has parameters for TLS, but begins with {scheme}:// instead of {scheme}s://"
        )
    if said.get("ssl_cert_reqs", "required") not in _CERT_REQS:
        raise ValueError(f"has an ssl_cert_reqs other than {', '.join(_CERT_REQS)}")
    for name in _FILES:
        if name in said:
            _check_readable(name, Path(said[name]))


def _check_readable(name: str, path: Path) -> None:
    """OpenSSL would tell neither the parameter nor the file."""
    try:
        path.open("rb").close()
    except OSError as error:
        raise ValueError(f"has an {name} that cannot be read: {path}: {error.strerror}") from None


def tls(url: str) -> dict[str, Any] | None:
    """The options of TLS by redis-py's names and in its types; None where there is none.

    A certificate is asked for and checked unless the URL says otherwise.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("rediss", "sentinels"):
        return None
    options = parse_url(parts._replace(scheme="rediss", netloc="host", path="").geturl())
    said = {name: value for name, value in options.items() if name in _TLS}
    return {"ssl_cert_reqs": "required", "ssl_check_hostname": True, **said}


def shown(url: str) -> str:
    """A URL as it may be printed: without its password."""
    if found := SentinelUrl.parse(url):
        return found.shown()
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    user, colon, _ = login.partition(":")
    named = f"{user}:***@{host}" if colon else f"***@{host}" if at else host
    return f"{parts.scheme}://{named}{parts.path}"


def explain(error: WherryError, url: str) -> str:
    """What an error says to whoever chose the Redis: where it is sought, and why it is not met."""
    why = f" ({error.__cause__})" if error.__cause__ else ""
    if type(error) is not Unavailable:  # it answers, or something else is away
        return error.message + why
    hint = "WHERRY_REDIS_URL names the fleet's, which `wherry up` prints"
    return f"the queue cannot be reached at {shown(url)}{why}; {hint}"
