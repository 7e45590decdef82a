"""What Celery is told of a Redis, whose URL kombu, result backends and Flower read in other ways.

TLS is told in full, in the URL to kombu and beside it to Flower and to whoever is told of
sentinels: Flower reads no parameters, and kombu checks no certificate of a URL that has none.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from . import redis_url
from .connection import sentinel_options
from .sentinel_url import SentinelUrl


class CeleryRedis(NamedTuple):
    """A Redis as Celery is told of it."""

    url: str
    #: Its options of TLS, for `broker_use_ssl`; None without.
    tls: dict[str, Any] | None
    #: Its transport options: how sentinels are asked. Empty for a server that is named itself.
    options: dict[str, Any]


def for_celery(url: str) -> CeleryRedis:
    """Read a URL for Celery. Raises ValueError for one that names sentinels and cannot be read."""
    tls = redis_url.tls(url)
    where = SentinelUrl.parse(url)
    if where is not None:
        asked = sentinel_options(where, tls)
        options = {"master_name": where.master, "sentinel_kwargs": asked}
        return CeleryRedis(where.of_celery(), tls, options)
    spelled = {name: "false" if value is False else value for name, value in (tls or {}).items()}
    plain = urlsplit(url)._replace(query=urlencode(spelled)).geturl()
    return CeleryRedis(plain, tls, {})
