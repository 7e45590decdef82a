"""A text that a model cannot read whole: told or refused on every surface, by a real model."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from wherry.client import Client
from wherry.client.annotate import Options, annotate
from wherry.ops.stack import Stack
from wherry.protocol import codec
from wherry.samples.tiny import build
from wherry.tasks.text.embedding import EmbeddingInput, EmbeddingOutput

from ..support.models import model

pytestmark = pytest.mark.slow  # torch loads twice: here to build the model, and in the worker

SHORT, LONG = "hello world", "hello " * 100 + "world " * 100
CUT = re.compile(r"cut: the model read \d+ of 200 tokens")
REFUSED = re.compile(r"the text has 200 tokens, the model reads \d+")

MODEL = model("embedding", backend="transformers", source="{source}")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    models = folder / "models.toml"
    models.write_text(MODEL.format(source=build("embedding", folder / "bert")))
    with Stack(models=models, data_dir=folder, flower=False, grpc_port=0) as stack:
        yield stack


@pytest.fixture
def http(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url, timeout=60) as client:
        yield client


def asked(*texts: str, **parameters: Any) -> dict[str, Any]:
    request = EmbeddingInput(texts=list(texts)).to_inference_request()
    document: dict[str, Any] = json.loads(codec.encode_request(request, binary=False)[0])
    document["parameters"] |= parameters
    return document


def test_oip_over_http(http: httpx.Client) -> None:
    path = "/v2/models/embedding/infer"
    told = http.post(path, json=asked(SHORT, LONG)).json()["parameters"]
    assert re.fullmatch(rf"row 1: {CUT.pattern}", told["warning"])
    assert [*json.loads(told["row_warnings"])] == ["1"]
    assert "warning" not in http.post(path, json=asked(SHORT)).json().get("parameters", {})
    raw = http.post(path, json=asked(LONG, binary_data_output=True))
    response = codec.decode_response(
        raw.content, int(raw.headers["inference-header-content-length"])
    )
    assert CUT.fullmatch(response.parameters["warning"])

    refused = http.post(path, json=asked(SHORT, LONG, truncate=False))
    assert refused.status_code == 400
    assert re.match(rf"row 1: {REFUSED.pattern}", refused.json()["error"])
    skipped = http.post(path, json=asked(SHORT, LONG, truncate=False, on_row_error="skip")).json()
    errors = json.loads(skipped["parameters"]["row_errors"])
    assert REFUSED.match(errors["1"]["error"])


def test_oip_over_grpc(stack: Stack) -> None:
    triton = pytest.importorskip("tritonclient.grpc", reason="in the test group")
    client = triton.InferenceServerClient(f"127.0.0.1:{stack.grpc_port}")
    text = triton.InferInput("text", [1], "BYTES")
    text.set_data_from_numpy(np.array([LONG], dtype=object))
    answer = client.infer("embedding", [text])
    assert CUT.fullmatch(answer.get_response().parameters["warning"].string_param)
    with pytest.raises(Exception, match=REFUSED.pattern):
        client.infer("embedding", [text], parameters={"truncate": False})
    client.close()


def test_our_client(stack: Stack) -> None:
    with Client(stack.url) as client:
        output = client.infer("embedding", EmbeddingInput(texts=[SHORT, LONG]))
    assert isinstance(output, EmbeddingOutput)
    assert CUT.search(output.warning)


def test_hugging_face(http: httpx.Client) -> None:
    told = http.post("/models/embedding", json={"inputs": LONG})
    assert CUT.fullmatch(told.headers["wherry-warning"])
    assert "wherry-warning" not in http.post("/models/embedding", json={"inputs": SHORT}).headers
    for field in ({"truncate": False}, {"parameters": {"truncation": "do_not_truncate"}}):
        refused = http.post("/models/embedding", json={"inputs": LONG, **field})
        assert refused.status_code == 400
        assert REFUSED.search(str(refused.json()["error"]))


def test_openai_refuses_as_openai_does(http: httpx.Client) -> None:
    asks = {"model": "embedding", "input": [SHORT, LONG]}
    refused = http.post("/v1/embeddings", json=asks)
    assert refused.status_code == 400
    assert REFUSED.search(refused.json()["error"]["message"])
    told = http.post("/v1/embeddings", json={**asks, "truncate": True})
    assert told.status_code == 200
    assert CUT.search(told.headers["wherry-warning"])


def test_instill(http: httpx.Client) -> None:
    def trigger(truncate: str) -> httpx.Response:
        data = {"embeddings": [{"type": "text", "text": LONG}]}
        entry = {"data": data, "parameter": {"truncate": truncate}}
        path = "/v1alpha/namespaces/me/models/embedding/trigger"
        return http.post(path, json={"taskInputs": [entry]})

    answers = {end: trigger(end) for end in ("Start", "End")}
    assert all(CUT.fullmatch(a.headers["wherry-warning"]) for a in answers.values())
    vectors = [
        a.json()["taskOutputs"][0]["data"]["embeddings"][0]["vector"] for a in answers.values()
    ]
    assert vectors[0] != pytest.approx(vectors[1], abs=1e-3)
    assert REFUSED.search(trigger("None").text)


def test_an_annotation_run_tells_of_its_rows(stack: Stack, tmp_path: Path) -> None:
    source = tmp_path / "texts.jsonl"
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in (SHORT, LONG, SHORT)))
    with Client(stack.url) as client:
        given = Options(source=str(source), model="embedding", out=tmp_path / "out.jsonl")
        summary = annotate(client, given)
    assert (summary.rows, summary.failed, summary.findings.warned) == (3, 0, 1)
    [(_, warning)] = summary.findings.warnings.items()
    assert CUT.fullmatch(warning)
    assert "Rows answered with a warning: 1." in (summary.report or Path()).read_text()
