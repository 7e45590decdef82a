"""The message table and the conversions, without a server."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from wherry.api.surfaces.oip_grpc.convert import (
    read_json,
    read_request,
    write_parameters,
    write_response,
)
from wherry.protocol import v2
from wherry.protocol.datatypes import Datatype
from wherry.protocol.errors import InvalidRequest
from wherry.tasks.oip_grpc.config_messages import CONFIG_MESSAGES, ENUMS
from wherry.tasks.oip_grpc.messages import MESSAGES
from wherry.tasks.registry import get_task

model_config_pb2 = pytest.importorskip("tritonclient.grpc.model_config_pb2")
service_pb2 = pytest.importorskip("tritonclient.grpc.service_pb2", reason="in the test group")


def fields(message: Any) -> dict[str, tuple[Any, ...]]:
    return {
        field.name: (
            field.number,
            field.type,
            field.is_repeated,
            field.message_type and field.message_type.full_name,
            field.containing_oneof and field.containing_oneof.name,
        )
        for field in message.DESCRIPTOR.fields
    }


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_every_message_is_tritons_field_by_field(name: str) -> None:
    outer, *inner = name.split(".")
    theirs = getattr(service_pb2 if hasattr(service_pb2, outer) else model_config_pb2, outer)
    for part in inner:
        theirs = getattr(theirs, part)
    ours = fields(MESSAGES[name])
    if name in CONFIG_MESSAGES:  # what is not told has no field
        assert ours.items() <= fields(theirs).items()
    else:
        assert ours == fields(theirs)


def test_enums_have_tritons_numbers() -> None:
    for name, values in ENUMS.items():
        theirs: Any = model_config_pb2
        for part in name.split("."):
            theirs = getattr(theirs, part)
        assert dict(theirs.items()) == {value: number for number, value in enumerate(values)}


VALUES: dict[str, tuple[str, list[Any]]] = {
    "BOOL": ("bool_contents", [True, False]),
    "INT8": ("int_contents", [-128, 127]),
    "INT16": ("int_contents", [-(2**15), 2**15 - 1]),
    "INT32": ("int_contents", [-(2**31), 2**31 - 1]),
    "INT64": ("int64_contents", [-(2**63), 2**63 - 1]),
    "UINT8": ("uint_contents", [0, 255]),
    "UINT16": ("uint_contents", [0, 2**16 - 1]),
    "UINT32": ("uint_contents", [0, 2**32 - 1]),
    "UINT64": ("uint64_contents", [0, 2**64 - 1]),
    "FP32": ("fp32_contents", [-1.5, 3.0]),
    "FP64": ("fp64_contents", [-1e300, math.pi]),
    "BYTES": ("bytes_contents", [b"", b"\xff\x00"]),
}


def request(datatype: str, contents: dict[str, Any] | None = None, **given: Any) -> Any:
    tensor = {"name": "x", "shape": [2], "datatype": datatype, **given.pop("tensor", {})}
    if contents is not None:
        tensor["contents"] = contents
    return MESSAGES["ModelInferRequest"](model_name="m", inputs=[tensor], **given)


@pytest.mark.parametrize("datatype", VALUES)
@pytest.mark.parametrize("raw", [False, True])
def test_every_datatype_goes_both_ways(datatype: str, raw: bool) -> None:
    field, values = VALUES[datatype]
    tensor = v2.Tensor(name="x", shape=[2], datatype=Datatype(datatype), data=values)
    if raw:
        message = request(datatype, raw_input_contents=[bytes(tensor.raw())])
    else:
        message = request(datatype, {field: values})
    read = read_request(message).inputs[0]
    assert list(read.flat()) == values
    output = v2.ResponseOutput(**dict(read))
    answer = write_response(v2.InferenceResponse(model_name="m", outputs=[output]), raw=raw)
    if raw:
        assert answer.raw_output_contents[0] == tensor.raw()
    else:
        assert list(getattr(answer.outputs[0].contents, field)) == values


@pytest.mark.parametrize("datatype", ["FP16", "BF16"])
def test_half_floats_go_raw_only(datatype: str) -> None:
    raw = np.array([1, 2], "<f2").tobytes()
    read = read_request(request(datatype, raw_input_contents=[raw]))
    output = v2.ResponseOutput(**dict(read.inputs[0]))
    answer = write_response(v2.InferenceResponse(model_name="m", outputs=[output]), raw=False)
    assert list(answer.raw_output_contents) == [raw]
    with pytest.raises(InvalidRequest, match="raw_input_contents"):
        read_request(request(datatype, {"fp32_contents": [1, 2]}))


@pytest.mark.parametrize(
    ("datatype", "contents", "wanted"),
    [
        ("INT8", {"int_contents": [1, 128]}, "out of the range of INT8"),
        ("UINT16", {"uint_contents": [1, 2**16]}, "out of the range of UINT16"),
        ("INT64", {"int_contents": [1, 2]}, "goes in int64_contents, not in int_contents"),
        ("", {"int_contents": [1, 2]}, "no datatype"),
    ],
)
def test_values_that_do_not_fit_are_refused(
    datatype: str, contents: dict[str, Any], wanted: str
) -> None:
    with pytest.raises(InvalidRequest, match=wanted):
        read_request(request(datatype, contents))


def test_parameters_that_have_no_type_there_go_as_json() -> None:
    message = MESSAGES["ModelInferResponse"]()
    given = {"a": True, "b": -3, "c": 2**63, "d": 2**70, "e": 0.5, "f": "ü", "g": [1, "x"]}
    write_parameters(message.parameters, {**given, "h": None})
    seen = {
        name: getattr(value, value.WhichOneof("parameter_choice"))
        for name, value in message.parameters.items()
    }
    assert seen == {**given, "d": str(2**70), "g": '[1,"x"]', "h": "null"}


def test_lists_are_read_from_json_where_a_parameter_takes_no_text() -> None:
    task = get_task("text-generation")
    read = read_json({"stop": '["a", "b"]', "temperature": "0.5", "other": "[1]"}, task)
    assert read == {"stop": ["a", "b"], "temperature": 0.5, "other": "[1]"}
    with pytest.raises(InvalidRequest, match="parameter stop"):
        read_json({"stop": "a"}, task)
