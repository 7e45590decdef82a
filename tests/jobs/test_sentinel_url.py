from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from redis.asyncio.connection import SSLConnection as AsyncSSLConnection
from redis.connection import SSLConnection

from wherry.jobs import JobsSettings
from wherry.jobs.celery_redis import for_celery
from wherry.jobs.connection import close, close_async, connect, connect_async
from wherry.jobs.redis_url import check, shown, tls
from wherry.jobs.sentinel_url import SentinelUrl

THREE = (("a", 26379), ("b", 26380), ("::1", 26379))


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("sentinel://a/main", SentinelUrl((("a", 26379),), "main")),
        ("sentinel://a,b:26380,[::1]/main/2", SentinelUrl(THREE, "main", 2)),
        (
            "sentinel://me:p%3Bss@a,b:26380,[::1]:26379/main?sentinel_password=p%26w",
            SentinelUrl(THREE, "main", username="me", password="p;ss", sentinel_password="p&w"),
        ),
        (
            "sentinel://:pass@a/0;sentinel://b:26380;sentinel://[::1]/0?master_name=main",
            SentinelUrl(THREE, "main", password="pass"),
        ),
        ("sentinel://a/3?master_name=main", SentinelUrl((("a", 26379),), "main", 3)),
        ("sentinels://a/main", SentinelUrl((("a", 26379),), "main", tls=True)),
        ("redis://a/0", None),
        ("unix:///run/redis.sock", None),
    ],
)
def test_one_url_says_all_of_it(url: str, read: SentinelUrl | None) -> None:
    check(url)
    assert SentinelUrl.parse(url) == read


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("sentinel://a:26379", "by which name its sentinels know the primary"),
        ("sentinel://a/0;sentinel://b/0", "by which name its sentinels know the primary"),
        ("sentinel://a;sentinel://b", "by which name its sentinels know the primary"),
        ("sentinel://a/main/one", "no number of a database"),
        ("sentinel://a/main/0/1", "no number of a database"),
        ("sentinel://:sek/ret@a/main", "special characters of the password percent-encoded"),
        ("sentinel://:sek@ret@a:1:2/main", "special characters of the password percent-encoded"),
        ("sentinel://a,/main", "a sentinel that cannot be read"),
        ("sentinel://a:70000/main", "a sentinel that cannot be read"),
        ("sentinel://a;redis://b/main", "in more ways than one"),
        ("sentinel://a/main?timeout=1", "has a parameter other than"),
        ("sentinel://a/main?ssl_cert_reqs=none", "sentinel:// instead of sentinels://"),
        ("sentinels://a/main?ssl_ca_certs=/no/ca.pem", "cannot be read: /no/ca.pem"),
    ],
)
def test_what_would_fail_later_is_refused_and_no_password_shown(url: str, told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        JobsSettings(redis_url=url)
    assert told in str(caught.value)
    assert "sek" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "printed"),
    [
        ("sentinel://a,[::1]:1/main", "sentinel://a:26379,[::1]:1/main/0"),
        ("sentinels://me:sek@a/main/1", "sentinels://me:***@a:26379/main/1"),
        ("sentinel://:sek@a/main?sentinel_password=ret", "sentinel://:***@a:26379/main/0"),
        ("sentinel://me@a/main", "sentinel://me@a:26379/main/0"),
    ],
)
def test_no_password_is_shown(url: str, printed: str) -> None:
    assert shown(url) == printed


def test_celery_is_told_in_its_own_form(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.touch()
    url = (
        "sentinels://me:p%3Bss@a,b:1/main/2"
        f"?sentinel_username=you&sentinel_password=word&ssl_ca_certs={ca}"
    )
    told = for_celery(url)
    assert told.url == "sentinel://me:p%3Bss@a:26379/2;sentinel://me:p%3Bss@b:1/2"
    checked = {"ssl_cert_reqs": "required", "ssl_check_hostname": True, "ssl_ca_certs": str(ca)}
    assert told.tls == tls(url) == checked
    assert told.options["master_name"] == "main"
    asked = told.options["sentinel_kwargs"]
    assert (asked["username"], asked["password"], asked["ssl"]) == ("you", "word", True)
    assert checked.items() <= asked.items()


def test_servers_and_sentinels_are_spoken_to_over_tls_where_the_url_says_so() -> None:
    plain, tls = (connect(f"{scheme}://a,b/main") for scheme in ("sentinel", "sentinels"))
    for client, over_tls in ((plain, False), (tls, True)):
        pool: Any = client.connection_pool
        made = [pool, *(each.connection_pool for each in pool.sentinel_manager.sentinels)]
        assert [isinstance(each.make_connection(), SSLConnection) for each in made] == [
            over_tls
        ] * 3
        close(client)


def test_the_same_for_asyncio() -> None:
    async def kinds(url: str) -> list[bool]:
        client = connect_async(url)
        pool: Any = client.connection_pool
        made = [pool, *(each.connection_pool for each in pool.sentinel_manager.sentinels)]
        found = [isinstance(each.make_connection(), AsyncSSLConnection) for each in made]
        await close_async(client)
        return found

    assert asyncio.run(kinds("sentinel://a,b/main")) == [False] * 3
    assert asyncio.run(kinds("sentinels://a,b/main")) == [True] * 3
