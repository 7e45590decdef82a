"""The console's files, and the way to them."""

from __future__ import annotations

import gzip
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from wherry.api.app import create_app
from wherry.api.console import routes
from wherry.api.settings import ApiSettings
from wherry.jobs import JobsSettings

from ..keyed import Tenants

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_the_root_sends_a_browser_to_the_console(http: httpx.Client) -> None:
    answer = http.get("/", headers=BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (307, "/console/")
    page = http.get("/console/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert '<div id="app">' in page.text


def test_the_root_shows_a_program_the_api(http: httpx.Client) -> None:
    answer = http.get("/")
    assert answer.status_code == 200
    assert answer.text == http.get("/docs").text


def test_the_root_wants_no_key_of_a_browser_and_one_of_a_program(tenants: Tenants) -> None:
    assert tenants[""].get("/", headers=BROWSER).status_code == 307
    assert tenants[""].get("/console/").status_code == 200
    assert tenants[""].get("/").status_code == 401


def test_under_a_mount_the_way_is_below_it(api_settings: ApiSettings, server: str) -> None:
    outer = FastAPI()
    outer.mount("/fleet", create_app(api_settings, JobsSettings(redis_url=server)))
    client = TestClient(outer, follow_redirects=False)
    answer = client.get("/fleet/", headers=BROWSER)
    assert answer.headers["location"] == "/fleet/console/"
    assert client.get("/fleet/console/").status_code == 200


def test_a_file_says_what_it_is_and_keeps_the_page_to_itself(http: httpx.Client) -> None:
    kinds = {"main.js": "javascript", "style.css": "text/css", "icon.svg": "image/svg+xml"}
    for name, kind in kinds.items():
        answer = http.get(f"/console/{name}")
        assert kind in answer.headers["content-type"]
        assert "'unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_file_is_sent_packed_and_once(http: httpx.Client) -> None:
    first = http.get("/console/style.css", headers={"Accept-Encoding": "gzip"})
    assert first.headers["content-encoding"] == "gzip"
    plain = http.get("/console/style.css", headers={"Accept-Encoding": "identity"})
    assert first.text == plain.text
    for tag in (first.headers["etag"], f"W/{first.headers['etag']}"):
        again = http.get("/console/style.css", headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")


def test_all_files_weigh_little() -> None:
    folder = Path(routes.__file__).parent / "static"
    sent = [file for file in folder.rglob("*") if file.suffix in {".js", ".css", ".html", ".svg"}]
    assert sum(len(gzip.compress(file.read_bytes())) for file in sent) < 260_000


@pytest.mark.parametrize(
    "path",
    ["nothing.js", "..%2froutes.py", "lib", "%2fetc%2fpasswd", "a%00b", "a" * 300, "main.js/x"],
)
def test_what_is_no_file_of_the_console_is_not_found(http: httpx.Client, path: str) -> None:
    assert http.get(f"/console/{path}").status_code == 404


def test_without_its_libraries_the_console_says_what_to_run(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "index.html").write_text("the page")
    monkeypatch.setattr(routes, "_STATIC", tmp_path)
    answer = http.get("/console/")
    assert answer.status_code == 503
    assert "make console" in answer.text
