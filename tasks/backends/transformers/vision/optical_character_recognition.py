from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ....base import Task, TaskInput, TaskOutput
from ....boxes import BoundingBox
from ....vision.optical_character_recognition import TextLine
from ...device import Device
from ...sizes import Size
from ..generation.generate import budget, pad_token
from ..generation.stopping import Stops
from .base import Tensors
from .encoder_decoder import EncoderDecoderBackend


class LineReading(EncoderDecoderBackend):
    """A TrOCR, which reads one line: the whole image. Backend onnxruntime reads whole pages.

    `max_new_tokens` bounds the line.
    """

    def __init__(
        self,
        task: Task,
        source: str | None,
        *,
        device: Device,
        max_new_tokens: int = 128,
        **parameters: Any,  # the base's own
    ) -> None:
        super().__init__(task, source, device=device, **parameters)
        self._max_new_tokens = max_new_tokens

    def answer(
        self, inputs: Sequence[TaskInput], sizes: Sequence[Size], tensors: Tensors
    ) -> list[TaskOutput]:
        """One generate. pixel_values: (B, 3, H, W) -> a line a row."""
        with self.forward():
            made = self.model.generate(
                **self.to_device(tensors),
                max_new_tokens=budget(self.model, 0, self._max_new_tokens),
                do_sample=False,
                num_beams=1,  # beams have no probabilities of single tokens
                pad_token_id=pad_token(self.model, self.tokenizer),
                return_dict_in_generate=True,
                output_logits=True,
            )
            logits = torch.stack(made.logits, dim=1).float()  # (B, T, V)
            tokens = made.sequences[:, -logits.shape[1] :]  # (B, T), without the start token
            chances = logits.log_softmax(-1).gather(-1, tokens[..., None])[..., 0].cpu()  # (B, T)
            rows = tokens.cpu().tolist()
        return [
            self._line(row, size, tokens, chance)
            for row, size, tokens, chance in zip(inputs, sizes, rows, chances, strict=True)
        ]

    def _line(
        self, row: TaskInput, size: Size, tokens: list[int], chances: torch.Tensor
    ) -> TaskOutput:
        """chances: (T,), log probabilities. What follows the end is padding."""
        end, _ = Stops.of(self.model, self.tokenizer, ()).end(tokens)
        text = self.tokenizer.decode(tokens[:end], skip_special_tokens=True).strip()
        score = min(1.0, float(chances[:end].mean().exp()))
        box = BoundingBox(xmin=0, ymin=0, xmax=size[0], ymax=size[1])
        threshold: float = row.threshold  # type: ignore[attr-defined] # its own Input
        found = [TextLine(text=text, score=score, box=box)] if text and score >= threshold else []
        return self.task.output.model_validate({"lines": [found]})
