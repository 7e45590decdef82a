"""A stack with models that cannot be loaded: the others are served, or, strictly, nothing is."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis
from rich.console import Console

from wherry.client import Client
from wherry.jobs.call import Queue
from wherry.jobs.group import Group
from wherry.jobs.record import NewJob
from wherry.jobs.settings import JobsSettings
from wherry.jobs.submit import submit
from wherry.ops.services import worker_command
from wherry.ops.stack import Stack, StackError
from wherry.ops.up import serve
from wherry.protocol.errors import ModelFailed
from wherry.tasks.multimodal.custom import CustomInput
from wherry.tasks.text.embedding import EmbeddingInput

from ..support.models import model

pytestmark = pytest.mark.usefixtures("forked_stacks")

GOOD = model("good", "embedding")
BAD = GOOD.replace("good", "bad").replace("stub", "stubb")
PATIENCE_S = 60


@pytest.fixture
def models(tmp_path: Path) -> Path:
    path = tmp_path / "models.toml"
    path.write_text(GOOD + BAD)
    return path


def test_the_others_are_served_and_jobs_that_wait_end_with_the_reason(
    models: Path, tmp_path: Path, redis_url: str
) -> None:
    # Under a prefix of its own: an API of other tests, with another store, may live beside.
    env = {"WHERRY_KEY_PREFIX": "failed"}
    settings = JobsSettings(redis_url=redis_url, key_prefix="failed")
    job = NewJob(
        id="early",
        task="embedding",
        group=Group("text", "bad", "1"),
        payload=b"{}",
        header_length=2,
        fingerprint="f",
    )
    queue = Queue(redis_url)
    queue.run(submit(job, settings))
    with (
        Stack(
            models=models, data_dir=tmp_path, redis_url=redis_url, flower=False, env=env
        ) as stack,
        Client(stack.url) as client,
    ):
        assert list(stack.failed_models) == ["bad"]
        assert "did you mean 'stub'" in stack.failed_models["bad"]
        assert client.infer("good", EmbeddingInput(texts=["a"]))
        with pytest.raises(ModelFailed, match="model 'bad' could not be loaded: backend: unknown"):
            client.infer("bad", EmbeddingInput(texts=["a"]))
        with pytest.raises(ModelFailed):
            list(client.map("bad", [EmbeddingInput(texts=["a"])] * 3))
        source = tmp_path / "texts.jsonl"
        source.write_text('{"text": "a"}\n{"text": "b"}\n')
        with pytest.raises(ModelFailed):  # none of its rows will do better
            client.annotate(source, model="bad", out=tmp_path / "out.jsonl")
        failure = client.wait("early", timeout_s=PATIENCE_S).failure()
        assert isinstance(failure, ModelFailed)
        assert "stubb" in failure.message
        models.write_text(GOOD + BAD.replace("stubb", "stub"))
        loaded = httpx.post(f"{stack.url}/v2/repository/models/bad/load", timeout=PATIENCE_S)
        assert loaded.status_code == 200, loaded.text
        assert client.infer("bad", EmbeddingInput(texts=["a"]))
    queue.close()


def test_a_strict_stack_starts_nothing_and_names_all_faults(models: Path, tmp_path: Path) -> None:
    models.write_text(GOOD + BAD + BAD.replace("bad", "worse"))
    stack = Stack(models=models, data_dir=tmp_path, strict_models=True)
    with pytest.raises(StackError, match=r"model 'bad': (.|\n)*model 'worse': "), stack:
        pass
    assert stack.children == {}


@pytest.fixture
def signals() -> Iterator[None]:
    """`serve` takes SIGINT, SIGTERM and SIGHUP for itself."""
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.slow
def test_up_says_which_models_are_not_there(
    models: Path, tmp_path: Path, signals: None, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = Stack(models=models, data_dir=tmp_path, flower=False)

    class Stopping(Console):
        """A console that stops the stack once it is said to be ready."""

        def print(self, *objects: object, **options: object) -> None:
            super().print(*objects, **options)  # type: ignore[arg-type] # rich's own
            if "Ctrl-C stops" in str(objects[0]):
                stack.halt.set()

    assert serve(stack, Stopping(soft_wrap=True, highlight=False)) == 0
    said = capsys.readouterr().out
    assert "Ready, but for 1 model: bad.  API http" in said
    assert "model 'bad' could not be loaded: backend: unknown backend 'stubb'" in said


def test_up_prints_an_error_as_it_is(
    tmp_path: Path, signals: None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "models.toml"
    path.write_text("models = 1")
    console = Console(soft_wrap=True, highlight=False)
    assert serve(Stack(models=path, data_dir=tmp_path), console) == 1
    assert f"error: {path}: expected [[models]] tables, one a model" in capsys.readouterr().out


@pytest.mark.slow  # three starts of a worker
def test_a_model_that_ends_its_process_is_left_out_the_third_time(tmp_path: Path) -> None:
    handler = tmp_path / "handlers" / "deadly" / "handler.py"
    handler.parent.mkdir(parents=True)
    handler.write_text("import os\nos.kill(os.getpid(), 9)\n")
    path = tmp_path / "models.toml"
    path.write_text(
        model("good", "custom") + model("deadly", "custom", backend="handler", source="deadly")
    )
    env = {"WHERRY_HANDLER_DIR": str(handler.parents[1])}
    with (
        Stack(models=path, data_dir=tmp_path / "data", flower=False, env=env) as stack,
        Client(stack.url) as client,
    ):
        assert stack.worker("multimodal").ends == 2
        assert "died 2 times while it loaded" in stack.failed_models["deadly"]
        assert client.infer("good", CustomInput(data=[{"inputs": 1}]))


def test_a_worker_that_is_stopped_while_it_loads_blames_no_model(
    tmp_path: Path, redis_url: str
) -> None:
    handler = tmp_path / "handlers" / "slow" / "handler.py"
    handler.parent.mkdir(parents=True)
    handler.write_text(
        "import time\nprint('loading', flush=True)\ntime.sleep(600)\nclass EndpointHandler: ...\n"
    )
    path = tmp_path / "models.toml"
    path.write_text(model("slow", "custom", backend="handler", source="slow"))
    env = {
        **os.environ,
        "WHERRY_REDIS_URL": redis_url,
        "WHERRY_MODELS": str(path),
        "WHERRY_HANDLER_DIR": str(handler.parents[1]),
        "WHERRY_STORE_DIR": str(tmp_path / "blobs"),
    }
    command = worker_command("multimodal", 0)
    with (
        subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process,
        redis.Redis.from_url(redis_url, decode_responses=True) as connection,
    ):
        assert process.stdout is not None
        try:
            assert any("loading" in line for line in process.stdout)
            assert len(connection.keys("wherry:loading:*")) == 1
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()
        assert connection.keys("wherry:loading:*") == []
        assert connection.keys("wherry:alive:*") == []
