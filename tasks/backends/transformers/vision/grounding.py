"""Detectors that read an image and its labels together, as their processors have it.

A label's fit depends on the labels beside it, so rows share a forward only where what they are
asked has one size.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ...image.detect import corners
from ...image.mask_search import suppress
from ...sizes import Size
from ...text.cut import Truncation
from ..multimodal.side_texts import SideTexts

#: The least chance of a token that belongs to what a box shows.
_TOKEN_CHANCE = 0.25

#: How much of their union two boxes of one label may share, by OmDet.
_OVERLAP = 0.5


class Grounded(NamedTuple):
    """What is seen in an image: scores (N,), labels, boxes (N, 4) in pixels."""

    scores: NDArray[np.float32]
    labels: list[str]
    boxes: NDArray[np.float32]


class Grounding(Protocol):
    """How a kind of detector is asked, and how its answer is read."""

    def size(self, labels: list[str]) -> Hashable:
        """What rows must have in common to share a forward."""
        ...

    def ask(
        self, rows: Sequence[list[str]]
    ) -> tuple[dict[str, torch.Tensor], list[list[Truncation | None]]]:
        """Rows' labels of one size as tensors, and what was cut of each row's."""
        ...

    def read(self, out: Any, row: int, labels: list[str], size: Size, threshold: float) -> Grounded:
        """One row's objects."""
        ...


class GroundingDino:
    """Labels in one text, `a cat. a dog.`; a box shows the words that fit it."""

    def __init__(self, processor: Any, config: Any) -> None:
        self._processor = processor
        self._texts = SideTexts(processor.tokenizer, config.max_text_len)

    def size(self, labels: list[str]) -> Hashable:
        """The length of their text."""
        return int(self._texts([_sentence(labels)])[0]["input_ids"].shape[1])

    def ask(
        self, rows: Sequence[list[str]]
    ) -> tuple[dict[str, torch.Tensor], list[list[Truncation | None]]]:
        """Texts of one length."""
        texts = [_sentence(labels) for labels in rows]
        encoded, lost = self._texts(texts)
        return encoded, [[lost[text]] for text in texts]

    def read(self, out: Any, row: int, labels: list[str], size: Size, threshold: float) -> Grounded:  # noqa: ARG002 # OmDet's reads them
        """By the processor's own post-processing."""
        (found,) = self._processor.post_process_grounded_object_detection(
            _Row(out, row),
            threshold=threshold,
            text_threshold=_TOKEN_CHANCE,
            target_sizes=[(size[1], size[0])],
        )
        return Grounded(found["scores"].numpy(), found["text_labels"], found["boxes"].numpy())


class OmDet:
    """Each label by itself, and a task that names them.

    Its processor reads the answer with torchvision alone, so that is done here.
    """

    def __init__(self, processor: Any, config: Any) -> None:  # noqa: ARG002 # as DINO's
        self._processor = processor

    def size(self, labels: list[str]) -> Hashable:
        """How many there are: texts are all padded to one length."""
        return len(labels)

    def ask(
        self, rows: Sequence[list[str]]
    ) -> tuple[dict[str, torch.Tensor], list[list[Truncation | None]]]:
        """Tasks, and labels one after the other."""
        settings = {**self._processor.text_kwargs, "return_tensors": "pt"}
        tokenizer = self._processor.tokenizer
        tasks = tokenizer([f"Detect {', '.join(labels)}." for labels in rows], **settings)
        classes = tokenizer([label for labels in rows for label in labels], **settings)
        encoded = {
            **{f"tasks_{name}": tensor for name, tensor in tasks.items()},
            **{f"classes_{name}": tensor for name, tensor in classes.items()},
            "classes_structure": torch.tensor([len(labels) for labels in rows]),
        }
        return encoded, [[] for _ in rows]

    def read(self, out: Any, row: int, labels: list[str], size: Size, threshold: float) -> Grounded:
        """As many boxes as queries, less those of a label that overlap a surer one."""
        chances = out["decoder_class_logits"][row].sigmoid()  # (Q, L)
        best, at = chances.flatten().topk(len(chances), sorted=False)
        best, at = best[best > threshold].numpy(), at[best > threshold].numpy()
        of_label = at % chances.shape[1]
        own = of_label < len(labels)
        best, at, of_label = best[own], at[own], of_label[own]
        relative = out["decoder_coord_logits"][row].numpy()[at // chances.shape[1]]
        boxes = corners(relative, size)
        kept = [
            int(place[n])
            for label in range(len(labels))
            for place in [np.flatnonzero(of_label == label)]
            for n in suppress(boxes[place], best[place], _OVERLAP)
        ]
        within = np.clip(boxes[kept], 0, np.array([*size, *size], "f4"))
        return Grounded(best[kept], [labels[of_label[n]] for n in kept], within)


#: Types of models -> how they are asked.
GROUNDINGS: Mapping[str, Any] = {
    "grounding-dino": GroundingDino,
    "mm-grounding-dino": GroundingDino,
    "omdet-turbo": OmDet,
}


class _Row:
    """One row of outputs, by name."""

    def __init__(self, out: Mapping[str, torch.Tensor], row: int) -> None:
        for name, tensor in out.items():
            setattr(self, name, tensor[row : row + 1])


def _sentence(labels: list[str]) -> str:
    """A full stop ends a label, so none has one in it."""
    return " ".join(f"{label.replace('.', ' ').strip().lower()}." for label in labels)
