from __future__ import annotations

import pytest

from wherry.tasks.egress.allowed import Allowed, NotAllowed

ALLOWED = Allowed.of(
    "https http",
    "files.example.org, *.cdn.example.org store.local:9000 [2606:4700::1]:8443 any.port:*",
    setting="WHERRY_URL",
)


@pytest.mark.parametrize(
    "url",
    [
        "https://files.example.org/a.png",
        "http://files.example.org/a.png?x=1#part",
        "HTTPS://FILES.example.ORG/",
        "https://files.example.org:443/",
        "https://files.example.org./",
        "https://a.cdn.example.org/",
        "https://a.b.cdn.example.org/",
        "http://store.local:9000/bucket/a",
        "https://[2606:4700::1]:8443/",
        "http://any.port:1234/",
    ],
)
def test_an_allowed_url_passes_without_its_fragment(url: str) -> None:
    assert ALLOWED.url(url).fragment == ""


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://files.example.org/", "scheme 'ftp' is not allowed; WHERRY_URL_SCHEMES has http, h"),
        ("file:///etc/passwd", "scheme 'file'"),
        ("https:///a", "names no host"),
        ("//files.example.org/", "scheme ''"),
        ("https://example.org/", "host 'example.org' is not in WHERRY_URL_HOSTS"),
        ("https://evilfiles.example.org/", "not in"),
        ("https://files.example.org.evil.com/", "not in"),
        ("https://cdn.example.org/", "not in"),
        ("https://evilcdn.example.org/", "not in"),
        ("https://.cdn.example.org/", "not"),
        ("https://files.example.org:8443/", "host 'files.example.org:8443' is not in"),
        ("http://store.local/", "not in"),
        ("https://files.example.org@evil.com/", "no user and password"),
        ("https://user:pass@files.example.org/", "no user and password"),
        ("https://files.example.org\\@evil.com/", "no user"),
        ("https://evil.com#@files.example.org/", "not in"),
        ("https://127.0.0.1/", "not in"),
        ("https://2130706433/", "not in"),
        ("https://files.example.org\r\nX: y/", "not a URL"),
        ("https://" + "a" * 3000 + "/", "longer than"),
        ("https://files.example.org:99999/", "not"),
    ],
)
def test_anything_else_is_refused_by_name(url: str, says: str) -> None:
    with pytest.raises(NotAllowed, match=says):
        ALLOWED.url(url)


def test_a_star_allows_every_host_at_the_schemes_own_port() -> None:
    anyone = Allowed.of("https", "*", setting="WHERRY_URL")
    assert anyone.url("https://example.net/")
    with pytest.raises(NotAllowed, match="example.net:8443"):
        anyone.url("https://example.net:8443/")
    with pytest.raises(NotAllowed, match="scheme 'http'"):
        anyone.url("http://example.net/")


def test_nothing_is_allowed_until_hosts_are_named() -> None:
    assert not Allowed.of("https", "", setting="WHERRY_URL")


def test_a_scheme_that_nobody_speaks_is_an_operators_mistake() -> None:
    with pytest.raises(ValueError, match="WHERRY_URL_SCHEMES: https and http"):
        Allowed.of("https,ftp", "*", setting="WHERRY_URL")


def test_what_is_refused_tells_no_path_and_no_query() -> None:
    with pytest.raises(NotAllowed) as refused:
        ALLOWED.url("https://evil.com/secret-path?signature=secret")
    assert "secret" not in str(refused.value)
