"""What the adapters that look at images share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ....protocol.errors import RowError
from ...base import Task, TaskInput, TaskOutput
from ..image.fitting import Fitted, run_fitted
from ..image.pixels import Pixels
from .adapter import Adapter, GraphInfo, has_rank
from .model import OnnxModel
from .preprocess import read_pixels


class ImageAdapter(Adapter):
    """Images in, resized as the model's preprocessor does."""

    #: The graph's input that takes the pixels, (B, 3, H, W).
    image_input: str = "pixel_values"

    def __init__(self, task: Task, model: OnnxModel) -> None:
        super().__init__(task, model)
        pixels = self.read_pixels()
        if self.graph.takes_integers(self.image_input):
            # Such a graph rescales and normalises by itself.
            pixels = replace(pixels, scale=(1.0,) * 3, shift=(0.0,) * 3)
        self.pixels = model.wiring.applied(pixels)

    @classmethod
    def misfit(cls, told: GraphInfo, *, named: bool) -> str:  # noqa: ARG003 # axes tell
        """By the axes of its images."""
        axes = told.inputs.get(cls.image_input, ())
        if has_rank(axes, 4) and (not axes or axes[1] == 3 or not isinstance(axes[1], int)):
            return ""
        return f"its {cls.image_input} {[*axes]} is not (B, 3, H, W)"

    def read_pixels(self) -> Pixels:
        """How images are prepared. Raises ValueError when the folder does not tell."""
        return read_pixels(self.model, self.image_input)

    @property
    def unscalable(self) -> str:
        """Why its images may not be decoded to less than their size; "" where they may."""
        if type(self).run is not ImageAdapter.run:
            return "it does more with an image than to resize it"
        return self.pixels.unscalable

    @abstractmethod
    def answer(
        self, inputs: Sequence[TaskInput], rows: Sequence[Fitted], values: NDArray[np.float32]
    ) -> Sequence[TaskOutput | RowError]:
        """Answer rows whose images are of one size. values: (B, 3, H, W)."""

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """One run for all readable rows of a size."""
        scaled = self.model.scaled
        return run_fitted(batch, self.pixels, self.model.max_pixels, self.answer, scaled=scaled)

    def masked(self, values: NDArray[np.float32]) -> dict[str, NDArray[np.generic]]:
        """The pixels as the graph's input, with the pixel_mask that some graphs want."""
        mask = np.ones((len(values), *values.shape[2:]), dtype=np.int64)
        return {self.image_input: values, "pixel_mask": mask}
