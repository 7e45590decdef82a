"""gRPC asked by nobody's client: random bytes, and good requests with any field bent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wherry.api.settings import ApiSettings
from wherry.jobs import JobsSettings
from wherry.ops.ports import free_port
from wherry.tasks.oip_grpc.messages import MESSAGES, SERVICE

from ...conftest import Server, Worker

#: What a server says of its own faults, never of a client's.
FAULTS = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS}

#: So that a request that is well after all is not waited for.
DEADLINE_S = 0.5

CALLS = ("ModelInfer", "ModelReady", "ModelMetadata", "RepositoryIndex")


@pytest.fixture(scope="module")
def channel(api_settings: ApiSettings, jobs_settings: JobsSettings) -> Iterator[grpc.Channel]:
    port = free_port()
    quick = api_settings.model_copy(update={"grpc_port": port, "infer_timeout_s": DEADLINE_S})
    with (
        Server(quick, jobs_settings),
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        yield channel


def code_of(channel: grpc.Channel, call: str, message: bytes) -> grpc.StatusCode:
    """How a call ends."""
    try:
        channel.unary_unary(f"/{SERVICE}/{call}")(message, timeout=10)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


everything = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@everything
@given(call=st.sampled_from(CALLS), message=st.binary(max_size=200))
def test_random_bytes_are_no_fault_of_the_servers(
    channel: grpc.Channel, worker: Worker, call: str, message: bytes
) -> None:
    assert code_of(channel, call, message) not in FAULTS


numbers = st.one_of(st.sampled_from([-(2**63), -1, 0, 1, 2, 10**9, 2**63 - 1]), st.integers(-3, 9))
texts = st.one_of(
    st.sampled_from(["", "\0", "..", "\ud7ff", "💥"]),
    st.just(5000).map(lambda length: "a" * length),  # whole, it would stand in every error
    st.text(max_size=9),
)
parameters = st.dictionaries(
    st.one_of(
        texts,
        st.sampled_from(["priority", "timeout", "binary_data_size", "content_type", "sequence_id"]),
    ),
    st.one_of(
        st.builds(lambda value: {"int64_param": value}, numbers),
        st.builds(lambda value: {"string_param": value}, texts),
        st.builds(lambda value: {"double_param": value}, st.floats()),
        st.builds(lambda value: {"bool_param": value}, st.booleans()),
    ),
    max_size=3,
)
contents = st.one_of(
    st.builds(lambda found: {"bytes_contents": found}, st.lists(st.binary(max_size=9), max_size=4)),
    st.builds(lambda found: {"fp32_contents": found}, st.lists(st.floats(width=32), max_size=4)),
    st.builds(lambda found: {"bool_contents": found}, st.lists(st.booleans(), max_size=4)),
    st.just({}),
)
tensors = st.builds(
    lambda **fields: fields,
    name=st.one_of(st.sampled_from(["text", "image"]), texts),
    datatype=st.one_of(st.sampled_from(["BYTES", "FP32", "BOOL", "INT64"]), texts),
    shape=st.lists(numbers, max_size=4),
    parameters=parameters,
    contents=contents,
)
requests = st.builds(
    lambda **fields: fields,
    model_name=st.one_of(st.sampled_from(["embedding", "image-classification"]), texts),
    model_version=st.sampled_from(["", "1", "\0"]),
    id=texts,
    parameters=parameters,
    inputs=st.lists(tensors, max_size=3),
    raw_input_contents=st.one_of(st.just([]), st.lists(st.binary(max_size=40), max_size=3)),
)


@everything
@given(fields=requests)
def test_a_bent_request_is_no_fault_of_the_servers(
    channel: grpc.Channel, worker: Worker, fields: dict[str, Any]
) -> None:
    message = MESSAGES["ModelInferRequest"](**fields).SerializeToString()
    assert code_of(channel, "ModelInfer", message) not in FAULTS
