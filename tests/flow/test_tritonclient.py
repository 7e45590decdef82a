"""A third party's OIP client, unchanged: tritonclient[http]."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest

from wherry.ops.stack import Stack

from .test_main_path import photo

http = pytest.importorskip("tritonclient.http", reason="in the test group; a bare install lacks it")

Statistics = dict[str, Any]


@pytest.fixture
def triton(stack: Stack) -> Iterator[Any]:
    client = http.InferenceServerClient(stack.url.removeprefix("http://"), concurrency=8)
    yield client
    client.close()


def image_input(*, binary: bool) -> Any:
    tensor = http.InferInput("image", [2], "BYTES")
    tensor.set_data_from_numpy(np.array([photo(1), photo(2)], dtype=object), binary_data=binary)
    return tensor


def text_input(*, binary: bool) -> Any:
    tensor = http.InferInput("text", [2], "BYTES")
    texts = np.array(["one", "zwei ü"], dtype=object)
    tensor.set_data_from_numpy(texts, binary_data=binary)
    return tensor


def test_health_and_metadata(triton: Any) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("embedding")
    assert triton.get_server_metadata()["name"] == "wherry"
    metadata = triton.get_model_metadata("image-classification")
    assert metadata["inputs"][0]["name"] == "image"
    assert triton.get_model_repository_index()[0]["state"] == "READY"
    stats = triton.get_inference_statistics("embedding")
    assert stats["model_stats"][0]["name"] == "embedding"


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
def test_text_in_vectors_out(triton: Any, binary_in: bool, binary_out: bool) -> None:
    wanted = [http.InferRequestedOutput("embedding", binary_data=binary_out)]
    answer = triton.infer("embedding", [text_input(binary=binary_in)], outputs=wanted)
    vectors = answer.as_numpy("embedding")
    assert vectors.shape == (2, 8)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_binary_images_in_labels_out(triton: Any) -> None:
    answer = triton.infer("image-classification", [image_input(binary=True)], request_id="r 1")
    assert answer.get_response()["id"] == "r 1"
    labels = answer.as_numpy("label")
    assert labels.shape == (2, 5)
    assert answer.as_numpy("score").dtype == np.float32


def test_eight_at_once_get_their_own_answers(triton: Any) -> None:
    waiting = []
    for number in range(24):
        tensor = http.InferInput("text", [1], "BYTES")
        tensor.set_data_from_numpy(np.array([f"text {number}"], dtype=object))
        waiting.append(triton.async_infer("embedding", [tensor], request_id=str(number)))
    answers = [request.get_result() for request in waiting]
    assert [answer.get_response()["id"] for answer in answers] == [str(n) for n in range(24)]
    assert len({answer.as_numpy("embedding").tobytes() for answer in answers}) == 24


def test_errors_reach_the_client_with_their_text(triton: Any) -> None:
    from tritonclient.utils import InferenceServerException

    with pytest.raises(InferenceServerException, match="unknown model 'nope'"):
        triton.infer("nope", [text_input(binary=True)])
    with pytest.raises(InferenceServerException, match="unknown input 'text'"):
        triton.infer("image-classification", [text_input(binary=True)])
    assert not triton.is_model_ready("nope")


def http_statistics(stack: Stack) -> Statistics:
    client = http.InferenceServerClient(stack.url.removeprefix("http://"))
    [found] = client.get_inference_statistics("slow")["model_stats"]
    client.close()
    return dict(found)


def grpc_statistics(stack: Stack) -> Statistics:
    triton_grpc = pytest.importorskip("tritonclient.grpc", reason="a bare install lacks it")
    client = triton_grpc.InferenceServerClient(f"127.0.0.1:{stack.grpc_port}")
    [found] = client.get_inference_statistics("slow", as_json=True)["model_stats"]
    client.close()
    return dict(found)


def since(before: Statistics, after: Statistics, *path: str) -> int:
    """How much a counter grew. Protobuf's JSON has numbers of 64 bits as text, and leaves out 0."""
    grown: list[Any] = [before, after]
    for step in path:
        grown = [statistics.get(step, 0 if step == path[-1] else {}) for statistics in grown]
    return int(grown[1]) - int(grown[0])


def forwards(statistics: Statistics, part: str, what: str) -> Counter[int]:
    """Per size of batch, a counter of its forwards."""
    return Counter(
        {
            int(entry["batch_size"]): int(entry[part].get(what, 0))
            for entry in statistics.get("batch_stats", ())
        }
    )


