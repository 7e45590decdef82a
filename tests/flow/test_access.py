"""A stack that wants API keys: our own client and commands, and others' clients, get by."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from wherry.api.access.keys import Made, make, toml_entry
from wherry.client import AsyncClient, Client
from wherry.jobs.access_keys import put_key
from wherry.jobs.call import Queue
from wherry.jobs.fleet import groups
from wherry.jobs.settings import JobsSettings
from wherry.ops.stack import Stack
from wherry.protocol import v2
from wherry.protocol.errors import Forbidden, JobNotFound, TenantLimit, Unauthorized
from wherry.tasks.samples import PNG
from wherry.tasks.text.embedding import EmbeddingInput, EmbeddingOutput
from wherry.tasks.vision.image_classification import ImageClassificationInput

from .conftest import MODELS

pytestmark = pytest.mark.slow

ACME = make(tenant="acme", scopes=["submit", "read"])
BETA = make(tenant="beta", scopes=["submit", "read"])
READER = make(tenant="acme", scopes=["read"])


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("keyed")
    models, keys = folder / "models.toml", folder / "keys.toml"
    models.write_text(MODELS.replace("HOLD", str(folder / "hold")))
    keys.write_text("\n".join(toml_entry(made.key) for made in (ACME, BETA, READER)))
    env = {"WHERRY_API_KEYS": str(keys), "WHERRY_INLINE_MAX_BYTES": "1000"}
    with Stack(models=models, data_dir=folder, flower=False, grpc_port=0, env=env) as stack:
        (folder / "hold").touch()
        yield stack
        (folder / "hold").unlink()


def client_of(stack: Stack, made: Made) -> Client:
    return Client(stack.url, api_key=made.token)


def embed(*texts: str) -> EmbeddingInput:
    return EmbeddingInput(texts=list(texts))


def plain(client: Client, job_id: str) -> v2.InferenceResponse:
    response = client.result(job_id, 30, plain=True)
    assert isinstance(response, v2.InferenceResponse)
    return response


def test_the_client_gets_by_with_a_key(keyed: Stack) -> None:
    with client_of(keyed, ACME) as acme, client_of(keyed, BETA) as beta:
        job = acme.submit("embedding", embed("one"), id="one")
        assert job.id == "one"
        response = plain(acme, "one")
        assert response.id == "one"
        with pytest.raises(JobNotFound):
            beta.status("one")
        assert beta.submit("embedding", embed("two"), id="one").id == "one"
        assert plain(beta, "one").outputs != response.outputs
        assert isinstance(acme.infer("embedding", embed("three")), EmbeddingOutput)
        assert len(list(acme.map("embedding", [embed(str(n)) for n in range(50)]))) == 50
        large = acme.submit("embedding", embed("x" * 5000), id="large")  # by way of the store
        assert plain(acme, large.id).id == "large"
    with Client(keyed.url) as nobody, pytest.raises(Unauthorized, match="an API key is needed"):
        nobody.submit("embedding", embed("one"))
    with client_of(keyed, READER) as reader, pytest.raises(Forbidden, match="scope 'submit'"):
        reader.submit("embedding", embed("one"))


def test_the_async_client_gets_by_with_a_key(keyed: Stack) -> None:
    async def ask() -> int:
        async with AsyncClient(keyed.url, api_key=ACME.token) as client:
            return len([one async for one in client.map("embedding", [embed("a"), embed("b")])])

    assert asyncio.run(ask()) == 2


def command(stack: Stack, made: Made | None, *arguments: str, status: int = 0) -> str:
    env = {**os.environ, "WHERRY_URL": stack.url}
    env |= {"WHERRY_API_KEY": made.token} if made else {}
    done = subprocess.run(
        [sys.executable, "-m", "wherry.ops.cli", *arguments],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == status, done.stdout + done.stderr
    if made:
        assert made.token not in done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_commands_get_by_with_a_key(keyed: Stack, tmp_path: Path) -> None:
    asked = ("submit", "--model", "embedding", "--text", "hello", "--wait", "--json")
    assert json.loads(command(keyed, ACME, *asked))["output"]
    assert command(keyed, ACME, "queues", "--json")
    assert "an API key is needed" in command(keyed, None, "queues", status=1)
    lines, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    body = {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}]}
    line = {"custom_id": "a", "method": "POST", "url": "/v2/models/embedding/infer", "body": body}
    lines.write_text(json.dumps(line) + "\n")
    [batch] = command(keyed, ACME, "batch", "submit", str(lines), "--wait", "--json").splitlines()
    command(keyed, ACME, "batch", "result", json.loads(batch)["id"], "--out", str(out))
    assert json.loads(out.read_text())["response"]["status_code"] == 200
    command(keyed, BETA, "batch", "status", json.loads(batch)["id"], status=1)
    texts = tmp_path / "texts.txt"
    texts.write_text("one\ntwo\nthree\n")
    noted = tmp_path / "noted.jsonl"
    command(keyed, ACME, "annotate", str(texts), "--model", "embedding", "--out", str(noted))
    assert len(noted.read_text().splitlines()) == 3
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or ACME.token.encode() not in file.read_bytes(), file


def test_no_process_shows_a_key(keyed: Stack) -> None:
    for child in keyed.children.values():
        assert child.pid is not None
        assert b"wherry_" not in Path(f"/proc/{child.pid}/cmdline").read_bytes()


def test_a_key_made_while_it_runs_is_known_and_its_limits_hold(keyed: Stack) -> None:
    made = make(tenant="gamma", scopes=["submit", "read"], max_waiting=2)
    settings = JobsSettings(redis_url=keyed.redis_url)
    queue = Queue(settings.redis_url)
    queue.run(put_key(made.key.id, made.key.json_text(), settings))
    queue.close()
    with client_of(keyed, made) as gamma:
        while True:
            try:
                gamma.models()
                break
            except Unauthorized:
                pass
    with Client(keyed.url, api_key=made.token, patience_s=0) as hasty:
        with pytest.raises(TenantLimit, match=r"\b2\b"):
            send_for_ever(hasty)
        with client_of(keyed, ACME) as acme:
            acme.submit("slow", photograph())


def send_for_ever(client: Client) -> None:
    for _ in range(50):
        client.submit("slow", photograph())


def photograph() -> ImageClassificationInput:
    return ImageClassificationInput(images=[PNG])


def test_tritonclient_gets_by_with_a_key(keyed: Stack) -> None:
    http = pytest.importorskip("tritonclient.http", reason="in the test group")
    headers = {"Authorization": f"Bearer {ACME.token}"}
    triton = http.InferenceServerClient(keyed.url.removeprefix("http://"))
    tensor = http.InferInput("text", [1], "BYTES")
    tensor.set_data_from_numpy(np.array(["one"], dtype=object))
    assert triton.is_server_live()
    answer = triton.infer("embedding", [tensor], headers=headers)
    assert answer.as_numpy("embedding").shape[0] == 1
    with pytest.raises(http.InferenceServerException, match="an API key is needed"):
        triton.infer("embedding", [tensor])
    triton.close()


def test_tritonclient_gets_by_with_a_key_over_grpc(keyed: Stack) -> None:
    grpc = pytest.importorskip("tritonclient.grpc", reason="in the test group")
    headers = {"authorization": f"Bearer {ACME.token}"}
    triton = grpc.InferenceServerClient(keyed.grpc_url)
    tensor = grpc.InferInput("text", [1], "BYTES")
    tensor.set_data_from_numpy(np.array(["one"], dtype=object))
    assert triton.is_server_live()
    assert triton.is_model_ready("embedding", headers=headers)
    answer = triton.infer("embedding", [tensor], headers=headers)
    assert answer.as_numpy("embedding").shape[0] == 1
    with pytest.raises(grpc.InferenceServerException, match="an API key is needed"):
        triton.infer("embedding", [tensor])
    triton.close()


def test_hugging_faces_client_gets_by_with_a_key(keyed: Stack) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="in the extra transformers")
    url = f"{keyed.url}/models/embedding"
    vectors = hub.InferenceClient(url, token=ACME.token).feature_extraction("one")
    assert np.asarray(vectors).size
    with pytest.raises(hub.errors.HfHubHTTPError, match="401"):
        hub.InferenceClient(url, token="hf_none").feature_extraction("one")


def test_redis_holds_tenants_apart(keyed: Stack) -> None:
    queue = Queue(keyed.redis_url)
    try:
        found, _ = queue.run(groups(JobsSettings(redis_url=keyed.redis_url)))
    finally:
        queue.close()
    owners = {seen.group.tenant for seen in found.values()}
    assert {"acme", "beta"} <= owners
    assert "-" not in owners
