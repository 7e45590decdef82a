"""API keys over gRPC: in the metadata, as HTTP has them in its headers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from wherry.api.settings import ApiSettings
from wherry.jobs import JobsSettings
from wherry.jobs.fleet import groups as fleet_groups
from wherry.ops.ports import free_port
from wherry.tasks.oip_grpc.messages import MESSAGES, SERVICE

from ..conftest import Server, Worker
from ..keyed import KEYS, write_keys

Code = grpc.StatusCode


@pytest.fixture(scope="module")
def port(
    api_settings: ApiSettings, keyed_jobs: JobsSettings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[int]:
    file: Path = write_keys(tmp_path_factory.mktemp("keys") / "keys.toml")
    port = free_port()
    settings = api_settings.model_copy(update={"grpc_port": port, "api_keys": file})
    with Server(settings, keyed_jobs):
        yield port


@pytest.fixture
def channel(port: int, redis_url: str) -> Iterator[Any]:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel


def metadata(key: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {KEYS[key].token}")] if key else []


def ask(channel: Any, name: str, key: str, **fields: Any) -> Any:
    """A call's answer, or the status that it was refused with."""
    call = channel.unary_unary(
        f"/{SERVICE}/{name}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=MESSAGES[f"{name}Response"].FromString,
    )
    try:
        return call(MESSAGES[f"{name}Request"](**fields), metadata=metadata(key), timeout=10)
    except grpc.RpcError as error:
        return error.code(), error.details()


CALLS = [
    name.removesuffix("Request")
    for name in MESSAGES
    if name.endswith("Request") and name != "ModelStreamInferRequest"
]


@pytest.mark.parametrize("name", CALLS)
def test_every_call_but_health_wants_a_key(channel: Any, name: str) -> None:
    answer = ask(channel, name, "")
    refused = isinstance(answer, tuple) and answer[0] is Code.UNAUTHENTICATED
    assert refused == (name not in ("ServerLive", "ServerReady"))
    late = ask(channel, name, "late")
    assert (isinstance(late, tuple) and late[0] is Code.UNAUTHENTICATED) == refused


@pytest.mark.parametrize(
    ("name", "key", "scope"),
    [
        ("ModelInfer", "reader", "submit"),
        ("ModelStatistics", "acme", "admin"),
        ("RepositoryModelLoad", "acme", "admin"),
        ("RepositoryModelUnload", "acme", "admin"),
    ],
)
def test_a_refusal_names_the_missing_scope(channel: Any, name: str, key: str, scope: str) -> None:
    text = f"this API key lacks the scope {scope!r}"
    assert ask(channel, name, key) == (Code.PERMISSION_DENIED, text)


def tensors(text: str) -> list[dict[str, Any]]:
    contents = {"bytes_contents": [text.encode()]}
    return [{"name": "text", "shape": [1], "datatype": "BYTES", "contents": contents}]


def test_a_call_is_its_tenants(
    channel: Any, keyed_worker: Worker, keyed_jobs: JobsSettings
) -> None:
    for key in ("acme", "beta", "admin"):
        keyed_worker.serve_in(0.3)
        asked = {"model_name": "embedding", "id": "7", "inputs": tensors(key)}
        assert ask(channel, "ModelInfer", key, **asked).id == "7"
    groups = keyed_worker.queue.run(fleet_groups(keyed_jobs))[0].values()
    assert {seen.group.tenant for seen in groups} == {"acme", "beta", "-"}


def test_a_stream_is_its_tenants(
    channel: Any, keyed_worker: Worker, keyed_jobs: JobsSettings
) -> None:
    stream = channel.stream_stream(
        f"/{SERVICE}/ModelStreamInfer",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=MESSAGES["ModelStreamInferResponse"].FromString,
    )
    asked = MESSAGES["ModelInferRequest"](model_name="embedding", id="7", inputs=tensors("x"))
    for key, code in (("", Code.UNAUTHENTICATED), ("reader", Code.PERMISSION_DENIED)):
        with pytest.raises(grpc.RpcError) as refused:
            list(stream(iter([asked]), metadata=metadata(key), timeout=10))
        assert refused.value.code() is code
    keyed_worker.serve_in(0.3)
    [answer] = stream(iter([asked]), metadata=metadata("beta"), timeout=10)
    assert answer.infer_response.id == "7"
    [seen] = keyed_worker.queue.run(fleet_groups(keyed_jobs))[0].values()
    assert seen.group.tenant == "beta"