@pytest.mark.parametrize("statistics", [http_statistics, grpc_statistics])
def test_statistics_are_sums_over_requests(stack: Stack, statistics: Any) -> None:
    def timed(number: int) -> float:
        client = http.InferenceServerClient(stack.url.removeprefix("http://"))
        tensor = http.InferInput("image", [1], "BYTES")
        tensor.set_data_from_numpy(np.array([photo(number)], dtype=object))
        started = time.perf_counter()
        client.infer("slow", [tensor])
        took_s = time.perf_counter() - started
        client.close()
        return took_s

    before = statistics(stack)
    with ThreadPoolExecutor(8) as clients:
        latencies_s = list(clients.map(timed, range(8)))
    after = statistics(stack)

    assert since(before, after, "inference_count") == 8
    parts = ("queue", "compute_input", "compute_infer", "compute_output")
    for part in ("success", *parts):
        assert since(before, after, "inference_stats", part, "count") == 8, part
    for part in ("fail", "cache_hit", "cache_miss"):
        assert since(before, after, "inference_stats", part, "count") == 0, part
    whole = since(before, after, "inference_stats", "success", "ns")
    took = [since(before, after, "inference_stats", part, "ns") for part in parts]
    assert min(took) >= 0
    assert sum(took) <= whole
    # The model takes half a second, for each request of a batch; the queue counts whole ms.
    assert took[2] >= 8 * 0.5e9
    assert whole <= (sum(latencies_s) + 8 * 0.001) * 1e9

    executions = since(before, after, "execution_count")
    for part in parts[1:]:
        made = forwards(after, part, "count") - forwards(before, part, "count")
        assert sum(made.values()) == executions
        assert sum(size * count for size, count in made.items()) == 8
    spent = forwards(after, "compute_infer", "ns") - forwards(before, "compute_infer", "ns")
    assert sum(spent.values()) >= executions * 0.5e9


@pytest.fixture(params=["http", "grpc"])
def either(request: pytest.FixtureRequest, stack: Stack) -> Iterator[tuple[Any, Any]]:
    """tritonclient's module and a client, over each of the two."""
    module = pytest.importorskip(f"tritonclient.{request.param}", reason="a bare install lacks it")
    url = stack.url.removeprefix("http://") if request.param == "http" else stack.grpc_url
    client = module.InferenceServerClient(url)
    yield module, client
    client.close()


def text_of(module: Any) -> Any:
    tensor = module.InferInput("text", [1], "BYTES")
    tensor.set_data_from_numpy(np.array(["one"], dtype=object))
    return tensor


def test_what_is_not_served_is_refused_by_name(either: tuple[Any, Any]) -> None:
    from tritonclient.utils import InferenceServerException

    module, client = either
    shared = module.InferInput("text", [1], "BYTES")
    shared.set_shared_memory("region", 7)
    shared_output = module.InferRequestedOutput("embedding")
    shared_output.set_shared_memory("region", 32)
    best = module.InferRequestedOutput("embedding", class_count=3)
    for says, inputs, more in (
        (r"input 'text': parameter shared_memory_\w+: shared memory is not supported", shared, {}),
        (r"output 'embedding': parameter shared_memory", text_of(module), [shared_output]),
        (r"output 'embedding': parameter classification: .* top_k", text_of(module), [best]),
    ):
        with pytest.raises(InferenceServerException, match=says):
            client.infer("embedding", [inputs], outputs=more or None)
    with pytest.raises(InferenceServerException, match="sequences are not supported"):
        client.infer("embedding", [text_of(module)], sequence_id=7, sequence_start=True)
    # 0 is tritonclient's word for none.
    assert client.infer("embedding", [text_of(module)], sequence_id=0).as_numpy("embedding").size


def test_parameters_of_tensors_that_nobody_reads_are_remarked_on(stack: Stack) -> None:
    told = "input 'text': unknown parameter 'content_typ', did you mean 'content_type'?"
    asked = "output 'embedding': unknown parameter 'top_n'"
    text = {
        "name": "text",
        "shape": [1],
        "datatype": "BYTES",
        "parameters": {"content_typ": "str"},
    }
    output = {"name": "embedding", "parameters": {"top_n": 3, "binary_data": False}}
    url = f"{stack.url}/v2/models/embedding/infer"
    plain = {"inputs": [{**text, "data": ["one"]}], "outputs": [output]}
    answer = httpx.post(url, json=plain).json()
    assert answer["parameters"]["warning"] == f"{told}; {asked}"

    text["parameters"] = {"content_typ": "str", "binary_data_size": 7}
    header = json.dumps({"inputs": [text], "outputs": [output]}).encode()
    answer = httpx.post(
        url,
        content=header + b"\x03\0\0\0one",
        headers={"Inference-Header-Content-Length": str(len(header))},
    ).json()
    assert answer["parameters"]["warning"] == f"{told}; {asked}"

    triton_grpc = pytest.importorskip("tritonclient.grpc", reason="a bare install lacks it")
    client = triton_grpc.InferenceServerClient(stack.grpc_url)
    tensor, wanted = text_of(triton_grpc), triton_grpc.InferRequestedOutput("embedding")
    tensor._get_tensor().parameters["content_typ"].string_param = "str"  # no call of its own
    wanted._get_tensor().parameters["top_n"].int64_param = 3
    found = client.infer("embedding", [tensor], outputs=[wanted]).get_response()
    assert found.parameters["warning"].string_param == f"{told}; {asked}"
    client.close()


def test_a_model_can_be_unloaded_and_loaded(triton: Any) -> None:
    from tritonclient.utils import InferenceServerException

    triton.unload_model("object-detection")
    try:
        assert not triton.is_model_ready("object-detection")
        with pytest.raises(InferenceServerException, match="unloaded"):
            triton.infer("object-detection", [image_input(binary=True)])
    finally:
        triton.load_model("object-detection")
    assert triton.is_model_ready("object-detection")
