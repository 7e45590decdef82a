"""Runs in an environment of tritonclient[http,grpc]: `oip_triton_client.py URL GRPC DIR`."""

# mypy: ignore-errors
# What it imports is in its own environment.

from __future__ import annotations

import queue
from typing import Any

import numpy as np
import tritonclient.grpc as grpc
import tritonclient.grpc.aio as grpc_aio
import tritonclient.http as http
import tritonclient.http.aio as http_aio
from oip_shared import GRPC, HTTP, IMAGE, TEXTS, call, main, tensors
from tritonclient.utils import InferenceServerException

over_http = http.InferenceServerClient(HTTP, concurrency=8, network_timeout=120)
over_grpc = grpc.InferenceServerClient(GRPC)
PROMPT = ["The boat", "One two"]
MODELS = ("tensor", "embedding", "chat")
LENGTH = {"max_new_tokens": 12}


def tensor(kind: Any, name: str, values: list[Any], **options: Any) -> Any:
    made = kind.InferInput(name, [len(values)], "BYTES")
    made.set_data_from_numpy(np.array(values, dtype=object), **options)
    return made


def numbers(kind: Any) -> list[Any]:
    made = kind.InferInput("x", [2, 3], "FP32")
    made.set_data_from_numpy(np.array([[1, 2, 4], [3, 0, 1]], np.float32))
    return [made]


def read(answer: Any, *names: str) -> dict[str, Any]:
    return tensors({name: answer.as_numpy(name) for name in names})


def refused(function: Any, *arguments: Any, **options: Any) -> list[str]:
    try:
        function(*arguments, **options)
    except InferenceServerException as error:
        return [str(error.status()), error.message()]
    raise AssertionError("it was not refused")


@call("http: is_server_live, is_server_ready, is_model_ready")
def _() -> Any:
    ready = over_http.is_model_ready
    return [
        over_http.is_server_live(),
        over_http.is_server_ready(),
        ready("embedding"),
        ready("embedding", "1"),
        ready("nope"),
    ]


@call("http: get_server_metadata")
def _() -> Any:
    return over_http.get_server_metadata()


@call("http: get_model_metadata")
def _() -> Any:
    return over_http.get_model_metadata("image-classification")


@call("http: infer, JSON")
def _() -> Any:
    wanted = [http.InferRequestedOutput("embedding", binary_data=False)]
    asked = [tensor(http, "text", TEXTS, binary_data=False)]
    return read(over_http.infer("embedding", asked, outputs=wanted), "embedding")


@call("http: infer, binary")
def _() -> Any:
    return read(over_http.infer("embedding", [tensor(http, "text", TEXTS)]), "embedding")


@call("http: infer, compressed")
def _() -> Any:
    options = {
        "request_compression_algorithm": "gzip",
        "response_compression_algorithm": "gzip",
    }
    asked = [tensor(http, "text", TEXTS)]
    return read(over_http.infer("embedding", asked, **options), "embedding")


@call("http: infer, an image, outputs chosen, an id")
def _() -> Any:
    wanted = [http.InferRequestedOutput("score"), http.InferRequestedOutput("label")]
    asked = [tensor(http, "image", [IMAGE])]
    answer = over_http.infer(
        "image-classification", asked, outputs=wanted, request_id="r ü 1", priority=2
    )
    told = answer.get_response()
    return {
        "id": told["id"],
        "order": [output["name"] for output in told["outputs"]],
        **read(answer, "label", "score"),
    }


@call("http: infer, parameters")
def _() -> Any:
    asked = [tensor(http, "text", PROMPT)]
    return read(over_http.infer("text-generation", asked, parameters=LENGTH), "text")


@call("http: infer, an image out")
def _() -> Any:
    asked = [tensor(http, "image", [IMAGE])]
    answer = over_http.infer("image-segmentation", asked)
    names = [output["name"] for output in answer.get_response()["outputs"]]
    return read(answer, *names)


@call("http: async_infer")
def _() -> Any:
    waiting = [
        over_http.async_infer("embedding", [tensor(http, "text", [f"text {n}"])], request_id=str(n))
        for n in range(24)
    ]
    answers = [request.get_result() for request in waiting]
    return [
        [answer.get_response()["id"], read(answer, "embedding")["embedding"][0]]
        for answer in answers
    ]


@call("http.aio: infer")
async def _() -> Any:
    async with http_aio.InferenceServerClient(HTTP) as client:
        answer = await client.infer("embedding", [tensor(http, "text", TEXTS)])
        return read(answer, "embedding")


