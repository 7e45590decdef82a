from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from PIL import Image

from .....protocol.errors import RowError
from ....base import Task
from ....media.decode import decode
from ...base import ModelRefused
from ...rows import alike
from ..processors import load_processor
from ..tokenizer import check_tokenizer, tokenizer_errors
from ..vision.images import ImagesBackend

log = logging.getLogger(__name__)

#: A page's or a query's, by name, (1, ...) each.
Tensors = Mapping[str, torch.Tensor]

#: Vectors of length 1, (T, D).
Vectors = torch.Tensor

#: transformers has no auto class that takes all of them.
_CLASSES = {
    "colmodernvbert": "ColModernVBertForRetrieval",
    "colpali": "ColPaliForRetrieval",
    "colqwen2": "ColQwen2ForRetrieval",
}


class LateInteraction(ImagesBackend):
    """Models with a vector for each place of a page and each token of a query.

    `max_forward_pages` is how many pages one forward takes: each may have a thousand vectors.
    """

    processor: Any

    def __init__(
        self, task: Task, source: str | None, *, max_forward_pages: int = 8, **parameters: Any
    ) -> None:
        super().__init__(task, source, **parameters)
        if max_forward_pages < 1:
            raise ValueError(f"max_forward_pages {max_forward_pages}: 1 at least")
        self._pages_at_once = max_forward_pages

    def load_model(self) -> tuple[Any, list[str]]:
        """Load the weights. Raises ModelRefused for another kind of model."""
        kind = self.read_config().model_type
        if kind not in _CLASSES:
            raise ModelRefused(
                f"{self.source}: a {kind} has no vectors of pages; this task takes "
                f"{', '.join(_CLASSES)}"
            )
        self.auto_class = _CLASSES[kind]
        return super().load_model()

    def load_processor(self) -> None:
        """Load the processor."""
        source, config = str(self.source), self.model.config
        with tokenizer_errors(source, self._revision):
            self.processor = load_processor(source, config=config, revision=self._revision)
        check_tokenizer(source, self.processor.tokenizer, revision=self._revision, config=config)
        self._most = config.get_text_config().max_position_embeddings

    def page(self, file: bytes, background: str) -> Tensors:
        """What the model is given of a page. Raises RowError."""
        image = decode(file, self._max_pixels, background)
        return self._made(image, lambda: self.processor.process_images(images=[image]))

    def query(self, text: str) -> Tensors:
        """What the model is given of a query. Raises RowError for one that is too long."""
        try:
            made: Tensors = self.processor.process_queries(text=[text])
        except ValueError as error:
            log.info("the processor refused a query: %s", error)
            raise RowError(
                "the model's processor refuses the text, as it does one with its mark of an image"
            ) from None
        tokens = made["input_ids"].shape[1]
        if tokens > self._most:
            raise RowError(f"the text has {tokens} tokens, the model reads {self._most}: send less")
        return made

    def _made(self, image: Image.Image, process: Callable[[], Tensors]) -> Tensors:
        try:
            return process()
        except ValueError as error:
            log.info("the processor refused a page: %s", error)
            raise RowError(
                f"the model's processor refuses an image of {image.width} x {image.height} pixels"
            ) from None

    def vectors(self, made: Sequence[Tensors]) -> list[Vectors]:
        """A forward for pages or queries of one size: none is padded beside another."""
        found: dict[int, Vectors] = {}
        for group in alike(_shapes(tensors) for tensors in made):
            for start in range(0, len(group), self._pages_at_once):
                part = group[start : start + self._pages_at_once]
                found.update(zip(part, self._forward([made[i] for i in part]), strict=True))
        return [found[i] for i in range(len(made))]

    def _forward(self, made: Sequence[Tensors]) -> list[Vectors]:
        """(B, T, D)."""
        tensors = {name: torch.cat([each[name] for each in made]) for name in made[0]}
        with self.forward():
            return [*self.model(**self.to_device(tensors)).embeddings.float().cpu()]


def _shapes(tensors: Tensors) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple((name, tuple(tensor.shape)) for name, tensor in tensors.items())
