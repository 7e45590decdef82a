"""`@huggingface/inference`, unchanged, against our stack: what it parsed is what our client reads.

Its textGeneration and chatCompletion speak OpenAI's protocol; see test_openai.py too.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image, ImageDraw

from wherry.client import Client
from wherry.tasks.registry import get_task

from .huggingface_calls import LABELS, QUESTION, SHORT, TABLE, TEXT, WORDS
from .test_huggingface import EXPECTED, items, rounded

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]

PACKAGE = "@huggingface/inference"
VERSION = "4.13.30"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client from the npm registry, its script, a picture of a circle, and some noise."""
    folder = tmp_path_factory.mktemp("javascript")
    npm = shutil.which("npm")
    if not npm:
        pytest.skip("npm is not installed")
    (folder / "package.json").write_text("{}")
    done = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", f"{PACKAGE}@{VERSION}"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    shutil.copy(Path(__file__).with_name("huggingface_client.mjs"), folder)
    image = Image.new("RGB", (64, 48), "white")
    ImageDraw.Draw(image).ellipse((16, 8, 48, 40), fill="red")
    image.save(folder / "image.png")
    noise = np.random.default_rng(0).normal(0, 0.1, 8_000).astype("<f4")
    soundfile.write(folder / "sound.wav", noise, 16_000)
    return folder


@pytest.fixture(scope="module")
def answers(folder: Path, client: Client) -> dict[str, Any]:
    """What the client read, by call."""
    done = subprocess.run(
        ["node", "huggingface_client.mjs", client.url, folder],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    lines = map(json.loads, done.stdout.splitlines())
    return {line["call"]: line["answer"] for line in lines}


def file_of(kind: str) -> Callable[[Any], Any]:
    """A file as the script prints it."""

    def read(output: Any) -> Any:
        [file] = getattr(output, output.ROWS[0])
        return {"type": kind, "bytes": hashlib.sha256(file).hexdigest()}

    return read


def first(output: Any) -> Any:
    return items(output)[0]


#: Method -> the task, the fields that ask the same of us, and what it should have read.
CALLS: dict[str, tuple[str, dict[str, Any], Callable[[Any], Any]]] = {
    "textClassification": ("text-classification", {"texts": [TEXT], "top_k": 2}, items),
    "zeroShotClassification": (
        "zero-shot-classification",
        {"texts": [TEXT], "candidate_labels": LABELS},
        items,
    ),
    "textGeneration": (
        "text-generation",
        {"texts": ["The quick"], "max_new_tokens": 6},
        lambda output: {"generated_text": output.generations[0].text},
    ),
    "fillMask": ("fill-mask", {"texts": ["The quick [MASK]."], "top_k": 3}, items),
    "tokenClassification": (
        "token-classification",
        {"texts": [TEXT], "aggregation_strategy": "simple"},
        EXPECTED["token-classification"],
    ),
    "questionAnswering": (
        "question-answering",
        {"questions": [QUESTION["question"]], "contexts": [TEXT]},
        first,
    ),
    "tableQuestionAnswering": (
        "table-question-answering",
        {"queries": ["How many?"], "tables": [TABLE]},
        EXPECTED["table-question-answering"],
    ),
    "documentQuestionAnswering": (
        "document-question-answering",
        {"questions": ["Total?"], "word_boxes": [WORDS]},
        first,
    ),
    "visualQuestionAnswering": ("visual-question-answering", {"question": "What?"}, first),
    "summarization": ("summarization", {"texts": [TEXT], **SHORT}, EXPECTED["summarization"]),
    "translation": ("translation", {"texts": [TEXT], **SHORT}, EXPECTED["translation"]),
    "featureExtraction": (
        "feature-extraction",
        {"texts": [TEXT]},
        lambda output: output.features[0],
    ),
    "sentenceSimilarity": (
        "sentence-similarity",
        {"source_sentences": [TEXT], "sentences": [["A fox.", "Rates rose."]]},
        EXPECTED["sentence-similarity"],
    ),
    "imageClassification": ("image-classification", {}, items),
    "objectDetection": ("object-detection", {}, EXPECTED["object-detection"]),
    "imageSegmentation": ("image-segmentation", {"threshold": 0.1, "subtask": "semantic"}, items),
    "zeroShotImageClassification": (
        "zero-shot-image-classification",
        {"candidate_labels": LABELS},
        items,
    ),
    "imageToText": ("image-to-text", {}, EXPECTED["image-to-text"]),
    "imageToImage": ("image-to-image", {}, file_of("image/png")),
    "textToImage": (
        "text-to-image",
        {"prompts": ["fog"], "num_inference_steps": 2, "seed": 7, "width": 32, "height": 32},
        file_of("image/png"),
    ),
    "textToSpeech": ("text-to-speech", {"texts": ["Hello."]}, file_of("audio/wav")),
    "audioClassification": ("audio-classification", {}, items),
    "automaticSpeechRecognition": (
        "automatic-speech-recognition",
        {},
        EXPECTED["automatic-speech-recognition"],
    ),
}


def ours(client: Client, task: str, fields: dict[str, Any], folder: Path) -> Any:
    """What our client reads for the same input."""
    takes = {spec.field for spec in get_task(task).inputs if spec.is_file}
    files = {
        "images": [(folder / "image.png").read_bytes()],
        "audio": [(folder / "sound.wav").read_bytes()],
    }
    given = {**{name: files[name] for name in takes}, **fields}
    return client.infer(task, get_task(task).input(**given), 120)


@pytest.mark.parametrize(
    "method",
    [pytest.param(m, marks=pytest.mark.call(f"{PACKAGE} {VERSION}", m)) for m in CALLS],
)
def test_it_reads_what_our_client_reads(
    method: str, answers: dict[str, Any], client: Client, folder: Path
) -> None:
    task, fields, read = CALLS[method]
    expected = read(ours(client, task, fields, folder))
    if method == "imageSegmentation":  # it leaves the masks in base64
        masks = [segment.pop("mask") for segment in answers[method]]
        assert [segment.pop("mask") is not None for segment in expected] == [True] * len(masks)
    assert answers[method]
    assert rounded(answers[method]) == rounded(expected)


def test_it_shows_why_a_call_failed(answers: dict[str, Any]) -> None:
    assert "no mask token" in answers["error"]
