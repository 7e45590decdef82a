from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from ....base import TaskInput, TaskOutput
from ...image.png import png
from ...sizes import Size
from .base import Tensors, VisionBackend


class ImageToImage(VisionBackend):
    """The images of an AutoModelForImageToImage: Swin2SR."""

    auto_class = "AutoModelForImageToImage"

    def answer(
        self,
        inputs: Sequence[TaskInput],  # noqa: ARG002 # the task has no parameters
        sizes: Sequence[Size],
        tensors: Tensors,
    ) -> list[TaskOutput]:
        """One forward. pixel_values: (B, 3, H, W) -> reconstruction: (B, 3, f H, f W), 0 to 1."""
        with self.forward():
            made = self.model(**self.to_device(tensors)).reconstruction.float().cpu().numpy()
        factor = made.shape[-1] // tensors["pixel_values"].shape[-1]
        answers = []
        for values, (width, height) in zip(made, sizes, strict=True):
            # The processor pads to whole windows, at the right and below.
            cut = values[:, : height * factor, : width * factor].transpose(1, 2, 0)
            pixels = np.rint(cut.clip(0, 1) * 255).astype(np.uint8)
            file = png(Image.fromarray(pixels))
            answers.append(self.task.output.model_validate({"images": [file]}))
        return answers
