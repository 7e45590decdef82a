"""JSONL and OIP JSONL: read back whole, and by pandas."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from wherry.client.annotate.formats.jsonl import read_annotations, read_jsonl
from wherry.client.annotate.formats.records import record_of
from wherry.protocol import codec
from wherry.tasks.annotations.fits import items_of
from wherry.tasks.registry import get_task, task_names
from wherry.tasks.values.masks import read_mask

from .answers import HARD_IDS, HARD_LABELS, box, disc, examples, row, segment, written


@pytest.mark.parametrize("task", task_names())
def test_every_task_is_read_back_from_jsonl(tmp_path, task):
    rows = examples(task)
    back = list(
        read_annotations(written("jsonl", tmp_path / "out.jsonl", rows, task), get_task(task))
    )
    assert [record_of(a, get_task(task)) for a in back] == [
        record_of(a, get_task(task)) for a in rows
    ]
    if not any(spec.name == "mask" for spec in get_task(task).outputs):
        # A mask's PNG may be packed in another way; a row's own text is not in its answer.
        assert back == [replace(row, text="") for row in rows]


def test_masks_are_read_back_pixel_by_pixel(tmp_path):
    mask = disc(100, 200, 50)
    rows = [row("image-segmentation", 0, [segment("boat", 0.5, mask)])]
    path = written("jsonl", tmp_path / "out.jsonl", rows, "image-segmentation")
    (back,) = read_annotations(path, get_task("image-segmentation"))
    assert np.array_equal(read_mask(items_of(back.output)[0].mask), mask)
    assert path.stat().st_size < 1000


def test_a_line_says_what_people_expect(tmp_path):
    rows = [
        row("object-detection", 4, [box("boat", 0.1234567, 1.006, -0.001, 7, 6.5)], path="p/4.jpg"),
        row("object-detection", 5, [], size=None),
    ]
    path = written("jsonl", tmp_path / "out.jsonl", rows, "object-detection")
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {
            "id": "000004.jpg",
            "path": "p/4.jpg",
            "index": 4,
            "size": [640, 480],
            "detections": [
                {
                    "label": "boat",
                    "score": 0.123457,
                    "box": {"xmin": 1.01, "ymin": 0.0, "xmax": 7.0, "ymax": 6.5},
                }
            ],
        },
        {"id": "000005.jpg", "path": "", "index": 5, "detections": []},
    ]
    assert "-0.0" not in path.read_text()


@pytest.mark.parametrize(
    ("task", "keys"),
    [
        ("image-to-text", {"text"}),
        ("embedding", {"embedding"}),
        (
            "text-generation",
            {
                *("text", "finish_reason", "prompt_tokens", "completion_tokens", "tokens"),
                "tool_calls",
            },
        ),
        ("automatic-speech-recognition", {"text", "chunks", "duration", "language"}),
        ("depth-estimation", {"predicted_depth", "depth"}),
        ("image-classification", {"results"}),
        ("video-mask-generation", {"objects_ids", "frame_indexes", "mask", "time"}),
        ("custom", {"result"}),
    ],
)
def test_answers_are_unpacked(tmp_path, task, keys):
    path = written("jsonl", tmp_path / "out.jsonl", examples(task), task)
    assert set(next(read_jsonl(path))) - {"id", "path", "index", "size"} == keys


@pytest.mark.parametrize("name", ["jsonl", "oip-jsonl"])
def test_hard_labels_and_ids_survive(tmp_path, name):
    rows = [
        row("image-classification", n, [{"label": label, "score": 0.5} for label in HARD_LABELS], i)
        for n, i in enumerate(HARD_IDS)
    ]
    if name == "oip-jsonl":  # OIP's text is UTF-8
        rows = [
            row(
                "image-classification",
                n,
                [{"label": label, "score": 0.5} for label in HARD_LABELS if "\udcff" not in label],
                i,
            )
            for n, i in enumerate(HARD_IDS)
        ]
    path = written(name, tmp_path / "out.jsonl", rows, "image-classification")
    lines = path.read_text().splitlines()  # at every break that Unicode knows
    assert len(lines) == len(HARD_IDS)
    if name == "jsonl":
        back = list(read_annotations(path, get_task("image-classification")))
        assert back == rows
    else:
        held = [codec.decode_response(line.encode()) for line in lines]
        task = get_task("image-classification")
        assert [task.output.from_inference_response(r) for r in held] == [a.output for a in rows]
        assert held[-1].id == HARD_IDS[-1]


def test_pandas_reads_jsonl(tmp_path):
    rows = [
        row("image-classification", n, [{"label": label, "score": 0.5}])
        for n, label in enumerate(HARD_LABELS[:9])
    ]
    path = written("jsonl", tmp_path / "out.jsonl", rows, "image-classification")
    frame = pd.read_json(path, lines=True)
    assert [found[0]["label"] for found in frame["results"]] == list(HARD_LABELS[:9])


@pytest.mark.parametrize("task", task_names())
def test_every_task_is_read_back_from_oip_jsonl(tmp_path, task):
    rows = examples(task)
    path = written("oip-jsonl", tmp_path / "out.jsonl", rows, task)
    held = [codec.decode_response(line) for line in path.read_bytes().splitlines()]
    assert [response.id for response in held] == [annotation.id for annotation in rows]
    assert {(response.model_name, response.model_version) for response in held} == {("sea", "3")}
    assert [get_task(task).output.from_inference_response(r) for r in held] == [
        a.output for a in rows
    ]


def test_what_is_no_number_is_null(tmp_path):
    rows = [row("embedding", 0, [1.0, math.nan, -math.inf, 123456.789], size=None)]
    path = written("jsonl", tmp_path / "out.jsonl", rows, "embedding")
    assert json.loads(path.read_text())["embedding"] == [1.0, None, None, 123457.0]
    rows = [row("custom", 0, {"a": [math.nan, 0.12345678901]}, size=None)]
    path = written("jsonl", tmp_path / "custom.jsonl", rows, "custom")
    assert json.loads(path.read_text())["result"] == {"a": [None, 0.12345678901]}
