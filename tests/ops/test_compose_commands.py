"""compose.yaml's commands, run here word for word; only what they listen on is changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from wherry.client import Client
from wherry.ops.child import Child
from wherry.ops.ports import free_port
from wherry.ops.redis_server import find_binary
from wherry.tasks.text.embedding import EmbeddingInput, EmbeddingOutput

from ..support.models import model
from ..support.waiting import until

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())[
    "services"
]
PATIENCE_S = 60

MODELS = "".join(map(model, ("image-classification", "embedding", "text-to-speech", "tensor")))


class Fleet:
    """The services of compose.yaml as processes. S3 is a folder here."""

    def __init__(self, folder: Path) -> None:
        self.ports = {name: free_port() for name in ("redis", "api", "flower")}
        self.folder, self.lines = folder, list[str]()
        (folder / "models.toml").write_text(MODELS)
        bin_folder = str(Path(sys.executable).parent)
        #: What stands in for each variable that names a place or a secret.
        self.here = {
            "PATH": os.pathsep.join([str(folder), bin_folder, os.environ["PATH"]]),
            "HOSTNAME": os.uname().nodename,
            "WHERRY_REDIS_URL": f"redis://127.0.0.1:{self.ports['redis']}/0",
            "WHERRY_MODELS": str(folder / "models.toml"),
            "WHERRY_STORE_URL": str(folder / "blobs"),
            "WHERRY_API_URL": f"http://127.0.0.1:{self.ports['api']}",
            "WHERRY_RUN_DIR": str(folder / "runs"),
            "WHERRY_METRICS_HOST": "127.0.0.1",
            "WHERRY_METRICS_PORT": "auto",
            "UVICORN_HOST": "127.0.0.1",
            "UVICORN_PORT": str(self.ports["api"]),
            "FLOWER_ADDRESS": "127.0.0.1",
            "FLOWER_PORT": str(self.ports["flower"]),
            "FLOWER_BASIC_AUTH": "me:secret",
        }

    def run(self, name: str, *more: str) -> Child:
        """Start a service by its command."""
        program, *arguments = (word.replace("$$", "$") for word in SERVICES[name]["command"])
        found = shutil.which(program, path=self.here["PATH"])
        assert found is not None, program
        child = Child(
            name,
            [found, *arguments, *more],
            env=self.environment(name),
            on_line=lambda line: self.lines.append(f"{name}: {line}"),
        )
        child.start()
        return child

    def environment(self, name: str) -> dict[str, str]:
        """A service's, with what stands in for places; each container has a /tmp of its own."""
        given: dict[str, str] = SERVICES[name].get("environment", {})
        own = {"WHERRY_HEALTH_FILE": str(self.folder / f"{name}-health")}
        return {**os.environ, **given, **self.here, **own}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path_factory.mktemp("compose"))
    (fleet.folder / "valkey-server").symlink_to(find_binary())
    with ExitStack() as stack:
        redis = fleet.run("redis", "--port", str(fleet.ports["redis"]), "--dir", str(fleet.folder))
        stack.callback(redis.stop)
        for name in ("flower", "worker", "worker-runs", "api"):
            stack.callback(fleet.run(name).stop)
        wait_for(fleet, f"http://127.0.0.1:{fleet.ports['api']}/v2/health/ready")
        yield fleet


def wait_for(fleet: Fleet, url: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        assert time.monotonic() < deadline, "\n".join(fleet.lines)
        time.sleep(0.1)


def test_the_fleet_answers(fleet: Fleet) -> None:
    with Client(f"http://127.0.0.1:{fleet.ports['api']}") as client:
        job = client.submit("embedding", EmbeddingInput(texts=["one", "two"]))
        answer = client.result(job.id, timeout_s=PATIENCE_S)
    assert isinstance(answer, EmbeddingOutput)
    assert len(answer.embeddings) == 2


def test_a_data_set_is_sent_annotated_and_fetched(fleet: Fleet, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text\none\ntwo\nthree\n")
    with Client(f"http://127.0.0.1:{fleet.ports['api']}") as client:
        source = client.runs.upload(tmp_path / "rows.csv")["source"]
        run = client.runs.start(source, model="embedding")
        run = client.runs.wait(run.id, timeout_s=PATIENCE_S)
        assert (run.state, run.rows.answered) == ("succeeded", 3), run.error
        out = client.runs.fetch(run.id, tmp_path / "vectors.jsonl")
    assert len(out.read_text().splitlines()) == 3


def test_flower_wants_its_password(fleet: Fleet) -> None:
    url = f"http://127.0.0.1:{fleet.ports['flower']}"
    wait_for(fleet, f"{url}/healthcheck")
    assert httpx.get(f"{url}/workers").status_code == 401
    assert httpx.get(f"{url}/workers", auth=("me", "secret")).status_code == 200


@pytest.mark.parametrize("name", ["api", "flower", "worker", "worker-runs"])
def test_a_services_health_check_finds_it(fleet: Fleet, name: str) -> None:
    status, said = check(fleet, name)
    assert status == 0, said


@pytest.mark.slow
def test_a_workers_check_fails_when_it_is_gone(fleet: Fleet) -> None:
    extra = fleet.run("worker-vision")
    until(lambda: check(fleet, "worker-vision"), lambda told: told == (0, "ready"), PATIENCE_S)
    extra.stop()
    assert check(fleet, "worker-vision")[0] == 1


def check(fleet: Fleet, name: str) -> tuple[int, str]:
    """A health check as it is written; its port is this fleet's."""
    kind, program, *arguments = SERVICES[name]["healthcheck"]["test"]
    assert kind == "CMD"
    ports = {"8750": str(fleet.ports["api"]), "5555": str(fleet.ports["flower"])}
    words = list(arguments)
    for port, ours in ports.items():
        words = [word.replace(port, ours) for word in words]
    found = shutil.which(program, path=fleet.here["PATH"])
    assert found is not None
    done = subprocess.run(
        [found, *words],
        env=fleet.environment(name),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_S,
    )
    return done.returncode, done.stdout.strip()
