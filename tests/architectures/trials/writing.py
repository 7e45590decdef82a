"""Tasks of models that write text."""

from __future__ import annotations

from typing import Any, ClassVar

import torch

from .base import Row, Trial
from .text import TEXTS, Loaded

_TOKENS = 8


class TextGeneration(Loaded):
    rows = tuple({"texts": [text]} for text in TEXTS)
    fixed: ClassVar = {"max_new_tokens": _TOKENS}

    def call(self, row: Row) -> Any:
        return self.written(self.tokenizer(row["texts"][0], return_tensors="pt"))

    @torch.inference_mode()
    def written(self, inputs: Any) -> str:
        """The new tokens of `generate`, as the models' documentation decodes them."""
        made = self.model.generate(**inputs, max_new_tokens=_TOKENS, do_sample=False)[0]
        if not self.model.config.is_encoder_decoder:
            made = made[inputs["input_ids"].shape[1] :]
        return str(self.tokenizer.decode(made, skip_special_tokens=True))

    def view(self, answer: Any) -> Any:
        return answer["generations"][0]["text"]


class Chat(TextGeneration):
    rows = tuple(
        {"messages": [[{"role": "user", "content": text} for text in said]]}
        for said in ((TEXTS[0],), (TEXTS[1],), TEXTS[2:4], (TEXTS[4],))
    )

    def call(self, row: Row) -> Any:
        inputs = self.tokenizer.apply_chat_template(
            row["messages"][0], add_generation_prompt=True, return_dict=True, return_tensors="pt"
        )
        return self.written(inputs)


TRIALS: dict[str, type[Trial]] = {
    "chat": Chat,
    "summarization": TextGeneration,
    "text-generation": TextGeneration,
    "text2text-generation": TextGeneration,
    "translation": TextGeneration,
}
