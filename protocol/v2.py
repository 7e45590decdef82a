"""Open Inference Protocol v2 (KServe v2) as data: requests, responses, metadata.

Names and fields are the specification's own. A tensor's `data` is a list, nested or flat, or
bytes-like raw data: little-endian, row-major, BYTES elements behind four-byte lengths.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Self, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictStr,
    ValidationError,
    field_validator,
)
from pydantic_core import ErrorDetails

from .datatypes import Datatype
from .elements import (
    Raw,
    blob_of,
    bytes_pieces,
    bytes_size,
    check_raw,
    check_values,
    flatten,
    raw_of,
    split_bytes,
    text_of,
    values_of,
)
from .errors import InvalidRequest, InvalidTensor
from .first_fault import FirstFault
from .nearest import meant
from .unchecked import unchecked

#: Values are bool, int, float or str in the specification; extensions nest. Clients that write
#: every field of theirs send null for none.
Parameters = Annotated[
    dict[str, Any], BeforeValidator(lambda given: {} if given is None else given)
]
#: Characters of a tensor's name, at most: errors quote it.
MAX_NAME = 512

#: Characters shown of each step of a path to a fault; a key may be as long as the body.
_SHOWN = 80

#: Faults of a request that are looked at for a name that is nearly another.
_MOST_HINTED = 8

Dimension = Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)]

#: Says what the elements of a BYTES tensor are: text, files that JSON carries as base64, or URLs of
#: files. MLServer's convention; its other content types are hints that change nothing here.
CONTENT_TYPE, BASE64, TEXT, URL = "content_type", "base64", "str", "url"


class _Model(FirstFault):
    model_config = ConfigDict(extra="ignore", arbitrary_types_allowed=True)

    @classmethod
    def made(cls, **fields: Any) -> Self:  # each field's own type, unchecked
        """A model of values that are known to fit, all of them given."""
        return unchecked(cls, fields)

    @classmethod
    def parse(cls, value: Any) -> Self:
        """Validate parsed JSON. Raises InvalidRequest that names the field."""
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise InvalidRequest(describe(error, cls)) from None


#: How a message begins that names its field.
_NAMED = re.compile(r"[a-z][a-z0-9_.]*: ")


def describe(error: ValidationError, model: type[BaseModel] | None = None) -> str:
    """The first fault of a validation as one line: `inputs[0].shape[1]: ...`.

    Of `model`, a field that there is none of goes first where another is nearly called so: it may
    be why that one is missing.
    """
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    hinted = ((fault, _hint(fault, model)) for fault in faults[:_MOST_HINTED])
    first, hint = next((each for each in hinted if each[1]), (faults[0], ""))
    path = "".join(
        f"[{part}]" if isinstance(part, int) else f".{part[:_SHOWN]}" for part in first["loc"]
    )
    fault = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        fault = f"there is no such field{hint}"
    if not path and _NAMED.match(fault):  # a fault of fields together, which says of which
        return fault
    return f"{path.lstrip('.') or 'request'}: {fault}"


def _hint(fault: ErrorDetails, model: type[BaseModel] | None) -> str:
    if model is None or fault["type"] != "extra_forbidden" or len(fault["loc"]) != 1:
        return ""
    [name] = fault["loc"]
    return meant(str(name)[:_SHOWN], model.model_fields)


class Tensor(_Model):
    """A named tensor with its data."""

    name: StrictStr = Field(min_length=1, max_length=MAX_NAME)
    shape: list[Dimension] = Field(max_length=32)
    datatype: Datatype
    parameters: Parameters = Field(default_factory=dict)
    data: Any  # list of anything, or Raw: pydantic would copy both element by element

    @field_validator("data")
    @classmethod
    def _check_kind(cls, data: Any) -> Any:
        if not isinstance(data, (list, bytes, bytearray, memoryview)):
            raise ValueError("data must be a list")  # noqa: TRY004 # pydantic wants a ValueError
        return data

    @property
    def is_raw(self) -> bool:
        """Whether `data` is raw bytes."""
        return not isinstance(self.data, list)

    @property
    def is_base64(self) -> bool:
        """Whether the elements are strings of base64, by the tensor's own word."""
        return (
            self.parameters.get(CONTENT_TYPE) == BASE64
            and self.datatype is Datatype.BYTES
            and not self.is_raw
        )

    @property
    def element_count(self) -> int:
        """Product of the shape; a Python int, so it never wraps."""
        return math.prod(self.shape)

    def flat(self) -> Sequence[Any]:
        """Python values, row-major; BYTES from raw data as `bytes`."""
        if self.is_raw:
            return values_of(self.data, self.datatype, name=self.name)
        return flatten(self.data, name=self.name, strict=False)

    def texts(self) -> list[str]:
        """BYTES elements as text; base64 where the tensor says so. Raises InvalidTensor."""
        elements: Iterable[str | bytes | memoryview]
        if self.is_raw and self.datatype is Datatype.BYTES:
            elements = split_bytes(self.data, name=self.name)
        else:
            elements = self._bytes_elements()
            if self.is_base64:
                elements = (blob_of(element, name=self.name) for element in elements)
            elif set(map(type, elements)) == {str}:
                return list(cast("Sequence[str]", elements))
        return [text_of(element, name=self.name) for element in elements]

    def blobs(self) -> list[bytes]:
        """BYTES elements as files: bytes as they are, strings from strict base64."""
        return [blob_of(element, name=self.name) for element in self._bytes_elements()]

    def _bytes_elements(self) -> Sequence[str | bytes]:
        if self.datatype is not Datatype.BYTES:
            raise InvalidTensor(f"tensor {self.name!r}: expected BYTES, got {self.datatype}")
        elements = self.flat()
        if not set(map(type, elements)) <= {str, bytes}:
            raise InvalidTensor(f"tensor {self.name!r}: BYTES data must be strings")
        return elements

    def raw(self) -> Raw:
        """Raw data; raw data as it is, uncopied."""
        if self.is_raw:
            data: Raw = self.data
            return data
        values = self.blobs() if self.is_base64 else self.flat()
        return raw_of(values, self.datatype, name=self.name)

    def raw_pieces(self) -> tuple[int, Iterable[Raw]]:
        """Raw data in pieces, and the bytes of all: whoever joins them with more spares a copy.

        A list, where they are in memory already.
        """
        if self.is_raw or self.datatype is not Datatype.BYTES:
            raw = self.raw()
            return memoryview(raw).nbytes, [raw]
        values = self.blobs() if self.is_base64 else self.flat()
        size, pieces = bytes_size(values, name=self.name), bytes_pieces(values)
        return size, list(pieces) if set(map(type, values)) <= {bytes} else pieces

    def check(self) -> None:
        """Hold the data against shape and datatype. Raises InvalidTensor; allocates by neither."""
        if self.is_raw:
            check_raw(self.data, self.datatype, self.element_count, name=self.name)
            return
        values = flatten(self.data, name=self.name)
        if len(values) != self.element_count:
            raise InvalidTensor(
                f"tensor {self.name!r}: shape {self.shape} needs {self.element_count} elements, "
                f"got {len(values)}"
            )
        check_values(values, self.datatype, name=self.name)


