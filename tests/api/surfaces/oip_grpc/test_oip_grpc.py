"""OIP v2 over gRPC: every call against a real server, the worker played by the test."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import grpc.aio
import httpx
import numpy as np
import pytest
from google.protobuf.json_format import MessageToDict

from wherry.api.settings import ApiSettings
from wherry.jobs import JobsSettings
from wherry.jobs.failed import set_failed
from wherry.ops.ports import free_port
from wherry.tasks.oip_grpc.messages import MESSAGES, SERVICE
from wherry.tasks.samples import PNG
from wherry.telemetry.api_metrics import REGISTRY

from ....support.waiting import until
from ...conftest import BODY_LIMIT, Server, Worker

Code = grpc.StatusCode
Call = Callable[..., Any]


@pytest.fixture(scope="session")
def grpc_port(api_settings: ApiSettings, jobs_settings: JobsSettings) -> Iterator[int]:
    port = free_port()
    with Server(api_settings.model_copy(update={"grpc_port": port}), jobs_settings):
        yield port


@pytest.fixture
def channel(grpc_port: int, redis_url: str) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
        yield channel


def stub(channel: Any, name: str) -> Any:
    return channel.unary_unary(
        f"/{SERVICE}/{name}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=MESSAGES[f"{name}Response"].FromString,
    )


def stream_stub(channel: Any) -> Any:
    return channel.stream_stream(
        f"/{SERVICE}/ModelStreamInfer",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=MESSAGES["ModelStreamInferResponse"].FromString,
    )


@pytest.fixture
def call(channel: grpc.Channel) -> Call:
    """Make one call: `call("ModelReady", name="embedding")`."""

    def make(name: str, /, timeout: float = 10, **fields: Any) -> Any:
        return stub(channel, name)(MESSAGES[f"{name}Request"](**fields), timeout=timeout)

    return make


def asked(model: str = "embedding", *texts: str, **fields: Any) -> Any:
    """A request with typed texts."""
    contents = {"bytes_contents": [text.encode() for text in texts]}
    tensor = {"name": "text", "shape": [len(texts)], "datatype": "BYTES", "contents": contents}
    return MESSAGES["ModelInferRequest"](model_name=model, **{"inputs": [tensor], **fields})


def raw_bytes(*elements: bytes) -> bytes:
    return b"".join(len(element).to_bytes(4, "little") + element for element in elements)


def parameters(**given: Any) -> dict[str, Any]:
    kinds = {bool: "bool_param", int: "int64_param", str: "string_param", float: "double_param"}
    return {name: {kinds[type(value)]: value} for name, value in given.items()}


@pytest.fixture
def infer(channel: grpc.Channel) -> Call:
    def send(request: Any, timeout: float = 10) -> Any:
        return stub(channel, "ModelInfer")(request, timeout=timeout)

    return send


@pytest.fixture
def refused(infer: Call) -> Call:
    """Send a request that is refused; the code and the text."""

    def send(request: Any) -> tuple[Any, str]:
        with pytest.raises(grpc.RpcError) as raised:
            infer(request)
        return raised.value.code(), raised.value.details()

    return send


# --- server and models


def test_the_server_says_what_it_is(call: Call, worker: Worker) -> None:
    assert call("ServerLive").live
    metadata = call("ServerMetadata")
    assert metadata.name == "wherry"
    assert "model_repository" in metadata.extensions
    assert not call("ServerReady").ready
    worker.beat("vision", "audio", "text", "multimodal")
    assert call("ServerReady").ready


def test_a_model_is_ready_when_a_worker_serves_it(call: Call, worker: Worker) -> None:
    assert not call("ModelReady", name="embedding").ready
    worker.beat("text", models=("embedding",))
    assert call("ModelReady", name="embedding").ready
    assert call("ModelReady", name="embedding", version="2").ready


@pytest.mark.parametrize("name", ["ModelReady", "ModelMetadata", "ModelStatistics"])
@pytest.mark.parametrize("fields", [{"name": "nope"}, {"name": "embedding", "version": "9"}])
def test_unknown_models_are_not_found(call: Call, name: str, fields: dict[str, str]) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        call(name, **fields)
    assert raised.value.code() is Code.NOT_FOUND
    assert fields["name"] in raised.value.details()


def test_metadata_is_that_of_http(call: Call, grpc_port: int, http: httpx.Client) -> None:
    for task in ("embedding", "object-detection", "visual-question-answering"):
        told, plain = call("ModelMetadata", name=task), http.get(f"/v2/models/{task}").json()
        assert told.name == task
        assert told.platform == plain["platform"]
        assert list(told.versions) == plain["versions"]
        for side in ("inputs", "outputs"):
            seen = [(t.name, t.datatype, list(t.shape)) for t in getattr(told, side)]
            assert seen == [(t["name"], t["datatype"], t["shape"]) for t in plain[side]]


def test_the_repository_is_listed_and_closed_and_opened(call: Call, worker: Worker) -> None:
    worker.beat("text", models=("embedding", "ranking"))
    index = {(m.name, m.version): m for m in call("RepositoryIndex").models}
    assert index["embedding", "2"].state == "READY"
    assert index["chat", "1"].state == "UNAVAILABLE"
    assert index["chat", "1"].reason == "no worker serves it now"
    assert {m.name for m in call("RepositoryIndex", ready=True).models} == {"embedding", "ranking"}
    call("RepositoryModelUnload", model_name="ranking")
    assert not call("ModelReady", name="ranking").ready
    call("RepositoryModelLoad", model_name="ranking")
    assert call("ModelReady", name="ranking").ready
    with pytest.raises(grpc.RpcError) as raised:
        call("RepositoryModelLoad", model_name="nope")
    assert raised.value.code() is Code.NOT_FOUND


def test_an_unloaded_model_is_unavailable(call: Call, refused: Call, worker: Worker) -> None:
    call("RepositoryModelUnload", model_name="embedding")
    code, text = refused(asked("embedding", "a"))
    assert code is Code.UNAVAILABLE
    assert "unloaded" in text


def test_a_failed_model_is_unavailable_and_says_why(
    call: Call, refused: Call, worker: Worker
) -> None:
    worker.queue.run(set_failed({"embedding/2": "no such folder"}, worker.jobs))
    code, text = refused(asked("embedding", "a"))
    assert (code, text) == (
        Code.UNAVAILABLE,
        "model 'embedding' could not be loaded: no such folder",
    )
    assert not call("ModelReady", name="embedding").ready


def test_statistics_are_those_of_http(
    call: Call, infer: Call, http: httpx.Client, serving: Worker
) -> None:
    infer(asked("embedding", "a", "b", model_version="1"))
    [told] = [m for m in call("ModelStatistics", name="embedding").model_stats if m.version == "1"]
    [plain] = http.get("/v2/models/embedding/versions/1/stats").json()["model_stats"]
    assert told.last_inference > 0
    for name in ("name", "version", "last_inference", "inference_count", "execution_count"):
        assert getattr(told, name) == plain[name]
    assert told.inference_stats.success.count == 1
    for part, counted in plain["inference_stats"].items():
        seen = getattr(told.inference_stats, part)
        assert (seen.count, seen.ns) == (counted["count"], counted["ns"])
    assert len(call("ModelStatistics").model_stats) > 20
    assert len(call("ModelStatistics", name="embedding", version="2").model_stats) == 1


def test_a_configuration_is_as_over_http(call: Call, http: httpx.Client) -> None:
    for name in ("embedding", "chat", "visual-question-answering"):
        plain = http.get(f"/v2/models/{name}/config").json()
        told = call("ModelConfig", name=name).config
        seen = MessageToDict(told, preserving_proto_field_name=True)
        assert seen["name"] == name
        assert told.max_batch_size == plain["max_batch_size"]
        assert told.HasField("dynamic_batching") == ("dynamic_batching" in plain)
        assert told.model_transaction_policy.decoupled == (name == "chat")
        for side in ("input", "output"):
            found = [(t["name"], t["data_type"]) for t in seen[side]]
            assert found == [(t["name"], t["data_type"]) for t in plain[side]]
            dims = [list(tensor.dims) for tensor in getattr(told, side)]
            assert dims == [t["dims"] for t in plain[side]]
    with pytest.raises(grpc.RpcError) as raised:
        call("ModelConfig", name="nope")
    assert raised.value.code() is Code.NOT_FOUND


def test_traces_and_the_log_are_off(call: Call) -> None:
    told = call("TraceSetting", model_name="embedding")
    assert list(told.settings["trace_level"].value) == ["OFF"]
    again = {name: {"value": list(told.settings[name].value)} for name in told.settings}
    assert call("TraceSetting", settings=again) == told
    assert call("LogSettings").settings["log_info"].bool_param is False
    for name, setting in (
        ("TraceSetting", {"trace_level": {"value": ["TIMESTAMPS"]}}),
        ("LogSettings", {"log_verbose_level": {"uint32_param": 1}}),
    ):
        with pytest.raises(grpc.RpcError) as raised:
            call(name, settings=setting)
        assert raised.value.code() is Code.INVALID_ARGUMENT


@pytest.mark.parametrize("kind", ["System", "Cuda"])
def test_there_is_no_shared_memory(call: Call, kind: str) -> None:
    assert not call(f"{kind}SharedMemoryStatus").regions
    call(f"{kind}SharedMemoryUnregister")
    with pytest.raises(grpc.RpcError) as raised:
        call(f"{kind}SharedMemoryRegister", name="r")
    assert raised.value.code() is Code.INVALID_ARGUMENT
    assert "region 'r': shared memory is not supported" in raised.value.details()


# --- inference


def test_typed_questions_get_typed_answers(
    infer: Call, http: httpx.Client, serving: Worker, texts: Callable[..., Any]
) -> None:
    answer = infer(asked("embedding", "one", "zwei ü", id="r ü 1"))
    assert (answer.model_name, answer.model_version, answer.id) == ("embedding", "2", "r ü 1")
    [output] = answer.outputs
    assert (output.name, output.datatype) == ("embedding", "FP32")
    assert not answer.raw_output_contents
    plain = http.post("/v2/models/embedding/infer", json=texts("one", "zwei ü")).json()
    assert list(output.shape) == plain["outputs"][0]["shape"]
    assert np.allclose(output.contents.fp32_contents, np.ravel(plain["outputs"][0]["data"]))


def test_raw_questions_get_raw_answers(infer: Call, serving: Worker) -> None:
    tensor = {"name": "text", "shape": [2], "datatype": "BYTES"}
    raw = [raw_bytes(b"one", "zwei ü".encode())]
    request = asked("embedding", inputs=[tensor], raw_input_contents=raw, model_version="2")
    answer = infer(request)
    typed = infer(asked("embedding", "one", "zwei ü", model_version="2"))
    assert answer.model_version == "2"
    assert not answer.outputs[0].HasField("contents")
    vectors = np.frombuffer(answer.raw_output_contents[0], "<f4")
    assert np.array_equal(vectors, np.array(typed.outputs[0].contents.fp32_contents, "<f4"))


@pytest.mark.parametrize("form", ["typed", "raw", "base64", "raw base64"])
def test_images_go_as_bytes_or_as_base64(infer: Call, serving: Worker, form: str) -> None:
    import base64

    blob = base64.b64encode(PNG) if "base64" in form else PNG
    tensor: dict[str, Any] = {"name": "image", "shape": [1], "datatype": "BYTES"}
    raws = []
    if "base64" in form:
        tensor["parameters"] = parameters(content_type="base64")
    if form.startswith("raw"):
        raws = [raw_bytes(blob)]
    else:
        tensor["contents"] = {"bytes_contents": [blob]}
    answer = infer(asked("image-classification", inputs=[tensor], raw_input_contents=raws))
    assert {output.name for output in answer.outputs} == {"label", "score"}
    label = answer.outputs[[o.name for o in answer.outputs].index("label")]
    if raws:
        assert answer.raw_output_contents
    else:
        assert all(text.decode() for text in label.contents.bytes_contents)


@pytest.mark.parametrize("raw", [False, True])
def test_answered_images_are_files(infer: Call, serving: Worker, raw: bool) -> None:
    tensor = {"name": "prompt", "shape": [1], "datatype": "BYTES"}
    if raw:
        request = asked("text-to-image", inputs=[tensor], raw_input_contents=[raw_bytes(b"a boat")])
    else:
        tensor["contents"] = {"bytes_contents": [b"a boat"]}  # type: ignore[assignment] # JSON
        request = asked("text-to-image", inputs=[tensor])
    answer = infer(request)
    [output] = answer.outputs
    assert "content_type" not in output.parameters
    found = answer.raw_output_contents[0][4:] if raw else output.contents.bytes_contents[0]
    assert found.startswith(b"\x89PNG")


def test_empty_contents_beside_raw_ones_are_none(infer: Call, serving: Worker) -> None:
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "contents": {}}  # as MLServer does
    assert infer(asked("embedding", inputs=[tensor], raw_input_contents=[raw_bytes(b"a")])).outputs


def test_outputs_are_chosen_and_ordered(infer: Call, serving: Worker) -> None:
    contents = {"bytes_contents": [PNG]}
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "contents": contents}
    for names in (["score"], ["score", "label"], ["label", "score"]):
        wanted = [{"name": name} for name in names]
        answer = infer(asked("image-classification", inputs=[tensor], outputs=wanted))
        assert [output.name for output in answer.outputs] == names


def test_parameters_of_every_kind_arrive(infer: Call, serving: Worker) -> None:
    given = parameters(max_new_tokens=7, do_sample=True, temperature=0.5, stop='["x", "y"]')
    given["priority"] = {"uint64_param": 2}
    answer = infer(asked("text-generation", "a", parameters=given))
    assert "warning" not in answer.parameters


def test_what_nobody_reads_is_said(infer: Call, serving: Worker) -> None:
    answer = infer(asked("embedding", "a", parameters=parameters(normalise=True)))
    assert "warning" not in answer.parameters or "normalise" in str(answer.parameters)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (parameters(max_new_tokens="lots"), "max_new_tokens"),
        (parameters(max_new_tokens=-1), "max_new_tokens"),
        (parameters(max_new_tokens=1.5), "max_new_tokens"),
        (parameters(do_sample=1), "do_sample"),
        (parameters(stop="x"), "stop"),
        (parameters(stop='{"a": 1}'), "stop"),
        (parameters(temperature=float("nan")), "temperature"),
        (parameters(other=float("inf")), "other"),
        (parameters(priority=10), "priority"),
        (parameters(timeout=-1), "timeout"),
        (parameters(stream="yes"), "stream"),
        ({"seed": {"uint64_param": 2**64 - 1}}, "seed"),
    ],
)
def test_bad_parameters_are_named(refused: Call, given: Any, field: str) -> None:
    code, text = refused(asked("text-generation", "a", parameters=given))
    assert code is Code.INVALID_ARGUMENT
    assert field in text


TEXT = {"name": "text", "shape": [1], "datatype": "BYTES"}
A = {"bytes_contents": [b"a"]}


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"inputs": []}, "inputs"),
        ({"inputs": [{**TEXT, "contents": A, "name": ""}]}, "inputs[0].name"),
        ({"inputs": [{**TEXT, "contents": A, "name": "nope"}]}, "unknown input 'nope'"),
        ({"inputs": [{**TEXT, "contents": A}] * 2}, "given twice"),
        ({"inputs": [{**TEXT, "contents": A, "shape": [-1]}]}, "inputs[0].shape[0]"),
        ({"inputs": [{**TEXT, "contents": A, "shape": [2]}]}, "needs 2 elements"),
        ({"inputs": [{**TEXT, "contents": A, "shape": [2**31, 2**31]}]}, "elements"),
        ({"inputs": [{**TEXT, "contents": A, "datatype": "TEXT"}]}, "'TEXT'"),
        ({"inputs": [{**TEXT, "contents": A, "datatype": "FP32"}]}, "fp32_contents"),
        ({"inputs": [{**TEXT, "contents": A, "datatype": "FP16"}]}, "raw_input_contents"),
        (
            {"inputs": [{**TEXT, "datatype": "FP32", "contents": {"fp32_contents": [1]}}]},
            "expected BYTES",
        ),
        ({"inputs": [TEXT]}, "needs 1 elements, got 0"),
        ({"inputs": [{**TEXT, "contents": {"bytes_contents": [b"\xff"]}}]}, "UTF-8"),
        ({"inputs": [{**TEXT, "contents": A}], "raw_input_contents": [b"a"]}, "both"),
        ({"inputs": [TEXT], "raw_input_contents": [b"a", b"b"]}, "raw_input_contents"),
        ({"inputs": [TEXT], "raw_input_contents": [b"\xff\xff\xff\xffa"]}, "claims"),
        ({"inputs": [TEXT], "raw_input_contents": [b"a"]}, "length prefix"),
        ({"outputs": [{"name": "nope"}]}, "unknown output 'nope'"),
    ],
)
def test_bad_requests_are_refused_in_words(
    refused: Call, fields: dict[str, Any], wanted: str
) -> None:
    code, text = refused(asked("embedding", "a", **fields))
    assert code is Code.INVALID_ARGUMENT, text
    assert wanted in text


def test_errors_keep_their_words_whatever_the_alphabet(refused: Call) -> None:
    code, text = refused(asked("nö\n模型", "a"))
    assert code is Code.NOT_FOUND
    assert "模型" in text
    code, text = refused(asked("模" * 100_000, "a"))
    assert code is Code.NOT_FOUND
    assert len(text) <= 500


def test_a_message_that_is_none_is_the_clients_fault(channel: grpc.Channel) -> None:
    for body in (b"\xff\xff\xff", b"\x0a\x02\xff\xfe"):  # no message; a name that is no UTF-8
        with pytest.raises(grpc.RpcError) as raised:
            channel.unary_unary(f"/{SERVICE}/ModelInfer")(body, timeout=5)
        assert raised.value.code() is Code.INVALID_ARGUMENT
        assert "ModelInferRequest" in raised.value.details()


def test_what_is_too_large_is_refused(refused: Call, infer: Call, serving: Worker) -> None:
    code, _ = refused(asked("embedding", "x" * (BODY_LIMIT + 1)))
    assert code is Code.RESOURCE_EXHAUSTED
    code, text = refused(asked("embedding", *"a" * 65))
    assert code is Code.RESOURCE_EXHAUSTED
    assert "65 rows" in text
    assert infer(asked("embedding", "a" * 20_000)).outputs


def test_a_late_answer_names_the_job(refused: Call, http: httpx.Client) -> None:
    code, text = refused(asked("embedding", "late"))  # nobody serves; the API waits 3 s
    assert code is Code.DEADLINE_EXCEEDED
    path = text.split("poll ")[1]
    assert http.get(path).json()["status"] == "queued"


def waiting(http: httpx.Client) -> int:
    return int(http.get("/v2/queues").json()["totals"]["waiting"])


@pytest.mark.parametrize("after_s", [0.05, 0.6])
def test_a_client_that_leaves_takes_its_job_along(
    channel: grpc.Channel, http: httpx.Client, after_s: float
) -> None:
    pending = stub(channel, "ModelInfer").future(asked("embedding", "a"))
    until(lambda: waiting(http) == 1)
    time.sleep(after_s)
    pending.cancel()
    until(lambda: http.get("/v2/queues").json()["totals"]["canceled"] == 1)
    assert waiting(http) == 0


@pytest.mark.parametrize("timeout", [0.1, 0.5])
def test_a_clients_deadline_ends_its_job(infer: Call, http: httpx.Client, timeout: float) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        infer(asked("embedding", "a"), timeout=timeout)
    assert raised.value.code() is Code.DEADLINE_EXCEEDED
    until(lambda: http.get("/v2/queues").json()["totals"]["canceled"] == 1)
    assert waiting(http) == 0


def test_many_at_once_get_their_own_answers(grpc_port: int, serving: Worker) -> None:
    async def work() -> list[Any]:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
            send = stub(channel, "ModelInfer")
            one = asyncio.Semaphore(40)  # the queue takes 50

            async def ask(number: int) -> Any:
                async with one:
                    return await send(asked("embedding", f"text {number}", id=str(number)))

            return await asyncio.gather(*(ask(number) for number in range(200)))

    answers = asyncio.run(work())
    assert [answer.id for answer in answers] == [str(number) for number in range(200)]
    assert len({tuple(a.outputs[0].contents.fp32_contents) for a in answers}) == 200


def test_a_full_queue_is_unavailable(grpc_port: int, redis_url: str, http: httpx.Client) -> None:
    async def work() -> list[Any]:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
            send = stub(channel, "ModelInfer")
            sent = (send(asked("embedding", str(n)), timeout=2) for n in range(60))
            return await asyncio.gather(*sent, return_exceptions=True)

    codes = [error.code() for error in asyncio.run(work())]
    assert codes.count(Code.UNAVAILABLE) == 10
    assert codes.count(Code.DEADLINE_EXCEEDED) == 50
    until(lambda: waiting(http) == 0)


# --- streams


def test_a_stream_answers_in_order_and_goes_on_after_an_error(
    channel: grpc.Channel, serving: Worker
) -> None:
    requests = [asked("embedding", f"t{n}", id=str(n)) for n in range(20)]
    requests[7] = asked("nope", "x", id="7")
    requests[9] = asked("embedding", "x", id="9", parameters=parameters(priority=77))
    answers = list(stream_stub(channel)(iter(requests), timeout=10))
    assert [answer.infer_response.id for answer in answers] == [str(n) for n in range(20)]
    assert "unknown model 'nope'" in answers[7].error_message
    assert "priority" in answers[9].error_message
    for number, answer in enumerate(answers):
        if number not in (7, 9):
            assert not answer.error_message
            assert answer.infer_response.parameters["triton_final_response"].bool_param


def test_an_empty_final_answer_comes_where_it_is_asked_for_and_there_may_be_several(
    channel: grpc.Channel, serving: Worker
) -> None:
    wish = parameters(triton_enable_empty_final_response=True)
    requests = [
        asked("text-generation", "a", id="w", parameters=wish),
        asked("embedding", "a", id="e", parameters=wish),
    ]
    answers = [a.infer_response for a in stream_stub(channel)(iter(requests), timeout=10)]
    told = [
        (a.id, len(a.outputs) > 0, a.parameters["triton_final_response"].bool_param)
        for a in answers
    ]
    assert told == [("w", True, False), ("w", False, True), ("e", True, True)]
    assert all("warning" not in answer.parameters for answer in answers)


def test_requests_of_a_stream_wait_beside_each_other(
    channel: grpc.Channel, http: httpx.Client, worker: Worker
) -> None:
    requests = [asked("embedding", f"t{n}", id=str(n)) for n in range(20)]
    answers = stream_stub(channel)(iter(requests), timeout=10)
    until(lambda: waiting(http) == 20)
    worker.serve()
    assert len(list(answers)) == 20


def test_a_stream_that_is_left_takes_its_jobs_along(
    channel: grpc.Channel, http: httpx.Client
) -> None:
    left = threading.Event()

    def requests() -> Iterator[Any]:
        for number in range(5):
            yield asked("embedding", f"t{number}")
        left.wait()

    answers = stream_stub(channel)(requests())
    until(lambda: waiting(http) == 5)
    answers.cancel()
    left.set()
    until(lambda: http.get("/v2/queues").json()["totals"]["canceled"] == 5)


def test_a_broken_message_in_a_stream_is_told(channel: grpc.Channel) -> None:
    send = channel.stream_stream(
        f"/{SERVICE}/ModelStreamInfer",
        response_deserializer=MESSAGES["ModelStreamInferResponse"].FromString,
    )
    [answer] = list(send(iter([b"\xff\xff"]), timeout=5))
    assert "ModelInferRequest" in answer.error_message


@pytest.mark.parametrize("shape", [[2], [2, 1]])
def test_a_list_may_come_as_a_column_as_mlserver_writes_it(
    infer: Call, http: httpx.Client, serving: Worker, texts: Callable[..., Any], shape: list[int]
) -> None:
    plain = texts("a", "b")
    plain["inputs"][0]["shape"] = shape
    told = http.post("/v2/models/embedding/infer", json=plain)
    assert told.status_code == 200, told.text
    contents = {"bytes_contents": [b"a", b"b"]}
    tensor = {"name": "text", "shape": shape, "datatype": "BYTES", "contents": contents}
    assert infer(asked("embedding", inputs=[tensor])).outputs[0].shape[0] == 2


def test_calls_are_counted_by_method_and_status(call: Call, channel: grpc.Channel) -> None:
    def counted(method: str, status: Any) -> float:
        labels = {"method": method, "status": status.name}
        return REGISTRY.get_sample_value("wherry_grpc_requests_total", labels) or 0

    wanted = (
        ("ServerLive", Code.OK),
        ("ModelMetadata", Code.NOT_FOUND),
        ("unmatched", Code.UNIMPLEMENTED),
        ("ModelStreamInfer", Code.OK),
    )
    before = [counted(*each) for each in wanted]
    call("ServerLive")
    with pytest.raises(grpc.RpcError):
        call("ModelMetadata", name="nowhere")
    for n in range(3):
        with pytest.raises(grpc.RpcError):
            channel.unary_unary(f"/{SERVICE}/Invented{n}")(b"", timeout=10)
    assert list(stream_stub(channel)(iter([asked("nowhere", "a")]), timeout=10))
    after = until(lambda: [counted(*each) for each in wanted], lambda now: now[-1] > before[-1])
    gained = [now - then for now, then in zip(after, before, strict=True)]
    assert gained == [1, 1, 3, 1]
