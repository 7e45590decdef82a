"""Runs in an environment of mlserver: `oip_mlserver_client.py URL GRPC DIR`.

MLServer's clients write requests with its types and codecs and send them as they like; its own
`mlserver infer` and the stubs of its gRPC interface are called too.
"""

# mypy: ignore-errors
# What it imports is in its own environment.

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pandas as pd
from mlserver import types
from mlserver.codecs import (
    Base64Codec,
    NumpyCodec,
    PandasCodec,
    StringCodec,
    StringRequestCodec,
)
from mlserver.grpc import converters
from mlserver.grpc import dataplane_pb2 as pb
from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub
from oip_shared import FOLDER, GRPC, HTTP, IMAGE, TEXTS, call, main, tensors

stub = GRPCInferenceServiceStub(grpc.insecure_channel(GRPC))
QUESTIONS = pd.DataFrame(
    {
        "question": ["Where is the boat?", "Who rows?"],
        "context": ["The boat is on the river.", "A man called Tom rows the boat."],
    },
    dtype=object,  # pandas 3 has a type for strings, which the codec does not know
)


def post(model: str, request: types.InferenceRequest) -> bytes:
    url, body = f"http://{HTTP}/v2/models/{model}/infer", request.model_dump_json().encode()
    with urllib.request.urlopen(urllib.request.Request(url, body)) as answer:
        read: bytes = answer.read()
        return read


def infer(model: str, request: types.InferenceRequest) -> types.InferenceResponse:
    return types.InferenceResponse.model_validate_json(post(model, request))


def infer_grpc(
    model: str, request: types.InferenceRequest, *, raw: bool = False
) -> types.InferenceResponse:
    message = converters.ModelInferRequestConverter.from_types(
        request, model_name=model, use_raw=raw
    )
    return converters.ModelInferResponseConverter.to_types(stub.ModelInfer(message))


def strings(
    name: str, *texts: str, use_bytes: bool = False, **options: Any
) -> types.InferenceRequest:
    tensor = StringCodec.encode_input(name, list(texts), use_bytes=use_bytes)
    return types.InferenceRequest(inputs=[tensor], **options)


def image(*, use_bytes: bool = False) -> types.InferenceRequest:
    tensor = Base64Codec.encode_input("image", [IMAGE], use_bytes=use_bytes)
    return types.InferenceRequest(id="r ü 1", inputs=[tensor])


def arrays(answer: types.InferenceResponse) -> dict[str, Any]:
    return tensors({output.name: array(output) for output in answer.outputs})


def array(output: types.ResponseOutput) -> Any:
    if output.datatype == "BYTES" and isinstance(next(iter(output.data), None), bytes):
        # NumpyCodec takes bytes for strings of one length each, as gRPC's are not.
        return np.array(StringCodec.decode_output(output), dtype=object).reshape(output.shape)
    return NumpyCodec.decode_output(output)


@call("StringCodec, NumpyCodec")
def _() -> Any:
    return arrays(infer("embedding", strings("text", *TEXTS)))


@call("StringRequestCodec, StringCodec")
def _() -> Any:
    request = StringRequestCodec.encode_request(["The boat"], use_bytes=False)
    request.inputs[0].name = "text"
    request.parameters = types.Parameters(content_type="str", max_new_tokens=12)
    [output, *_] = infer("text-generation", request).outputs
    return {output.name: StringCodec.decode_output(output)}


@call("NumpyCodec, an array of strings")
def _() -> Any:
    tensor = NumpyCodec.encode_input("text", np.array(TEXTS))
    return arrays(infer("embedding", types.InferenceRequest(inputs=[tensor])))


@call("Base64Codec, an image in")
def _() -> Any:
    answer = infer("image-classification", image())
    return {"id": answer.id, **arrays(answer)}


@call("Base64Codec, an image out")
def _() -> Any:
    answer = infer("depth-estimation", image())
    found = {output.name: output for output in answer.outputs}["depth"]
    return {"depth": [picture.hex() for picture in Base64Codec.decode_output(found)]}


@call("PandasCodec")
def _() -> Any:
    request = PandasCodec.encode_request(QUESTIONS, use_bytes=False)
    frame = PandasCodec.decode_response(infer("question-answering", request))
    return {name: frame[name].tolist() for name in frame}