class RequestInput(Tensor):
    """An input tensor of a request."""


class RequestOutput(_Model):
    """An output that a request asks for."""

    name: StrictStr = Field(min_length=1, max_length=MAX_NAME)
    parameters: Parameters = Field(default_factory=dict)


class InferenceRequest(_Model):
    """A request for inference."""

    id: StrictStr | None = None
    parameters: Parameters = Field(default_factory=dict)
    inputs: list[RequestInput] = Field(min_length=1)
    outputs: list[RequestOutput] | None = None

    def input(self, name: str) -> RequestInput:
        """The input of that name. Raises InvalidRequest when it is missing."""
        for tensor in self.inputs:
            if tensor.name == name:
                return tensor
        raise InvalidRequest(f"input {name!r} is missing")


class ResponseOutput(Tensor):
    """An output tensor of a response."""


class InferenceResponse(_Model):
    """The answer to a request."""

    model_config = ConfigDict(protected_namespaces=())

    model_name: str
    model_version: str | None = None
    id: str | None = None
    parameters: Parameters = Field(default_factory=dict)
    outputs: list[ResponseOutput]

    @classmethod
    def of(cls, model_name: str, outputs: list[ResponseOutput]) -> Self:
        """What a model answers, before it has its id: unchecked, for it is our own."""
        fields: dict[str, Any] = {
            "model_name": model_name,
            "model_version": None,
            "id": None,
            "parameters": {},
            "outputs": outputs,
        }
        return unchecked(cls, fields)

    def output(self, name: str) -> ResponseOutput:
        """The output of that name. Raises InvalidRequest when it is missing."""
        for tensor in self.outputs:
            if tensor.name == name:
                return tensor
        raise InvalidRequest(f"output {name!r} is missing from the response")


class TensorMetadata(_Model):
    """A tensor as a model declares it; -1 for a variable dimension."""

    name: str
    datatype: Datatype
    shape: list[int]
    parameters: Parameters | None = None


class ModelMetadata(_Model):
    """What a model takes and gives."""

    name: str
    versions: list[str] = Field(default_factory=list)
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
    parameters: Parameters | None = None


class ServerMetadata(_Model):
    """What a server is and can."""

    name: str
    version: str
    extensions: list[str]
