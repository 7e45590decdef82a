"""Files that go in and come out over a real server."""

from __future__ import annotations

import time

import httpx
import pytest

from wherry.api.settings import ApiSettings
from wherry.api.surfaces.openai.batches.growing import PART_BYTES
from wherry.jobs import JobsSettings

from ....batch_calls import upload
from ....conftest import Server


def test_a_file_goes_in_and_comes_out_as_it_was(http: httpx.Client) -> None:
    data = bytes(range(256)) * 40_000  # three parts
    assert len(data) > 2 * PART_BYTES
    made = upload(http, data)
    assert (made["object"], made["bytes"], made["filename"]) == ("file", len(data), "in.jsonl")
    assert (made["purpose"], made["status"]) == ("batch", "processed")
    assert http.get(f"/v1/files/{made['id']}").json() == made
    assert http.get(f"/v1/files/{made['id']}/content").content == data


def test_an_empty_file_is_a_file(http: httpx.Client) -> None:
    made = upload(http, b"")
    assert made["bytes"] == 0
    assert http.get(f"/v1/files/{made['id']}/content").content == b""


def test_a_deleted_file_is_gone_with_its_bytes(
    http: httpx.Client, jobs_settings: JobsSettings
) -> None:
    made = upload(http, b"x" * 100)
    blobs = [p for p in jobs_settings.store_dir.rglob("*") if made["id"] in p.name]
    assert len(blobs) == 1
    answer = http.delete(f"/v1/files/{made['id']}")
    assert answer.json() == {"id": made["id"], "object": "file", "deleted": True}
    assert not blobs[0].exists()
    for path in ("", "/content"):
        gone = http.get(f"/v1/files/{made['id']}{path}")
        assert (gone.status_code, gone.json()["error"]["code"]) == (404, "not_found")
    assert http.delete(f"/v1/files/{made['id']}").status_code == 404


def test_files_are_listed_in_pages(http: httpx.Client) -> None:
    made = []
    for number in range(5):
        made.append(upload(http, b"%d" % number)["id"])
        time.sleep(0.002)
    first = http.get("/v1/files?limit=2").json()
    assert [f["id"] for f in first["data"]] == made[:2:-1]
    assert first["has_more"]
    rest = http.get("/v1/files", params={"limit": 3, "after": first["last_id"]}).json()
    assert [f["id"] for f in rest["data"]] == made[2::-1]
    assert not rest["has_more"]
    oldest = http.get("/v1/files?order=asc&limit=1&purpose=batch").json()
    assert oldest["first_id"] == made[0]
    assert http.get("/v1/files?purpose=batch_output").json()["data"] == []


@pytest.mark.parametrize(
    ("query", "names"),
    [("limit=0", "limit"), ("limit=x", "limit"), ("after=none", "after"), ("order=up", "order")],
)
def test_a_page_that_cannot_be_is_refused(http: httpx.Client, query: str, names: str) -> None:
    answer = http.get(f"/v1/files?{query}")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, names)


FORM = {"Content-Type": "multipart/form-data; boundary=B"}


PART = b'--B\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'


def part(name: bytes, value: bytes, rest: bytes = b"") -> bytes:
    return PART % (name, rest, value)


@pytest.mark.parametrize(
    ("headers", "body", "words"),
    [
        ({"Content-Type": "application/json"}, b"{}", "multipart/form-data"),
        ({"Content-Type": "multipart/form-data"}, b"", "multipart/form-data"),
        (FORM, b"", "incomplete"),
        (FORM, part(b"purpose", b"batch") + b"--B--", "file"),
        (FORM, part(b"file", b"x", b'; filename="a"') + b"--B--", "purpose"),
        (FORM, part(b"file", b"x", b'; filename="a"'), "incomplete"),
        (FORM, b"--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n--B--", "without a name"),
        (FORM, b"no form at all", "cannot be read"),
        (FORM, part(b"file", b"x") * 2 + b"--B--", "one at a time"),
        (FORM, part(b"purpose", b"x" * 70_000) + b"--B--", "fields"),
        ({**FORM, "Content-Encoding": "gzip"}, b"", "Content-Encoding"),
        (FORM, part(b"purpose", b"fine-tune") + part(b"file", b"x") + b"--B--", "purpose"),
    ],
)
def test_a_form_that_cannot_be_read_is_refused_and_leaves_nothing(
    http: httpx.Client,
    jobs_settings: JobsSettings,
    headers: dict[str, str],
    body: bytes,
    words: str,
) -> None:
    before = set(jobs_settings.store_dir.rglob("*"))
    answer = http.post("/v1/files", headers=headers, content=body)
    assert answer.status_code in (400, 413)
    assert words in answer.json()["error"]["message"]
    marks = set(jobs_settings.store_dir.glob("pr/proof*"))  # the API's own, at any time
    assert {p for p in jobs_settings.store_dir.rglob("*") if p.is_file()} - marks <= before


def test_a_file_over_the_limit_is_refused_while_it_comes(
    api_settings: ApiSettings, jobs_settings: JobsSettings, redis_url: str
) -> None:
    settings = api_settings.model_copy(update={"max_file_bytes": 100})
    with Server(settings, jobs_settings) as url, httpx.Client(base_url=url, timeout=60) as http:
        for headers in ({}, {"Transfer-Encoding": "chunked"}):
            data = b"x" * 20_000
            form = part(b"purpose", b"batch") + part(b"file", data) + b"--B--"
            content = iter([form]) if headers else form
            answer = http.post("/v1/files", headers=FORM, content=content)
            assert answer.status_code == 413


def test_a_file_that_comes_too_slowly_is_refused_and_leaves_nothing(
    http: httpx.Client, jobs_settings: JobsSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first parts would count as orphans before it is a file."""
    monkeypatch.setattr("wherry.api.surfaces.openai.batches.upload.LONGEST_UPLOAD_S", -1)
    before = set(jobs_settings.store_dir.rglob("*"))
    answer = http.post("/v1/files", data={"purpose": "batch"}, files={"file": ("a", b"x")})
    assert answer.status_code == 400
    assert "send several" in answer.json()["error"]["message"]
    assert {p for p in jobs_settings.store_dir.rglob("*") if p.is_file()} <= before
