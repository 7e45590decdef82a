"""Which adapter takes which graph."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.tasks.backends import backend_table
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.backends.onnx.adapter import GraphInfo
from wherry.tasks.backends.onnx.dialects import dialects, resolve, wants

BATCH = "batch"
PIXELS = {"pixel_values": (BATCH, 3, 64, 64)}
TEXT = dict.fromkeys(("input_ids", "attention_mask"), ("texts", "tokens"))
MASK = {"pixel_mask": (BATCH, 64, 64)}
TYPES = {"token_type_ids": (BATCH, "tokens")}
SAMPLES = {"input_values": (BATCH, "samples")}
CHUNKS = {"input": (BATCH, "chunk"), "state": (2, BATCH, 128)}
VERSION_4 = {"input": (BATCH, "chunk"), "h": (2, BATCH, 64), "c": (2, BATCH, 64), "sr": ()}
ROWS = {"logits": (BATCH, 3)}
LETTERS = {"logits": (BATCH, "tokens", 30)}
BOTH = {"token_embeddings": (), "sentence_embedding": ()}
MAPS = {"logits": (BATCH, 3, 16, 16)}
QUERIES = {"logits": (BATCH, 5, 4), "pred_boxes": (BATCH, 5, 4)}
IMAGES = {"images": (1, 3, 64, 64)}
SPANS = dict.fromkeys(("start_logits", "end_logits"), (BATCH, "tokens"))
ANY = {"x": (1, 3, 64, 64)}


@pytest.mark.parametrize(
    ("task", "inputs", "outputs", "dialect"),
    [
        ("image-classification", PIXELS, ROWS, "pixel-logits"),
        ("image-classification", PIXELS, {"logits": ()}, "pixel-logits"),  # rank not told
        ("image-classification", PIXELS, MAPS, None),
        ("image-classification", PIXELS, QUERIES, None),
        ("object-detection", IMAGES, QUERIES, "transformers-detr"),
        ("object-detection", {**IMAGES, **MASK}, QUERIES, "transformers-detr"),
        ("object-detection", PIXELS, QUERIES, "transformers-yolos"),
        ("object-detection", {**PIXELS, **MASK}, QUERIES, "transformers-yolos"),
        ("object-detection", ANY, {"boxes": (), "labels": ()}, "torchvision-detection"),
        ("object-detection", IMAGES, {"pred_boxes": (), "labels": ()}, "torchvision-detection"),
        ("object-detection", IMAGES, {"logits": (1, 6, 84)}, None),
        ("object-detection", PIXELS, ROWS, None),
        ("depth-estimation", PIXELS, {"predicted_depth": (BATCH, 8, 8)}, "predicted-depth"),
        ("image-segmentation", PIXELS, MAPS, "semantic-logits"),
        ("image-segmentation", PIXELS, ROWS, None),
        (
            "visual-question-answering",
            {**TEXT, **PIXELS, **MASK, **TYPES},
            ROWS,
            "transformers-vilt",
        ),
        (
            "visual-question-answering",
            {**TEXT, **PIXELS, **MASK},
            ROWS,
            "transformers-vilt-no-token-type",
        ),
        (
            "zero-shot-image-classification",
            {**TEXT, **PIXELS},
            {"logits_per_image": (BATCH, "texts")},
            "transformers-clip",
        ),
        ("zero-shot-object-detection", {**TEXT, **PIXELS}, QUERIES, "transformers-owlvit"),
        ("audio-classification", SAMPLES, ROWS, "input-values-logits"),
        (
            "audio-classification",
            {"input_values": (BATCH, 1024, 128)},
            ROWS,
            "spectrogram-logits",
        ),
        ("audio-classification", {"input_values": (BATCH, 1, 64, 128)}, ROWS, None),
        ("audio-classification", {"input_values": (BATCH, 1024, 128)}, LETTERS, None),
        ("audio-classification", CHUNKS, {"output": (BATCH, 1), "stateN": ()}, "silero-vad"),
        ("audio-classification", {**CHUNKS, "sr": ()}, {"output": (), "stateN": ()}, "silero-vad"),
        ("audio-classification", VERSION_4, {"output": (), "hn": (), "cn": ()}, "silero-vad"),
        ("audio-classification", VERSION_4, {"output": (), "stateN": ()}, None),
        ("audio-classification", {**CHUNKS, "h": ()}, {"output": (), "stateN": ()}, None),
        ("audio-classification", CHUNKS, {"output": (BATCH, 1)}, None),
        ("automatic-speech-recognition", SAMPLES, {"logits": (BATCH, "t", 30)}, "wav2vec2-ctc"),
        (
            "automatic-speech-recognition",
            {"input_features": (BATCH, 80, 3000)},
            {"last_hidden_state": ()},
            "whisper-encoder-decoder",
        ),
        ("automatic-speech-recognition", SAMPLES, ROWS, None),
        ("question-answering", TEXT, SPANS, "span-logits"),
        ("question-answering", TEXT, {"start_logits": (BATCH, "tokens")}, None),
        ("question-answering", TEXT, LETTERS, None),
        ("fill-mask", TEXT, LETTERS, "vocabulary-logits"),
        ("fill-mask", TEXT, ROWS, None),
        ("ranking", TEXT, {"logits": (BATCH, 1)}, "text-logits"),
        ("ranking", {"input_ids": ()}, {"logits": ()}, "text-logits"),
        ("ranking", {**TEXT, **PIXELS}, ROWS, None),
        ("text-classification", {**TEXT, **TYPES}, ROWS, "text-logits"),
        ("text-classification", TEXT, LETTERS, None),
        ("zero-shot-classification", TEXT, ROWS, "text-logits"),
        ("token-classification", TEXT, LETTERS, "token-logits"),
        ("token-classification", TEXT, ROWS, None),
        ("embedding", TEXT, {"last_hidden_state": ()}, "last-hidden-state"),
        (
            "embedding",
            TEXT,
            {"token_embeddings": (), "sentence_embedding": ()},
            "sentence-embedding",
        ),
        ("feature-extraction", TEXT, {"token_embeddings": ()}, "last-hidden-state"),
        ("feature-extraction", TEXT, {"sentence_embedding": ()}, None),
        ("sentence-similarity", TEXT, {"token_embeddings": ()}, "last-hidden-state"),
        ("sentence-similarity", TEXT, ROWS, None),
    ],
)
def test_a_graph_is_known_by_its_names(
    task: str, inputs: Any, outputs: Any, dialect: str | None
) -> None:
    told = GraphInfo(inputs, outputs, {}, {})
    if dialect is not None:
        assert resolve(task, told).dialect == dialect
        return
    with pytest.raises(ModelRefused, match=r"no dialect of .* fits .* inputs .* outputs ") as said:
        resolve(task, told)
    for name in (*inputs, *outputs, *dialects(task), *map(wants, dialects(task).values())):
        assert name in str(said.value)
    assert "docs/onnx-adapters.md" in str(said.value)
    assert "\n" not in str(said.value)


def test_whisper_is_known_by_its_configuration() -> None:
    told = GraphInfo(ANY, ANY, {"model_type": "whisper"}, {})
    assert resolve("automatic-speech-recognition", told).dialect == "whisper-encoder-decoder"


def test_a_dialect_that_is_named_must_fit_too() -> None:
    told = GraphInfo(PIXELS, ROWS, {}, {})
    with pytest.raises(ModelRefused, match="dialect 'yolov8' does not fit .* pixel_values"):
        resolve("object-detection", told, dialect="yolov8")
    with pytest.raises(ModelRefused, match="no dialect 'sonar' does .* there are wh"):
        resolve("automatic-speech-recognition", told, dialect="sonar")


@pytest.mark.parametrize(
    ("inputs", "outputs", "why"),
    [
        (
            {"feats": (BATCH, "frames", 80)},
            {"embs": (BATCH, 256)},
            r"feats \[batch, frames, 80\], outputs embs \[batch, 256\]; feats -> embs makes a "
            r"vector of a voice \(WeSpeaker, 3D-Speaker\), which no task .* audio-classification",
        ),
        (
            {"input_1": (BATCH, 76, 32, 1)},
            {"conv2d_19": (BATCH, 1, 1, 96)},
            r"second of openWakeWord's three graphs: .* and those of words in one folder",
        ),
    ],
)
def test_graphs_that_are_known_but_not_read_are_refused_in_one_line(
    inputs: Any, outputs: Any, why: str
) -> None:
    with pytest.raises(ModelRefused, match=why) as said:
        resolve("audio-classification", GraphInfo(inputs, outputs, {}, {}))
    assert "\n" not in str(said.value)
    assert "input-values-logits: input_values" in str(said.value)


def test_images_of_other_axes_are_refused() -> None:
    four = {"pixel_values": (BATCH, 4, 64, 64)}
    with pytest.raises(ModelRefused, match=r"pixel_values \['batch', 4, 64, 64\] is not \(B, 3, H"):
        resolve("image-classification", GraphInfo(four, ROWS, {}, {}))
    with pytest.raises(ModelRefused, match=r"neither \(B, 3, H, W\) nor \(3, H, W\)"):
        resolve(
            "object-detection",
            GraphInfo({"x": (1, 4, 64, 64)}, {"boxes": (), "labels": ()}, {}, {}),
        )


@pytest.mark.parametrize("task", backend_table()["onnxruntime"])
def test_every_dialect_says_what_it_wants(task: str) -> None:
    for name, adapter in dialects(task).items():
        assert " -> " in wants(adapter), name
