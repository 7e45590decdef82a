"""A shaky endpoint that is started again whenever it has died."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Self

from wherry.ops.redis_server import free_port

_SCRIPT = Path(__file__).with_name("shaky_endpoint.py")


class Flaky:
    """Lives once for each entry of `lives`: the number of answers after which it dies, 0 for never.

    It is gone for `gone_s` between two lives.
    """

    def __init__(self, folder: Path, lives: list[int], *, busy_every: int, gone_s: float) -> None:
        self.port, self._log = free_port(), folder / "answered.jsonl"
        self._log.touch()
        self._lives, self._busy_every, self._gone_s = lives, busy_every, gone_s
        self.deaths = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def answered(self) -> list[str]:
        """The prompts that were answered, each as often as that."""
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._process is not None:
            self._process.kill()
        self._thread.join()

    def _live(self) -> None:
        for dies_after in self._lives:
            numbers = (self.port, self._log, self._busy_every, dies_after)
            self._process = subprocess.Popen([sys.executable, _SCRIPT, *map(str, numbers)])
            while self._process.poll() is None and not self._over.is_set():
                time.sleep(0.05)
            if self._over.is_set():
                self._process.kill()
                self._process.wait()
                return
            self.deaths += 1
            self._over.wait(self._gone_s)
