"""Each server that this project is held against: its package, how it starts, how it is asked.

Their packages lie in environments of their own under `.wherry/bench-peers`, which see this
project's: torch is installed once.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from wherry.ops.redis_server import RedisServer, free_port

from ..load import Request
from .workloads import BATCH, WAIT_S

_FOLDER = Path(".wherry/bench-peers").absolute()
_ROOT = Path(__file__).parents[2]

#: Seconds until a server must have answered once, its model loaded, and until it is installed.
_PATIENCE_S, _INSTALLED_S = 120, 600

#: Lies in an environment that is installed to its end.
_WHOLE = "whole"

#: The variable by which a server's processes are known, however they were started.
_MARK = "BENCH_PEER"


@dataclass(frozen=True, slots=True)
class Peer:
    """A server of another project."""

    name: str
    package: str
    #: How it starts, given a port and a folder of its own.
    command: Callable[[int, Path], Sequence[str]]
    #: A row as it wants to be asked.
    request: Callable[[bytes], Request]

    @property
    def python(self) -> Path:
        """Its environment's; ours for what needs no other."""
        if not self.package:
            return Path(sys.executable)
        return _FOLDER / self.name / "bin" / "python"

    def install(self) -> None:
        """Make its environment, where there is none. Raises RuntimeError where that fails."""
        if not self.package or (_FOLDER / self.name / _WHOLE).exists():
            return
        shutil.rmtree(_FOLDER / self.name, ignore_errors=True)  # half of one
        _done([sys.executable, "-m", "venv", str(_FOLDER / self.name)])
        _done([str(self.python), "-m", "pip", "install", "--quiet", self.package])
        packages = next((_FOLDER / self.name / "lib").iterdir()) / "site-packages"
        ours = (_ROOT, _ROOT / "src", *_site_packages())
        (packages / "project.pth").write_text("".join(f"{path}\n" for path in ours))
        (_FOLDER / self.name / _WHOLE).touch()

    @contextlib.contextmanager
    def serving(self, folder: Path, workload: str, model: str, row: bytes) -> Iterator[Served]:
        """The server, once it answers a row."""
        port, own, mark = free_port(), folder / f"{self.name}-{workload}", uuid.uuid4().hex
        own.mkdir(exist_ok=True)
        env = {
            **os.environ,
            "WORKLOAD": workload,
            "MODEL": model,
            "PORT": str(port),
            "OMP_NUM_THREADS": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "DO_NOT_TRACK": "1",
            "BENTOML_DO_NOT_TRACK": "1",
            _MARK: mark,
        }
        with contextlib.ExitStack() as stack:
            if self.name == "celery":
                env["PLAIN_REDIS_URL"] = stack.enter_context(RedisServer(own / "redis")).url
            log = stack.enter_context((own / "log.txt").open("w"))
            process = subprocess.Popen(
                [str(self.python), *self.command(port, own)],
                env=env,
                cwd=_ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                served = Served(f"http://127.0.0.1:{port}", process, own / "log.txt")
                served.wait_until_answers(self.request(row))
                yield served
            finally:
                _end(process, mark)


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def wait_until_answers(self, request: Request) -> None:
        """Ask until it answers. Raises RuntimeError with the end of its log."""
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(httpx.HTTPError):
                if self.asked(request).status_code == 200:
                    return
            time.sleep(0.2)
        raise RuntimeError(f"{self.url} does not answer:\n{self.log.read_text()[-2000:]}")

    def asked(self, request: Request) -> httpx.Response:
        """One answer."""
        url = f"{self.url}{request.path}"
        return httpx.post(url, content=request.body, headers=dict(request.headers), timeout=60)


def _done(command: Sequence[str]) -> None:
    """Run a command. Raises RuntimeError with the end of what it printed where it fails."""
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_INSTALLED_S)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"not installed after {_INSTALLED_S} s") from None
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"not installed: {error.stderr[-500:].strip()}") from None


def _end(process: subprocess.Popen[bytes], mark: str) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with contextlib.suppress(ProcessLookupError):  # what it started, and did not end
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pid in _marked(mark):  # in sessions of their own
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _marked(mark: str) -> list[int]:
    """The processes that were started with a mark, by whomever: it is inherited."""
    found, wanted = [], f"{_MARK}={mark}".encode()
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile, or is somebody else's
            if wanted in (path / "environ").read_bytes().split(b"\0"):
                found.append(int(path.name))
    return found


def _site_packages() -> list[Path]:
    """Where this environment's packages are, links included."""
    return [Path(sysconfig.get_path("purelib")), *map(Path, sys.path[1:])]


_JSON = (("Content-Type", "application/json"),)


def _json(path: str, made: Mapping[str, object]) -> Request:
    return Request(path, json.dumps(made).encode(), _JSON)


def _base64(body: bytes) -> str:
    return base64.b64encode(body).decode()


def _oip(body: bytes) -> Request:
    tensor = {"name": "body", "shape": [1, 1], "datatype": "BYTES", "data": [_base64(body)]}
    return _json("/v2/models/peer/infer", {"inputs": [tensor]})


def _mlserver(port: int, folder: Path) -> Sequence[str]:
    settings = {
        "http_port": port,
        "grpc_port": free_port(),
        "metrics_port": free_port(),
        "host": "127.0.0.1",
        "parallel_workers": 0,
        "debug": False,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    batch = BATCH[folder.name.partition("-")[2]]
    model = {
        "name": "peer",
        "implementation": "bench.peers.mlserver_model.Model",
        "max_batch_size": batch,
        "max_batch_time": WAIT_S,
    }
    (folder / "model-settings.json").write_text(json.dumps(model))
    return ["-c", "from mlserver.cli import main; main()", "start", str(folder)]


def _module(name: str) -> Sequence[str]:
    return ["-m", f"bench.peers.{name}"]


PEERS = (
    Peer(
        "mosec",
        "mosec==0.9.8",
        lambda port, _: [*_module("mosec_server"), "--port", str(port), "--timeout", "60000"],
        lambda body: Request("/inference", body),
    ),
    Peer(
        "litserve",
        "litserve==0.2.19",
        lambda _, __: _module("litserve_server"),
        lambda body: _json("/predict", {"body": _base64(body)}),
    ),
    Peer("mlserver", "mlserver==1.7.1", _mlserver, _oip),
    Peer(
        "bentoml",
        "bentoml==1.4.40",
        lambda port, _: [
            *("-m", "bentoml", "serve", "bench.peers.bentoml_service:Service"),
            *("--host", "127.0.0.1", "--port", str(port)),
        ],
        lambda body: _json("/infer", {"rows": [_base64(body)]}),
    ),
    Peer(
        "ray",
        "ray[serve]==2.60.0",
        lambda _, __: _module("ray_server"),
        lambda body: Request("/infer", body),
    ),
    Peer(
        "celery",
        "",
        lambda port, _: [*_module("plain_server"), str(port)],
        lambda body: Request("/infer", body),
    ),
)
