"""Every exported graph on ONNX Runtime against the model on torch, through the same task."""

from __future__ import annotations

import io
import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers as hf
from PIL import Image
from safetensors.torch import load_file, save_file

from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.backends.onnx.backend import DialectBackend
from wherry.tasks.base import TaskOutput
from wherry.tasks.create import create_task
from wherry.tasks.export import export, exported_tasks
from wherry.tasks.registry import get_task

from ...support import sounds, tiny

TinyModel = Callable[[str], Path]
Exported = Callable[[str, str], Path]

TOLERANCE = 1e-3
SAFETENSORS = "model.safetensors"

IMAGES = {"images": tiny.images()}
SOUNDS = {"audio": [tone.tobytes() for tone in sounds.tones()], "sample_rate": sounds.RATE}
TEXTS = {"texts": ["a cat", "the red car is beside the dog", "hello " * 70]}
LABELS = {"candidate_labels": ["a cat", "the red car", "dog"]}

#: Model of wherry.samples.tiny, its task, an input of rows that differ, the dialect of its graph.
CASES = [
    ("audio-classification", "", SOUNDS, "input-values-logits"),
    ("audio-classification-ast", "audio-classification", SOUNDS, "spectrogram-logits"),
    ("audio-classification-masked", "audio-classification", SOUNDS, "input-values-logits"),
    ("automatic-speech-recognition", "", SOUNDS, "whisper-encoder-decoder"),
    ("automatic-speech-recognition-ctc", "automatic-speech-recognition", SOUNDS, "wav2vec2-ctc"),
    (
        "automatic-speech-recognition-ctc-masked",
        "automatic-speech-recognition",
        {**SOUNDS, "return_timestamps": True},
        "wav2vec2-ctc",
    ),
    ("depth-estimation", "", IMAGES, "predicted-depth"),
    ("embedding", "", TEXTS, "last-hidden-state"),
    ("feature-extraction", "", TEXTS, "last-hidden-state"),
    ("fill-mask", "", {"texts": ["a [MASK]", "the [MASK] car is [MASK]"]}, "vocabulary-logits"),
    ("image-anonymization", "", {**IMAGES, "threshold": 0.0, "strategy": "pixelate"}, ""),
    ("image-classification", "", IMAGES, "pixel-logits"),
    ("image-segmentation-semantic", "image-segmentation", IMAGES, "semantic-logits"),
    ("object-detection", "", {**IMAGES, "threshold": 0.0}, "transformers-yolos"),
    (
        "object-detection-detr",
        "object-detection",
        {**IMAGES, "threshold": 0.0},
        "transformers-yolos",
    ),
    (
        "question-answering",
        "",
        {"questions": ["who", "what is red"], "contexts": ["a cat", "hello the red car " * 60]},
        "span-logits",
    ),
    (
        "ranking",
        "",
        {"queries": ["who", "what is red"], "texts": [TEXTS["texts"], ["the car", "a dog " * 60]]},
        "text-logits",
    ),
    (
        "sentence-similarity",
        "",
        {"source_sentences": ["a cat", "who"], "sentences": [TEXTS["texts"], ["the car", "who"]]},
        "last-hidden-state",
    ),
    ("text-classification", "", {**TEXTS, "top_k": 3}, "text-logits"),
    (
        "text-pairs",
        "text-classification",
        {**TEXTS, "text_pairs": ["the dog", "hello " * 60, "who"], "function_to_apply": "none"},
        "text-logits",
    ),
    ("token-classification", "", {**TEXTS, "ignore_labels": []}, "token-logits"),
    (
        "translation-nllb",
        "translation",
        {"texts": TEXTS["texts"][:2], "tgt_lang": "fra_Latn", "max_new_tokens": 8},
        "",
    ),
    (
        "visual-question-answering",
        "",
        {**IMAGES, "question": "what is the red car", "top_k": 3},
        "transformers-vilt-no-token-type",
    ),
    ("zero-shot-classification", "", {**TEXTS, **LABELS}, "text-logits"),
    ("zero-shot-image-classification", "", {**IMAGES, **LABELS}, "transformers-clip"),
    (
        "zero-shot-object-detection",
        "",
        {**IMAGES, **LABELS, "threshold": 0.0},
        "transformers-owlvit",
    ),
]
NAMES = [case[0] for case in CASES]

#: Compared in tests/tasks/backends: what is written or spoken, and (slow) the same by other names.
ELSEWHERE = {
    *("chat", "summarization", "text-generation", "text-to-speech", "text2text-generation"),
}


def plain(output: TaskOutput) -> Any:
    """An output as lists, text and numbers; pictures and maps as arrays."""
    return [json_like(value) for value in output.model_dump().values()]


def json_like(value: Any) -> Any:
    if isinstance(value, dict) and {"height", "width", "values"} == set(value):
        return np.frombuffer(value["values"], "<f4").reshape(value["height"], value["width"])
    if isinstance(value, dict):
        return [json_like(entry) for entry in value.values()]
    if isinstance(value, list):
        return [json_like(entry) for entry in value]
    if isinstance(value, bytes):
        return np.asarray(Image.open(io.BytesIO(value)))
    return value


def assert_close(one: Any, other: Any) -> None:
    if isinstance(one, list):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_close(a, b)
    elif isinstance(one, np.ndarray) and one.dtype == np.uint8:
        assert one.shape == other.shape
        # A pixel at the edge of a box or a class may fall to either side.
        assert (np.abs(one.astype(int) - other) > 2).mean() < 0.002
    elif isinstance(one, float | np.ndarray):
        assert one == pytest.approx(other, abs=TOLERANCE, rel=TOLERANCE)
    else:
        assert one == other


