"""Answers that BLIP writes to a question, and how sure it is of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ..generation.stopping import Stops
from ..vision.base import Tensors

#: Tokens of an answer, at most: BLIP was taught short ones.
_MAX_TOKENS = 20


def write_answers(
    model: Any, tokenizer: Any, questions: Mapping[str, torch.Tensor], pictures: Tensors
) -> list[tuple[str, float]]:
    """One generate: questions of one length (B, T), pixel_values (B, 3, H, W) -> texts, chances.

    It attends to the padding of a question: questions of other lengths are not for one call.
    """
    made = model.generate(
        pixel_values=pictures["pixel_values"],
        input_ids=questions["input_ids"],
        attention_mask=questions["attention_mask"],
        max_new_tokens=_MAX_TOKENS,
        do_sample=False,
        num_beams=1,  # beams have no chances of single tokens
        return_dict_in_generate=True,
        output_logits=True,
    )
    logits = torch.stack(made.logits, dim=1).float()  # (B, T, V)
    tokens = made.sequences[:, -logits.shape[1] :]  # (B, T), without the start
    chances = logits.log_softmax(-1).gather(-1, tokens[..., None])[..., 0].cpu()  # (B, T)
    stops = Stops.of(model.text_decoder, tokenizer, ())
    answers = []
    for row, chance in zip(tokens.cpu().tolist(), chances, strict=True):
        end, _ = stops.end(row)
        text = tokenizer.decode(row[:end], skip_special_tokens=True).strip()
        answers.append((text, min(1.0, float(chance[:end].sum().exp()))))
    return answers
