"""Open Inference Protocol v2 over HTTP, as a client that knows nothing of us meets it."""

from __future__ import annotations

import gzip
import json
import math
import zlib

import pytest

from wherry.api.http.openapi_examples import REQUESTS
from wherry.protocol import codec, v2
from wherry.tasks.registry import get_task, task_names

INFER = "/v2/models/embedding/infer"
CLASSIFY = "/v2/models/image-classification/infer"

GETS = [
    "/v2",
    "/v2/health/live",
    "/v2/health/ready",
    "/v2/models/embedding",
    "/v2/models/embedding/versions/1",
    "/v2/models/embedding/ready",
    "/v2/models/embedding/versions/1/ready",
    "/v2/models/embedding/stats",
    "/v2/models/embedding/versions/1/stats",
    "/v2/models/stats",
]
POSTS = [
    INFER,
    "/v2/models/embedding/versions/1/infer",
    "/v2/repository/index",
    "/v2/repository/models/embedding/load",
    "/v2/repository/models/embedding/unload",
]


@pytest.mark.parametrize(
    ("method", "path"),
    [(m, path) for path in GETS for m in ("POST", "PUT", "DELETE")]
    + [(m, path) for path in POSTS for m in ("GET", "PUT", "DELETE")],
)
def test_a_wrong_method_is_405_in_json(http, method, path):
    answer = http.request(method, path)
    assert (answer.status_code, answer.json()["error_type"]) == (405, "method_not_allowed")
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["", "/ready", "/stats"])
@pytest.mark.parametrize("model", ["nope", "nope/versions/1", "embedding/versions/9"])
def test_unknown_models_and_versions_are_404_in_json(http, model, path):
    answer = http.get(f"/v2/models/{model}{path}")
    assert (answer.status_code, answer.json()["error_type"]) == (404, "model_not_found")
    assert model.split("/")[0] in answer.json()["error"]


@pytest.mark.parametrize("name", task_names())
def test_metadata_is_the_tasks(http, name):
    body = http.get(f"/v2/models/{name}").json()
    assert {"name", "versions", "platform", "inputs", "outputs"} <= set(body)
    for side, specs in (("inputs", get_task(name).inputs), ("outputs", get_task(name).outputs)):
        assert [(t["name"], t["datatype"], t["shape"]) for t in body[side]] == [
            (spec.name, spec.datatype, list(spec.shape)) for spec in specs
        ]
        # Rows vary; one value for all of them does not.
        assert [t["shape"][0] for t in body[side]] == [1 if s.is_scalar else -1 for s in specs]


@pytest.mark.parametrize("name", task_names())
def test_a_shape_is_the_truth_about_its_data(http, serving, name):
    body = http.post(f"/v2/models/{name}/infer", json=REQUESTS[name]).json()
    there = {output["name"] for output in body["outputs"]}
    assert there == {s.name for s in get_task(name).outputs if s.name in there or not s.optional}
    for output in body["outputs"]:
        v2.ResponseOutput.parse(output).check()
        assert output["shape"][0] == get_task(name).example.input.row_count


