"""Runs in an environment of triton-model-analyzer: `oip_model_analyzer_client.py URL GRPC DIR`."""

# mypy: ignore-errors
# What it imports is in its own environment.

from __future__ import annotations

from typing import Any

from model_analyzer.triton.client.grpc_client import TritonGRPCClient
from model_analyzer.triton.client.http_client import TritonHTTPClient
from model_analyzer.triton.model.model_config import ModelConfig
from oip_shared import GRPC, HTTP, call, main

CLIENTS = {
    "http": lambda: TritonHTTPClient(HTTP, {}),
    "grpc": lambda: TritonGRPCClient(GRPC, {}),
}


def reads_the_configuration(over: str) -> Any:
    client = CLIENTS[over]()
    client.wait_for_server_ready(num_retries=3, sleep_time=0)
    client.wait_for_model_ready("tensor", num_retries=3)
    config = ModelConfig.create_from_triton_api(client, "tensor", num_retries=3)
    return [config.max_batch_size(), config.is_ensemble(), config.dynamic_batching_string()]


def loads_and_unloads(over: str) -> Any:
    client = CLIENTS[over]()
    return [client.unload_model("embedding"), client.load_model("embedding")]


for _over in CLIENTS:
    for _name, _function in (
        ("remote mode: reads a configuration", reads_the_configuration),
        ("remote mode: unloads and loads a model", loads_and_unloads),
    ):
        call(f"{_over}: {_name}")(lambda function=_function, over=_over: function(over))

main()
