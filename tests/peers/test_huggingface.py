"""huggingface_hub's InferenceClient and AsyncInferenceClient, unchanged, against our stack.

Every method that has a task of ours is called; what it parsed is held against what our own client
reads for the same input.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from PIL import Image, ImageDraw

from wherry.client import Client
from wherry.tasks.base import TaskOutput
from wherry.tasks.registry import get_task

from .conftest import Environment
from .huggingface_calls import CALLS, Call
from .payloads import READ, payloads

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]

PACKAGE = "huggingface_hub==2.4.0"
VERSION = PACKAGE.replace("==", " ")
KINDS = {"sync": "InferenceClient", "async": "AsyncInferenceClient"}

#: Client, call -> answer.
Answers = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of a circle, half a second of noise, and what to call."""
    folder = tmp_path_factory.mktemp("inputs")
    calls = [{**call._asdict(), "name": call.name} for call in CALLS]
    (folder / "calls.json").write_text(json.dumps(calls))
    image = Image.new("RGB", (64, 48), "white")
    ImageDraw.Draw(image).ellipse((16, 8, 48, 40), fill="red")
    image.save(folder / "image.png")
    noise = np.random.default_rng(0).normal(0, 0.1, 8_000).astype("<f4")
    soundfile.write(folder / "sound.wav", noise, 16_000)
    return folder


@pytest.fixture(scope="module")
def answers(
    environment: Environment,
    drive: Callable[..., list[dict[str, Any]]],
    client: Client,
    inputs: Path,
) -> Answers:
    """What each of the two clients read, by call."""
    python = environment("huggingface", PACKAGE, same=("numpy", "pillow"))
    return {
        how: {
            line["call"]: line["answer"]
            for line in drive(python, "huggingface_client.py", client.url, inputs, how)
        }
        for how in KINDS
    }


def picture(png: bytes, size: tuple[int, int] | None = None) -> dict[str, Any]:
    image: Image.Image = Image.open(io.BytesIO(png))
    if size:
        image = image.resize(size, Image.Resampling.LANCZOS)
    pixels = hashlib.sha256(image.convert("RGB").tobytes()).hexdigest()
    return {"size": list(image.size), "pixels": pixels}


def boxes(output: Any) -> Any:
    return [
        {
            "label": found.label,
            "score": found.score,
            "box": {edge: round(value) for edge, value in found.box.model_dump().items()},
        }
        for found in output.detections[0]
    ]


def items(output: TaskOutput) -> Any:
    return [item.model_dump() for item in getattr(output, output.ROWS[0])[0]]


def entities(output: Any) -> Any:
    found = items(output)
    if any(entity["index"] >= 0 for entity in found):
        return found
    names = ("score", "word", "start", "end")
    return [{"entity_group": e["entity"], **{n: e[n] for n in names}} for e in found]


def table_answer(output: Any) -> Any:
    [answer] = items(output)
    parsed = {name: json.loads(answer[name]) for name in ("coordinates", "cells")}
    return {**answer, **parsed}


def vectors(field: str) -> Callable[[Any], Any]:
    def read(output: Any) -> Any:
        values = getattr(output, field)
        return {"dtype": "float32", "values": values[0] if field == "features" else values}

    return read


def speech(output: Any) -> Any:
    chunks = output.chunks[0]
    timed = [{"text": c.text, "timestamp": [c.start, c.end]} for c in chunks or ()]
    return {"text": output.texts[0], **({"chunks": timed} if chunks else {})}


def segments(output: Any) -> Any:
    return [
        {"label": s.label, "score": s.score, "mask": picture(s.mask)} for s in output.segments[0]
    ]


#: Task -> what a client of Hugging Face should have read, from what ours did.
EXPECTED: dict[str, Callable[[Any], Any]] = {
    "automatic-speech-recognition": speech,
    "embedding": vectors("embeddings"),
    "feature-extraction": vectors("features"),
    "image-segmentation": segments,
    "image-to-image": lambda output: picture(output.images[0]),
    "image-to-text": lambda output: {"generated_text": output.texts[0]},
    "object-detection": boxes,
    "sentence-similarity": lambda output: output.scores[0],
    "summarization": lambda output: {"summary_text": output.generations[0].text},
    "table-question-answering": table_answer,
    "text-generation": lambda output: output.generations[0].text,
    "text-to-image": lambda output: picture(output.images[0]),
    "text-to-audio": lambda output: {"bytes": hashlib.sha256(output.audio[0]).hexdigest()},
    "text-to-speech": lambda output: {"bytes": hashlib.sha256(output.audio[0]).hexdigest()},
    "token-classification": entities,
    "translation": lambda output: {"translation_text": output.generations[0].text},
}


