"""Triton's model configuration, and what is off here, over HTTP."""

from __future__ import annotations

import httpx
import pytest

from wherry.api.settings import ApiSettings
from wherry.jobs import JobsSettings
from wherry.jobs.facts import tell_facts
from wherry.protocol.datatypes import Datatype
from wherry.tasks.graph_signature import GraphSignature, GraphTensor

from ..conftest import Server


def test_a_configuration_says_how_rows_are_batched(http):
    body = http.get("/v2/models/embedding/config").json()
    assert (body["name"], body["platform"], body["backend"]) == ("embedding", "wherry_stub", "stub")
    assert body["max_batch_size"] == 32
    assert body["dynamic_batching"]["default_priority_level"] == 5
    assert body["version_policy"] == {"specific": {"versions": [1, 2]}}
    [text] = body["input"]
    assert (text["name"], text["data_type"], text["dims"]) == ("text", "TYPE_STRING", [1])
    assert text["reshape"] == {"shape": []}
    [vector] = body["output"]
    assert (vector["name"], vector["data_type"], vector["dims"]) == ("embedding", "TYPE_FP32", [-1])
    assert body["model_transaction_policy"] == {"decoupled": False}


def test_an_input_that_all_rows_share_keeps_a_model_from_batching(http):
    body = http.get("/v2/models/visual-question-answering/config").json()
    assert body["max_batch_size"] == 0
    assert "dynamic_batching" not in body
    dims = {tensor["name"]: tensor["dims"] for tensor in body["input"]}
    assert dims == {"image": [-1], "question": [1]}


def test_models_that_write_are_decoupled(http):
    for model in ("text-generation", "chat"):
        body = http.get(f"/v2/models/{model}/config").json()
        assert body["model_transaction_policy"] == {"decoupled": True}
    optional = {t["name"]: t["optional"] for t in body["input"]}
    assert optional == {"messages": False}


def test_metadata_and_configuration_agree(http):
    for model in ("embedding", "mask-generation", "document-question-answering", "tensor"):
        metadata = http.get(f"/v2/models/{model}").json()
        config = http.get(f"/v2/models/{model}/versions/1/config").json()
        for side, told in (("input", metadata["inputs"]), ("output", metadata["outputs"])):
            assert [t["name"] for t in config[side]] == [t["name"] for t in told]
            axis = int(config["max_batch_size"] > 0)
            shapes = [t.get("reshape", {}).get("shape", t["dims"]) for t in config[side]]
            assert shapes == [t["shape"][axis:] for t in told]


def test_metadata_tells_lists_of_rows_as_triton_does_where_asked_to(
    api_settings: ApiSettings, jobs_settings: JobsSettings
) -> None:
    asked = api_settings.model_copy(update={"triton_shapes": True})
    with Server(asked, jobs_settings) as url, httpx.Client(base_url=url, timeout=10) as http:
        told = http.get("/v2/models/embedding").json()
        assert told["inputs"][0]["shape"] == [-1, 1]
        assert told["outputs"][0]["shape"] == [-1, -1]
        assert http.get("/v2/models/embedding/config").json()["input"][0]["dims"] == [1]
        shared = http.get("/v2/models/visual-question-answering").json()["inputs"]
        assert [tensor["shape"] for tensor in shared] == [[-1], [1]]


@pytest.mark.parametrize("path", ["nope/config", "embedding/versions/3/config"])
def test_an_unknown_model_has_no_configuration(http, path):
    answer = http.get(f"/v2/models/{path}")
    assert (answer.status_code, answer.json()["error_type"]) == (404, "model_not_found")


SIGNATURE = GraphSignature(
    (GraphTensor("images", Datatype.FP32, (-1, 3, 64, 64)),),
    (GraphTensor("output0", Datatype.FP16, (-1, 84, -1)),),
    batched=True,
)


def _learned(http, worker, signature: GraphSignature) -> None:
    facts = {"tensors": signature.to_facts(), "labels": []}
    worker.queue.run(tell_facts("tensor/1", facts, worker.jobs))
    http.get("/v2/health/ready")  # who is told that it is ready may ask next what it serves


def test_a_graph_tells_its_own_tensors_once_it_is_loaded(http, worker):
    before = http.get("/v2/models/tensor").json()
    assert [t["name"] for t in before["inputs"]] == ["feed"]
    asked = {"inputs": [{"name": "images", "shape": [1, 1], "datatype": "FP32", "data": [1.0]}]}
    early = http.post("/v2/models/tensor/infer", json=asked)
    assert (early.status_code, early.json()["error_type"]) == (503, "model_not_ready")

    _learned(http, worker, SIGNATURE)
    told = http.get("/v2/models/tensor").json()
    [image] = told["inputs"]
    assert (image["name"], image["datatype"]) == ("images", "FP32")
    assert image["shape"] == [-1, 3, 64, 64]
    assert told["outputs"][0]["shape"] == [-1, 84, -1]
    assert "tensors" not in told["parameters"]
    config = http.get("/v2/models/tensor/config").json()
    assert config["max_batch_size"] == 32
    assert config["input"][0]["dims"] == [3, 64, 64]
    assert config["output"][0]["data_type"] == "TYPE_FP16"
    wrong = http.post("/v2/models/tensor/infer", json=asked)
    assert wrong.status_code == 400
    assert "tensor 'images': expected shape [-1, 3, 64, 64], got [1, 1]" in wrong.json()["error"]
    feed = {"name": "feed", "shape": [1], "datatype": "BYTES", "data": ['{"images": 1}']}
    wrong = http.post("/v2/models/tensor/infer", json={"inputs": [feed]})
    assert wrong.status_code == 400
    assert "'images': expected FP32 of shape [3, 64, 64], got shape []" in wrong.json()["error"]

    whole = GraphSignature(SIGNATURE.inputs, SIGNATURE.outputs, batched=False)
    _learned(http, worker, whole)
    config = http.get("/v2/models/tensor/config").json()
    assert config["max_batch_size"] == 0
    assert config["input"][0]["dims"] == [-1, 3, 64, 64]


def test_traces_are_off(http):
    for path in ("/v2/trace/setting", "/v2/models/embedding/trace/setting"):
        told = http.get(path).json()
        assert told["trace_level"] == ["OFF"]
        assert http.post(path, json=told).json() == told
        refused = http.post(path, json={"trace_level": ["TIMESTAMPS"]})
        assert refused.status_code == 400
        assert "setting trace_level: requests are not traced" in refused.json()["error"]
    unknown = http.post("/v2/trace/setting", json={"tracing": "on"})
    assert "unknown setting 'tracing'; there are trace_file" in unknown.json()["error"]
    assert http.get("/v2/models/nope/trace/setting").status_code == 404


def test_the_log_is_off(http):
    told = http.get("/v2/logging").json()
    assert told["log_info"] is False
    assert http.post("/v2/logging", json={"log_verbose_level": 0}).json() == told
    refused = http.post("/v2/logging", json={"log_verbose_level": 1})
    assert (refused.status_code, refused.json()["error_type"]) == (400, "invalid_request")


@pytest.mark.parametrize("kind", ["system", "cuda"])
def test_there_is_no_shared_memory(http, kind):
    path = f"/v2/{kind}sharedmemory"
    assert http.get(f"{path}/status").json() == []
    assert http.post(f"{path}/unregister").status_code == 200
    assert http.post(f"{path}/region/r/unregister").status_code == 200
    for answer in (http.get(f"{path}/region/r/status"), http.post(f"{path}/region/r/register")):
        assert answer.status_code == 400
        assert "shared memory is not supported" in answer.json()["error"]
