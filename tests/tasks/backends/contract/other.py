"""Tasks of sound, of several kinds of content, and of whatever a folder's own code makes of it."""

from __future__ import annotations

from typing import Any

from .case import Case, Changed, Row
from .files import BROKEN_IMAGES, BROKEN_SOUNDS, IMAGES, SOUNDS, beyond_pixels, beyond_seconds
from .text import LONG

_BEYOND = beyond_pixels()
_LONG_LABEL: Row = {"candidate_labels": ["a cat", LONG], "truncate": False}
_DRAWN: Row = {"do_sample": True, "temperature": 1.5, "seed": 1}
_QUESTIONS = ["what is it", "a cat and a dog beside the red car", "is it red", "hello"]
_WORDS = [
    (word, (i % 10 * 90, i // 10 * 50, i % 10 * 90 + 80, i // 10 * 50 + 40))
    for i, word in enumerate(["paris", "is", "the", "capital", "my", "name", "ada", "london"] * 14)
]

_BOATS: list[dict[str, Any]] = [
    {"length_m": 8.5, "sails": 1, "rig": "gaff"},
    {"length_m": "25", "sails": 2, "rig": "lug"},  # as forms have numbers
    {"length_m": 6.25, "sails": True, "rig": "sprit", "name": "Maud"},
]
_TABULAR = Case(
    rows=[{"records": [boat]} for boat in _BOATS],
    broken=[
        ({"records": [{"length_m": 8.5, "rig": "gaff"}]}, "column 'sails' is missing"),
        ({"records": [{**_BOATS[0], "length_m": "long"}]}, "column 'length_m': expected a number"),
        ({"records": [{**_BOATS[0], "length_m": None}]}, "column 'length_m': .* NaN"),
        ({"records": [[1.0]]}, "the row has 1 cells"),
    ],
)

#: As long as the model looks at, below zero, and short.
_SERIES = [
    [float(step % 7) for step in range(32)],
    [float(step % 5 - 3) for step in range(20)],
    [3.5],
]

AUDIO: dict[str, Case] = {
    "audio-classification": Case(
        rows=SOUNDS,
        broken=BROKEN_SOUNDS,
        beyond=[beyond_seconds(300)],
        changed={"sample_rate": Changed(value=8000), "top_k": Changed(value=1)},
    ),
    "automatic-speech-recognition": Case(
        rows=SOUNDS,
        broken=BROKEN_SOUNDS,
        beyond=[beyond_seconds(3600)],
        changed={
            "sample_rate": Changed(value=8000),
            "language": Changed(value="en", beside={"return_timestamps": True}),
            "return_timestamps": Changed(value=True),
        },
    ),
    "zero-shot-audio-classification": Case(
        rows=[
            {**row, "candidate_labels": labels}
            for row, labels in zip(
                SOUNDS,
                (["a cat", "the red car"], ["london", "a cat"], ["a cat"], ["fox", "dog", "cat"]),
                strict=True,
            )
        ],
        broken=BROKEN_SOUNDS,
        beyond=[beyond_seconds(300), (_LONG_LABEL, r"\d+ tokens")],
        changed={
            "sample_rate": Changed(value=8000),
            "hypothesis_template": Changed(value="hello {}"),
        },
    ),
    "text-to-audio": Case(
        rows=[
            {"texts": [text]}
            for text in ("hello world", "ada", "the quick brown fox jumps over the lazy dog")
        ],
        fixed={"duration": 0.1},
        broken=[({"texts": [" "]}, "text")],
        changed={
            "duration": Changed(value=0.2),
            "guidance_scale": Changed(value=1.0),
            "do_sample": Changed(value=False),
            "temperature": Changed(value=0.0),
            "top_k": Changed(value=2),
            "seed": Changed(value=1),
        },
    ),
    "text-to-speech": Case(
        rows=[
            {"texts": [text]}
            for text in ("hello world", "ada", "the quick brown fox jumps over the lazy dog")
        ],
        broken=[
            ({"texts": [""]}, "text"),
            ({"texts": [" "]}, "text"),
            ({"speaker": 10}, "speaker 10: the model has"),
        ],
        changed={
            "speaker": Changed(value=1),
            "speed": Changed(value=2.0),
            "seed": Changed(value=1),
        },
    ),
}

MULTIMODAL: dict[str, Case] = {
    "audio-text-to-text": Case(
        rows=[
            *({**row, "texts": [text]} for row, text in zip(SOUNDS, _QUESTIONS, strict=True)),
            {"audio": [b""], "texts": ["hello"]},
        ],
        fixed={"max_new_tokens": 6},
        broken=BROKEN_SOUNDS[1:],  # an empty one is a text alone
        beyond=[beyond_seconds(1200), ({"texts": ["lazy dog " * 300]}, "tokens")],
        changed={
            "sample_rate": Changed(value=8000, rows=[{**SOUNDS[1], "texts": ["hello"]}]),
            "max_new_tokens": Changed(value=2),
            "do_sample": Changed(value=True, beside={"temperature": 2.0, "seed": 1}),
            "temperature": Changed(value=0.0, beside=_DRAWN),
            "top_p": Changed(value=0.01, beside=_DRAWN),
            "seed": Changed(value=2, beside=_DRAWN),
        },
    ),
    "custom": Case(
        rows=[{"data": [{"inputs": "a", "more": [1, None]}]}, {"data": [{"inputs": {"b": 2}}]}],
        broken=[({"data": [{"inputs": "raise"}]}, "RuntimeError"), ({"data": [{}]}, "KeyError")],
    ),
    "document-question-answering": Case(
        rows=[
            {**IMAGES[0], "questions": ["what is the capital"], "word_boxes": [_WORDS[:20]]},
            {**IMAGES[0], "questions": ["name"], "word_boxes": [_WORDS[5:6]]},
            {**IMAGES[0], "questions": ["where do you live"], "word_boxes": [_WORDS]},
        ],
        broken=[
            ({"questions": [""]}, "question"),
            ({"images": [b"junk"], "word_boxes": [None]}, "not an image of a known format"),
        ],
        beyond=[({**_BEYOND[0], "word_boxes": [None]}, _BEYOND[1])],
        changed={
            "top_k": Changed(value=3),
            "max_answer_len": Changed(value=1, beside={"top_k": 9}),
        },
    ),
    "image-text-to-text": Case(
        rows=[{**row, "texts": [text]} for row, text in zip(IMAGES, _QUESTIONS, strict=True)],
        fixed={"max_new_tokens": 6},
        broken=BROKEN_IMAGES,
        beyond=[_BEYOND, ({"texts": ["lazy dog " * 300]}, "tokens")],
        changed={
            "max_new_tokens": Changed(value=2),
            "do_sample": Changed(value=True, beside={"temperature": 2.0, "seed": 1}),
            "temperature": Changed(value=0.0, beside=_DRAWN),
            "top_p": Changed(value=0.01, beside=_DRAWN),
            "seed": Changed(value=2, beside=_DRAWN),
        },
    ),
    "image-to-text": Case(
        rows=IMAGES,
        fixed={"max_new_tokens": 6},
        broken=BROKEN_IMAGES,
        beyond=[_BEYOND],
        changed={"max_new_tokens": Changed(value=2)},
    ),
    "multimodal-embedding": Case(
        rows=[*IMAGES[:2], *({"texts": [text]} for text in _QUESTIONS[:2])],
        broken=BROKEN_IMAGES,
        beyond=[_BEYOND, ({"images": None, "texts": [LONG], "truncate": False}, r"\d+ tokens")],
        changed={"normalize": Changed(value=False)},
    ),
    "multivector-embedding": Case(
        rows=[*IMAGES[:2], IMAGES[3], *({"texts": [text]} for text in _QUESTIONS[:2])],
        broken=BROKEN_IMAGES,
        beyond=[
            _BEYOND,
            ({"images": None, "texts": ["lazy dog " * 300]}, r"\d+ tokens, the model reads 512"),
        ],
    ),
    "tabular-classification": _TABULAR,
    "tabular-regression": _TABULAR,
    "tensor": Case(  # what is broken is refused before it is a row: test_tensors.py has that
        rows=[{"feeds": [{"x": row}]} for row in ([1.0, 2.0, 4.0], [0.5, -1.0], [3.0] * 5)],
    ),
    "text-to-image": Case(
        rows=[
            {"prompts": [text]}
            for text in ("a photo of a cat", "a red car", "the quick brown fox jumps")
        ],
        fixed={"num_inference_steps": 2, "seed": 7},
        beyond=[({"prompts": [LONG], "truncate": False}, r"\d+ tokens")],
        changed={
            "negative_prompt": Changed(value="the lazy dog"),
            "num_inference_steps": Changed(value=3),
            "guidance_scale": Changed(value=30.0),
            "width": Changed(value=48, beside={"width": 32, "height": 32}),
            "height": Changed(value=16, beside={"width": 32, "height": 32}),
            "seed": Changed(value=8),
        },
    ),
    "time-series-forecasting": Case(
        rows=[{"past_values": [series]} for series in _SERIES],
        broken=[
            ({"past_values": [[1.0, 1e300]]}, "too large for float32"),
            ({"past_values": [[3e38, -3e38] * 8]}, "whose forecast is not finite"),
        ],
        beyond=[({"prediction_length": 17}, "this model forecasts 16")],
        changed={
            "prediction_length": Changed(value=3),
            "quantile_levels": Changed(value=[0.9, 0.1]),
        },
    ),
    "visual-document-retrieval": Case(
        rows=[
            {"queries": [text], "pages": [[IMAGES[i]["images"][0] for i in pages]]}
            for text, pages in zip(_QUESTIONS, ([0, 3], [1, 2, 3], [2], [3, 0]), strict=True)
        ],
        broken=[
            ({"pages": [[*IMAGES[0]["images"], *row["images"]]]}, f"page 1: {says}")
            for row, says in BROKEN_IMAGES
        ],
        beyond=[
            ({"pages": [_BEYOND[0]["images"]]}, _BEYOND[1]),
            ({"queries": ["lazy dog " * 300]}, r"\d+ tokens, the model reads 512"),
        ],
        changed={"top_k": Changed(value=1)},
    ),
    "visual-question-answering": Case(
        rows=[{**row, "question": text} for row, text in zip(IMAGES, _QUESTIONS, strict=True)],
        fixed={"top_k": 3},
        broken=BROKEN_IMAGES,
        beyond=[_BEYOND, ({"question": LONG, "truncate": False}, r"\d+ tokens")],
        changed={"top_k": Changed(value=1)},
    ),
}
