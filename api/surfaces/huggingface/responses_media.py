"""Answers that hold images or sounds, and those about them."""

from __future__ import annotations

import array
import base64
import io
import sys
from collections.abc import Sequence
from typing import Any

from PIL import Image

from ....tasks.boxes import BoundingBox
from ....tasks.vision.depth_estimation import DepthEstimationOutput, DepthMap
from ....tasks.vision.keypoint_matching import KeypointMatch
from ....tasks.vision.mask_generation import MaskGenerationOutput
from .responses import Answered, Raw, Writer, items


def _base64(file: bytes) -> str:
    return base64.b64encode(file).decode()


def _boxed(answered: Answered) -> object:
    """Items with a box: whole pixels, as the schemas of `@huggingface/tasks` have them."""
    return answered.one_or_many(
        [[{**item.model_dump(), "box": _box(item.box)} for item in row] for row in answered.entries]
    )


def _box(box: BoundingBox) -> dict[str, int]:
    return {edge: round(value) for edge, value in box.model_dump().items()}


def _segments(answered: Answered) -> object:
    return answered.one_or_many(
        [
            [{"score": s.score, "label": s.label, "mask": _base64(s.mask)} for s in row]
            for row in answered.entries
        ]
    )


def _masks(answered: Answered) -> object:
    """As Transformers' pipeline has them, but with masks as files."""
    output = answered.output
    assert isinstance(output, MaskGenerationOutput)
    made: list[dict[str, Any]] = [
        {"masks": [_base64(m.mask) for m in row], "scores": [m.score for m in row]}
        for row in answered.entries
    ]
    # What was asked for beside them, by its name as a tensor.
    for entry, row, name in zip(made, answered.entries, output.image_embeddings, strict=True):
        if any(mask.logits for mask in row):
            entry["mask_logits"] = [mask.logits for mask in row]
        if name:
            entry["image_embedding"] = name
    return answered.one_or_many(made)


def _depth(answered: Answered) -> object:
    output = answered.output
    assert isinstance(output, DepthEstimationOutput)
    if not answered.rows.many and "image/png" in answered.asked.accept:
        return Raw(output.depth[0], "image/png")
    return answered.one_or_many(
        [
            {"depth": _base64(png), "predicted_depth": _nested(values)}
            for png, values in zip(output.depth, output.predicted_depth, strict=True)
        ]
    )


def _nested(depth: DepthMap) -> list[list[float]]:
    """The map (H, W) as lists of numbers."""
    flat = array.array("f", depth.values)
    if sys.byteorder == "big":
        flat.byteswap()
    width = depth.width
    return [flat[y * width : (y + 1) * width].tolist() for y in range(depth.height)]


def _pictures(answered: Answered) -> object:
    """A picture as the whole answer; several, or one for who asks for JSON, in base64."""
    pictures: Sequence[bytes] = answered.entries
    if answered.rows.size:
        pictures = [_resized(picture, answered.rows.size) for picture in pictures]
    if answered.rows.many or answered.asked.wants_json:
        return answered.one_or_many([_base64(picture) for picture in pictures])
    return Raw(pictures[0], "image/png")


def _resized(png: bytes, size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(png), formats=("PNG",)) as picture:
        picture.resize(size, Image.Resampling.LANCZOS).save(buffer, "PNG")
    return buffer.getvalue()


def _sounds(answered: Answered) -> object:
    """A sound as the whole answer; several, or one for who asks for JSON, in base64."""
    output: Any = answered.output
    if not answered.rows.many and not answered.asked.wants_json:
        return Raw(output.audio[0], "audio/wav")
    return answered.one_or_many(
        [
            {"audio": _base64(file), "sampling_rate": rate}
            for file, rate in zip(output.audio, output.sample_rates, strict=True)
        ]
    )


def _speech(answered: Answered) -> object:
    output: Any = answered.output
    rows: list[dict[str, object]] = []
    for text, chunks in zip(output.texts, output.chunks, strict=True):
        row: dict[str, object] = {"text": text}
        if chunks is not None:
            row["chunks"] = [{"text": c.text, "timestamp": [c.start, c.end]} for c in chunks]
        rows.append(row)
    return answered.one_or_many(rows)


def _captions(answered: Answered) -> object:
    """A list of objects; the JavaScript client takes the object alone."""
    rows = [{"generated_text": text} for text in answered.entries]
    return rows[0] if answered.asked.by_javascript and not answered.rows.many else rows


def _written(answered: Answered) -> object:
    prompts: Sequence[str] = answered.rows.fields["texts"]
    return [
        {"input_text": prompt, "generated_text": text}
        for prompt, text in zip(prompts, answered.entries, strict=True)
    ]


def _vectors(answered: Answered) -> object:
    """A vector per image or text, in a list even where there is one."""
    return answered.entries


def _matches(answered: Answered) -> object:
    """As transformers' pipeline has them."""
    return answered.one_or_many([[_match(match) for match in pair] for pair in answered.entries])


def _match(match: KeypointMatch) -> dict[str, object]:
    return {
        "keypoint_image_0": {"x": match.x0, "y": match.y0},
        "keypoint_image_1": {"x": match.x1, "y": match.y1},
        "score": match.score,
    }


#: Task -> the writer of its answer.
WRITERS: dict[str, Writer] = {
    "audio-classification": items,
    "audio-text-to-text": _written,
    "automatic-speech-recognition": _speech,
    "depth-estimation": _depth,
    "document-question-answering": items,
    "image-anonymization": _pictures,
    "image-classification": items,
    "image-feature-extraction": _vectors,
    "image-segmentation": _segments,
    "image-text-to-text": _written,
    "image-to-image": _pictures,
    "image-to-text": _captions,
    "keypoint-detection": items,
    "keypoint-matching": _matches,
    "mask-generation": _masks,
    "multimodal-embedding": _vectors,
    "multivector-embedding": _vectors,
    "object-detection": _boxed,
    "optical-character-recognition": _boxed,
    "text-to-audio": _sounds,
    "text-to-image": _pictures,
    "text-to-speech": _sounds,
    "video-classification": items,
    "visual-document-retrieval": items,
    "visual-question-answering": items,
    "zero-shot-audio-classification": items,
    "zero-shot-image-classification": items,
    "zero-shot-object-detection": _boxed,
}
