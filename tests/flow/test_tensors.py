"""Graphs served as they are, through the queue, to Triton's own client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnxruntime as ort
import pytest

from wherry.client import Client
from wherry.client.annotate.annotate import annotate
from wherry.client.annotate.prepared import Options
from wherry.ops.stack import Stack
from wherry.protocol import errors, v2
from wherry.tasks.multimodal.tensor import TensorInput, TensorOutput

from ..support.models import model
from ..tasks.backends.onnx import raw_graphs

ml_dtypes = pytest.importorskip("ml_dtypes", reason="tritonclient has bfloat16 by it")
http = pytest.importorskip("tritonclient.http", reason="in the test group; a bare install lacks it")
grpc = pytest.importorskip("tritonclient.grpc", reason="in the test group; a bare install lacks it")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graphs")
    raw_graphs.pair(folder / "pair")
    raw_graphs.scalars(folder / "scalars")
    for datatype in ("BYTES", "FP16", "BF16", "BOOL"):
        raw_graphs.same(folder / datatype.lower(), datatype)
    return folder


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Stack]:
    names = ("pair", "scalars", "bytes", "fp16", "bf16", "bool")
    models = folder / "models.toml"
    models.write_text(
        "".join(
            model(name, "raw" if name == "pair" else "tensor", source=name, backend="onnxruntime")
            for name in names
        )
    )
    with Stack(models=models, data_dir=folder / "data", flower=False, grpc_port=0) as stack:
        yield stack


@pytest.fixture
def client(served: Stack) -> Iterator[Client]:
    with Client(served.url) as client:
        yield client


def asked(kind: Any, feed: dict[str, np.ndarray[Any, Any]], **options: Any) -> list[Any]:
    datatypes = {"f4": "FP32", "f2": "FP16", "i4": "INT32", "b1": "BOOL"}
    tensors = []
    for name, array in feed.items():
        key = array.dtype.str.lstrip("<|")
        datatype = "BYTES" if key == "O" else datatypes[key]
        tensors.append(kind.InferInput(name, list(array.shape), datatype))
        tensors[-1].set_data_from_numpy(array, **options)
    return tensors


def pair_of(rows: int) -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(rows)
    return {
        "a": rng.normal(size=(rows, 4)).astype(np.float32),
        "b": rng.integers(-9, 9, (rows, 4), dtype=np.int32),
    }


@pytest.mark.parametrize("over", ["http", "http, JSON", "grpc"])
def test_tritonclient_gets_what_onnxruntime_answers(served: Stack, folder: Path, over: str) -> None:
    session = ort.InferenceSession(folder / "pair" / "model.onnx")
    feed = pair_of(3)
    wanted = session.run(None, feed)
    if over == "grpc":
        triton = grpc.InferenceServerClient(served.grpc_url)
        answer = triton.infer("pair", asked(grpc, feed))
    else:
        triton = http.InferenceServerClient(served.url.removeprefix("http://"))
        binary = over == "http"
        outputs = [
            http.InferRequestedOutput(name, binary_data=binary) for name in ("greatest", "total")
        ]
        answer = triton.infer("pair", asked(http, feed, binary_data=binary), outputs=outputs)
    assert np.array_equal(answer.as_numpy("total"), wanted[0])
    assert np.array_equal(answer.as_numpy("greatest"), wanted[1])
    triton.close()


def test_many_requests_share_forwards_and_get_their_own(served: Stack, folder: Path) -> None:
    session = ort.InferenceSession(folder / "pair" / "model.onnx")
    address = served.url.removeprefix("http://")
    with http.InferenceServerClient(address, concurrency=16) as triton:
        feeds = [pair_of(rows) for rows in (1, 2, 3, 4) * 8]
        waiting = [triton.async_infer("pair", asked(http, feed)) for feed in feeds]
        for feed, request in zip(feeds, waiting, strict=True):
            wanted = session.run(None, feed)
            assert np.array_equal(request.get_result().as_numpy("total"), wanted[0])


@pytest.mark.parametrize("name", ["bytes", "fp16", "bool"])
def test_odd_datatypes_go_both_ways(served: Stack, name: str) -> None:
    values: np.ndarray[Any, Any] = {
        "bytes": np.array([["a ü", ""], ["模", "d"]], object),
        "fp16": np.array([[1.5, -2.25], [65504.0, 0.0]], np.float16),
        "bool": np.array([[True, False], [False, True]]),
    }[name]
    for kind, address in (
        (http, served.url.removeprefix("http://")),
        (grpc, served.grpc_url),
    ):
        triton = kind.InferenceServerClient(address)
        found = triton.infer(name, asked(kind, {"x": values})).as_numpy("y")
        triton.close()
        if name == "bytes":
            found = np.array([[text.decode() for text in row] for row in found], object)
        assert np.array_equal(found, values)


def test_bfloat16_goes_both_ways(served: Stack) -> None:
    for kind, address in (
        (http, served.url.removeprefix("http://")),
        (grpc, served.grpc_url),
    ):
        triton = kind.InferenceServerClient(address)
        tensor = kind.InferInput("x", [2, 2], "BF16")
        tensor.set_data_from_numpy(np.array([[1.5, -2.0], [3.0, 0.0]], ml_dtypes.bfloat16))
        found = triton.infer("bf16", [tensor]).as_numpy("y")
        triton.close()
        assert found.tolist() == [[1.5, -2.0], [3.0, 0.0]]


@pytest.mark.parametrize("name", ["bytes", "bool"])
def test_a_tensor_without_elements_is_json_where_that_was_asked(served: Stack, name: str) -> None:
    given = {"name": "x", "datatype": name.upper(), "shape": [2, 0], "data": []}
    url = f"{served.url}/v2/models/{name}/infer"
    answer = httpx.post(url, json={"inputs": [given]}, timeout=60).json()
    [told] = answer["outputs"]
    assert (told["shape"], "binary_data_size" in told.get("parameters", {})) == ([2, 0], False)
    assert [value for row in told["data"] for value in row] == []


def test_a_graph_without_rows_answers_whole_requests(served: Stack) -> None:
    with http.InferenceServerClient(served.url.removeprefix("http://")) as triton:
        config = triton.get_model_config("scalars")
        assert config["max_batch_size"] == 0
        assert [tensor["dims"] for tensor in config["input"]] == [[-1, 3], [1]]
        assert config["input"][1]["reshape"] == {"shape": []}
        for scale in (np.array(2.0, np.float32), np.array([2.0], np.float32)):
            feed = {"x": np.ones((2, 3), np.float32), "scale": scale}
            answer = triton.infer("scalars", asked(http, feed))
            assert answer.as_numpy("y").tolist() == [[2.0] * 3] * 2


def test_what_is_told_is_what_the_graph_declares(served: Stack) -> None:
    body = httpx.get(f"{served.url}/v2/models/pair").json()
    assert body["platform"] == "wherry_onnxruntime"
    told = [(t["name"], t["datatype"], t["shape"]) for t in body["inputs"] + body["outputs"]]
    assert told == [
        ("a", "FP32", [-1, -1]),
        ("b", "INT32", [-1, -1]),
        ("total", "FP32", [-1, -1]),
        ("greatest", "INT64", [-1]),
    ]
    assert body["parameters"]["task"] == "tensor"


def test_rows_may_be_json_objects(client: Client, served: Stack) -> None:
    rows = [{"a": [1.0, 2.0], "b": [3, 4]}, {"a": [0.5], "b": [1]}]
    output = client.infer("pair", TensorInput(feeds=rows))
    assert isinstance(output, TensorOutput)
    assert output.results == [{"total": [4.0, 6.0], "greatest": 1}, {"total": [1.5], "greatest": 0}]
    feed = {"name": "feed", "shape": [1], "datatype": "BYTES", "data": [json.dumps(rows[0])]}
    answer = httpx.post(f"{served.url}/v2/models/pair/infer", json={"inputs": [feed]}).json()
    [result] = answer["outputs"]
    assert (result["name"], result["shape"], result["datatype"]) == ("result", [1], "BYTES")
    assert json.loads(result["data"][0]) == output.results[0]


def test_a_row_at_fault_may_be_skipped(client: Client) -> None:
    rows = [{"a": [1.0], "b": [1]}, {"a": [1.0, 2.0], "b": [1, 2, 3]}, {"a": [2.0], "b": [2]}]
    asked_for = TensorInput(feeds=rows).to_inference_request()
    asked_for.parameters["on_row_error"] = "skip"
    response = client.infer("pair", asked_for)
    assert isinstance(response, v2.InferenceResponse)
    told = json.loads(response.parameters["row_errors"])
    assert list(told) == ["1"]
    with pytest.raises(errors.RowError, match="the graph does not take it"):
        client.infer("pair", TensorInput(feeds=[rows[1]]))


def test_a_table_of_lists_is_annotated(served: Stack, tmp_path: Path) -> None:
    source, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    rows = [{"id": f"r{n}", "a": [float(n), 2.0], "b": [n, n], "note": "x"} for n in range(20)]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with Client(served.url) as client:
        annotate(client, Options(source=str(source), model="pair", out=out))
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(found) == 20
    assert (found[3]["id"], found[3]["result"]) == ("r3", {"total": [6.0, 5.0], "greatest": 0})
