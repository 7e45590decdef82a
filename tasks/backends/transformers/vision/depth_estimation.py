from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import interpolate

from ....base import TaskInput, TaskOutput
from ...image.depth import depth_answer
from ...rows import check_entries
from ...sizes import Size
from ..outputs import on_cpu, row_of
from .base import Tensors, VisionBackend

#: What the processors' post-processing reads.
_OUTPUTS = ("predicted_depth", "field_of_view", "domain_logits")


class DepthEstimation(VisionBackend):
    """The maps of an AutoModelForDepthEstimation, in the size of the images."""

    auto_class = "AutoModelForDepthEstimation"
    #: The first layer of a fusion has nothing to add up: Intel's DPT was published without this.
    unread = (r"fusion_stage\.layers\.0\.residual_layer1\.",)

    def answer(
        self,
        inputs: Sequence[TaskInput],  # noqa: ARG002 # the task has no parameters
        sizes: Sequence[Size],
        tensors: Tensors,
    ) -> list[TaskOutput]:
        """One forward. pixel_values: (B, 3, H, W) -> predicted_depth: (B, h, w)."""
        with self.forward():
            found = self.model(**self.to_device(tensors))
            kind, outputs = type(found), on_cpu(found, _OUTPUTS)
        check_entries(outputs, len(sizes))
        return [self._answer(row_of(kind, outputs, row), size) for row, size in enumerate(sizes)]

    @torch.inference_mode()
    def _answer(self, outputs: Any, size: Size) -> TaskOutput:
        width, height = size
        if self.model.config.model_type == "zoedepth":
            return depth_answer(self._without_border(outputs.predicted_depth, size).numpy())
        sizes = [(height, width)]
        (found,) = self.processor.post_process_depth_estimation(outputs, target_sizes=sizes)
        return depth_answer(found["predicted_depth"].reshape(height, width).numpy())

    def _without_border(self, depths: torch.Tensor, size: Size) -> torch.Tensor:
        """Take off the border that ZoeDepth's processor adds; its own way needs torchvision."""
        across, down = (int(math.sqrt(edge / 2) * 3) * self.processor.do_pad for edge in size)
        whole = (size[1] + 2 * down, size[0] + 2 * across)
        resized = interpolate(depths[None], whole, mode="bicubic")[0, 0]
        return resized[down : down + size[1], across : across + size[0]]
