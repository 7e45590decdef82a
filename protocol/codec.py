"""The wire forms of OIP v2: plain JSON, and JSON followed by raw tensors (the binary extension)."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Collection, Iterable, Sequence
from io import BytesIO
from typing import Any, TypeVar

from pydantic_core import to_json

from .datatypes import Datatype
from .elements import Raw, all_finite
from .errors import InvalidRequest, InvalidTensor
from .json_kinds import in_words
from .json_text import parse_json
from .plain_form import plain_request
from .unsupported import check_document
from .v2 import (
    BASE64,
    CONTENT_TYPE,
    TEXT,
    InferenceRequest,
    InferenceResponse,
    RequestOutput,
    Tensor,
)

__all__ = [
    "decode_request",
    "decode_response",
    "decode_stored",
    "encode_request",
    "encode_response",
    "holds_text",
    "request_of",
    "select_outputs",
    "wants_binary",
]

_SIZE = "binary_data_size"

#: Bytes of a body up to which it does not matter that its pieces are in memory twice.
_SMALL = 64 * 1024

#: Raw data: how many bytes, and these.
Pieces = tuple[int, Iterable[Raw]]

M = TypeVar("M", InferenceRequest, InferenceResponse)


def decode_request(body: Raw, header_length: int | None = None) -> InferenceRequest:
    """Read a request; every tensor's data is held against its shape and datatype.

    `header_length` is the Inference-Header-Content-Length, None for plain JSON. Raw tensors stay
    views of `body`; nothing holds on to plain JSON. Raises InvalidRequest that names the field.
    """
    document, rest = split(body, header_length)
    del body
    check_document(document)
    has_header = header_length is not None
    return _checked(_build(InferenceRequest, document, rest, "inputs", has_header=has_header))


def decode_stored(body: Raw, header_length: int) -> InferenceRequest:
    """Read a request that the fleet keeps: the API has refused what is to be refused.

    Raw tensors stay views of `body`. Raises InvalidRequest for one that cannot be read at all.
    """
    document, rest = split(body, header_length)
    return _build(InferenceRequest, document, rest, "inputs", has_header=True)


def request_of(document: object) -> InferenceRequest:
    """Read a request that is parsed JSON already. Raises InvalidRequest that names the field."""
    check_document(document)
    return _checked(_build(InferenceRequest, document, memoryview(b""), "inputs", has_header=False))


def _checked(request: InferenceRequest) -> InferenceRequest:
    for tensor in request.inputs:
        tensor.check()
    return request


def decode_response(body: Raw, header_length: int | None = None) -> InferenceResponse:
    """Read a response; its nesting is taken as it comes. Raises InvalidRequest."""
    document, rest = split(body, header_length)
    has_header = header_length is not None
    return _build(InferenceResponse, document, rest, "outputs", has_header=has_header)


def encode_request(request: InferenceRequest, *, binary: bool) -> tuple[bytes, int | None]:
    """Write a request: the body, and the JSON's length when raw tensors follow it."""
    header, raws = request_parts(request, binary=binary)
    return join(header, raws, always=binary)


def request_parts(
    request: InferenceRequest, *, binary: bool
) -> tuple[dict[str, Any], list[Pieces]]:
    """A request as its JSON tells it, and the raw data that is to follow, in order."""
    names = {tensor.name for tensor in request.inputs} if binary else ()
    header: dict[str, Any] = {} if request.id is None else {"id": request.id}
    if request.parameters:
        header["parameters"] = request.parameters
    header["inputs"], raws = _tensors(request.inputs, names)
    if request.outputs is not None:
        header["outputs"] = [
            {"name": output.name, **_parameters(output.parameters)} for output in request.outputs
        ]
    return header, raws


def encode_response(
    response: InferenceResponse, *, binary: bool = False, binary_names: Collection[str] = ()
) -> tuple[bytes, int | None]:
    """Write a response: all outputs raw, or those named; the rest as JSON.

    Raises InvalidTensor for a NaN or an infinity that would have to go as JSON.
    """
    names = {tensor.name for tensor in response.outputs} if binary else binary_names
    header: dict[str, Any] = {"model_name": response.model_name}
    if response.model_version is not None:
        header["model_version"] = response.model_version
    if response.id is not None:
        header["id"] = response.id
    if response.parameters:
        header["parameters"] = response.parameters
    header["outputs"], raws = _tensors(response.outputs, names, mark_text=True)
    return join(header, raws, always=binary)


