"""Clients of the Open Inference Protocol, unchanged, over HTTP and gRPC."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.protocol import v2
from wherry.tasks.base import TaskOutput
from wherry.tasks.registry import get_task

from .conftest import Environment

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]

TEXTS = ["a boat on the river", "zwei Wörter ü", "模型"]
PROMPTS = ["The boat", "One two"]
QUESTIONS = ["Where is the boat?", "Who rows?"]
CONTEXTS = ["The boat is on the river.", "A man called Tom rows the boat."]

Saw = dict[str, Any]
Check = Callable[[Any, Client, bytes], None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture."""
    folder = tmp_path_factory.mktemp("oip-inputs")
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "image.png")
    return folder


@pytest.fixture(scope="module")
def seen(
    environment: Environment, drive: Callable[..., list[Saw]], fleet: Stack, folder: Path
) -> Callable[[str], dict[str, Saw]]:
    """What each client saw, by its package."""
    found: dict[str, dict[str, Saw]] = {}

    def run(package: str) -> dict[str, Saw]:
        if package not in found:
            name = package.split("==")[0].split("[")[0]
            script = f"oip_{name.removesuffix('client')}_client.py"
            lines = drive(environment(name, package), script, fleet.url, fleet.grpc_url, folder)
            found[package] = {line["call"]: line for line in lines}
        return found[package]

    return run


def ours(client: Client, model: str, fields: dict[str, Any]) -> dict[str, Any]:
    """What our own client reads, as tensors of nested lists."""
    output = client.infer(model, get_task(model).input.validated(fields), 60)
    assert isinstance(output, TaskOutput)
    response = output.to_inference_response(model)
    return {tensor.name: nested(tensor) for tensor in response.outputs}


def nested(tensor: v2.Tensor) -> Any:
    values = tensor.blobs() if tensor.is_base64 else tensor.flat()
    array = np.empty(len(values), dtype=object)
    array[:] = [_plain(value) for value in values]
    return array.reshape(tensor.shape).tolist()


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def same(saw: dict[str, Any], wanted: dict[str, Any], names: set[str]) -> None:
    """Hold every tensor that was seen against ours; `names` are those that must be there."""
    assert names <= set(saw)
    for name in names:
        got, want = np.array(saw[name], dtype=object), np.array(wanted[name], dtype=object)
        assert got.shape == want.shape, name
        if isinstance(want.flat[0], float):
            assert np.allclose(got.astype(float), want.astype(float), atol=1e-4), name
        else:
            assert got.tolist() == want.tolist(), name


def ready(saw: Any, client: Client, image: bytes) -> None:
    assert saw[:3] == [True, True, True]


def embeds(saw: Any, client: Client, image: bytes) -> None:
    same(saw, ours(client, "embedding", {"texts": TEXTS}), {"embedding"})


def many(saw: Any, client: Client, image: bytes) -> None:
    wanted = ours(client, "embedding", {"texts": [f"text {n}" for n in range(24)]})
    assert [number for number, _ in saw] == [str(n) for n in range(24)]
    same({"embedding": [vector for _, vector in saw]}, wanted, {"embedding"})


def classifies(saw: Any, client: Client, image: bytes) -> None:
    assert saw["id"] == "r ü 1"
    assert saw.get("order", ["score", "label"]) == ["score", "label"]
    same(saw, ours(client, "image-classification", {"images": [image]}), {"label", "score"})


def segments(saw: Any, client: Client, image: bytes) -> None:
    wanted = ours(client, "image-segmentation", {"images": [image]})
    same(saw, wanted, {"mask"})
    assert saw["mask"][0][0].startswith("89504e47")


def measures(saw: Any, client: Client, image: bytes) -> None:
    assert saw["depth"][0].startswith("89504e47")
    same(saw, ours(client, "depth-estimation", {"images": [image]}), {"depth"})


