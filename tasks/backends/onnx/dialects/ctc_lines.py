"""Dialect ctc-lines: one image (B, 1 or 3, H, W) of a line of text -> one output (B, T, C) or
(T, B, C): a character or none at each of T places.

PP-OCR's recognisers say in their metadata (`character`) what they read; of others the model
parameters `characters`, and mean, std or rescale_factor, tell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ....base import Task, TaskInput, TaskOutput
from ....boxes import BoundingBox
from ....vision.optical_character_recognition import OpticalCharacterRecognitionInput, TextLine
from ...base import ModelRefused
from ...classify import softmax
from ...image.fitting import Fitted
from ...image.opencv import OPENCV
from ...image.pixels import Pixels
from ...sizes import Exact, Size
from ..adapter import GraphInfo, has_rank
from ..graph import Shapes
from ..images import ImageAdapter
from ..model import OnnxModel
from ..preprocess import plain

_Floats = NDArray[np.float32]

#: Edges of PP-OCR's narrowest line: the rest of it is empty.
_NARROWEST = 320 / 48

#: Height of a line where the graph takes any, as PP-OCR's do since its third version.
_HEIGHT = 48

#: How far from 1 probabilities may sum up to.
_ROUNDING = 1e-3


@dataclass(frozen=True, slots=True)
class LineHeight:
    """A line becomes so high, and as wide as it then is: of a part of a pixel, all or nothing."""

    height: int
    whole: bool
    fixed: None = None

    def __call__(self, size: Size) -> Size:
        """Keep the aspect ratio."""
        width = self.height * size[0] / size[1]
        return max(1, math.ceil(width) if self.whole else int(width)), self.height


@dataclass(frozen=True, slots=True)
class LinePixels(Pixels):
    """Grey where the graph has one channel; filled up on the right to `narrowest` of the height."""

    grey: bool = False
    narrowest: float = 0.0

    def normalise(self, images: Sequence[Image.Image]) -> _Floats:
        """Fitted images of one size -> (B, 1 or 3, H, W)."""
        if self.grey:
            images = [image.convert("L").convert("RGB") for image in images]
        # Two bases of the same slots have no zero-argument super().
        values = Pixels.normalise(self, images)[:, : 1 if self.grey else 3]
        height, width = values.shape[2:]
        short = max(0, int(height * self.narrowest) - width)
        return np.pad(values, ((0, 0), (0, 0), (0, 0), (0, short)))


class CtcLines(ImageAdapter):
    """Reads the image as one line of text, its surest character at each place.

    `characters` are those of the graph in their order: a text, a list, or a file of the folder with
    one a line. One class more is none of them (`blank`: first or last), two more that and a space.
    """

    dialect: ClassVar[str] = "ctc-lines"
    tasks: ClassVar[tuple[str, ...]] = ("optical-character-recognition",)

    def __init__(
        self,
        task: Task,
        model: OnnxModel,
        *,
        characters: Sequence[str] | str = "",
        blank: str = "first",
    ) -> None:
        self.image_input = next(iter(model.graph.inputs))
        self._told = model.graph.metadata.get("character", "").splitlines()
        if blank not in ("first", "last"):
            raise ModelRefused(f"blank {blank!r}: use first or last")
        super().__init__(task, model)
        (self._output,) = self.graph.outputs
        (size,) = {self.pixels.fit(Image.new("RGB", (64, 32))).size}
        values = self.pixels.normalise([Image.new("RGB", size, "white")])
        out = self.graph.run({self.image_input: values})[self._output]
        if out.ndim != 3 or 1 not in out.shape[:2]:
            raise ModelRefused(f"{self._output} is {[*out.shape]}: expected (1, T, C) or (T, 1, C)")
        self._time_first = out.shape[0] != 1
        self._logits = bool(out.min() < 0 or abs(out.sum(-1) - 1).max() > _ROUNDING)
        self._characters = _alphabet(_read(model, characters) or self._told, out.shape[2], blank)

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # axes tell
        """One image in; some exporters tell less of the output than it has."""
        (image, *more), (out, *others) = inputs.values(), outputs.values()
        return not more and not others and len(image) == 4 and len(out) in (0, 2, 3)

    @classmethod
    def misfit(cls, told: GraphInfo, *, named: bool) -> str:  # noqa: ARG003 # axes tell
        """By the axes of its image."""
        ((name, axes),) = told.inputs.items()
        if axes[1] in (1, 3) and has_rank(axes, 4):
            return ""
        return f"its {name} {[*axes]} is neither (B, 1, H, W) nor (B, 3, H, W)"

    def read_pixels(self) -> Pixels:
        """PP-OCR's, or as the model parameters say. Raises ValueError where nothing tells."""
        _, channels, height, width = self.graph.inputs[self.image_input]
        high = height if isinstance(height, int) else _HEIGHT
        own = bool(self._told) and channels == 3
        if not (own or self.model.wiring.normalises):
            raise ValueError(
                "nothing tells how the images of the graph are made: give the model parameters "
                "mean, std or rescale_factor, and channels and resample where they matter"
            )
        fixed = Exact((width, high)) if isinstance(width, int) else None
        base = plain(fixed or LineHeight(high, whole=own))
        return LinePixels(
            resize=base.resize,
            crop=None,
            resample=OPENCV if own else base.resample,
            scale=(2 / 255,) * 3 if own else base.scale,
            shift=(-1.0,) * 3 if own else base.shift,
            order=(2, 1, 0) if own else (0, 1, 2),
            grey=channels == 1,
            narrowest=_NARROWEST if own and not fixed else 0.0,
        )

    def answer(
        self, inputs: Sequence[TaskInput], rows: Sequence[Fitted], values: _Floats
    ) -> list[TaskOutput]:
        """One run, or one a row where the output does not begin with the rows."""
        if self._time_first:
            parts = [self.graph.run({self.image_input: one[None]}) for one in values]
            out = np.concatenate([part[self._output] for part in parts], axis=1).swapaxes(0, 1)
        else:
            out = self.graph.read(self._output, {self.image_input: values})
        chances = softmax(out) if self._logits else out
        return [
            self._line(row, one, image.size)
            for row, one, image in zip(inputs, chances, rows, strict=True)
        ]

    def _line(self, row: TaskInput, chances: _Floats, size: Size) -> TaskOutput:
        """chances: (T, C). A character that follows itself is one, unless there is none between."""
        assert isinstance(row, OpticalCharacterRecognitionInput)
        best = chances.argmax(axis=1)
        kept = np.flatnonzero(np.diff(best, prepend=-1))
        kept = kept[[bool(self._characters[best[place]]) for place in kept]]
        text = "".join(self._characters[best[place]] for place in kept)
        score = float(chances[kept, best[kept]].mean()) if len(kept) else 0.0
        box = BoundingBox(xmin=0, ymin=0, xmax=size[0], ymax=size[1])
        read = text.strip() and score >= row.threshold
        return self.task.output.model_validate(
            {"lines": [[TextLine(text=text, score=score, box=box)] if read else []]}
        )


def _read(model: OnnxModel, given: Sequence[str] | str) -> list[str]:
    if not isinstance(given, str):
        return [*given]
    path = model.find(given) if given and "\n" not in given else None
    if path is None:
        return [*given]
    with Path(path).open(encoding="utf-8") as file:
        return [line.rstrip("\r\n") for line in file]


def _alphabet(characters: Sequence[str], classes: int, blank: str) -> list[str]:
    """What each class reads; "" is none. Raises ModelRefused where they are not as many."""
    more = classes - len(characters)
    whole = [*characters, *([" "] if more == 2 else [])]
    if more in (1, 2):
        whole = ["", *whole] if blank == "first" else [*whole, ""]
    if len(whole) != classes or "" not in whole:
        raise ModelRefused(
            f"the graph has {classes} classes and there are {len(characters)} characters: give the "
            "model parameter `characters` (a text, a list, or a file of the folder) one less than "
            "that, two less if it adds the space, or as many with an empty one"
        )
    return whole
