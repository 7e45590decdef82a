"""Files named by URL, over every surface: a real server fetches them from a real server."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import httpx
import pytest

from wherry.api.settings import ApiSettings
from wherry.jobs import JobsSettings
from wherry.ops.ports import free_port
from wherry.tasks.oip_grpc.messages import MESSAGES
from wherry.tasks.samples import PNG

from ...support.receiver import Receiver, status
from .. import batch_calls
from ..conftest import Server, Worker
from ..surfaces.oip_grpc.test_oip_grpc import stub

Json = dict[str, Any]

FETCHING = {
    "url_hosts": "127.0.0.1:*",
    "url_schemes": "http",
    "outbound_networks": "127.0.0.1/32",
    "url_timeout_s": 2.0,
    "url_max_bytes": 50_000,
}


@pytest.fixture(scope="module")
def grpc_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def fetching_url(
    api_settings: ApiSettings, jobs_settings: JobsSettings, grpc_port: int
) -> Iterator[str]:
    settings = api_settings.model_copy(update={**FETCHING, "grpc_port": grpc_port})
    with Server(settings, jobs_settings) as url:
        yield url


@pytest.fixture
def fetching(fetching_url: str, redis_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fetching_url, timeout=10) as client:
        yield client


@pytest.fixture
def files(receiver: Receiver) -> Receiver:
    receiver.answers["/a.png"] = status(200, PNG, content_type="image/png")
    return receiver


def oip(*urls: str) -> Json:
    parameters = {"content_type": "url"}
    tensor = {"name": "image", "shape": [len(urls)], "datatype": "BYTES", "data": list(urls)}
    return {"inputs": [{**tensor, "parameters": parameters}]}


def chat(url: str) -> Json:
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    return {"model": "image-text-to-text", "messages": [{"role": "user", "content": parts}]}


def instill(url: str) -> Json:
    return {"taskInputs": [{"data": {"type": "image-url", "image-url": url}}]}


#: How each surface names a file: its path, its body, the field that its errors name.
SURFACES: dict[str, tuple[str, Callable[[str], Json], str]] = {
    "oip": ("/v2/models/image-classification/infer", oip, "tensor 'image', URL 0"),
    "hugging face": (
        "/models/image-classification",
        lambda url: {"inputs": url},
        "inputs",
    ),
    "hugging face object": (
        "/models/visual-question-answering",
        lambda url: {"inputs": {"image": url, "question": "What?"}},
        "inputs",
    ),
    "instill": (
        "/v1alpha/namespaces/me/models/image-classification/trigger",
        instill,
        "taskInputs[0].data.image-url",
    ),
    "openai": ("/v1/chat/completions", chat, "messages: image_url"),
    "openai embeddings": (
        "/v1/embeddings",
        lambda url: {"model": "multimodal-embedding", "input": ["a", {"image": url}]},
        "input[1]",
    ),
    "pixano": (
        "/pixano/v1/inference/detection",
        lambda url: {"model": "object-detection", "image": url},
        "image",
    ),
    "pixano chat": (
        "/pixano/v1/inference/vlm",
        lambda url: {
            "model": "image-text-to-text",
            "prompt": [{"role": "user", "content": chat(url)["messages"][0]["content"]}],
        },
        "images.0",
    ),
}


def without_times(answer: httpx.Response) -> Json | list[Json]:
    """An answer without what differs each time."""
    found: Json | list[Json] = answer.json()
    if isinstance(found, list):
        return found
    unlike = ("id", "created", "timestamp", "processing_time", "processingTime", "metadata")
    return {name: value for name, value in found.items() if name not in unlike}


def test_a_row_that_is_a_text_names_no_file(
    fetching: httpx.Client, serving: Worker, files: Receiver
) -> None:
    path = "/v2/models/multimodal-embedding/infer"
    body = oip(files.url("/a.png", host="127.0.0.1"), "")
    text = {"name": "text", "shape": [2], "datatype": "BYTES", "data": ["", "a cat"]}
    body["inputs"].append(text)
    answer = fetching.post(path, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["outputs"][0]["shape"][0] == 2
    assert [request.path for request in files.asked] == ["/a.png"]


@pytest.mark.parametrize("surface", SURFACES)
def test_a_file_by_url_is_answered_like_the_file_itself(
    fetching: httpx.Client, serving: Worker, files: Receiver, surface: str
) -> None:
    path, body, _ = SURFACES[surface]
    by_url = fetching.post(path, json=body(files.url("/a.png", host="127.0.0.1")))
    assert by_url.status_code in (200, 201), by_url.text
    assert [request.path for request in files.asked] == ["/a.png"]
    itself = body("data:image/png;base64," + base64.b64encode(PNG).decode())
    assert without_times(by_url) == without_times(fetching.post(path, json=itself))
    assert len(files.asked) == 1


@pytest.mark.parametrize("surface", SURFACES)
def test_a_data_uri_is_taken_wherever_a_url_is_though_none_is_fetched(
    http: httpx.Client, serving: Worker, surface: str
) -> None:
    path, body, _ = SURFACES[surface]
    text = base64.encodebytes(PNG).decode().rstrip("\n=")
    plain = http.post(path, json=body("data:image/png;base64," + base64.b64encode(PNG).decode()))
    assert plain.status_code in (200, 201), plain.text
    in_lines = http.post(path, json=body(f"data:image/png;base64,{text}"))
    assert without_times(in_lines) == without_times(plain)


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://example.org/a.png", "host 'example.org' is not in WHERRY_URL_HOSTS"),
        ("ftp://127.0.0.1/a.png", "scheme 'ftp' is not allowed; WHERRY_URL_SCHEMES has http"),
        ("{here}/gone.png", "host '127.0.0.1': answered 404"),
        ("{here}/large.png", "host '127.0.0.1': the file is over 50000 bytes"),
    ],
)
def test_a_refusal_names_the_field_the_host_and_the_setting(
    fetching: httpx.Client, files: Receiver, surface: str, url: str, says: str
) -> None:
    files.answers["/large.png"] = status(200, bytes(50_001))
    path, body, field = SURFACES[surface]
    here = f"http://127.0.0.1:{files.port}"
    answer = fetching.post(path, json=body(url.format(here=here)))
    assert answer.status_code == 400
    assert says in answer.text
    assert field in answer.text.replace('\\"', '"')


@pytest.mark.parametrize("surface", SURFACES)
def test_urls_are_refused_while_no_host_is_allowed(http: httpx.Client, surface: str) -> None:
    path, body, field = SURFACES[surface]
    answer = http.post(path, json=body("https://example.org/a.png"))
    assert answer.status_code == 400
    assert f"{field}: URLs are not fetched (WHERRY_URL_HOSTS is empty)" in answer.text


def test_many_files_are_fetched_at_once_and_each_once(
    fetching: httpx.Client, serving: Worker, files: Receiver
) -> None:
    together = threading.Barrier(6)

    def answer(handler: Any) -> None:
        together.wait(5)  # breaks unless all are asked before one is answered
        status(200, PNG)(handler)

    urls = [files.url(f"/{n}.png", host="127.0.0.1") for n in range(6)]
    files.answers |= {f"/{n}.png": answer for n in range(6)}
    found = fetching.post("/v2/models/image-classification/infer", json=oip(*urls, urls[0]))
    assert found.status_code == 200, found.text
    assert found.json()["outputs"][0]["shape"][0] == 7
    assert sorted(request.path for request in files.asked) == [f"/{n}.png" for n in range(6)]


def test_an_entry_of_many_fails_alone(
    fetching: httpx.Client, worker: Worker, files: Receiver
) -> None:
    good, bad = (files.url(path, host="127.0.0.1") for path in ("/a.png", "/gone.png"))
    jobs = [{"model_name": "image-classification", "request": oip(url)} for url in (good, bad)]
    found = fetching.post("/v2/jobs:batch", json={"jobs": jobs}).json()["jobs"]
    assert [entry["status_code"] for entry in found] == [202, 400]
    assert "tensor 'image', URL 0: host '127.0.0.1': answered 404" in found[1]["error"]


def test_a_job_is_known_by_the_file_not_by_its_url(
    fetching: httpx.Client, worker: Worker, files: Receiver
) -> None:
    path = "/v2/models/image-classification/jobs"
    by_url = oip(files.url("/a.png?signature=1", host="127.0.0.1"))
    again = oip(files.url("/a.png?signature=2", host="127.0.0.1"))
    assert fetching.post(path, json={**by_url, "id": "x"}).status_code == 202
    assert fetching.post(path, json={**again, "id": "x"}).status_code == 202
    files.answers["/a.png"] = status(200, PNG + b"\0")
    assert fetching.post(path, json={**again, "id": "x"}).status_code == 409


def test_a_slow_server_holds_up_nobody_else(
    fetching: httpx.Client, worker: Worker, files: Receiver
) -> None:
    files.answers["/slow.png"] = lambda _: files.open.wait(10)
    slow: list[httpx.Response] = []
    body = oip(files.url("/slow.png", host="127.0.0.1"))
    path = "/v2/models/image-classification/jobs"
    thread = threading.Thread(target=lambda: slow.append(fetching.post(path, json=body)))
    began = time.monotonic()
    thread.start()
    while not files.asked:
        assert time.monotonic() - began < 5
    for _ in range(5):
        assert fetching.get("/v2/health/live").status_code == 200
    assert not slow
    thread.join()
    assert "'127.0.0.1': not done in 2 s" in slow[0].json()["error"]


def test_more_urls_than_rows_are_refused_unfetched(fetching: httpx.Client, files: Receiver) -> None:
    urls = [files.url(f"/{n}.png", host="127.0.0.1") for n in range(65)]
    found = fetching.post("/v2/models/image-classification/infer", json=oip(*urls))
    assert found.status_code == 413
    assert files.asked == []


def test_a_request_with_one_url_that_is_not_allowed_fetches_none(
    fetching: httpx.Client, files: Receiver
) -> None:
    urls = [files.url("/a.png", host="127.0.0.1"), "http://example.org/a.png"]
    found = fetching.post("/v2/models/image-classification/infer", json=oip(*urls))
    assert "tensor 'image', URL 1: host 'example.org' is not in" in found.json()["error"]
    assert files.asked == []


def test_lines_of_a_batch_name_files_by_url_too(
    fetching: httpx.Client, serving: Worker, files: Receiver
) -> None:
    path = "/v2/models/image-classification/infer"
    asked = [oip(files.url(name, host="127.0.0.1")) for name in ("/a.png", "/gone.png")]
    lines = [batch_calls.line(number, path, body) for number, body in enumerate(asked)]
    batch_id = batch_calls.create(fetching, batch_calls.jsonl(lines), path)
    batch = batch_calls.ended(fetching, batch_id)
    assert batch["request_counts"] == {"total": 2, "completed": 1, "failed": 1}
    [failed] = batch_calls.lines_of(fetching, batch["error_file_id"])
    assert "host '127.0.0.1': answered 404" in str(failed)


def test_grpc_names_files_by_url_too(
    fetching: httpx.Client, serving: Worker, files: Receiver, grpc_port: int
) -> None:
    url = files.url("/a.png", host="127.0.0.1").encode()
    asked = MESSAGES["ModelInferRequest"](model_name="image-classification")
    tensor = asked.inputs.add(name="image", datatype="BYTES", shape=[1])
    tensor.parameters["content_type"].string_param = "url"
    tensor.contents.bytes_contents.append(url)
    with grpc.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
        answer = stub(channel, "ModelInfer")(asked, timeout=10)
    assert answer.outputs[0].shape[0] == 1
    assert len(files.asked) == 1


def test_a_file_that_cannot_be_fetched_is_its_rows_fault_where_rows_are_skipped(
    fetching: httpx.Client, files: Receiver
) -> None:
    files.answers["/gone.png"] = status(404)
    there, gone = (files.url(path, host="127.0.0.1") for path in ("/a.png", "/gone.png"))
    body = oip(there, gone, "ftp://127.0.0.1/a.png")
    path = "/v2/models/image-classification/jobs"
    skipping = {**body, "parameters": {"on_row_error": "skip"}}
    accepted = fetching.post(path, json=skipping)
    assert accepted.status_code == 202, accepted.text
    assert sorted(request.path for request in files.asked) == ["/a.png", "/gone.png"]
    assert fetching.post(path, json=body).status_code == 400


def test_a_skipped_file_does_not_take_an_images_place(
    fetching: httpx.Client, files: Receiver
) -> None:
    body = oip(files.url("/a.png", host="127.0.0.1"), "ftp://127.0.0.1/a.png")
    text = {"name": "text", "shape": [2], "datatype": "BYTES", "data": ["", ""]}
    body["inputs"].append(text)
    body["parameters"] = {"on_row_error": "skip"}
    accepted = fetching.post("/v2/models/multimodal-embedding/jobs", json=body)
    assert accepted.status_code == 202, accepted.text