def ours(client: Client, call: Call, folder: Path) -> Any:
    """What our client reads for the same input."""
    files = {
        "@image": (folder / "image.png").read_bytes(),
        "@sound": (folder / "sound.wav").read_bytes(),
    }
    fields = {
        name: [files.get(v, v) if isinstance(v, str) else v for v in value]
        if isinstance(value, list)
        else value
        for name, value in call.fields.items()
    }
    return client.infer(call.task, get_task(call.task).input(**fields), 120)


def rounded(value: Any) -> Any:
    """With numbers as far as two runs of a model agree on them."""
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, dict):
        return {name: rounded(entry) for name, entry in value.items() if entry is not None}
    return [rounded(entry) for entry in value] if isinstance(value, list) else value


def marked() -> Iterator[Any]:
    for how, kind in KINDS.items():
        for call in CALLS:
            mark = pytest.mark.call(VERSION, f"{kind}.{call.name}")
            yield pytest.param(how, call, marks=mark, id=f"{how}-{call.name}")


@pytest.mark.parametrize(("how", "call"), list(marked()))
def test_it_reads_what_our_client_reads(
    how: str, call: Call, answers: Answers, client: Client, inputs: Path
) -> None:
    answer, output = answers[how][call.name], ours(client, call, inputs)
    if call.task == "text-generation" and call.note:
        check_generation(call, answer, output.generations[0])
        return
    if "target_size" in call.arguments:
        size = call.arguments["target_size"]
        expected: Any = picture(output.images[0], (size["width"], size["height"]))
    else:
        expected = EXPECTED.get(call.task, items)(output)
    if call.method == "question_answering" and "top_k" not in call.arguments:
        [expected] = expected
    assert answer, "an empty answer would show nothing"
    assert rounded(answer) == rounded(expected)


def check_generation(call: Call, answer: Any, whole: Any) -> None:
    """Tokens make up the text; the details tell how it ended."""
    details = "details" in call.arguments
    if "stream" not in call.arguments:
        assert answer["generated_text"] == whole.text
        told, tokens = answer["details"], answer["details"]["tokens"]
    elif details:
        assert answer[-1]["generated_text"] == whole.text
        assert all("generated_text" not in entry for entry in answer[:-1])
        told, tokens = answer[-1]["details"], [entry["token"] for entry in answer]
    else:
        assert "".join(answer) == whole.text
        return
    assert "".join(token["text"] for token in tokens) == whole.text
    assert all(token["logprob"] < 0 for token in tokens)
    assert told["generated_tokens"] == whole.completion_tokens == len(tokens)
    assert told["finish_reason"] == "length"


def test_every_task_that_its_methods_have_is_called() -> None:
    left = {"chat_completion", "audio_to_audio", "text_to_video", "image_to_video"}
    left |= {"tabular_classification", "tabular_regression"}  # no task of ours
    assert left.isdisjoint(call.method for call in CALLS)
    assert len({call.method for call in CALLS}) == 23


@pytest.mark.call(VERSION, "InferenceClient.health_check")
def test_it_sees_that_a_model_is_there(answers: Answers) -> None:
    assert answers["sync"]["health_check"] is True


@pytest.mark.call(VERSION, "InferenceClient.get_endpoint_info")
def test_it_reads_what_a_model_is(answers: Answers) -> None:
    assert answers["sync"]["get_endpoint_info"]["model_pipeline_tag"] == "fill-mask"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("fill_mask", ("BadRequestError", "no mask token")),
        ("unknown model", ("HfHubHTTPError", "404", "unknown model 'nobody/nothing'")),
        ("text_generation", ("ValidationError", "watermark")),
        ("image", ("BadRequestError", "not an image")),
    ],
)
def test_it_shows_why_a_call_failed(name: str, shown: tuple[str, ...], answers: Answers) -> None:
    error: str = answers["sync"][f"error, {name}"]
    assert all(part in error for part in shown), error


#: Payloads that the samples' tiny models are too small for, or whose file is cut short on the page.
REFUSED = {
    "audio-classification": "sound file",
    "automatic-speech-recognition": "sound file",
    "fill-mask": "",
    "image-classification": "image cannot be read",
    "image-segmentation": "image cannot be read",
    "object-detection": "image cannot be read",
    "table-question-answering": "too long for the model",
    "text-generation": "tokens; this model takes",
}


@pytest.mark.parametrize(
    ("task", "body"),
    [
        pytest.param(
            task,
            body,
            marks=()
            if task in REFUSED
            else pytest.mark.call("Inference Endpoints' examples", task),
        )
        for task, body in payloads()
    ],
)
def test_printed_payloads_reach_real_models(task: str, body: bytes, client: Client) -> None:
    answer = httpx.post(f"{client.url}/models/{task}", content=body, timeout=120)
    if answer.status_code == 400 and task in REFUSED:
        assert REFUSED[task] in answer.json()["error"]
        return
    assert answer.status_code == 200, answer.text
    assert READ[task](answer.json())
