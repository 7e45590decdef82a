"""Pages of other origins, which a browser lets call only a server that says so."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from wherry.api.settings import ApiSettings
from wherry.jobs import JobsSettings

from ..conftest import Server

PAGE = "https://app.example.org"
ASKS = {
    "Origin": PAGE,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
}
ALLOWED = "access-control-allow-origin"


@pytest.fixture
def open_to_a_page(
    api_settings: ApiSettings, jobs_settings: JobsSettings, redis_url: str
) -> Iterator[httpx.Client]:
    settings = api_settings.model_copy(update={"cors_origins": f"{PAGE}, http://localhost:3000"})
    with Server(settings, jobs_settings) as url, httpx.Client(base_url=url) as client:
        yield client


def test_no_page_may_call_unless_that_is_set(http: httpx.Client) -> None:
    assert ALLOWED not in http.options("/v1/models", headers=ASKS).headers
    assert ALLOWED not in http.get("/v1/models", headers={"Origin": PAGE}).headers


def test_a_page_of_the_list_may_call_and_read(open_to_a_page: httpx.Client) -> None:
    leave = open_to_a_page.options("/v1/chat/completions", headers=ASKS)
    assert (leave.status_code, leave.headers[ALLOWED]) == (200, PAGE)
    assert "authorization" in leave.headers["access-control-allow-headers"]
    answer = open_to_a_page.get("/v1/models", headers={"Origin": PAGE})
    assert (answer.status_code, answer.headers[ALLOWED]) == (200, PAGE)
    assert "Wherry-Warning" in answer.headers["access-control-expose-headers"]
    wrong = open_to_a_page.post("/v1/embeddings", json={}, headers={"Origin": PAGE})
    assert (wrong.status_code, wrong.headers[ALLOWED]) == (400, PAGE)
    assert "access-control-allow-credentials" not in answer.headers


def test_a_page_of_another_origin_may_not(open_to_a_page: httpx.Client) -> None:
    other = {**ASKS, "Origin": "https://evil.example.org"}
    assert open_to_a_page.options("/v1/models", headers=other).status_code == 400
    assert ALLOWED not in open_to_a_page.get("/v1/models", headers=other).headers


@pytest.mark.parametrize(
    "origins", ["app.example.org", "https://app.example.org/", "https://a.org, ftp://b.org", "null"]
)
def test_what_is_no_origin_is_refused(origins: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        ApiSettings(cors_origins=origins)


def test_all_origins_may_be_let_in() -> None:
    assert ApiSettings(cors_origins="*").cors_origins == "*"
