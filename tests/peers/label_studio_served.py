"""A real Label Studio server of the environment that this runs in, for scripts that drive it."""

from __future__ import annotations

import os
import pathlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import requests

TOKEN = "0123456789abcdef" * 2 + "01234567"
HEADERS = {"Authorization": f"Token {TOKEN}"}


@contextmanager
def served(folder: pathlib.Path, **more: str) -> Iterator[str]:
    """Its URL, while it runs with its data in FOLDER/data."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url, data = f"http://127.0.0.1:{port}", folder / "data"
    data.mkdir(exist_ok=True)
    environment = {
        **os.environ,
        "LABEL_STUDIO_BASE_DATA_DIR": str(data),
        # Both servers are on this machine, which it does not allow otherwise.
        "SSRF_PROTECTION_ENABLED": "false",
        "ML_BLOCK_LOCAL_IP": "false",
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        **more,
    }
    command = [
        *(str(pathlib.Path(sys.executable).with_name("label-studio")), "start", "--no-browser"),
        *("--internal-host", "127.0.0.1", "--port", str(port), "--data-dir", str(data)),
        *("--username", "a@example.org", "--password", "nine-words-secret"),
        *("--user-token", TOKEN, "--enable-legacy-api-token"),
    ]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        _wait_until_up(server, url, folder)
        yield url
    finally:
        server.terminate()
        server.wait(20)


def _wait_until_up(server: subprocess.Popen[bytes], url: str, folder: pathlib.Path) -> None:
    deadline = time.monotonic() + 1200  # it makes its tables first, in minutes
    while True:
        try:
            if requests.get(f"{url}/health", timeout=2).ok:
                return
        except requests.RequestException:
            pass
        if server.poll() is not None or time.monotonic() > deadline:
            sys.exit((folder / "server.log").read_text()[-3000:])
        time.sleep(0.5)
