"""What batches are made of: lines out of parts, parts out of lines, forms out of bytes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from wherry.api.settings import ApiSettings
from wherry.api.surfaces.openai.batches.answers import LineResponse
from wherry.api.surfaces.openai.batches.growing import PART_BYTES, Growing
from wherry.api.surfaces.openai.batches.lines import (
    Line,
    LineError,
    LineTooLongError,
    read_line,
    read_lines,
)
from wherry.jobs import JobsSettings
from wherry.jobs.files import FilePart
from wherry.jobs.stores import FolderStore, Store, open_store

from ....batch_calls import create, ended, jsonl, line, lines_of, upload
from ....conftest import Server, Worker


def cut(store: Store, data: bytes, sizes: list[int]) -> list[FilePart]:
    """Data in the store, in parts of those sizes."""
    parts: list[FilePart] = []
    at = 0
    for size in [*sizes, len(data)]:
        piece = data[at : at + size]
        if piece:
            parts.append(FilePart(store.put(f"part/{len(parts)}", piece), len(piece)))
        at += size
    return parts


def lines(store: Store, parts: list[FilePart], done: int = 0, position: int = 0) -> list[Line]:
    async def read() -> list[Line]:
        found: list[Line] = []
        async for chunk in read_lines(store, parts, done=done, position=position, max_bytes=50):
            found += chunk
        return found

    return asyncio.run(read())


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    texts=st.lists(st.binary(max_size=20).filter(lambda b: b"\n" not in b), max_size=12),
    sizes=st.lists(st.integers(1, 30), max_size=8),
    ends=st.booleans(),
)
def test_lines_are_the_same_however_a_file_is_cut(
    tmp_path: Path, texts: list[bytes], sizes: list[int], *, ends: bool
) -> None:
    store = FolderStore(tmp_path)
    data = b"\n".join(texts) + (b"\n" if ends else b"")
    parts = cut(store, data, sizes)
    found = lines(store, parts)
    assert [(one.number, one.text) for one in found] == [
        (number, text) for number, text in enumerate(texts, 1) if text.strip()
    ]
    for at, one in enumerate(found):
        assert lines(store, parts, one.number, one.end) == found[at + 1 :]


def test_a_line_too_long_is_told_before_all_of_it_is_read(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    parts = cut(store, b"a\n" + b"x" * 200, [40, 40])
    parts.append(FilePart("gone", 40))
    with pytest.raises(LineTooLongError) as error:
        lines(store, parts)
    assert error.value.number == 2


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
@example({"custom_id": "\ud800", "method": "POST", "url": "/", "body": {}})
def test_any_json_is_a_request_or_an_error(document: Any) -> None:
    for found in (document, {"custom_id": document, "method": "POST", "url": "/", "body": {}}):
        try:
            read_line(json.dumps(found).encode())
        except LineError as error:
            assert error.message


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_an_error(data: bytes) -> None:
    with pytest.raises(LineError):
        read_line(data)


def test_a_growing_file_keeps_parts_of_a_good_size(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    text = b"x" * 999

    async def grow() -> tuple[FilePart, ...]:
        parts: tuple[FilePart, ...] = ()
        for _ in range(4):  # four owners, one after another
            file = Growing(store, "out", parts)
            await file.open()
            for number in range(2500):
                file.add(text)
                if number % 400 == 0:
                    await file.flush()
                    await file.flush()
            await file.flush()
            assert not file.waiting_bytes
            parts = file.parts
        return parts

    parts = asyncio.run(grow())
    assert sum(part.bytes for part in parts) == 10_000_000
    assert all(part.bytes >= PART_BYTES for part in parts[:-1])
    assert b"".join(store.get(part.ref) for part in parts) == (text + b"\n") * 10_000


def test_a_body_of_several_lines_stays_one_line() -> None:
    answer = LineResponse(200, b'{\n "a": "b\\nc"\n}').line("batch_1-2", 'quo"te')
    assert b"\n" not in answer
    document = json.loads(answer)
    assert document["response"] == {
        "status_code": 200,
        "request_id": "batch_1-2",
        "body": {"a": "b\nc"},
    }
    assert (document["id"], document["custom_id"]) == ("batch_req_1-2", 'quo"te')


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=300), st.sampled_from([b"", b"--B\r\n", b"--B\r\nContent-Disposition: "]))
def test_no_form_breaks_the_server(http: httpx.Client, data: bytes, start: bytes) -> None:
    form = {"Content-Type": "multipart/form-data; boundary=B"}
    assert http.post("/v1/files", content=start + data, headers=form).status_code in (200, 400, 413)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.dictionaries(
        st.sampled_from(["input_file_id", "endpoint", "completion_window", "metadata", "x"]), JSON
    )
    | JSON
)
def test_no_json_breaks_the_making_of_a_batch(http: httpx.Client, document: Any) -> None:
    answer = http.post("/v1/batches", content=json.dumps(document))
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.dictionaries(st.sampled_from(["inputs", "id", "parameters"]), JSON), max_size=6))
def test_no_body_breaks_a_batch(http: httpx.Client, bodies: list[Any]) -> None:
    data = jsonl([line(number, body=body) for number, body in enumerate(bodies)])
    batch = ended(http, create(http, data))
    assert batch["status"] == ("completed" if bodies else "failed")
    found = lines_of(http, batch["error_file_id"])
    assert {one["response"]["status_code"] for one in found} <= {400, 413}
    assert batch["request_counts"]["failed"] == len(bodies)


def test_a_batch_lives_in_s3(
    s3: JobsSettings, api_settings: ApiSettings, redis_url: str, serving: Worker
) -> None:
    # A fleet of its own: the session's API has another store.
    own = {"key_prefix": "s3"}
    jobs = s3.model_copy(update={"redis_url": redis_url, "max_waiting": 50, **own})
    serving.jobs = serving.jobs.model_copy(update=own)
    with Server(api_settings, jobs) as url, httpx.Client(base_url=url, timeout=30) as http:
        data = jsonl([line(n) for n in range(60)])
        batch = ended(http, create(http, data))
        assert batch["request_counts"] == {"total": 60, "completed": 60, "failed": 0}
        assert len(lines_of(http, batch["output_file_id"])) == 60
        large = upload(http, b"x" * (2 * PART_BYTES + 5))
        assert len(http.get(f"/v1/files/{large['id']}/content").content) == large["bytes"]
        store = open_store(jobs)
        listed = store.client.list_objects_v2(Bucket="wherry")  # type: ignore[attr-defined] # S3's
        assert sum(large["id"] in one["Key"] for one in listed["Contents"]) == 2
        assert http.delete(f"/v1/files/{large['id']}").json()["deleted"]
        listed = store.client.list_objects_v2(Bucket="wherry")  # type: ignore[attr-defined] # S3's
        assert not any(large["id"] in one["Key"] for one in listed["Contents"])
        store.client.close()  # type: ignore[attr-defined] # S3's