@call("http: get_model_repository_index")
def _() -> Any:
    return over_http.get_model_repository_index()


@call("http: unload_model, load_model")
def _() -> Any:
    over_http.unload_model("depth-estimation")
    closed = over_http.is_model_ready("depth-estimation")
    over_http.load_model("depth-estimation")
    return [closed, over_http.is_model_ready("depth-estimation")]


@call("http: get_inference_statistics")
def _() -> Any:
    return over_http.get_inference_statistics("embedding")


@call("http: get_model_config")
def _() -> Any:
    return [over_http.get_model_config(name) for name in MODELS]


@call("http: trace and log settings, shared memory")
def _() -> Any:
    over_http.unregister_system_shared_memory()
    over_http.unregister_cuda_shared_memory()
    return [
        over_http.get_trace_settings("embedding"),
        over_http.update_trace_settings(settings={"trace_level": "OFF"}),
        over_http.get_log_settings(),
        over_http.get_system_shared_memory_status(),
        over_http.get_cuda_shared_memory_status(),
        refused(over_http.update_trace_settings, settings={"trace_level": ["TIMESTAMPS"]}),
        refused(over_http.register_system_shared_memory, "region", "/key", 64),
    ]


@call("http: infer, tensors of a graph's own")
def _() -> Any:
    return read(over_http.infer("tensor", numbers(http)), "double", "sum")


@call("http: errors")
def _() -> Any:
    return [
        refused(over_http.infer, "nope", [tensor(http, "text", TEXTS)]),
        refused(over_http.infer, "image-classification", [tensor(http, "text", TEXTS)]),
    ]


@call("grpc: is_server_live, is_server_ready, is_model_ready")
def _() -> Any:
    ready = over_grpc.is_model_ready
    return [
        over_grpc.is_server_live(),
        over_grpc.is_server_ready(),
        ready("embedding"),
        ready("embedding", "1"),
        refused(ready, "nope"),
    ]


@call("grpc: get_server_metadata")
def _() -> Any:
    return over_grpc.get_server_metadata(as_json=True)


@call("grpc: get_model_metadata")
def _() -> Any:
    return over_grpc.get_model_metadata("image-classification", as_json=True)


@call("grpc: infer")
def _() -> Any:
    return read(over_grpc.infer("embedding", [tensor(grpc, "text", TEXTS)]), "embedding")


@call("grpc: infer, compressed")
def _() -> Any:
    asked = [tensor(grpc, "text", TEXTS)]
    return read(over_grpc.infer("embedding", asked, compression_algorithm="gzip"), "embedding")


@call("grpc: infer, an image, outputs chosen, an id")
def _() -> Any:
    wanted = [grpc.InferRequestedOutput("score"), grpc.InferRequestedOutput("label")]
    asked = [tensor(grpc, "image", [IMAGE])]
    answer = over_grpc.infer(
        "image-classification", asked, outputs=wanted, request_id="r ü 1", priority=2, timeout=10**7
    )
    told = answer.get_response()
    return {
        "id": told.id,
        "order": [output.name for output in told.outputs],
        **read(answer, "label", "score"),
    }


@call("grpc: infer, parameters")
def _() -> Any:
    asked = [tensor(grpc, "text", PROMPT)]
    given = {**LENGTH, "stop": "[]", "repetition_penalty": 1.0}
    return read(over_grpc.infer("text-generation", asked, parameters=given), "text")


@call("grpc: infer, an image out")
def _() -> Any:
    answer = over_grpc.infer("image-segmentation", [tensor(grpc, "image", [IMAGE])])
    return read(answer, *(output.name for output in answer.get_response().outputs))


@call("grpc: async_infer")
def _() -> Any:
    ended: queue.Queue[Any] = queue.Queue()
    for number in range(24):
        over_grpc.async_infer(
            "embedding",
            [tensor(grpc, "text", [f"text {number}"])],
            lambda result, error: ended.put((result, error)),
            request_id=str(number),
        )
    answers = [ended.get(timeout=60) for _ in range(24)]
    assert not any(error for _, error in answers), answers
    seen = {int(a.get_response().id): read(a, "embedding")["embedding"][0] for a, _ in answers}
    return [[str(number), seen[number]] for number in range(24)]


@call("grpc.aio: infer")
async def _() -> Any:
    async with grpc_aio.InferenceServerClient(GRPC) as client:
        answer = await client.infer("embedding", [tensor(grpc, "text", TEXTS)])
        return read(answer, "embedding")