def wants_binary(request: InferenceRequest) -> tuple[bool, frozenset[str]]:
    """Which outputs a request wants raw: all of them, or those named."""
    everything = request.parameters.get("binary_data_output") is True
    named = {o.name: o.parameters.get("binary_data") for o in request.outputs or ()}
    if everything:
        refused = {name for name, wish in named.items() if wish is False}
        if refused:
            return False, frozenset(named) - refused
        return True, frozenset()
    return False, frozenset(name for name, wish in named.items() if wish is True)


def select_outputs(
    response: InferenceResponse,
    outputs: Sequence[RequestOutput] | None,
    *,
    optional: frozenset[str] = frozenset(),
) -> InferenceResponse:
    """Keep the outputs asked for, in that order; all of them when none is named.

    One that is `optional` is left out where the answer has none.
    """
    if not outputs:
        return response
    there = {tensor.name for tensor in response.outputs}
    kept = [o.name for o in outputs if o.name in there or o.name not in optional]
    return response.model_copy(update={"outputs": [response.output(name) for name in kept]})


def split(body: Raw, header_length: int | None) -> tuple[Any, memoryview]:
    """The parsed JSON, and the raw data that follows it. Raises InvalidRequest."""
    if header_length is None:
        # jiter reads no views: a header is copied, a plain JSON body, bytes already, is not.
        return _parse(bytes(body)), memoryview(b"")
    view = memoryview(body).cast("B")
    if not 0 <= header_length <= len(view):
        raise InvalidRequest(
            f"Inference-Header-Content-Length is {header_length}, the body {len(view)} bytes"
        )
    return _parse(bytes(view[:header_length])), view[header_length:]


def _build(
    model: type[M], document: object, rest: memoryview, field: str, *, has_header: bool
) -> M:
    if not isinstance(document, dict):
        raise InvalidRequest(f"expected a JSON object, got {in_words(document)}")
    tensors = document.get(field)
    if isinstance(tensors, list):
        check_end(rest, attach(tensors, rest, field, has_header=has_header))
    plain = plain_request(document) if model is InferenceRequest else None
    return plain or model.parse(document)  # type: ignore[return-value] # of the same class


def _parse(header: bytes) -> Any:
    if not header:
        raise InvalidRequest("the body is empty; expected a JSON object")
    return parse_json(header)


def attach(
    tensors: list[Any], rest: memoryview, field: str, *, has_header: bool, at: int = 0
) -> int:
    """Give each tensor that declares a size its part of the raw data, in order, from `at` on.

    Answers where the next begins. Raises InvalidRequest that names the tensor.
    """
    for index, tensor in enumerate(tensors):
        parameters = tensor.get("parameters") if isinstance(tensor, dict) else None
        if not isinstance(parameters, dict) or _SIZE not in parameters:
            continue
        where, size = f"{field}[{index}].parameters.{_SIZE}", parameters[_SIZE]
        if not has_header:
            raise InvalidRequest(f"{where} needs the Inference-Header-Content-Length header")
        if type(size) is not int or size < 0:
            raise InvalidRequest(f"{where} must be a non-negative integer")
        if "data" in tensor:
            raise InvalidRequest(f"{field}[{index}] has both data and {_SIZE}")
        if size > len(rest) - at:
            raise InvalidRequest(f"{where} is {size}, but {len(rest) - at} bytes are left")
        tensor["data"] = rest[at : at + size]
        tensor["parameters"] = {k: v for k, v in parameters.items() if k != _SIZE}
        at += size
    return at


def check_end(rest: memoryview, at: int) -> None:
    """Refuse raw data that no tensor has declared. Raises InvalidRequest."""
    if at != len(rest):
        raise InvalidRequest(f"{len(rest) - at} bytes follow the last tensor's data")


