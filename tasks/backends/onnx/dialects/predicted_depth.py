"""Dialect predicted-depth: pixel_values (B, 3, H, W) -> predicted_depth (B, h, w)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ....base import TaskInput, TaskOutput
from ...image.depth import depth_answer
from ...image.fitting import Fitted
from ...image.interpolate import interpolated
from ..graph import Shapes
from ..images import ImageAdapter


class PredictedDepth(ImageAdapter):
    """DPT, Depth Anything and their kin."""

    dialect: ClassVar[str] = "predicted-depth"
    tasks: ClassVar[tuple[str, ...]] = ("depth-estimation",)
    reads: ClassVar[tuple[str, ...]] = ("predicted_depth",)

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """By its names, and three axes; some give (B, 1, h, w)."""
        depth = outputs.get("predicted_depth")
        return set(inputs) == {"pixel_values"} and depth is not None and len(depth) in (0, 3, 4)

    def answer(
        self,
        inputs: Sequence[TaskInput],  # noqa: ARG002 # the task has no parameters
        rows: Sequence[Fitted],
        values: NDArray[np.float32],
    ) -> list[TaskOutput]:
        """One run; each map is brought to its image's size as floats, never as 8-bit grey."""
        maps = self.graph.read("predicted_depth", {"pixel_values": values})
        maps = maps.reshape(len(rows), *maps.shape[-2:])  # some give (B, 1, h, w)
        return [
            depth_answer(interpolated(one, row.size, "bicubic"))
            for one, row in zip(maps, rows, strict=True)
        ]