@call("grpc: get_model_repository_index")
def _() -> Any:
    return over_grpc.get_model_repository_index(as_json=True)["models"]


@call("grpc: unload_model, load_model")
def _() -> Any:
    over_grpc.unload_model("depth-estimation")
    closed = over_grpc.is_model_ready("depth-estimation")
    over_grpc.load_model("depth-estimation")
    return [closed, over_grpc.is_model_ready("depth-estimation")]


@call("grpc: get_inference_statistics")
def _() -> Any:
    return over_grpc.get_inference_statistics("embedding", as_json=True)


@call("grpc: get_model_config")
def _() -> Any:
    configs = (over_grpc.get_model_config(name, as_json=True) for name in MODELS)
    return [told["config"] for told in configs]


@call("grpc: trace and log settings, shared memory")
def _() -> Any:
    over_grpc.unregister_system_shared_memory()
    over_grpc.unregister_cuda_shared_memory()
    traces = [
        over_grpc.get_trace_settings("embedding", as_json=True),
        over_grpc.update_trace_settings(settings={"trace_level": ["OFF"]}, as_json=True),
    ]
    return [
        *(
            {name: told.get("value", []) for name, told in each["settings"].items()}
            for each in traces
        ),
        over_grpc.get_log_settings(as_json=True)["settings"],
        list(over_grpc.get_system_shared_memory_status(as_json=True).get("regions", {})),
        list(over_grpc.get_cuda_shared_memory_status(as_json=True).get("regions", {})),
        refused(over_grpc.update_trace_settings, settings={"trace_level": ["TIMESTAMPS"]}),
        refused(over_grpc.register_system_shared_memory, "region", "/key", 64),
    ]


@call("grpc: infer, tensors of a graph's own")
def _() -> Any:
    return read(over_grpc.infer("tensor", numbers(grpc)), "double", "sum")


@call("grpc: errors")
def _() -> Any:
    return [
        refused(over_grpc.infer, "nope", [tensor(grpc, "text", TEXTS)]),
        refused(over_grpc.infer, "image-classification", [tensor(grpc, "text", TEXTS)]),
    ]


def streamed(*requests: tuple[str, Any, dict[str, Any]], answers: int = 0) -> list[Any]:
    """What a stream answers, until so many final answers came."""
    heard: queue.Queue[Any] = queue.Queue()
    over_grpc.start_stream(lambda result, error: heard.put((result, error)))
    for model, asked, options in requests:
        over_grpc.async_stream_infer(model, asked, **options)
    seen: list[Any] = []
    final = 0
    while final < answers:
        result, error = heard.get(timeout=60)
        seen.append((result, error))
        told = None if error else result.get_response().parameters["triton_final_response"]
        final += error is not None or told.bool_param
    over_grpc.stop_stream()
    return seen


@call("grpc: async_stream_infer")
def _() -> Any:
    asked = [
        ("embedding", [tensor(grpc, "text", [f"text {n}"])], {"request_id": str(n)})
        for n in range(24)
    ]
    seen = streamed(*asked, answers=24)
    return [[a.get_response().id, read(a, "embedding")["embedding"][0]] for a, _ in seen]


@call("grpc: async_stream_infer, an error amid the stream")
def _() -> Any:
    text = [tensor(grpc, "text", ["a"])]
    asked = [("embedding", text, {}), ("nope", text, {}), ("embedding", text, {})]
    return [error and error.message() for _, error in streamed(*asked, answers=3)]


@call("grpc: async_stream_infer, token by token")
def _() -> Any:
    asked = [tensor(grpc, "text", PROMPT)]
    given = {"parameters": {**LENGTH, "stream": True}, "request_id": "s"}
    seen = [
        read(a, "text")["text"] for a, _ in streamed(("text-generation", asked, given), answers=1)
    ]
    return {"parts": len(seen), "texts": ["".join(texts) for texts in zip(*seen, strict=True)]}


@call("grpc.aio: stream_infer, token by token")
async def _() -> Any:
    async def requests() -> Any:
        yield {
            "model_name": "text-generation",
            "inputs": [tensor(grpc, "text", PROMPT)],
            "parameters": {**LENGTH, "stream": True},
        }

    async with grpc_aio.InferenceServerClient(GRPC) as client:
        seen = []
        async for answer, error in client.stream_infer(requests()):
            assert error is None, error
            seen.append(read(answer, "text")["text"])
    return {"parts": len(seen), "texts": ["".join(texts) for texts in zip(*seen, strict=True)]}


main()
