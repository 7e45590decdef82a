"""One trace from a client to a webhook's receiver, through real processes and a real receiver."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from wherry.ops.stack import Stack

from ..support.holding import held
from ..support.models import model
from ..support.otlp import OtlpReceiver, Span
from ..support.receiver import Receiver, status
from ..support.waiting import until

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


def traceparent(trace_id: str = TRACE, *, sampled: bool = True) -> dict[str, str]:
    return {"traceparent": f"00-{trace_id}-{PARENT}-0{int(sampled)}"}


@pytest.fixture(scope="module")
def collector() -> Iterator[OtlpReceiver]:
    receiver = OtlpReceiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, collector: OtlpReceiver) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("traced")
    hold = str(folder / "hold")
    models = model("embedding", max_batch_size=8) + model(
        "slow", "image-classification", max_batch_size=8, hold=hold
    )
    (folder / "models.toml").write_text(models)
    env = {
        **collector.env,
        "WHERRY_WEBHOOK_HOSTS": "127.0.0.1:*",
        "WHERRY_WEBHOOK_SCHEMES": "http",
        "WHERRY_OUTBOUND_NETWORKS": "127.0.0.1/32",
        "WHERRY_LEASE_TTL_S": "5",
    }
    with Stack(
        models=folder / "models.toml", data_dir=folder, flower=False, grpc_port=0, env=env
    ) as stack:
        yield stack


def submit(fleet: Stack, job_id: str, headers: dict[str, str], model: str = "embedding") -> None:
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["hi"]}
    answer = httpx.post(
        f"{fleet.url}/v2/models/{model}/jobs",
        json={"id": job_id, "inputs": [tensor]},
        headers=headers,
    )
    assert answer.status_code == 202, answer.text


def test_first(fleet: Stack, collector: OtlpReceiver) -> None:
    submit(fleet, "a", traceparent())
    spans = collector.until(lambda spans: [s for s in spans if s.name.startswith("process")])
    for s in collector.until(lambda spans: len(spans) > 8 or [s for s in spans if s.name.startswith("batch")]):
        print(s)
