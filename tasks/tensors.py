from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..protocol import v2
from ..protocol.datatypes import Datatype
from ..protocol.elements import flatten
from ..protocol.errors import InvalidTensor
from ..protocol.json_text import check_size, parse_json

#: What a BYTES tensor's elements are. Files travel as base64 in JSON, text as it is; `json` is text
#: that holds a JSON value, for what is no rectangle of numbers (points, tables, messages).
Content = Literal["text", "json", "image", "audio", "tensor"]

#: Axes of a tensor of grids of numbers: rows, grids a row, lines, columns.
_GRIDS = 4

#: Lines of numbers.
Grid = list[list[float]]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A tensor of a task: its OIP name and form, and the field of Input or Output it fills.

    Shape (1,) is one value for all rows, where the field is no list.
    """

    name: str
    datatype: Datatype
    shape: tuple[int, ...]
    field: str
    content: Content = "tensor"
    #: Whether a request may leave it out; its field is then None.
    optional: bool = False

    @property
    def is_file(self) -> bool:
        """Whether the elements are whole files."""
        return self.content in ("image", "audio")

    @property
    def is_scalar(self) -> bool:
        """Whether it holds one value for all rows."""
        return self.shape == (1,)

    def metadata(self) -> v2.TensorMetadata:
        """The tensor as the model metadata endpoint shows it."""
        parameters: v2.Parameters = {"content": self.content}
        if self.is_file:
            parameters[v2.CONTENT_TYPE] = v2.BASE64
        if self.optional:
            parameters["optional"] = True
        return v2.TensorMetadata(
            name=self.name, datatype=self.datatype, shape=list(self.shape), parameters=parameters
        )

    def write(self, value: Any) -> v2.RequestInput:
        """The tensor that a field's value makes: one value, one a row, or a list a row."""
        values = [value] if self.is_scalar else list(value)
        if self.content == "json":
            values = [json.dumps(entry, ensure_ascii=False) for entry in values]
        if len(self.shape) == 1:
            return v2.RequestInput.made(
                name=self.name,
                shape=[len(values)],
                datatype=self.datatype,
                parameters={},
                data=values,
            )
        if len(self.shape) == _GRIDS:
            return v2.RequestInput(**dict(grids(self, list(value))))
        nothing = (b"" if self.is_file else "") if self.datatype is Datatype.BYTES else 0
        rows = padded(self, values, nothing)
        return v2.RequestInput(**dict(rows))

    def read(self, tensor: v2.Tensor) -> Any:
        """The field's value that a tensor holds. Raises InvalidTensor."""
        if len(self.shape) == _GRIDS:
            return ungridded(tensor)
        if len(self.shape) > 1:
            return unpadded(tensor, files=self.is_file)
        values = _elements(tensor, files=self.is_file)
        if self.content == "json":
            what = f"tensor {self.name!r}"
            check_size(values, what=what)
            values = [
                parse_json(text, what=f"{what}: element {index}")
                for index, text in enumerate(values)
            ]
        if not self.is_scalar:
            return values
        if len(values) != 1:
            raise InvalidTensor(f"tensor {self.name!r}: one value for all rows, got {len(values)}")
        return values[0]


def _elements(tensor: v2.Tensor, *, files: bool) -> list[Any]:
    if tensor.datatype is not Datatype.BYTES:
        return list(tensor.flat())
    return tensor.blobs() if files else tensor.texts()


#: Parameter of a padded tensor: how many entries of each row are real, `2,5`.
ROW_LENGTHS = "row_lengths"


def column(spec: TensorSpec, values: list[Any]) -> v2.ResponseOutput:
    """A tensor [n] of one value a row."""
    return v2.ResponseOutput.made(
        name=spec.name,
        shape=[len(values)],
        datatype=spec.datatype,
        parameters={},
        data=list(values),
    )


def values_of(spec: TensorSpec, response: v2.InferenceResponse) -> list[Any]:
    """The values of a `column`. Raises InvalidRequest when the tensor is missing."""
    return _elements(response.output(spec.name), files=spec.is_file)


