"""A real Prometheus that scrapes a fleet each second."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from wherry.ops.ports import free_port

from .waiting import until

FILES = Path(__file__).parents[2] / "ops" / "prometheus"


class Prometheus:
    """Asks a server that runs."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=30)

    def query(self, asked: str) -> list[dict[str, Any]]:
        """The series that a query finds now. Raises AssertionError for one that cannot be read."""
        answer = self._http.get("/api/v1/query", params={"query": asked}).json()
        assert answer["status"] == "success", (asked, answer)
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def targets(self) -> dict[str, str]:
        """The pages that are scraped, and how they are."""
        answer = self._http.get("/api/v1/targets").json()
        return {each["scrapeUrl"]: each["health"] for each in answer["data"]["activeTargets"]}

    def is_ready(self) -> bool:
        try:
            return self._http.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def close(self) -> None:
        self._http.close()


@contextmanager
def scraping(folder: Path, api_url: str) -> Iterator[Prometheus]:
    """Prometheus with our own configuration: but for the API's address, and each second."""
    folder.mkdir()
    told: Any = yaml.safe_load((FILES / "prometheus.yml").read_text())
    told["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    told["rule_files"] = [str(FILES / name) for name in told["rule_files"]]
    text = yaml.safe_dump(told).replace("api:8750", api_url.removeprefix("http://"))
    text = text.replace("refresh_interval: 30s", "refresh_interval: 1s")
    (folder / "prometheus.yml").write_text(text)
    port = free_port()
    command = [
        str(shutil.which("prometheus")),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        asks = Prometheus(f"http://127.0.0.1:{port}")
        try:
            until(lambda: process.poll() is not None or asks.is_ready())
            assert process.poll() is None, (folder / "log").read_text()[-3000:]
            yield asks
        finally:
            asks.close()
            process.terminate()
            process.wait()


def filled(asked: str, values: Mapping[str, str]) -> str:
    """A dashboard's query as Grafana sends it."""
    for name, value in {"$__rate_interval": "30s", **values}.items():
        asked = asked.replace(name, value)
    return asked
