from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from wherry.jobs import JobsSettings
from wherry.jobs.redis_url import check, shown, tls

HOST = "rediss://host:6380/0"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://:pa#sekret@host/0", "percent-encoded"),
        ("redis://:1?sekret=x@host:6379/0", "has a parameter other than ssl_ca_certs"),
        (f"{HOST}?socket_timeout=sekret", "has a parameter other than ssl_ca_certs"),
        ("redis://host/0?ssl_cert_reqs=required", "begins with redis:// instead of rediss://"),
        (f"{HOST}?ssl_cert_reqs=CERT_REQUIRED", "other than none, optional, required"),
        (
            f"{HOST}?ssl_ca_certs=/no/ca.pem",
            "ssl_ca_certs that cannot be read: /no/ca.pem: No",
        ),
        (
            f"{HOST}?ssl_keyfile=/no/key.pem",
            "ssl_keyfile that cannot be read: /no/key.pem: No",
        ),
    ],
)
def test_what_would_fail_later_is_refused_and_no_password_shown(url: str, told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        JobsSettings(redis_url=url)
    assert told in str(caught.value)
    assert "sekret" not in str(caught.value)


@pytest.mark.parametrize("url", ["redis://host/0", HOST, "unix:///run/redis.sock?db=1"])
def test_the_rest_is_taken(url: str) -> None:
    check(url)


def test_a_certificate_is_checked_unless_the_url_says_otherwise(tmp_path: Path) -> None:
    ca = tmp_path / "an authority.pem"
    ca.touch()
    checked = {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
    assert tls("redis://host/0") is None
    assert tls(HOST) == checked
    assert tls(f"{HOST}?ssl_ca_certs={ca}") == {**checked, "ssl_ca_certs": str(ca)}
    assert tls(f"{HOST}?ssl_check_hostname=no") == {**checked, "ssl_check_hostname": False}
    assert tls(f"{HOST}?ssl_cert_reqs=none") == {**checked, "ssl_cert_reqs": "none"}


@pytest.mark.parametrize(
    ("url", "printed"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("redis://:secret@host:1/2", "redis://:***@host:1/2"),
        ("rediss://me:sec%40ret@host/0?ssl_cert_reqs=none", "rediss://me:***@host/0"),
        ("redis://half@secret@host/0", "redis://***@host/0"),
        ("unix:///run/redis.sock?password=secret", "unix:///run/redis.sock"),
    ],
)
def test_no_password_is_shown(url: str, printed: str) -> None:
    assert shown(url) == printed
