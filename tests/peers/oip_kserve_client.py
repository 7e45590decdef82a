"""Runs in an environment of kserve: `oip_kserve_client.py URL GRPC DIR`."""

# mypy: ignore-errors
# What it imports is in its own environment.

from __future__ import annotations

import asyncio
import logging
from typing import Any

import httpx
import numpy as np
from grpc.aio import AioRpcError
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput
from oip_shared import GRPC, HTTP, IMAGE, TEXTS, call, main, tensors

logging.disable()
URL = f"http://{HTTP}"


def over_http() -> InferenceRESTClient:
    return InferenceRESTClient(RESTConfig(protocol="v2", timeout=120))


def text(*texts: str, binary: bool | None) -> InferInput:
    """As numpy, in binary or not; as a plain list for None."""
    if binary is None:
        return InferInput("text", [len(texts)], "BYTES", data=list(texts))
    made = InferInput("text", [len(texts)], "BYTES")
    made.set_data_from_numpy(np.array(texts, dtype=object), binary_data=binary)
    return made


def image() -> InferInput:
    made = InferInput("image", [1], "BYTES")
    made.set_data_from_numpy(np.array([IMAGE], dtype=object), binary_data=True)
    return made


def asked(model: str, *inputs: InferInput, **options: Any) -> InferRequest:
    return InferRequest(model, list(inputs), **options)


def read(answer: Any) -> dict[str, Any]:
    return tensors({output.name: output.as_numpy() for output in answer.outputs})


async def infer_http(request: Any, model: str = "embedding") -> dict[str, Any]:
    return read(await over_http().infer(URL, request, model_name=model))


async def infer_grpc(request: InferRequest) -> dict[str, Any]:
    async with InferenceGRPCClient(GRPC, timeout=120) as client:
        return read(await client.infer(request))


@call("InferenceRESTClient: is_server_live, is_server_ready, is_model_ready")
async def _() -> Any:
    client = over_http()
    return [
        await client.is_server_live(URL),
        await client.is_server_ready(URL),
        await client.is_model_ready(URL, "embedding"),
    ]


@call("InferenceRESTClient.infer: numpy, binary")
async def _() -> Any:
    return await infer_http(asked("embedding", text(*TEXTS, binary=True)))


@call("InferenceRESTClient.infer: numpy, JSON")
async def _() -> Any:
    return await infer_http(asked("embedding", text(*TEXTS, binary=False)))


@call("InferenceRESTClient.infer: a list")
async def _() -> Any:
    return await infer_http(asked("embedding", text(*TEXTS, binary=None)))


@call("InferenceRESTClient.infer: a dict")
async def _() -> Any:
    tensor = {"name": "text", "shape": [len(TEXTS)], "datatype": "BYTES", "data": TEXTS}
    return await infer_http({"inputs": [tensor]})


@call("InferenceRESTClient.infer: binary answers")
async def _() -> Any:
    wanted = {"binary_data_output": True}
    return await infer_http(asked("embedding", text(*TEXTS, binary=True), parameters=wanted))


@call("InferenceRESTClient.infer: an image, outputs chosen, an id")
async def _() -> Any:
    wanted = [RequestedOutput("score"), RequestedOutput("label", {"binary_data": True})]
    request = asked("image-classification", image(), request_id="r ü 1", request_outputs=wanted)
    answer = await over_http().infer(URL, request, model_name="image-classification")
    return {"id": answer.id, "order": [o.name for o in answer.outputs], **read(answer)}


@call("InferenceRESTClient.infer: parameters")
async def _() -> Any:
    given = {"max_new_tokens": 12}
    request = asked("text-generation", text("The boat", binary=None), parameters=given)
    return await infer_http(request, "text-generation")


@call("InferenceRESTClient.infer: many at once")
async def _() -> Any:
    client = over_http()
    answers = await asyncio.gather(
        *(
            client.infer(
                URL, asked("embedding", text(f"text {n}", binary=True)), model_name="embedding"
            )
            for n in range(24)
        )
    )
    return [[str(n), read(answer)["embedding"][0]] for n, answer in enumerate(answers)]


@call("InferenceRESTClient: errors")
async def _() -> Any:
    seen = []
    for model in ("nope", "image-classification"):
        try:
            await infer_http(asked(model, text("a", binary=True)), model)
        except httpx.HTTPStatusError as error:
            seen.append([str(error.response.status_code), str(error)])
    return seen


@call("InferenceGRPCClient: is_server_live, is_server_ready, is_model_ready")
async def _() -> Any:
    async with InferenceGRPCClient(GRPC) as client:
        return [
            await client.is_server_live(),
            await client.is_server_ready(),
            await client.is_model_ready("embedding"),
        ]


@call("InferenceGRPCClient.infer: numpy")
async def _() -> Any:
    return await infer_grpc(asked("embedding", text(*TEXTS, binary=True)))


@call("InferenceGRPCClient.infer: a list")
async def _() -> Any:
    return await infer_grpc(asked("embedding", text(*TEXTS, binary=None)))


@call("InferenceGRPCClient.infer: an image, outputs chosen, an id")
async def _() -> Any:
    wanted = [RequestedOutput("score"), RequestedOutput("label")]
    request = asked("image-classification", image(), request_id="r ü 1", request_outputs=wanted)
    async with InferenceGRPCClient(GRPC, timeout=120) as client:
        answer = await client.infer(request)
    return {"id": answer.id, "order": [o.name for o in answer.outputs], **read(answer)}


@call("InferenceGRPCClient.infer: parameters")
async def _() -> Any:
    given = {"max_new_tokens": 12}
    return await infer_grpc(
        asked("text-generation", text("The boat", binary=None), parameters=given)
    )


@call("InferenceGRPCClient.infer: many at once")
async def _() -> Any:
    async with InferenceGRPCClient(GRPC, timeout=120) as client:
        answers = await asyncio.gather(
            *(client.infer(asked("embedding", text(f"text {n}", binary=True))) for n in range(24))
        )
    return [[str(n), read(answer)["embedding"][0]] for n, answer in enumerate(answers)]


@call("InferenceGRPCClient: errors")
async def _() -> Any:
    seen = []
    for model in ("nope", "image-classification"):
        try:
            await infer_grpc(asked(model, text("a", binary=True)))
        except AioRpcError as error:
            seen.append([str(error.code()), error.details()])
    return seen


main()