@pytest.mark.parametrize("press", [gzip.compress, zlib.compress])
def test_a_compressed_binary_request_counts_its_json_inflated(http, serving, texts, press):
    request = v2.InferenceRequest.parse(texts("a", "b"))
    body, length = codec.encode_request(request, binary=True)
    headers = {
        "Inference-Header-Content-Length": str(length),
        "Content-Encoding": "gzip" if press is gzip.compress else "deflate",
        "Content-Type": "application/octet-stream",
    }
    answer = http.post(INFER, content=press(body), headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["outputs"] == http.post(INFER, json=texts("a", "b")).json()["outputs"]


def test_one_output_may_be_raw_and_another_json(http, serving):
    wanted = [{"name": "score"}, {"name": "label", "parameters": {"binary_data": True}}]
    answer = http.post(CLASSIFY, json={**REQUESTS["image-classification"], "outputs": wanted})
    assert answer.status_code == 200, answer.text
    length = int(answer.headers["inference-header-content-length"])
    score, label = json.loads(answer.content[:length])["outputs"]
    assert len(score["data"][0]) == math.prod(score["shape"])
    assert "data" not in label
    assert label["parameters"]["binary_data_size"] == len(answer.content) - length
    [_, read] = codec.decode_response(answer.content, length).outputs
    assert len(read.texts()) == math.prod(label["shape"])


@pytest.mark.parametrize(
    ("outputs", "names"),
    [
        (None, ["label", "score"]),
        ([], ["label", "score"]),
        (["score", "label"], ["score", "label"]),
        (["score"], ["score"]),
    ],
)
@pytest.mark.parametrize("everything", [True, False])
def test_outputs_are_selected_in_order(http, serving, outputs, names, everything):
    body = {**REQUESTS["image-classification"], "parameters": {"binary_data_output": everything}}
    if outputs is not None:
        body["outputs"] = [{"name": name} for name in outputs]
    answer = http.post(CLASSIFY, json=body)
    length = answer.headers.get("inference-header-content-length")
    assert (length is not None) is everything
    response = codec.decode_response(answer.content, int(length) if length else None)
    assert [output.name for output in response.outputs] == names


def test_nested_data_gets_the_answer_of_flat_data(http, serving, texts):
    nested = texts("a", "b")
    nested["inputs"][0]["data"] = [["a"], ["b"]]
    answers = [http.post(INFER, json=body).json() for body in (nested, texts("a", "b"))]
    assert answers[0]["outputs"] == answers[1]["outputs"]


def test_content_types_are_honoured_or_ignored(http, serving, texts):
    plain = http.post(INFER, json=texts("ü")).json()["outputs"]
    for content_type, data in (("base64", "w7w="), ("str", "ü"), ("np", "ü"), ("hg_jsonlist", "ü")):
        body = texts("ü", parameters={"content_type": content_type})
        body["inputs"][0] |= {"data": [data], "parameters": {"content_type": content_type}}
        assert http.post(INFER, json=body).json()["outputs"] == plain


def test_nulls_stand_for_nothing(http, serving, texts):
    body = texts("a", id=None, parameters=None, outputs=None)
    body["inputs"][0]["parameters"] = None
    answer = http.post(INFER, json=body)
    assert answer.status_code == 200, answer.text
    assert "id" not in answer.json() or answer.json()["id"]


@pytest.mark.parametrize(
    "tensor",
    [
        b'{"name":"text","datatype":"FP32","shape":[1],"data":[1e400]}',
        b'{"name":"text","datatype":"FP32","shape":[1],"data":[1%s]}' % (b"0" * 400),
        b'{"name":"text","datatype":"BYTES","shape":[2147483648,2147483648],"data":["a"]}',
        b'{"name":"text","datatype":"BYTES","shape":[1],"data":["\\ud800"]}',
        b'{"name":"text","datatype":"BYTES","shape":[1],"data":%s"a"%s}'
        % (b"[" * 3000, b"]" * 3000),
        b'{"name":"text","datatype":"BYTES","shape":[1],"data":null}',
        b'{"name":"text","datatype":"FP16","shape":[1],"data":[1]}',
    ],
)
def test_what_has_ended_other_servers_is_400_here(http, tensor):
    answer = http.post(INFER, content=b'{"inputs":[%s]}' % tensor)
    assert answer.status_code == 400, answer.text
    assert set(answer.json()) == {"error", "error_type", "request_id"}


def test_a_huge_raw_shape_is_400(http):
    tensor = {
        "name": "text",
        "datatype": "BYTES",
        "shape": [2**31, 2**31],
        "parameters": {"binary_data_size": 5},
    }
    head = json.dumps({"inputs": [tensor]}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    answer = http.post(INFER, content=head + b"\x01\x00\x00\x00a", headers=headers)
    assert (answer.status_code, answer.json()["error_type"]) == (400, "invalid_tensor")


def test_custom_parameters_are_accepted(http, serving, texts):
    parameters = {"mine": "x", "n": 1, "f": 0.5, "b": True, "deep": {"a": [1]}}
    answer = http.post(INFER, json=texts("a", parameters=parameters))
    assert answer.status_code == 200, answer.text