def _tensors(
    tensors: Sequence[Tensor], raw_names: Collection[str], *, mark_text: bool = False
) -> tuple[list[dict[str, Any]], list[Pieces]]:
    headers, raws = [], list[Pieces]()
    for tensor in tensors:
        header: dict[str, Any] = {
            "name": tensor.name,
            "shape": tensor.shape,
            "datatype": tensor.datatype.value,
        }
        if tensor.name in raw_names:
            pieces = tensor.raw_pieces()
            header["parameters"] = {**tensor.parameters, _SIZE: pieces[0]}
            if mark_text and holds_text(tensor):
                header["parameters"][CONTENT_TYPE] = TEXT
            raws.append(pieces)
        else:
            data, marks = _json_data(tensor)
            if tensor.parameters or marks:
                header["parameters"] = {**tensor.parameters, **marks}
            header["data"] = data
        headers.append(header)
    return headers, raws


def holds_text(tensor: Tensor) -> bool:
    """Whether the elements are strings: raw, they would look like any bytes."""
    if tensor.datatype is not Datatype.BYTES or tensor.is_raw or tensor.is_base64:
        return False
    first = tensor.data
    while isinstance(first, list):
        first = first[0] if first else None
    return isinstance(first, str)


def _json_data(tensor: Tensor) -> tuple[Any, dict[str, str]]:
    """A tensor's data as JSON takes it, and the parameters that say how."""
    if tensor.datatype.binary_only:
        raise InvalidTensor(
            f"tensor {tensor.name!r}: {tensor.datatype} has no JSON form; ask for binary data"
        )
    data: Any = tensor.data
    if _is_numbers(tensor):
        return data, {}
    marks: dict[str, str] = {}
    text = tensor.is_raw and tensor.parameters.get(CONTENT_TYPE) == TEXT
    values: Sequence[Any] = tensor.texts() if text else tensor.flat()
    if tensor.datatype is Datatype.BYTES and any(isinstance(value, bytes) for value in values):
        values = [base64.b64encode(v).decode() if isinstance(v, bytes) else v for v in values]
        data, marks = _nest(values, tensor.shape), {CONTENT_TYPE: BASE64}
    elif tensor.is_raw:
        data = _nest(values, tensor.shape)
    if tensor.datatype in (Datatype.FP32, Datatype.FP64) and not all_finite(values):
        raise InvalidTensor(
            f"tensor {tensor.name!r} holds NaN or infinity, which JSON cannot carry; "
            "ask for binary data"
        )
    return data, marks


def _is_numbers(tensor: Tensor) -> bool:
    """Whether its data is numbers that JSON can carry, a list a row or one of all: as of most."""
    data = tensor.data
    if tensor.datatype is Datatype.BYTES or type(data) is not list:
        return False
    rows = data if data and type(data[0]) is list else [data]
    try:
        return all(map(all_finite, rows))
    except (OverflowError, TypeError):  # more dimensions, or what is no number
        return False


def _nest(values: Sequence[Any], shape: Sequence[int]) -> Sequence[Any]:
    """A list per row (first dimension), each row flat: the form that clients parse."""
    if len(shape) < 2 or not shape[0]:
        return values
    width = len(values) // shape[0]
    return [values[i * width : (i + 1) * width] for i in range(shape[0])]


def _parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    return {"parameters": parameters} if parameters else {}


def join(
    header: dict[str, Any], raws: Sequence[Pieces], *, always: bool
) -> tuple[bytes, int | None]:
    """Write a body: its JSON, then raw data; and the JSON's length where there is some."""
    text = to_json(header)
    if not raws and not always:
        return text, None
    is_small = len(text) + sum(size for size, _ in raws) < _SMALL
    if is_small or all(isinstance(pieces, list) for _, pieces in raws):
        whole = b"".join(itertools.chain((text,), *(pieces for _, pieces in raws)))
        return whole, len(text)
    # bytes.join would hold all pieces and their copy, and so would a buffer that grows.
    body = BytesIO()
    body.seek(len(text) + sum(size for size, _ in raws) - 1)
    body.write(b"\0")
    body.seek(0)
    body.write(text)
    for _, pieces in raws:
        body.writelines(pieces)
    return body.getvalue(), len(text)
