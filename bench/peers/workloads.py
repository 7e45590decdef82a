"""The three things that each server does, in plain code that none of them has an advantage by.

A server runs with WORKLOAD and MODEL in its environment, calls `workload()` once, and for each row
`decode`, for each batch `answer`.
"""

from __future__ import annotations

import io
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

#: Rows in a batch of each workload, in every server.
BATCH = {"noop": 64, "vit": 16, "encoder": 16}

#: Seconds that a first row waits for company.
WAIT_S = 0.01


class Workload(ABC):
    """A model, or none."""

    batch: int

    def decode(self, body: bytes) -> Any:
        """A row as the model is given it."""
        return body

    @abstractmethod
    def answer(self, rows: Sequence[Any]) -> list[str]:
        """One short text a row."""


class Noop(Workload):
    """Answers with a row's first bytes."""

    batch = BATCH["noop"]

    def answer(self, rows: Sequence[bytes]) -> list[str]:
        """What they begin with."""
        return [row[:16].decode() for row in rows]


class Vit(Workload):
    """Photographs to labels: the decoding and the resizing of this project's own loop."""

    batch = BATCH["vit"]

    def __init__(self, folder: str) -> None:
        import torch
        from transformers import ViTForImageClassification, ViTImageProcessor

        from wherry.tasks.backends.image.pixels import Pixels

        torch.set_num_threads(1)
        self._model = ViTForImageClassification.from_pretrained(folder).eval()
        pixels = Pixels.from_config(ViTImageProcessor.from_pretrained(folder).to_dict())
        assert pixels is not None
        self._pixels = pixels

    def decode(self, body: bytes) -> Any:
        """A picture of the model's size."""
        from PIL import Image

        with Image.open(io.BytesIO(body)) as opened:
            return self._pixels.fit(opened.convert("RGB"))

    def answer(self, rows: Sequence[Any]) -> list[str]:
        """The label that each shows most of."""
        import torch

        values = torch.from_numpy(self._pixels.normalise(rows))
        with torch.inference_mode():
            best = self._model(pixel_values=values).logits.argmax(-1)
        return [str(number) for number in best.tolist()]


class Encoder(Workload):
    """Texts to vectors: MiniLM's six layers of 384, mean of the tokens."""

    batch = BATCH["encoder"]

    def __init__(self, folder: str) -> None:
        import torch
        from transformers import AutoModel, AutoTokenizer

        torch.set_num_threads(1)
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModel.from_pretrained(folder).eval()

    def answer(self, rows: Sequence[bytes]) -> list[str]:
        """A vector's first number each."""
        import torch

        texts = [row.decode() for row in rows]
        tokens = self._tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            states = self._model(**tokens).last_hidden_state
        mask = tokens["attention_mask"].unsqueeze(-1)
        vectors = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1))
        return [f"{value:.6f}" for value in vectors[:, 0].tolist()]


def workload() -> Workload:
    """The one that the environment names."""
    name = os.environ["WORKLOAD"]
    if name == "noop":
        return Noop()
    return (Vit if name == "vit" else Encoder)(os.environ["MODEL"])