def padded(
    spec: TensorSpec, rows: Sequence[Sequence[Any]], pad: Any, *, width: int = 1
) -> v2.ResponseOutput:
    """A tensor [n, m] (or [n, m, width], each row flat) of rows that may differ in length.

    Shorter rows end in `pad`; the lengths go along, so that a reader can take it off again.
    """
    lengths = [len(row) for row in rows]
    longest = max(lengths, default=0)
    data = []
    for row in rows:
        full = [*row, *[pad] * (longest - len(row))]
        data.append(full if width == 1 else [value for entry in full for value in entry])
    shape = [len(rows), longest] if width == 1 else [len(rows), longest, width]
    ragged = len(set(lengths)) > 1
    return v2.ResponseOutput.made(
        name=spec.name,
        shape=shape,
        datatype=spec.datatype,
        parameters={ROW_LENGTHS: ",".join(map(str, lengths))} if ragged else {},
        data=data,
    )


def unpadded(tensor: v2.Tensor, *, width: int = 1, files: bool = False) -> list[list[Any]]:
    """The rows of a `padded` tensor, nested or flat, JSON or raw; entries of `width` as lists.

    Where rows are nested their own lengths count: other servers send ragged rows under the shape
    of the shortest. Raises InvalidTensor for a shape or lengths that do not fit.
    """
    flat = _elements(tensor, files=files)
    held = _held(tensor, width)
    rows, start = [], 0
    for length, entries_held in zip(_lengths(tensor, held), held, strict=True):
        entries = list(flat[start : start + length * width])
        if width > 1:
            entries = [entries[i : i + width] for i in range(0, len(entries), width)]
        rows.append(entries)
        start += entries_held * width
    return rows


def grids(spec: TensorSpec, rows: Sequence[Sequence[Grid]]) -> v2.ResponseOutput:
    """A tensor [n, m, h, w] of grids of one size. Raises InvalidTensor where sizes differ."""
    sizes = {(len(grid), len(line)) for row in rows for grid in row for line in grid}
    if len(sizes) > 1:
        raise InvalidTensor(f"tensor {spec.name!r}: grids of one size are taken, not {sizes}")
    high, wide = next(iter(sizes), (0, 0))
    flat = [[[value for line in grid for value in line] for grid in row] for row in rows]
    made = padded(spec, flat, [0.0] * (high * wide), width=high * wide)
    return made.model_copy(update={"shape": [*made.shape[:2], high, wide]})


def ungridded(tensor: v2.Tensor) -> list[list[Grid]]:
    """The grids of each row of a tensor [n, m, h, w]. Raises InvalidTensor."""
    if len(tensor.shape) != _GRIDS:
        raise InvalidTensor(f"tensor {tensor.name!r}: expected 4 axes, got shape {tensor.shape}")
    high, wide = tensor.shape[2:]
    if not high * wide:
        return [[] for _ in range(tensor.shape[0])]
    rows = unpadded(tensor, width=high * wide)
    return [[[g[i : i + wide] for i in range(0, len(g), wide)] for g in row] for row in rows]


def _held(tensor: v2.Tensor, width: int) -> list[int]:
    """How many entries each row holds, padding included."""
    if len(tensor.shape) < 2:
        raise InvalidTensor(f"tensor {tensor.name!r}: expected rows, got shape {tensor.shape}")
    data = tensor.data
    if isinstance(data, list) and data and all(isinstance(row, list) for row in data):
        first = next((row[0] for row in data if row), None)
        if not isinstance(first, list):  # and so is no other: the data is of one form
            return [len(row) // width for row in data]
        return [len(flatten(row, name=tensor.name, strict=False)) // width for row in data]
    return [tensor.shape[1]] * tensor.shape[0]


def _lengths(tensor: v2.Tensor, held: list[int]) -> list[int]:
    """How many entries of each row are real."""
    given = tensor.parameters.get(ROW_LENGTHS)
    if given is None:
        return held
    try:
        lengths = [int(part) for part in str(given).split(",")]
    except ValueError:
        lengths = []
    fits = len(lengths) == len(held) and all(
        0 <= length <= most for length, most in zip(lengths, held, strict=True)
    )
    if not fits:
        raise InvalidTensor(f"tensor {tensor.name!r}: {ROW_LENGTHS} {given!r} does not fit it")
    return lengths