def batch(*options: str) -> list[Any]:
    """Run `mlserver infer` over a file of requests, a line each."""
    asked, answered = FOLDER / "requests.jsonl", FOLDER / "answers.jsonl"
    requests = [
        {
            "id": f"id{n}",
            "inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": [f"text {n}"]}],
        }
        for n in range(24)
    ]
    asked.write_text("".join(json.dumps(request) + "\n" for request in requests))
    done = subprocess.run(
        [
            *(Path(sys.executable).with_name("mlserver"), "infer", "-u", HTTP, "-m", "embedding"),
            *("-i", asked, "-o", answered, "-w", "4", *options),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in answered.read_text().splitlines()]
    assert all("outputs" in answer for answer in answers), answers[0]
    answers.sort(key=lambda answer: answer["parameters"]["batch_index"])
    return [
        [str(a["parameters"]["batch_index"]), np.ravel(a["outputs"][0]["data"]).tolist()]
        for a in answers
    ]


@call("mlserver infer")
def _() -> Any:
    return batch()


@call("mlserver infer --batch-size 5")
def _() -> Any:
    return batch("--batch-size", "5")


@call("mlserver infer --binary-data")
def _() -> Any:
    return batch("--binary-data")


@call("gRPC: ServerLive, ServerReady, ModelReady")
def _() -> Any:
    return [
        stub.ServerLive(pb.ServerLiveRequest()).live,
        stub.ServerReady(pb.ServerReadyRequest()).ready,
        stub.ModelReady(pb.ModelReadyRequest(name="embedding")).ready,
    ]


@call("gRPC: ServerMetadata")
def _() -> Any:
    answer = stub.ServerMetadata(pb.ServerMetadataRequest())
    return converters.ServerMetadataResponseConverter.to_types(answer).model_dump(mode="json")


@call("gRPC: ModelMetadata")
def _() -> Any:
    answer = stub.ModelMetadata(pb.ModelMetadataRequest(name="image-classification"))
    return converters.ModelMetadataResponseConverter.to_types(answer).model_dump(mode="json")


@call("gRPC: ModelInfer, StringCodec")
def _() -> Any:
    return arrays(infer_grpc("embedding", strings("text", *TEXTS, use_bytes=True)))


@call("gRPC: ModelInfer, StringCodec, raw")
def _() -> Any:
    return arrays(infer_grpc("embedding", strings("text", *TEXTS, use_bytes=True), raw=True))


@call("gRPC: ModelInfer, Base64Codec, an image in")
def _() -> Any:
    answer = infer_grpc("image-classification", image(use_bytes=True))
    return {"id": answer.id, **arrays(answer)}


@call("gRPC: ModelInfer, Base64Codec, an image in, raw")
def _() -> Any:
    answer = infer_grpc("image-classification", image(use_bytes=True), raw=True)
    return {"id": answer.id, **arrays(answer)}


@call("gRPC: ModelInfer, an image out")
def _() -> Any:
    answer = infer_grpc("image-segmentation", image(use_bytes=True))
    found = {output.name: output for output in answer.outputs}["mask"]
    return tensors({"mask": np.array(list(found.data), dtype=object).reshape(found.shape)})


@call("gRPC: ModelInfer, PandasCodec")
def _() -> Any:
    request = PandasCodec.encode_request(QUESTIONS)
    return arrays(infer_grpc("question-answering", request))


@call("gRPC: RepositoryIndex")
def _() -> Any:
    from mlserver.grpc import model_repository_pb2 as repository

    answer = stub.RepositoryIndex(repository.RepositoryIndexRequest())
    return [{"name": model.name, "state": model.state} for model in answer.models]


@call("errors")
def _() -> Any:
    seen = []
    try:
        post("image-classification", strings("text", "a"))
    except urllib.error.HTTPError as error:
        seen.append([str(error.code), json.load(error)["error"]])
    try:
        infer_grpc("image-classification", strings("text", "a", use_bytes=True))
    except grpc.RpcError as error:
        seen.append([str(error.code()), error.details()])
    return seen


main()
