"""Depth estimation. OIP: image BYTES [n] -> predicted_depth FP32 [n, h, w], depth BYTES [n] (PNG).

A map has the size of its image. Images of one batch that differ in size lie at the upper left of
maps of the greatest height and width, zeros beyond; the tensor's parameter `map_sizes` then tells
the true ones, height x width: `480x640,240x320`. Per image one flat list, row by row.

No trained model is at hand without a download: tests prove parity with random weights.
"""

from __future__ import annotations

import re
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...protocol import v2
from ...protocol.datatypes import Datatype
from ...protocol.errors import InvalidTensor
from ..base import Aliases, Example, Task, TaskOutput, Widget
from ..samples import PNG
from ..tensors import TensorSpec, column, values_of
from .images import ImagesInput

PREDICTED_DEPTH = TensorSpec("predicted_depth", Datatype.FP32, (-1, -1, -1), "predicted_depth")
DEPTH = TensorSpec("depth", Datatype.BYTES, (-1,), "depth", "image")

#: Parameter of predicted_depth: each map's height x width, where they differ.
MAP_SIZES = "map_sizes"

#: Pixels of one image, at most: the answer takes four bytes for each.
_MAX_PIXELS = 2**25

_FLOAT = 4  # bytes


class DepthMap(BaseModel):
    """Depth per pixel in the model's own unit: metres, or relative, near or far first."""

    model_config = ConfigDict(frozen=True)

    height: int = Field(ge=0, description="Pixels.")
    width: int = Field(ge=0, description="Pixels.")
    values: bytes = Field(repr=False, description="float32, little-endian, row by row.")

    @model_validator(mode="after")
    def _check_length(self) -> Self:
        if len(self.values) != self.height * self.width * _FLOAT:
            raise ValueError(f"values: {len(self.values)} bytes for {self.height} x {self.width}")
        return self

    def resized(self, height: int, width: int) -> bytes:
        """The values cut, or padded with zeros, at the right and below."""
        held, wanted = self.width * _FLOAT, width * _FLOAT
        if held == wanted:
            return self.values[: height * wanted].ljust(height * wanted, b"\0")
        lines = (self.values[y * held :][:held] for y in range(min(height, self.height)))
        padded = b"".join(line[:wanted].ljust(wanted, b"\0") for line in lines)
        return padded.ljust(height * wanted, b"\0")


class DepthEstimationInput(ImagesInput):
    """Images to measure."""


class DepthEstimationOutput(TaskOutput):
    """Per image, its depth map, and the map as a grey PNG from black, the least, to white."""

    ROWS: ClassVar[tuple[str, ...]] = ("predicted_depth", "depth")

    predicted_depth: list[DepthMap]
    depth: list[bytes]

    @classmethod
    def empty(cls) -> Self:
        """No map."""
        return cls(predicted_depth=[DepthMap(height=0, width=0, values=b"")], depth=[b""])

    def to_inference_response(self, model_name: str) -> v2.InferenceResponse:
        """predicted_depth as raw data, depth as files."""
        maps = self.predicted_depth
        height, width = max(m.height for m in maps), max(m.width for m in maps)
        sizes = [f"{m.height}x{m.width}" for m in maps]
        values = v2.ResponseOutput(
            name=PREDICTED_DEPTH.name,
            shape=[len(maps), height, width],
            datatype=PREDICTED_DEPTH.datatype,
            parameters={MAP_SIZES: ",".join(sizes)} if len(set(sizes)) > 1 else {},
            data=b"".join(m.resized(height, width) for m in maps),
        )
        return v2.InferenceResponse.of(model_name, [values, column(DEPTH, self.depth)])

    @classmethod
    def from_inference_response(cls, response: v2.InferenceResponse) -> Self:
        """Read both tensors, without the padding."""
        tensor = response.output(PREDICTED_DEPTH.name)
        return cls(predicted_depth=_maps(tensor), depth=values_of(DEPTH, response))


def _maps(tensor: v2.Tensor) -> list[DepthMap]:
    tensor.check()
    if len(tensor.shape) != 3:
        raise InvalidTensor(f"tensor {tensor.name!r}: expected maps, got shape {tensor.shape}")
    count, height, width = tensor.shape
    raw, length = bytes(tensor.raw()), height * width * _FLOAT
    whole = [
        DepthMap(height=height, width=width, values=raw[i * length : (i + 1) * length])
        for i in range(count)
    ]
    return [
        DepthMap(height=h, width=w, values=one.resized(h, w))
        for one, (h, w) in zip(whole, _sizes(tensor), strict=True)
    ]


def _sizes(tensor: v2.Tensor) -> list[tuple[int, int]]:
    """Height and width of each map, without the padding."""
    count, height, width = tensor.shape
    given = tensor.parameters.get(MAP_SIZES)
    if given is None:
        return [(height, width)] * count
    found = [re.fullmatch(r"(\d+)x(\d+)", part) for part in str(given).split(",")]
    sizes = [(int(size[1]), int(size[2])) for size in found if size]
    if len(found) != count or not all(h <= height and w <= width for h, w in sizes):
        sizes = []
    if len(sizes) != count:
        raise InvalidTensor(f"tensor {tensor.name!r}: {MAP_SIZES} {given!r} does not fit it")
    return sizes


TASK = Task(
    name="depth-estimation",
    family="vision",
    title="Depth estimation",
    description="Tells how far away each pixel of an image is.",
    input=DepthEstimationInput,
    output=DepthEstimationOutput,
    outputs=(PREDICTED_DEPTH, DEPTH),
    default_model="Intel/dpt-large",
    max_row_cost=_MAX_PIXELS,
    widget=Widget(("image",), "depth"),
    aliases=Aliases(huggingface=("depth-estimation",)),
    example=Example(
        DepthEstimationInput(images=[PNG]),
        DepthEstimationOutput(
            # 0.5, 0.25
            predicted_depth=[DepthMap(height=1, width=2, values=b"\0\0\0?\0\0\x80>")],
            depth=[PNG],
        ),
    ),
)
