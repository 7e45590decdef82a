"""The tasks' outputs as Pixano's clients read them.

Written once, in snake_case, with arrays marked as such; `Wire` then has it one generation's way.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Sequence
from enum import Enum
from itertools import groupby
from typing import Any

from pydantic.alias_generators import to_camel

from ....tasks.base import TaskOutput
from ....tasks.boxes import BoxesOutput
from ....tasks.multimodal.written import WrittenOutput
from ....tasks.tensors import Grid
from ....tasks.text.embedding import EmbeddingOutput
from ....tasks.text.token_classification import TokenClassificationOutput
from ....tasks.values.masks import read_mask
from ....tasks.values.rle import encode_compressed
from ....tasks.vision.mask_generation import MaskGenerationOutput
from ....tasks.vision.video_mask_generation import VideoMaskGenerationOutput
from .arrays import Array, array_of_name


class Wire(Enum):
    """How a generation writes: the keys, and the arrays."""

    SNAKE = "snake"  # the seed, 0.5.6, 0.7.2
    CAMEL = "camel"  # /v1

    def write(self, value: Any) -> Any:
        """A document of this wire form."""
        match value:
            case Array(values, shape):
                return self._array(values, shape)
            case dict():
                return {self.key(key): self.write(entry) for key, entry in value.items()}
            case list():
                return [self.write(entry) for entry in value]
            case _:
                return value

    def key(self, name: str) -> str:
        """A field's name."""
        return to_camel(name) if self is Wire.CAMEL else name

    def _array(self, values: Sequence[float], shape: tuple[int, ...]) -> dict[str, Any]:
        if self is Wire.SNAKE:
            return {"values": list(values), "shape": list(shape)}
        raw = struct.pack(f"<{len(values)}f", *values)
        data = base64.b64encode(raw).decode()
        return {"shape": list(shape), "dtype": "float32", "data": data}


def write_answer(output: TaskOutput, number: int, text: str = "") -> dict[str, Any]:
    """An answer's data; `number` is what `asks.Given` has, `text` what names were looked for in."""
    if isinstance(output, TokenClassificationOutput):
        return _entities(output, text)
    return next(write(output, number) for kind, write in _WRITERS if isinstance(output, kind))


def _rle(png: bytes) -> dict[str, Any]:
    mask = read_mask(png)
    return {"size": list(mask.shape), "counts": encode_compressed(mask)}


def _segmentation(output: MaskGenerationOutput, per_prompt: int) -> dict[str, Any]:
    """Per prompt its masks, and scores (prompts, masks); logits (prompts, masks, h, w).

    An embedding is the name of what a worker keeps of the image, and has no further features.
    """
    found = output.masks[0]
    # A model that gives fewer than we asked for has them all in one place.
    width = len(found) or 1
    if per_prompt and width % per_prompt == 0:
        width = per_prompt
    masks = [_rle(mask.mask) for mask in found]
    scores = [mask.score for mask in found] or [0.0]
    return {
        "masks": [masks[at : at + width] for at in range(0, len(masks), width)] or [[]],
        "scores": Array(scores, (len(scores) // width, width)),
        "image_embedding": array_of_name(output.image_embeddings[0]),
        "high_resolution_features": None,
        "mask_logits": _logits([mask.logits for mask in found if mask.logits], width),
    }


def _logits(grids: Sequence[Grid], width: int) -> Array | None:
    if not grids:
        return None
    flat = [value for grid in grids for line in grid for value in line]
    return Array(flat, (len(grids) // width, width, len(grids[0]), len(grids[0][0])))


def _tracking(output: VideoMaskGenerationOutput, first: int) -> dict[str, Any]:
    """Parallel lists as 0.8.0 reads them, and the same by frame as 0.7.1's own client does."""
    objects = output.objects_ids[0]
    frames = [first + frame for frame in output.frame_indexes[0]]
    masks = [_rle(mask) for mask in output.masks[0]]
    entries = sorted(zip(frames, objects, masks, strict=True), key=lambda entry: entry[:2])
    return {
        "objects_ids": objects,
        "frame_indexes": frames,
        "masks": masks,
        "frames": [
            {
                "frame_index": frame,
                "objects": [
                    {"track_id": number, "mask": mask, "box": None, "score": None, "class": None}
                    for _, number, mask in tracked
                ],
            }
            for frame, tracked in groupby(entries, key=lambda entry: entry[0])
        ],
    }


def _detection(output: BoxesOutput, _: int) -> dict[str, Any]:
    found = output.detections[0]
    return {
        "boxes": [[round(edge) for edge in item.box.model_dump().values()] for item in found],
        "scores": [item.score for item in found],
        "classes": [item.label for item in found],
        "masks": None,
    }


def _vlm(output: WrittenOutput, _: int) -> dict[str, Any]:
    """The text. Clients want the count of its tokens, which the task does not tell: 0."""
    return {
        "generated_text": output.texts[0],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        "generation_config": {},
    }


def _embedding(output: EmbeddingOutput, normal: int) -> dict[str, Any]:
    vectors = [_unit(vector) if normal else vector for vector in output.embeddings]
    dim = len(vectors[0])
    flat = [number for vector in vectors for number in vector]
    return {"embeddings": Array(flat, (len(vectors), dim)), "dim": dim}


def _unit(vector: list[float]) -> list[float]:
    length = sum(number * number for number in vector) ** 0.5
    return [number / length for number in vector] if length else vector


def _entities(output: TokenClassificationOutput, text: str) -> dict[str, Any]:
    """Names as the text has them, or as the tokenizer does where the text is not at hand."""
    return {
        "entities": [
            {
                "text": text[entity.start : entity.end] or entity.word,
                "label": entity.entity,
                "start": entity.start,
                "end": entity.end,
                "score": entity.score,
            }
            for entity in output.entities[0]
        ]
    }


_Writer = Callable[[Any, int], dict[str, Any]]

_WRITERS: tuple[tuple[type[TaskOutput], _Writer], ...] = (
    (MaskGenerationOutput, _segmentation),
    (VideoMaskGenerationOutput, _tracking),
    (BoxesOutput, _detection),
    (WrittenOutput, _vlm),
    (EmbeddingOutput, _embedding),
)
