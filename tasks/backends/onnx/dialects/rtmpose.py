"""Dialect rtmpose: input (N, 3, H, W) -> simcc_x (N, K, 2 W), simcc_y (N, K, 2 H).

How likely each of K keypoints is in each half column and half row of a part of the image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .....protocol.errors import RowError
from ....base import Task, TaskInput, TaskOutput
from ....media.decode import decode
from ....vision.keypoint_detection import Keypoint, KeypointDetectionInput, KeypointDetectionOutput
from ...base import ModelRefused
from ...image.cutout import cutout
from ...image.fitting import Fitted
from ...image.pixels import Pixels
from ...rows import Decoded
from ...sizes import Size
from ..adapter import has_rank
from ..checks import finite
from ..graph import Shapes
from ..images import ImageAdapter
from ..model import OnnxModel
from ..preprocess import graph_size

_Floats = NDArray[np.float32]

#: What MMPose takes off the pixels, and what it divides them by.
_MEAN, _STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)

#: How much more than its box an object's part of the image shows.
_PADDING = 1.25

#: Parts that one run takes.
_MAX_PARTS = 32


class _Posed(NamedTuple):
    """A row's boxes: a part of the image each, and where its middle and its edges are."""

    parts: list[Image.Image]
    centres: _Floats  # (N, 2)
    sizes: _Floats  # (N, 2)


class Rtmpose(ImageAdapter):
    """A pose estimator of MMPose as MMDeploy exports it: looks at boxes, or at the whole image."""

    dialect: ClassVar[str] = "rtmpose"
    tasks: ClassVar[tuple[str, ...]] = ("keypoint-detection",)
    reads: ClassVar[tuple[str, ...]] = ("simcc_x", "simcc_y")
    image_input = "input"

    def __init__(self, task: Task, model: OnnxModel) -> None:
        if model.wiring.resample:
            raise ModelRefused("resample: dialect 'rtmpose' cuts parts out as MMPose does")
        self._size = self._fixed_size(model)
        super().__init__(task, model)

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """By its names."""
        return set(inputs) == {"input"} and all(
            name in outputs and has_rank(outputs[name], 3) for name in cls.reads
        )

    def _fixed_size(self, model: OnnxModel) -> Size:
        size = graph_size(model, self.image_input)
        if size is None:
            raise ModelRefused(
                f"{model.folder}: the size of the graph's images is free, and nothing tells what "
                "it was trained with; export it with a fixed one"
            )
        return size

    def read_pixels(self) -> Pixels:
        """As MMPose's preprocessor makes them."""
        return Pixels(
            resize=None,
            crop=None,
            resample=Image.Resampling.BILINEAR,
            scale=tuple(1 / std for std in _STD),
            shift=tuple(-mean / std for mean, std in zip(_MEAN, _STD, strict=True)),
        )

    def answer(
        self, inputs: Sequence[TaskInput], rows: Sequence[Fitted], values: _Floats
    ) -> Sequence[TaskOutput | RowError]:
        """Nothing: boxes, not rows, are what runs are made of."""
        raise NotImplementedError

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """The boxes of all readable rows together."""
        decoded = Decoded(batch, self._posed)
        parts = [part for row in decoded.rows for part in row.parts]
        if not parts:
            return decoded.answers([])
        places, scores = self._look(parts)
        answers, start = [], 0
        for row, posed in zip(decoded.inputs, decoded.rows, strict=True):
            own = slice(start, start := start + len(posed.parts))
            spots = posed.centres[:, None] + (places[own] - 0.5) * posed.sizes[:, None]
            answers.append(self._answer(row, spots, scores[own]))
        return decoded.answers(answers)

    def _posed(self, row: TaskInput) -> _Posed:
        assert isinstance(row, KeypointDetectionInput)
        image = decode(row.images[0], self.model.max_pixels, row.background)
        whole = [[0.0, 0.0, float(image.width), float(image.height)]]
        boxes = np.array((row.boxes or [[]])[0] or whole, dtype=np.float32)
        for left, top, right, bottom in boxes.tolist():
            if not (left < right and top < bottom):
                raise RowError(f"box {[left, top, right, bottom]} has no area")
            if right <= 0 or bottom <= 0 or left >= image.width or top >= image.height:
                raise RowError(
                    f"box {[left, top, right, bottom]} lies outside of an image of "
                    f"{image.width} x {image.height}"
                )
        edges = boxes[:, 2:] - boxes[:, :2]
        centres = (boxes[:, :2] + edges / 2).astype(np.float32)
        ratio = self._size[0] / self._size[1]
        widths = np.maximum(edges[:, 0], edges[:, 1] * ratio) * _PADDING
        sizes = np.stack([widths, widths / ratio], axis=1).astype(np.float32)
        pixels = np.asarray(image)
        parts = [
            Image.fromarray(cutout(pixels, (x, y), width / self._size[0], self._size))
            for (x, y), (width, _) in zip(centres.tolist(), sizes.tolist(), strict=True)
        ]
        return _Posed(parts, centres, sizes)

    def _look(self, parts: Sequence[Image.Image]) -> tuple[_Floats, _Floats]:
        """Of each part, places (K, 2) relative to it, and how sure they are, (K,)."""
        places, scores = [], []
        for start in range(0, len(parts), _MAX_PARTS):
            values = self.pixels.normalise(parts[start : start + _MAX_PARTS])
            out = self.graph.run_rows({self.image_input: values})
            axes = [finite(out[name], name) for name in self.reads]
            places.append(
                np.stack([axis.argmax(-1) / axis.shape[-1] for axis in axes], -1).astype(np.float32)
            )
            scores.append(np.minimum(*(axis.max(-1) for axis in axes)))
        return np.concatenate(places), np.concatenate(scores)

    def _answer(
        self, row: TaskInput, places: NDArray[np.floating[Any]], scores: _Floats
    ) -> TaskOutput:
        assert isinstance(row, KeypointDetectionInput)
        labels = self.model.labels(scores.shape[1])
        return KeypointDetectionOutput(
            keypoints=[
                [
                    Keypoint(
                        label=labels[k],
                        score=float(scores[q, k]),
                        x=float(places[q, k, 0]),
                        y=float(places[q, k, 1]),
                        object=q,
                    )
                    for q, k in np.argwhere(scores > row.threshold).tolist()
                ]
            ]
        )
