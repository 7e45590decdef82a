"""Runs in an environment of nvidia-pytriton: `oip_pytriton_client.py URL GRPC DIR`."""

# mypy: ignore-errors
# What it imports is in its own environment.

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
from oip_shared import GRPC, HTTP, TEXTS, call, main, tensors
from pytriton.client import (
    AsyncioDecoupledModelClient,
    AsyncioModelClient,
    DecoupledModelClient,
    FuturesModelClient,
    ModelClient,
)

OVER = {"http": f"http://{HTTP}", "grpc": f"grpc://{GRPC}"}
BATCH = np.array([[1, 2, 4], [3, 0, 1]], np.float32)
ENCODED = np.array([text.encode() for text in TEXTS], object)
PROMPTS = np.array([b"The boat", b"One two"], object)


def read(answer: dict[str, Any], *names: str) -> dict[str, Any]:
    return tensors({name: np.asarray(answer[name]) for name in names})


def infer_batch(over: str) -> Any:
    with ModelClient(OVER[over], "tensor") as client:
        return read(client.infer_batch(BATCH), "double", "sum")


def infer_batch_of_texts(over: str) -> Any:
    with ModelClient(OVER[over], "embedding") as client:
        return read(client.infer_batch(text=ENCODED), "embedding")


def infer_sample(over: str) -> Any:
    with ModelClient(OVER[over], "tensor") as client:
        return read(client.infer_sample(BATCH[0]), "double", "sum")


def model_config(over: str) -> Any:
    with ModelClient(OVER[over], "tensor") as client:
        told = client.model_config
        return [client.is_batching_supported, told.max_batch_size, told.decoupled]


async def many(over: str) -> Any:
    async with AsyncioModelClient(OVER[over], "tensor") as client:
        asked = (client.infer_batch(BATCH + number) for number in range(24))
        return [answer["sum"].tolist() for answer in await asyncio.gather(*asked)]


for _over in OVER:
    for _name, _function in (
        ("ModelClient.infer_batch", infer_batch),
        ("ModelClient.infer_batch, texts", infer_batch_of_texts),
        ("ModelClient.infer_sample", infer_sample),
        ("ModelClient.model_config", model_config),
        ("AsyncioModelClient.infer_batch", many),
    ):
        call(f"{_over}: {_name}")(lambda function=_function, over=_over: function(over))


@call("http: FuturesModelClient.infer_batch")
def _() -> Any:
    with FuturesModelClient(OVER["http"], "tensor", max_workers=8) as client:
        waiting = [client.infer_batch(BATCH + number) for number in range(24)]
        return [future.result()["sum"].tolist() for future in waiting]


@call("grpc: DecoupledModelClient.infer_batch")
def _() -> Any:
    with DecoupledModelClient(OVER["grpc"], "text-generation") as client:
        return [read(answer, "text") for answer in client.infer_batch(PROMPTS)]


@call("grpc: AsyncioDecoupledModelClient.infer_batch")
async def _() -> Any:
    async with AsyncioDecoupledModelClient(OVER["grpc"], "text-generation") as client:
        return [read(answer, "text") async for answer in client.infer_batch(PROMPTS)]


main()
