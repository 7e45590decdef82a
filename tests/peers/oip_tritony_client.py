"""Runs in an environment of tritony: `oip_tritony_client.py URL GRPC DIR`."""

# mypy: ignore-errors
# What it imports is in its own environment.

from __future__ import annotations

from typing import Any

import numpy as np
from oip_shared import GRPC, HTTP, call, main
from tritony import InferenceClient

BATCH = np.arange(60, dtype=np.float32).reshape(20, 3)


def infer(protocol: str, address: str) -> Any:
    client = InferenceClient.create_with("tensor", address, input_dims=2, protocol=protocol)
    double, total = client(BATCH)
    return {"double": double.tolist(), "sum": total.tolist()}


@call("http: InferenceClient, more rows than a batch")
def _() -> Any:
    return infer("http", HTTP)


@call("grpc: InferenceClient, more rows than a batch")
def _() -> Any:
    return infer("grpc", GRPC)


main()