def writes(saw: Any, client: Client, image: bytes) -> None:
    given = {"texts": PROMPTS[: len(saw["text"])], "max_new_tokens": 12}
    same(saw, ours(client, "text-generation", given), {"text"})


def writes_in_pieces(saw: Any, client: Client, image: bytes) -> None:
    given = {"texts": PROMPTS, "max_new_tokens": 12}
    assert saw["parts"] > 4
    assert saw["texts"] == ours(client, "text-generation", given)["text"]


def answers(saw: Any, client: Client, image: bytes) -> None:
    given = {"questions": QUESTIONS, "contexts": CONTEXTS}
    same(saw, ours(client, "question-answering", given), {"answer", "score", "start", "end"})


def server(saw: Any, client: Client, image: bytes) -> None:
    assert saw["name"] == "wherry"
    assert "model_repository" in saw["extensions"]


def model(saw: Any, client: Client, image: bytes) -> None:
    task = get_task("image-classification")
    assert (saw["name"], saw["versions"]) == ("image-classification", ["1"])
    for side, specs in (("inputs", task.inputs), ("outputs", task.outputs)):
        told = [(t["name"], t["datatype"], [int(d) for d in t["shape"]]) for t in saw[side]]
        assert told == [(s.name, s.datatype.value, list(s.shape)) for s in specs]


def index(saw: Any, client: Client, image: bytes) -> None:
    assert {entry["name"]: entry["state"] for entry in saw}["embedding"] == "READY"


def unloads(saw: Any, client: Client, image: bytes) -> None:
    assert saw == [False, True]


def counts(saw: Any, client: Client, image: bytes) -> None:
    [stats] = saw["model_stats"]
    assert stats["name"] == "embedding"
    assert int(stats["inference_count"]) >= int(stats["execution_count"]) > 0
    assert int(stats["inference_stats"]["success"]["ns"]) > 0


def configures(saw: Any, client: Client, image: bytes) -> None:
    assert [told["name"] for told in saw] == ["tensor", "embedding", "chat"]
    assert [int(told["max_batch_size"]) for told in saw] == [8, 8, 8]
    decoupled = [told["model_transaction_policy"].get("decoupled", False) for told in saw]
    assert decoupled == [False, False, True]
    [x] = saw[0]["input"]
    assert (x["name"], x["data_type"]) == ("x", "TYPE_FP32")
    assert [int(axis) for axis in x["dims"]] == [-1]


def is_off(saw: Any, client: Client, image: bytes) -> None:
    *traces, log, system, cuda, traced, registered = saw
    assert [told["trace_level"] for told in traces] == [["OFF"], ["OFF"]]
    assert set(log) == {
        *("log_file", "log_info", "log_warning", "log_error", "log_verbose_level", "log_format")
    }
    assert (system, cuda) == ([], [])
    assert "requests are not traced" in traced[1]
    assert "shared memory is not supported" in registered[1]


def doubles(saw: Any, client: Client, image: bytes) -> None:
    assert saw == {"double": [[2, 4, 8], [6, 0, 2]], "sum": [7, 4]}


def errors(saw: Any, client: Client, image: bytes) -> None:
    told = dict(saw)
    not_found, bad = (
        ("404", "400") if "404" in told else ("StatusCode.NOT_FOUND", "StatusCode.INVALID_ARGUMENT")
    )
    assert "unknown model 'nope'" in told[not_found]
    assert "unknown input 'text'" in told[bad]


def refused_alike(saw: Any, client: Client, image: bytes) -> None:
    assert [code for code, _ in saw] == ["400", "StatusCode.INVALID_ARGUMENT"]
    assert all("unknown input 'text'" in text for _, text in saw)


def told_amid(saw: Any, client: Client, image: bytes) -> None:
    assert saw[0] is None
    assert "unknown model 'nope'" in saw[1]
    assert saw[2] is None


TRITON, KSERVE, MLSERVER = "tritonclient[http,grpc]==2.73.0", "kserve==0.21.0", "mlserver==1.7.1"

