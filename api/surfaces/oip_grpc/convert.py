"""Between gRPC's messages and OIP v2's own: two ways to say the same."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

from pydantic_core import to_json

from ....protocol import v2
from ....protocol.datatypes import Datatype
from ....protocol.elements import text_of, values_of
from ....protocol.errors import InvalidRequest, PayloadTooLarge
from ....protocol.json_text import parse_json
from ....protocol.unsupported import check_request, check_tensor
from ....tasks.base import Task
from ....tasks.oip_grpc.messages import MESSAGES

#: Datatype -> where its values are in InferTensorContents. Small integers travel wider.
_CONTENTS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}

_KINDS = {bool: "bool_param", int: "int64_param", str: "string_param", float: "double_param"}

_INT64, _UINT64 = range(-(2**63), 2**63), range(2**63, 2**64)


def read_request(message: Any) -> v2.InferenceRequest:
    """A ModelInferRequest as OIP's own. Raises InvalidRequest that names the tensor."""
    for field, tensors in (("inputs", message.inputs), ("outputs", message.outputs)):
        for tensor in tensors:
            check_tensor(field, tensor.name, read_parameters(tensor.parameters))
    raws = list(message.raw_input_contents)
    if raws and len(raws) != len(message.inputs):
        raise InvalidRequest(
            f"raw_input_contents has {len(raws)} entries, inputs {len(message.inputs)}"
        )
    parameters = read_parameters(message.parameters)
    check_request(parameters)
    document: dict[str, Any] = {
        "parameters": parameters,
        "inputs": [
            _input(tensor, raws[index] if raws else None)
            for index, tensor in enumerate(message.inputs)
        ],
    }
    if message.id:
        document["id"] = message.id
    if message.outputs:
        document["outputs"] = [
            {"name": output.name, "parameters": read_parameters(output.parameters)}
            for output in message.outputs
        ]
    request = v2.InferenceRequest.parse(document)
    for tensor in request.inputs:
        tensor.check()
    return request


def _input(tensor: Any, raw: bytes | None) -> dict[str, Any]:
    if raw is not None and tensor.contents.ListFields():
        raise InvalidRequest(f"input {tensor.name!r} has both contents and raw_input_contents")
    parameters = read_parameters(tensor.parameters)
    data: Any = _values(tensor) if raw is None else raw
    if tensor.datatype == "BYTES" and parameters.get(v2.CONTENT_TYPE) == v2.BASE64:
        # MLServer writes base64 here too, though bytes could go as they are.
        elements = data if raw is None else values_of(raw, Datatype.BYTES, name=tensor.name)
        data = [text_of(element, name=tensor.name) for element in elements]
    return {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "datatype": tensor.datatype,
        "parameters": parameters,
        "data": data,
    }


def _values(tensor: Any) -> list[Any]:
    field = _CONTENTS.get(tensor.datatype)
    if field is None:
        raise InvalidRequest(
            f"input {tensor.name!r}: {tensor.datatype[:20]!r} is no datatype of contents; "
            "FP16 and BF16 go by raw_input_contents"
        )
    for other, _ in tensor.contents.ListFields():
        if other.name != field:
            raise InvalidRequest(
                f"input {tensor.name!r}: {tensor.datatype} goes in {field}, not in {other.name}"
            )
    return list(getattr(tensor.contents, field))


def read_parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as Python values. Raises InvalidRequest for what JSON could not say."""
    values = {
        name: getattr(value, kind)
        for name, value in given.items()
        if (kind := value.WhichOneof("parameter_choice"))
    }
    for name, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise InvalidRequest(f"parameter {name}: {value} is no number that can be kept")
    return values


def read_json(parameters: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """Parameters, with lists and the like read from the JSON that a string may hold.

    gRPC's parameters have no lists: a task's parameter that takes no text is read as JSON.
    """
    names = _textless(task)
    return {
        name: _json(name, value) if isinstance(value, str) and name in names else value
        for name, value in parameters.items()
    }


def _json(name: str, text: str) -> Any:
    try:
        return parse_json(text)
    except PayloadTooLarge:
        raise
    except InvalidRequest:
        raise InvalidRequest(f"parameter {name}: takes no text; expected JSON") from None


@functools.cache
def _textless(task: Task) -> frozenset[str]:
    return frozenset(spec.name for spec in task.parameters if not _takes_text(spec.schema))


def _takes_text(schema: Mapping[str, Any]) -> bool:
    kinds = [kind.get("type", "string") for kind in schema.get("anyOf", [schema])]
    return "string" in kinds


def write_parameters(into: Any, parameters: Mapping[str, Any]) -> None:
    """Fill a message's map. What has no type there goes as a string of JSON."""
    for name, value in parameters.items():
        kind = _KINDS.get(type(value), "")
        if kind == "int64_param" and value not in _INT64:
            kind = "uint64_param" if value in _UINT64 else ""
        setattr(into[name], kind or "string_param", value if kind else to_json(value).decode())


def write_response(response: v2.InferenceResponse, *, raw: bool) -> Any:
    """A ModelInferResponse: raw as Triton answers, or with contents as it was asked."""
    message = MESSAGES["ModelInferResponse"](
        model_name=response.model_name,
        model_version=response.model_version or "",
        id=response.id or "",
    )
    write_parameters(message.parameters, response.parameters or {})
    raw = raw or any(tensor.datatype.value not in _CONTENTS for tensor in response.outputs)
    for tensor in response.outputs:
        written = message.outputs.add(
            name=tensor.name, datatype=tensor.datatype.value, shape=tensor.shape
        )
        write_parameters(written.parameters, _without_base64(tensor))
        if raw:
            message.raw_output_contents.append(bytes(tensor.raw()))
        else:
            getattr(written.contents, _CONTENTS[tensor.datatype.value]).extend(_json_tensor(tensor))
    return message


def _without_base64(tensor: v2.Tensor) -> dict[str, Any]:
    """A tensor's parameters: its files go as they are, whatever JSON would make of them."""
    if tensor.parameters.get(v2.CONTENT_TYPE) != v2.BASE64:
        return tensor.parameters
    return {name: value for name, value in tensor.parameters.items() if name != v2.CONTENT_TYPE}


def _json_tensor(tensor: v2.Tensor) -> Any:
    if tensor.datatype is not Datatype.BYTES:
        return tensor.flat()
    values = tensor.blobs() if tensor.is_base64 else tensor.flat()
    return [value.encode() if isinstance(value, str) else value for value in values]
