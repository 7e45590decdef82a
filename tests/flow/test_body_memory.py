"""A large body takes no more than twice its size in the API's process while it becomes a job."""

from __future__ import annotations

import base64
import json
import os
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from wherry.ops.ports import free_port
from wherry.ops.services import api_command

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads Linux' /proc"),
]

MODELS = '[[models]]\nname = "images"\ntask = "image-classification"\nbackend = "stub"\n'
FILE = os.urandom(24 << 20)

#: What a request costs besides: buffers of the socket and of the allocator.
SLACK = 4 << 20


class Api:
    """A process of its own, so that nothing else is measured."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        (folder / "models.toml").write_text(MODELS)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/v2/models/images/jobs"
        settings = {
            "WHERRY_REDIS_URL": redis_url,
            "WHERRY_MODELS": str(folder / "models.toml"),
            "WHERRY_STORE_DIR": str(folder / "blobs"),
        }
        self.process = subprocess.Popen(api_command(port), env={**os.environ, **settings})
        deadline = time.monotonic() + 60
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/v2/health/live").raise_for_status()
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

    def peak(self, body: bytes, headers: dict[str, str]) -> int:
        """Bytes that the process grew by at most, while it took a body."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")  # forgets the peak so far
        before = self.status("VmRSS")
        answer = httpx.post(self.url, content=body, headers=headers, timeout=60)
        assert answer.status_code == 202, answer.text
        return self.status("VmHWM") - before


@pytest.fixture
def api(tmp_path: Path, redis_url: str) -> Iterator[Api]:
    api = Api(tmp_path, redis_url)
    yield api
    api.process.terminate()
    api.process.wait(30)


def as_json(file: bytes) -> tuple[bytes, dict[str, str]]:
    data = [base64.b64encode(file).decode()]
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": data}
    return json.dumps({"inputs": [tensor]}).encode(), {"content-type": "application/json"}


def as_binary(file: bytes) -> tuple[bytes, dict[str, str]]:
    sized = {"binary_data_size": len(file) + 4}
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "parameters": sized}
    header = json.dumps({"inputs": [tensor]}).encode()
    headers = {"inference-header-content-length": str(len(header))}
    return header + struct.pack("<I", len(file)) + file, headers


@pytest.mark.parametrize("form", [as_json, as_binary])
def test_a_body_is_in_memory_twice_at_most(api: Api, form: object) -> None:
    assert callable(form)
    api.peak(*form(b"small"))  # what the first request of all loads
    body, headers = form(FILE)
    assert api.peak(body, headers) <= 2 * len(body) + SLACK
