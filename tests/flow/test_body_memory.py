"""A large body takes no more than twice its size in the API's process while it becomes a job."""

from __future__ import annotations

import os
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from wherry.ops.ports import free_port
from wherry.ops.services import api_command

from ..support.models import model
from .body_forms import SURFACES, TASKS, UPLOAD, WIDE, Surface

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads Linux' /proc"),
]

FILE = os.urandom(24 << 20)

#: What a request costs besides: buffers of the socket and of the allocator.
SLACK = 4 << 20

#: Answers of a fleet without workers: taken, or given up at the deadline.
TAKEN = (200, 202, 503, 504)


class Api:
    """A process of its own, so that nothing else is measured."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        (folder / "models.toml").write_text("".join(map(model, TASKS)))
        port, self.grpc_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{port}"
        settings = {
            "WHERRY_REDIS_URL": redis_url,
            "WHERRY_MODELS": str(folder / "models.toml"),
            "WHERRY_STORE_DIR": str(folder / "blobs"),
            "WHERRY_INFER_TIMEOUT_S": "1",
            "WHERRY_GRPC_PORT": str(self.grpc_port),
        }
        self.process = subprocess.Popen(api_command(port), env={**os.environ, **settings})
        deadline = time.monotonic() + 60
        while True:
            try:
                httpx.get(f"{self.url}/v2/health/live").raise_for_status()
            except httpx.HTTPError:
                assert time.monotonic() < deadline, "the API does not start"
                time.sleep(0.1)
            else:
                return

    def status(self, field: str) -> int:
        """A size of the process, in bytes."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        (found,) = (line for line in lines if line.startswith(f"{field}:"))
        return int(found.split()[1]) * 1024

    def peak(self, send: Callable[..., None], *request: object) -> int:
        """Bytes that the process grew by at most, while it took a request."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")  # forgets the peak so far
        before = self.status("VmRSS")
        send(*request)
        return self.status("VmHWM") - before

    def times(self, surface: Surface) -> float:
        """How often a large body was in memory at most, less the slack."""
        for file in (b"small", FILE):  # the first request of all loads much
            body, headers = surface.form(file)
            grown = self.peak(self.post, surface.path, body, headers)
        return (grown - SLACK) / len(body)

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> None:
        """Send a request that is taken."""
        answer = httpx.post(self.url + path, content=body, headers=headers, timeout=60)
        assert answer.status_code in TAKEN, answer.text


@pytest.fixture
def api(tmp_path: Path, redis_url: str) -> Iterator[Api]:
    api = Api(tmp_path, redis_url)
    yield api
    api.process.terminate()
    api.process.wait(30)


@pytest.mark.parametrize("name", SURFACES)
def test_a_body_is_in_memory_twice_at_most(api: Api, name: str) -> None:
    assert api.times(SURFACES[name]) <= 2


def test_a_file_for_batches_is_never_whole_in_memory(api: Api) -> None:
    assert api.times(UPLOAD) <= 0.5


@pytest.mark.parametrize(("name", "times"), [("two bytes", 3), ("four bytes", 5)])
def test_wide_text_takes_what_python_gives_a_character(api: Api, name: str, times: int) -> None:
    assert api.times(WIDE[name]) <= times


def raw(message: Any, file: bytes) -> None:
    message.raw_input_contents.append(struct.pack("<I", len(file)) + file)


def typed(message: Any, file: bytes) -> None:
    message.inputs[0].contents.bytes_contents.append(file)


@pytest.mark.parametrize("put", [raw, typed])
def test_grpc_takes_four_times_the_message(api: Api, put: Callable[[Any, bytes], None]) -> None:
    """gRPC's own server takes three."""
    grpc = pytest.importorskip("grpc", reason="an extra")
    from wherry.tasks.oip_grpc.messages import MESSAGES

    def send(body: bytes) -> None:
        options = [("grpc.max_send_message_length", -1)]
        with grpc.insecure_channel(f"127.0.0.1:{api.grpc_port}", options=options) as channel:
            call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
            with pytest.raises(grpc.RpcError) as refused:
                call(body, timeout=60)
            assert refused.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED

    for file in (b"small", FILE):
        message = MESSAGES["ModelInferRequest"](model_name="image-classification")
        message.inputs.add(name="image", datatype="BYTES", shape=[1])
        put(message, file)
        body = message.SerializeToString()
        grown = api.peak(send, body)
    assert grown <= 4 * len(body) + SLACK
