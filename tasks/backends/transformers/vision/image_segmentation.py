from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn.functional import interpolate
from transformers.image_transforms import get_size_with_aspect_ratio

from .....protocol.errors import RowError
from ....base import TaskInput, TaskOutput
from ....vision.image_segmentation import (
    ImageSegmentationInput,
    ImageSegmentationOutput,
    Segment,
)
from ...image.png import mask_png
from ...rows import check_entries
from ...sizes import Size
from ..outputs import on_cpu, row_of
from ..tokenizer import load_tokenizer
from .base import Tensors, VisionBackend

#: What the processors' post-processing reads.
_OUTPUTS = ("class_queries_logits", "masks_queries_logits", "logits", "pred_masks", "pred_boxes")

#: Pixels of a map, at most; beyond, segments are enlarged. Models look at no more, and a map takes
#: a float for each of its hundred queries or labels: of 100 megapixels, 40 GB.
_MAX_MAP_PIXELS = 2**20

#: Where EoMT's processor notes which parts of an image it made.
_PARTS = "patch_offsets"

#: In the order of preference where the input names none.
_SUBTASKS = ("panoptic", "instance", "semantic")


class ImageSegmentation(VisionBackend):
    """The segments of a universal, instance or semantic segmentation model."""

    tokenizer: Any = None

    def load(self) -> None:
        """Load by the auto class that knows the model: one speaks of panoptic, one of semantic."""
        import transformers

        config = self.read_config()
        for kind in ("UNIVERSAL", "INSTANCE", "SEMANTIC", "IMAGE"):
            if type(config) in getattr(transformers, f"MODEL_FOR_{kind}_SEGMENTATION_MAPPING"):
                self.auto_class = f"AutoModelFor{kind.capitalize()}Segmentation"
                return super().load()
        raise ValueError(f"{self.source}: no segmentation model, but {config.model_type}")

    def load_processor(self) -> None:
        """Load the image processor, and the tokenizer of OneFormer, which is told its subtask."""
        super().load_processor()
        if self.model.config.model_type == "oneformer":
            self.tokenizer = load_tokenizer(
                str(self.source), revision=self._revision, config=self.model.config
            )

    def model_inputs(self, made: Mapping[str, Any]) -> Tensors:
        """The tensors; of an image that EoMT looks at in parts, all of them and where they lie."""
        if not made.get(_PARTS):
            return super().model_inputs(made)
        return {"pixel_values": made["pixel_values"], _PARTS: torch.stack(made[_PARTS])}

    def answer(
        self, inputs: Sequence[TaskInput], sizes: Sequence[Size], tensors: Tensors
    ) -> list[TaskOutput | RowError]:
        """One forward. pixel_values: (B, 3, H, W) -> logits of queries and masks, or of pixels."""
        if self.tokenizer is not None:
            tensors = {**tensors, "task_inputs": self._task_tokens(inputs)}
        given = {name: tensor for name, tensor in tensors.items() if name != _PARTS}
        with self.forward():
            found = self.model(**self.to_device(given))
            kind, outputs = type(found), on_cpu(found, _OUTPUTS)
        if _PARTS in tensors:
            outputs[_PARTS] = tensors[_PARTS]
        parts = len(tensors["pixel_values"]) // len(inputs)
        check_entries(outputs, parts * len(inputs))
        answers: list[TaskOutput | RowError] = []
        for index, (row, size) in enumerate(zip(inputs, sizes, strict=True)):
            assert isinstance(row, ImageSegmentationInput)
            try:
                segments = self._segments(row, row_of(kind, outputs, index, parts), size)
                answers.append(ImageSegmentationOutput(segments=[segments]))
            except RowError as error:
                answers.append(error)
        return answers

    def _task_tokens(self, inputs: Sequence[TaskInput]) -> torch.Tensor:
        """What a model is told to do, row by row: (B, T), zeros beyond the text."""
        subtasks = [getattr(row, "subtask", None) or _SUBTASKS[0] for row in inputs]
        tokens = self.tokenizer(
            [f"the task is {subtask}" for subtask in subtasks],
            padding="max_length",
            max_length=self.model.config.task_seq_len,
            truncation=True,
            return_tensors="pt",
        )
        told: torch.Tensor = tokens["input_ids"] * tokens["attention_mask"]
        return told

    @torch.inference_mode()
    def _segments(self, row: ImageSegmentationInput, outputs: Any, size: Size) -> list[Segment]:
        subtask = self._subtask(row.subtask, in_parts=outputs.get(_PARTS) is not None)
        decide = getattr(self.processor, _method(subtask))
        shrink = min(1.0, math.sqrt(_MAX_MAP_PIXELS / (size[0] * size[1])))
        height, width = (max(1, int(edge * shrink)) for edge in reversed(size))
        if subtask == "semantic":
            if outputs.get(_PARTS) is not None:
                outputs.patch_offsets = list(outputs.patch_offsets)
                if shrink < 1:
                    height, width = self._joined_size(size)
            (labels,) = decide(outputs, target_sizes=[(height, width)])
            of_pixels = labels.numpy()
            return [
                self._segment(label, 1.0, of_pixels == label, size)
                for label in np.unique(of_pixels).tolist()
            ]
        target: list[tuple[int, int]] | None = [(height, width)]
        if self.tokenizer is not None:
            # OneFormer's processor needs torchvision to resize its masks.
            outputs.masks_queries_logits = _resized(outputs.masks_queries_logits, (height, width))
            target = None
        (found,) = decide(
            outputs,
            threshold=row.threshold,
            mask_threshold=row.mask_threshold,
            overlap_mask_area_threshold=row.overlap_mask_area_threshold,
            target_sizes=target,
        )
        return [
            self._segment(
                part["label_id"],
                part["score"],
                found["segmentation"].numpy() == part["id"],
                size,
            )
            for part in found["segments_info"]
        ]

    def _joined_size(self, size: Size) -> tuple[int, int]:
        """Height and width at which the parts of an image are joined: those it was cut from."""
        edges = self.processor.size
        resized: tuple[int, int] = get_size_with_aspect_ratio(
            (size[1], size[0]), edges["shortest_edge"], edges["longest_edge"]
        )
        return resized

    def _subtask(self, wanted: str | None, *, in_parts: bool = False) -> str:
        known = [name for name in _SUBTASKS if hasattr(self.processor, _method(name))]
        if in_parts:  # the processor joins them for this one alone
            known = ["semantic"]
        if wanted is None and known:
            return known[0]
        if wanted not in known:
            raise RowError(f"the model has no {wanted} segmentation; it has {', '.join(known)}")
        return str(wanted)

    def _segment(self, label: int, score: float, mask: NDArray[np.bool_], size: Size) -> Segment:
        if mask.shape != (size[1], size[0]):
            enlarged = Image.fromarray(mask).resize(size, Image.Resampling.NEAREST)
            mask = np.asarray(enlarged)
        name = self.model.config.id2label.get(label, str(label))
        return Segment(label=name, score=score, mask=mask_png(mask))


def _method(subtask: str) -> str:
    return f"post_process_{subtask}_segmentation"


def _resized(logits: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Masks' logits (1, Q, h, w) whose probabilities are the given ones' resized.

    In float64: far from every mask, which of them is the likeliest hangs on tiny probabilities.
    """
    return torch.logit(interpolate(logits.double().sigmoid(), size, mode="bilinear"))
