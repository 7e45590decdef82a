"""`/v1/embeddings`: texts and images in the forms that clients of several servers send."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from wherry.tasks.samples import PNG

from ...conftest import Worker

FILE = base64.b64encode(PNG).decode()
URI = f"data:image/png;base64,{FILE}"
MODEL = "multimodal-embedding"


def vectors(http: httpx.Client, **body: Any) -> list[list[float]]:
    answer = http.post("/v1/embeddings", json={"model": MODEL, **body})
    assert answer.status_code == 200, answer.text
    return [entry["embedding"] for entry in answer.json()["data"]]


@pytest.fixture
def alone(http: httpx.Client, serving: Worker) -> dict[str, list[float]]:
    """What the stub says to each by itself."""
    (image,), (text,) = vectors(http, input=[{"image": URI}]), vectors(http, input="a cat")
    assert image != text
    return {"image": image, "text": text}


@pytest.mark.parametrize(
    "image",
    [
        URI,
        f"data:application/pdf;base64,{FILE}",
        {"image": URI},
        {"image": FILE},
        {"type": "image_url", "image_url": {"url": URI}},
        {"type": "image_url", "image_url": URI},
        {"content": [{"type": "image_url", "image_url": {"url": URI}}]},
    ],
)
def test_images_and_texts_may_be_mixed(
    http: httpx.Client, alone: dict[str, list[float]], image: Any
) -> None:
    texts = ["a cat", {"text": "a cat"}, {"type": "text", "text": "a cat"}]
    found = vectors(http, input=[texts[0], image, texts[1], texts[2], image])
    text, seen = alone["text"], alone["image"]
    assert found == [text, seen, text, text, seen]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"modality": "image", "input": [FILE]}, "image"),
        ({"modality": "image", "input": URI}, "image"),
        ({"messages": [{"role": "user", "content": "a cat"}]}, "text"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "a cat"}]}]}, "text"),
        (
            {"messages": [{"role": "user", "content": [{"image_url": {"url": URI}}]}]},
            "image",
        ),
    ],
)
def test_one_alone_in_others_words(
    http: httpx.Client, alone: dict[str, list[float]], body: dict[str, Any], kind: str
) -> None:
    assert vectors(http, **body) == [alone[kind]]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"input": [{"text": "a", "image": URI}]}, "input[0]: one vector is of a text or of an im"),
        ({"input": [{"content": [{"text": "a"}, {"image": URI}]}]}, "input[0]: one vector is of a"),
        ({"input": ["a", {"video": URI}]}, 'input[1]: expected a text, {"text": ...} or {"image"'),
        ({"input": [{"image": URI, "mood": "sad"}]}, "input[0]: expected a text"),
        ({"input": [{"image": "no*base64"}]}, "input[0]: not base64"),
        ({"input": [{"image": ""}]}, "input[0]: the image is empty"),
        ({"input": [{"image": "https://example.org/a.png"}]}, "input[0]: "),
        ({"input": []}, "input"),
        ({}, "input: give it, or messages in its place"),
        ({"input": "a", "messages": [{"content": "a"}]}, "input: give it, or messages in its"),
        ({"messages": [{"content": "a"}, {"content": "b"}]}, "messages: one text or one image"),
        ({"messages": [{"role": "user"}]}, "messages: expected a text"),
        ({"model": "embedding", "input": ["a", {"image": URI}]}, "input[1]: model 'embedding' emb"),
        ({"model": "embedding", "input": "a", "modality": "image"}, "input: model 'embedding' em"),
        ({"model": "chat", "input": "a"}, "this path is for embedding and multimodal-embedding"),
    ],
)
def test_what_cannot_be_embedded_is_refused_by_its_place(
    http: httpx.Client, body: dict[str, Any], says: str
) -> None:
    answer = http.post("/v1/embeddings", json={"model": MODEL, **body})
    assert answer.status_code == 400, answer.text
    assert says in answer.json()["error"]["message"]


def test_a_model_of_texts_takes_objects_with_a_text(http: httpx.Client, serving: Worker) -> None:
    found = vectors(http, model="embedding", input=["a cat", {"text": "a cat"}])
    assert found[0] == found[1]
