from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from PIL import Image

from ....protocol.errors import RowError
from ...base import Task, TaskInput, TaskOutput
from ...vision.images import MAX_PIXELS
from ...vision.mask_generation import MaskGenerationInput
from ..base import ModelRefused
from ..device import Device, unlocked
from ..facts import ModelFacts
from ..sources import opened_folder
from ..transformers.vision.mask_generation import MaskGeneration
from ..transformers.vision.segment_anything import Canvas, ObjectPrompt
from .files import halves
from .graph import Graph
from .mask_graphs import MaskGraphs
from .on_onnxruntime import OnOnnxRuntime
from .runtime import Runtime

#: Pixels of an image that a line of the masks stands for.
_PER_MASK = 4


class MasksInTwo(MaskGeneration):
    """SAM and SAM 2 in two graphs: one that sees images, one that answers prompts about them.

    `file` names the one that sees, where the folder holds several.
    `threads` bounds each graph's threads, 0 takes every core of the process.
    `max_pixels` bounds each image before it is decoded. `points_per_batch` prompts are asked at
    once; a search asks at `points_per_side` squared places of an image. What was seen of an image
    that was asked about with prompts is kept for 5 minutes, `kept_bytes` at most (0 keeps nothing).
    """

    model: MaskGraphs
    make_runtime: Callable[[], Runtime]

    def __init__(
        self,
        task: Task,
        source: str | None,
        *,
        device: Device,
        threads: int = 0,
        file: str = "",
        max_pixels: int = MAX_PIXELS,
        points_per_batch: int = 64,
        points_per_side: int = 32,
        kept_bytes: int = 134217728,
    ) -> None:
        super().__init__(
            task,
            str(opened_folder(source, "vision_encoder.onnx")),
            device=device,
            max_pixels=max_pixels,
            points_per_batch=points_per_batch,
            points_per_side=points_per_side,
            kept_bytes=kept_bytes,
        )
        self._graph_threads, self._graph_file = threads, file
        self._runtime: Any = None  # a Runtime once loaded

    def find_place(self) -> str:
        """The CPU: graphs are elsewhere, and take their numbers from there."""
        return "cpu"

    def load_model(self) -> tuple[Any, list[str]]:
        """Open the graphs. Raises ModelRefused for those that are no SAM, named as they are."""
        self._runtime = self.make_runtime()
        try:
            encoder, decoder = halves(Path(str(self.source)), self._graph_file)
        except ValueError as error:
            raise ModelRefused(str(error)) from None
        return MaskGraphs(self._opened(encoder), self._opened(decoder)), []

    def _opened(self, path: Path) -> Graph:
        device = unlocked(self.device)  # `forward` holds the worker's
        return Graph(path, device, threads=self._graph_threads, runtime=self._runtime)

    def load_processor(self) -> None:
        """How images are made, and how many masks a prompt gets."""
        self.canvas = self._canvas()
        self.mask_edge = self.model.mask_edge
        black = self.canvas.fit(Image.new("RGB", (8, 8)))
        self.model.try_out(self._values([black])[0].numpy())

    def _canvas(self) -> Canvas:
        """As the folder's files say, else as SAM, or SAM 2, has it."""
        folder = Path(str(self.source))
        if any((folder / f"{name}_config.json").exists() for name in ("preprocessor", "processor")):
            canvas = Canvas.from_pretrained(str(folder), None)
        else:
            edge = self.model.edge or self.model.mask_edge * _PER_MASK
            if not edge:
                raise ModelRefused(
                    f"{folder} holds no preprocessor_config.json, which says how large images are: "
                    "the graph does not"
                )
            square = {"height": edge, "width": edge}
            canvas = Canvas.from_config(
                {"size": square if self.model.fills else {"longest_edge": edge}}
            )
        return canvas

    def see(self, images: Sequence[Image.Image]) -> Any:
        """What the encoder makes of fitted images."""
        seen = [self.model.get_image_embeddings(values) for values in self._values(images)]
        return [torch.cat(parts) for parts in zip(*seen, strict=True)]

    def _values(self, images: Sequence[Image.Image]) -> list[torch.Tensor]:
        """Images as the encoder takes them: all in one, or each by itself where it pads them."""
        if not self.model.sees_whole_numbers:
            return [self.canvas.tensor(images)]
        return [torch.from_numpy(np.array(image, dtype=np.float32)) for image in images]

    def own_prompts(self, row: MaskGenerationInput, size: tuple[int, int]) -> list[ObjectPrompt]:
        """The row's own prompts. Raises RowError for what the graph cannot be asked."""
        if not self.model.takes_boxes and any(filter(None, (row.boxes or [[]])[0])):
            raise RowError(
                "boxes: the decoder's graph takes points alone: input_boxes is not there"
            )
        if not self.mask_edge and any(filter(None, (row.mask_inputs or [[]])[0])):
            raise RowError("mask_inputs: the decoder's graph takes none, no mask_input")
        if not row.multimask_output and self.model.count == 3:
            raise RowError("multimask_output: the decoder's graph answers three masks a prompt")
        return super().own_prompts(row, size)

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """As a model answers; who asked for three masks and cannot have them is told."""
        answers = super().run(batch)
        if self.model.count != 1:
            return answers
        told = "multimask_output: the decoder's graph answers one mask a prompt"
        return [
            answer.warned("; ".join(filter(None, [answer.warning, told])))
            if isinstance(answer, TaskOutput) and cast("MaskGenerationInput", row).multimask_output
            else answer
            for row, answer in zip(batch, answers, strict=True)
        ]

    def facts(self) -> ModelFacts:
        """What its graphs run on; what they hold must be measured."""
        return ModelFacts(runtime=self._runtime.told)


class GraphMasks(OnOnnxRuntime, MasksInTwo):
    """SAM and SAM 2 on ONNX Runtime."""
