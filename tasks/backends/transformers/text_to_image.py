from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import diffusers
import torch
import transformers

from ....protocol.errors import RowError
from ...base import TaskInput, TaskOutput
from ..cut import Cut, cut_to, told
from ..png import png
from .base import TransformersBackend, torch_place


class TextToImage(TransformersBackend):
    """Pictures of a text-to-image pipeline of diffusers: Stable Diffusion and its kin."""

    auto_class = "AutoPipelineForText2Image"

    def load(self) -> None:
        """Load the pipeline (safetensors only, no remote code) and move it to the device."""
        for library in (diffusers.utils.logging, transformers.utils.logging):
            library.set_verbosity_error()
            library.disable_progress_bar()
        self.place = torch_place(self.device)
        if self._threads:
            torch.set_num_threads(self._threads)
        pipeline: Any = getattr(diffusers, self.auto_class).from_pretrained(
            self.source,
            dtype=self._dtype,
            revision=self._revision,
            use_safetensors=True,
            trust_remote_code=False,
        )
        pipeline.set_progress_bar_config(disable=True)
        self.model = pipeline.to(self.place)
        self.load_processor()

    def load_processor(self) -> None:
        """The pipeline brings its own."""

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """One pass of the pipeline: all prompts are denoised together."""
        rows: Sequence[Any] = batch
        first = rows[0]
        with self.forward():
            drawn = self.model(
                prompt=[row.prompts[0] for row in rows],
                negative_prompt=[row.negative_prompt or "" for row in rows],
                num_inference_steps=first.num_inference_steps,
                guidance_scale=first.guidance_scale,
                width=first.width,
                height=first.height,
                generator=[_chance(row.seed) for row in rows],
                output_type="pil",
            )
        refused = getattr(drawn, "nsfw_content_detected", None) or [False] * len(rows)
        return [
            RowError("the model's safety checker refused the picture")
            if bad
            else told(
                row, self.task.output.model_validate({"images": [png(image)]}), self._lost(row)
            )
            for row, image, bad in zip(rows, drawn.images, refused, strict=True)
        ]

    def _lost(self, row: Any) -> list[Cut | None]:
        """What the pipeline leaves out of a prompt. Of several text encoders the one that reads
        the most counts.
        """
        named = [getattr(self.model, f"tokenizer{n}", None) for n in ("", "_2", "_3")]
        known = [tokenizer for tokenizer in named if tokenizer]
        widest = max(known, key=lambda tokenizer: int(tokenizer.model_max_length))
        return [cut_to(widest.model_max_length, len(widest(row.prompts[0])["input_ids"]))]


def _chance(seed: int | None) -> torch.Generator:
    """A row's own noise, so that its picture does not depend on the rows beside it.

    On the CPU: the same seed draws other numbers on a GPU.
    """
    generator = torch.Generator("cpu")
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    return generator
