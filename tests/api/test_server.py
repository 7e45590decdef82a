"""The API's server: uvicorn's, which sleeps."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest

from wherry.ops.ports import free_port
from wherry.ops.services import api_command

from ..support.waiting import until

APP = """
def make():
    async def app(scope, receive, send):
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"here"})
    return app
"""

Serve = Callable[..., tuple["subprocess.Popen[str]", str]]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts the server with an app that says that it is there. Answers process and URL."""
    (tmp_path / "there.py").write_text(APP)
    processes = []

    def start(*options: str) -> tuple[subprocess.Popen[str], str]:
        port = free_port()
        command = api_command(port)
        command[command.index("--app-dir") + 1] = str(tmp_path)
        command[command.index("--factory") + 1] = "there:make"
        process = subprocess.Popen([*command, "--lifespan", "off", *options], text=True)
        processes.append(process)
        return process, f"http://127.0.0.1:{port}"

    yield start
    for process in processes:
        process.kill()
        process.wait()


def answer(url: str) -> httpx.Response | None:
    try:
        return httpx.get(url)
    except httpx.TransportError:
        return None


def when(url: str) -> float:
    return parsedate_to_datetime(httpx.get(url).headers["date"]).timestamp()


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_it_says_the_date_rests_and_ends_by_a_signal(serve: Serve, loop: str) -> None:
    process, url = serve("--loop", loop, "--header", "x-more:yes")
    response = until(lambda: answer(url))
    assert response is not None
    assert (response.headers["x-more"], response.headers["server"]) == ("yes", "uvicorn")
    began = time.time()
    first = when(url)
    assert int(began) <= first <= time.time()
    until(lambda: when(url), lambda date: date > first)  # it goes on, tick or no tick
    if sys.platform == "linux":
        before = wakes(process.pid)
        time.sleep(0.6)
        assert wakes(process.pid) - before < 4, "uvicorn's own wakes six times"
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == -signal.SIGTERM  # as uvicorn ends


def test_what_needs_a_clock_has_one(serve: Serve) -> None:
    process, url = serve("--limit-max-requests", "1", "--no-date-header")
    response = until(lambda: answer(url))
    assert response is not None
    assert "date" not in response.headers
    assert process.wait(10) == 0


def wakes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, flags=re.MULTILINE)
    assert found is not None
    return int(found[1])