def rows_differ(output: TaskOutput) -> bool:
    return all(repr(plain(a)) != repr(plain(b)) for a, b in itertools.pairwise(output.rows()))


@pytest.mark.parametrize(("name", "task", "fields", "dialect"), CASES, ids=NAMES)
def test_graph_answers_as_the_model(
    name: str,
    task: str,
    fields: dict[str, Any],
    dialect: str,
    tiny_model: TinyModel,
    tiny_graph: Exported,
) -> None:
    task = task or name
    graph = create_task("onnxruntime", task, str(tiny_graph(name, task)))
    if dialect:
        assert isinstance(graph.backend, DialectBackend)
        assert graph.backend.adapter.dialect == dialect
    given = get_task(task).input.validated(fields)
    answer = graph.process(given)
    own = create_task("transformers", task, str(tiny_model(name))).process(given)
    assert rows_differ(own)
    assert_close(plain(answer), plain(own))


@pytest.mark.parametrize("name", ["automatic-speech-recognition", "embedding"])
def test_weights_kept_in_half_precision_are_exported_in_full(
    name: str, tiny_model: TinyModel, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_model(name), tmp_path / "half")
    weights = {key: tensor.half() for key, tensor in load_file(folder / SAFETENSORS).items()}
    save_file(weights, folder / SAFETENSORS, metadata={"format": "pt"})
    tiny.edit_json(folder / "config.json", dtype="float16")
    assert export(str(folder), tmp_path / "onnx", name) < TOLERANCE


def test_the_encoder_of_a_translator_is_exported(tiny_model: TinyModel, tmp_path: Path) -> None:
    assert export(str(tiny_model("translation-nllb")), tmp_path / "onnx", "embedding") < TOLERANCE


def test_every_task_with_a_graph_can_be_exported() -> None:
    assert {task or name for name, task, *_ in CASES} | ELSEWHERE == set(exported_tasks())


def test_token_types_are_an_input_where_the_tokenizer_makes_them(
    tiny_model: TinyModel, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_model("visual-question-answering"), tmp_path / "own")
    names = ["input_ids", "token_type_ids", "attention_mask"]
    tiny.edit_json(folder / "tokenizer_config.json", model_input_names=names)
    export(str(folder), tmp_path / "onnx", "visual-question-answering")
    tasks = [
        create_task("onnxruntime", "visual-question-answering", str(tmp_path / "onnx")),
        create_task("transformers", "visual-question-answering", str(folder)),
    ]
    assert tasks[0].backend.adapter.dialect == "transformers-vilt"  # type: ignore[attr-defined] # a DialectBackend
    given = tasks[0].task.input.validated({**IMAGES, "question": "is it red", "top_k": 3})
    assert_close(*[plain(task.process(given)) for task in tasks])


SPEECH = "automatic-speech-recognition"

#: Of four lengths, one beyond a window.
LONG = {"audio": [tone.tobytes() for tone in [*sounds.tones(), sounds.tone(9.1, 300)]]}


@pytest.mark.parametrize("name", [SPEECH, "automatic-speech-recognition-ctc"])
def test_long_sounds_are_heard_in_the_same_windows(
    name: str, tiny_model: TinyModel, tiny_graph: Exported
) -> None:
    windows = {"chunk_length_s": 4.0}
    graph = create_task("onnxruntime", SPEECH, str(tiny_graph(name, SPEECH)), windows)
    own = create_task("transformers", SPEECH, str(tiny_model(name)), windows)
    given = graph.task.input.validated({**LONG, "sample_rate": 16_000})
    answer = graph.process(given)
    assert_close(plain(answer), plain(own.process(given)))


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"language": "french"}, marks=pytest.mark.slow),
        {"language": "en", "return_timestamps": True},
        pytest.param({"return_timestamps": True}, marks=pytest.mark.slow),
    ],
)
def test_whisper_with_languages_and_times(
    fields: dict[str, Any], tiny_model: TinyModel, tiny_graph: Exported
) -> None:
    graph = create_task("onnxruntime", SPEECH, str(tiny_graph(SPEECH, SPEECH)))
    own = create_task("transformers", SPEECH, str(tiny_model(SPEECH)))
    given = graph.task.input.validated({**SOUNDS, **fields})
    assert_close(plain(graph.process(given)), plain(own.process(given)))


def test_what_cannot_be_exported_is_told(tiny_model: TinyModel, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no export for task 'custom'.*image-classification"):
        export("x", tmp_path, "custom")
    source = tiny_model("automatic-speech-recognition")
    hears: Any = hf.WhisperForAudioClassification.from_pretrained(source)
    hears.save_pretrained(tmp_path / "whisper")
    shutil.copy(source / "preprocessor_config.json", tmp_path / "whisper")
    with pytest.raises(ValueError, match="takes no plain samples"):
        export(str(tmp_path / "whisper"), tmp_path, "audio-classification")
    with pytest.raises(ModelRefused, match="lack classifier"):
        export(str(source), tmp_path, "audio-classification")


def test_the_folder_needs_nothing_else(tiny_graph: Exported) -> None:
    folder = tiny_graph("image-classification", "image-classification")
    assert {path.name for path in folder.iterdir()} == {
        "model.onnx",
        "config.json",
        "preprocessor_config.json",
    }
    assert json.loads((folder / "config.json").read_text())["id2label"]["0"] == "cat"