CHECKS: dict[str, dict[str, Check]] = {
    TRITON: {
        **{
            f"{over}: {call}": check
            for over in ("http", "grpc")
            for call, check in (
                ("is_server_live, is_server_ready, is_model_ready", ready),
                ("get_server_metadata", server),
                ("get_model_metadata", model),
                ("infer, compressed", embeds),
                ("infer, an image, outputs chosen, an id", classifies),
                ("infer, parameters", writes),
                ("infer, an image out", segments),
                ("async_infer", many),
                ("get_model_repository_index", index),
                ("unload_model, load_model", unloads),
                ("get_inference_statistics", counts),
                ("get_model_config", configures),
                ("trace and log settings, shared memory", is_off),
                ("infer, tensors of a graph's own", doubles),
                ("errors", errors),
            )
        },
        "http: infer, JSON": embeds,
        "http: infer, binary": embeds,
        "http.aio: infer": embeds,
        "grpc: infer": embeds,
        "grpc.aio: infer": embeds,
        "grpc: async_stream_infer": many,
        "grpc: async_stream_infer, an error amid the stream": told_amid,
        "grpc: async_stream_infer, token by token": writes_in_pieces,
        "grpc.aio: stream_infer, token by token": writes_in_pieces,
    },
    KSERVE: {
        **{
            f"{kind}{call}": check
            for kind in ("InferenceRESTClient", "InferenceGRPCClient")
            for call, check in (
                (": is_server_live, is_server_ready, is_model_ready", ready),
                (".infer: a list", embeds),
                (".infer: an image, outputs chosen, an id", classifies),
                (".infer: parameters", writes),
                (".infer: many at once", many),
                (": errors", errors),
            )
        },
        "InferenceRESTClient.infer: numpy, binary": embeds,
        "InferenceRESTClient.infer: numpy, JSON": embeds,
        "InferenceRESTClient.infer: a dict": embeds,
        "InferenceRESTClient.infer: binary answers": embeds,
        "InferenceGRPCClient.infer: numpy": embeds,
    },
    MLSERVER: {
        "StringCodec, NumpyCodec": embeds,
        "StringRequestCodec, StringCodec": writes,
        "NumpyCodec, an array of strings": embeds,
        "Base64Codec, an image in": classifies,
        "Base64Codec, an image out": measures,
        "PandasCodec": answers,
        "mlserver infer": many,
        "mlserver infer --batch-size 5": many,
        "mlserver infer --binary-data": many,
        "gRPC: ServerLive, ServerReady, ModelReady": ready,
        "gRPC: ServerMetadata": server,
        "gRPC: ModelMetadata": model,
        "gRPC: ModelInfer, StringCodec": embeds,
        "gRPC: ModelInfer, StringCodec, raw": embeds,
        "gRPC: ModelInfer, Base64Codec, an image in": classifies,
        "gRPC: ModelInfer, Base64Codec, an image in, raw": classifies,
        "gRPC: ModelInfer, an image out": segments,
        "gRPC: ModelInfer, PandasCodec": answers,
        "gRPC: RepositoryIndex": index,
        "errors": refused_alike,
    },
}


@pytest.mark.parametrize(
    ("package", "call"),
    [
        pytest.param(package, call, marks=pytest.mark.call(package, call))
        for package, calls in CHECKS.items()
        for call in sorted(calls)
    ],
)
def test_the_call_works(
    package: str,
    call: str,
    seen: Callable[[str], dict[str, Saw]],
    client: Client,
    folder: Path,
) -> None:
    saw = seen(package)[call]
    assert not saw["failed"], saw["failed"]
    CHECKS[package][call](saw["saw"], client, (folder / "image.png").read_bytes())


@pytest.mark.parametrize("package", CHECKS)
def test_every_call_is_checked(package: str, seen: Callable[[str], dict[str, Saw]]) -> None:
    assert set(seen(package)) == set(CHECKS[package])
