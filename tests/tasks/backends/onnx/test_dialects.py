"""What adapters do for every graph, whatever its dialect."""

from __future__ import annotations

import functools
import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from wherry.protocol.errors import RowError
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.backends.onnx.joining import joined
from wherry.tasks.backends.onnx.mel import filters
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.export import export
from wherry.tasks.vision.depth_estimation import DepthEstimationOutput

from ....support import sounds, tiny
from . import graphs

Exported = Callable[[str, str], Path]


@pytest.fixture(scope="module")
def exported(tiny_model: Callable[[str], Path], tmp_path_factory: Any) -> Exported:
    @functools.cache
    def made(name: str, task: str) -> Path:
        folder: Path = tmp_path_factory.mktemp("onnx") / name
        export(str(tiny_model(name)), folder, task)
        return folder

    return made


def process(task: LocalTask, **fields: Any) -> Any:
    return task.process(task.task.input.validated(fields))


def close(one: Any, other: Any) -> None:
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        one, other = [*one.values()], [*other.values()]
    if isinstance(one, list):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            close(a, b)
    else:
        assert one == (pytest.approx(other, abs=1e-3) if isinstance(one, float) else other)


@pytest.mark.parametrize(
    ("task", "rows", "fields"),
    [
        ("image-classification", {"pixel_values": 1}, {}),
        ("image-classification", {"pixel_values": 3}, {}),  # the second run is filled up
        ("object-detection", {"pixel_values": 1}, {"threshold": 0.0}),
        ("zero-shot-image-classification", {"pixel_values": 1}, {}),
        ("zero-shot-image-classification", {"input_ids": 2, "attention_mask": 2}, {}),
        (
            "zero-shot-image-classification",
            {"pixel_values": 1, "input_ids": 1, "attention_mask": 1},
            {},
        ),
        ("zero-shot-object-detection", {"pixel_values": 1}, {"threshold": 0.0}),
        (
            "zero-shot-object-detection",
            {"pixel_values": 1, "input_ids": 2, "attention_mask": 2},
            {"threshold": 0.0},
        ),
    ],
)
def test_a_fixed_batch_answers_as_a_free_one(
    task: str, rows: dict[str, int], fields: dict[str, Any], exported: Exported, tmp_path: Path
) -> None:
    free = exported(task, task)
    fixed = graphs.fixed(shutil.copytree(free, tmp_path / "fixed"), **rows)
    if task.startswith("zero-shot"):
        fields = {**fields, "candidate_labels": ["a cat", "dog", "the red car"]}
    fields = {**fields, "images": tiny.images()}
    tasks = [create_task("onnxruntime", task, str(folder)) for folder in (fixed, free)]
    assert tasks[0].backend.graph.fixed_rows("pixel_values") == rows.get("pixel_values")  # type: ignore[attr-defined] # a DialectBackend
    close(*[process(one, **fields).model_dump() for one in tasks])


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1"])
def test_images_of_every_mode_become_rgb(mode: str, exported: Exported) -> None:
    task = create_task(
        "onnxruntime", "image-classification", str(exported(*["image-classification"] * 2))
    )
    image = tiny.noise(50, 70).convert(mode)
    kind = "TIFF" if mode == "CMYK" else "PNG"
    as_is, as_rgb = tiny.encode(image, kind), tiny.encode(image.convert("RGB"))
    first, second = process(task, images=[as_is, as_rgb]).results
    assert first == second


def test_depth_keeps_more_than_eight_bits(exported: Exported) -> None:
    task = create_task("onnxruntime", "depth-estimation", str(exported(*["depth-estimation"] * 2)))
    output = process(task, images=tiny.images()[-1:])
    assert isinstance(output, DepthEstimationOutput)
    values = np.frombuffer(output.predicted_depth[0].values, "<f4")
    assert len(np.unique(values)) > 5_000


def test_segments_cover_the_image_whatever_the_threshold(exported: Exported) -> None:
    folder = exported("image-segmentation-semantic", "image-segmentation")
    task = create_task("onnxruntime", "image-segmentation", str(folder))
    data = tiny.images()[0]
    strict = process(task, images=[data], threshold=1.0, mask_threshold=1.0).segments[0]
    assert strict == process(task, images=[data], threshold=0.0, subtask="semantic").segments[0]
    masks = [np.asarray(Image.open(io.BytesIO(one.mask))).astype(int) for one in strict]
    assert (np.sum(masks, axis=0) == 255).all()
    with pytest.raises(RowError, match="panoptic"):
        process(task, images=[data], subtask="panoptic")


@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_raw_samples_are_heard_at_their_rate(rate: int, exported: Exported) -> None:
    task = create_task(
        "onnxruntime", "audio-classification", str(exported(*["audio-classification"] * 2))
    )
    tone = sounds.tone(1, 440, rate)
    raw = process(task, audio=[tone.tobytes()], sample_rate=rate).results
    assert raw == process(task, audio=[sounds.file(tone, rate)]).results
    assert raw != process(task, audio=[tone.tobytes()], sample_rate=16_000).results


def test_whisper_hears_beyond_its_window(exported: Exported) -> None:
    name = "automatic-speech-recognition"
    task = create_task("onnxruntime", name, str(exported(name, name)))
    long, begin = sounds.tone(40, 300), sounds.tone(40, 300)[: 30 * sounds.RATE]
    texts = process(
        task, audio=[long.tobytes(), begin.tobytes()], sample_rate=16_000, language="en"
    ).texts
    assert len(texts[0]) > len(texts[1])
    chunks = process(
        task, audio=[long.tobytes()], sample_rate=16_000, language="en", return_timestamps=True
    ).chunks[0]
    assert max(chunk.start for chunk in chunks) >= 30.0
    with pytest.raises(RowError, match="klingon"):
        process(task, audio=[begin.tobytes()], sample_rate=16_000, language="klingon")


def test_parameters_reach_the_adapter_or_are_refused(exported: Exported) -> None:
    name = "automatic-speech-recognition"
    folder = str(exported(name, name))
    for parameters, said in (
        ({"colour": 1}, "whisper-encoder-decoder.*colour"),
        ({"chunk_length_s": 60.0}, "30.0 seconds at once"),
        ({"dialect": "sonar"}, "no dialect 'sonar'.*wav2vec2-ctc"),
    ):
        with pytest.raises(ModelRefused, match=said):
            create_task("onnxruntime", name, folder, parameters)


@pytest.mark.parametrize(
    ("windows", "whole"),
    [
        ([], []),
        ([[1, 2, 3]], [1, 2, 3]),
        ([[1, 2, 3, 4, 5], [4, 5, 6, 7]], [1, 2, 3, 4, 5, 6, 7]),
        ([[1, 2, 3], [7, 8, 9]], [1, 2, 3, 7, 8, 9]),
        ([[1, 2, 3, 4], [3, 4, 5, 6], [5, 6, 7]], [1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_windows_are_joined_where_they_agree(windows: list[list[int]], whole: list[int]) -> None:
    assert joined(windows) == whole


def test_mel_filters_are_slaneys() -> None:
    from transformers.audio_utils import mel_filter_bank

    theirs = mel_filter_bank(201, 80, 0.0, 8000.0, 16_000, norm="slaney", mel_scale="slaney")
    assert filters(80, 16_000, 400) == pytest.approx(theirs, abs=1e-12)
