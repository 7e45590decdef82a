"""Hugging Face's surface: what it reads, what it answers, how it refuses."""

from __future__ import annotations

import base64
import io
import json
from typing import Any, cast

import httpx
import pytest
from PIL import Image

from wherry.api.surfaces.huggingface.requests import HfRequest, Rows
from wherry.api.surfaces.huggingface.responses import Answered
from wherry.api.surfaces.huggingface.routes import READERS, WRITERS
from wherry.tasks.registry import get_task, task_names
from wherry.tasks.samples import PNG, WAV
from wherry.tasks.vision.mask_generation import (
    MaskGenerationInput,
    MaskGenerationOutput,
    ObjectMask,
)

from ...conftest import Worker

#: Tasks that Hugging Face's clients have no form for.
NO_FORM = {"tensor", "time-series-forecasting", "video-mask-generation"}
PICTURE = base64.b64encode(PNG).decode()
SOUND = base64.b64encode(WAV).decode()

QA = {"question": "Who jumps?", "context": "The fox jumps."}
BOATS = {"length_m": ["12.5"], "sails": [1]}
TABLE = {"query": "How many?", "table": {"boat": ["wherry", "tug"], "number": ["12", "3"]}}
SAILING = [{"label": "sailing", "score": 0.75}, {"label": "rowing", "score": 0.125}]
MATCHES = [
    {
        "keypoint_image_0": {"x": x0, "y": y},
        "keypoint_image_1": {"x": x1, "y": y},
        "score": score,
    }
    for x0, x1, y, score in ((4.0, 5.0, 2.0, 0.875), (6.0, 7.0, 7.0, 0.5))
]

#: task, the body less what is usual, the answer of the stub, which is the task's example.
ANSWERS: list[tuple[str, dict[str, Any], Any]] = [
    (
        "text-classification",
        {"inputs": "x"},
        [[{"label": "calm", "score": 0.75}, {"label": "storm", "score": 0.25}]],
    ),
    (
        "zero-shot-classification",
        {"inputs": "x", "parameters": {"candidate_labels": ["animals", "politics"]}},
        [{"label": "animals", "score": 0.875}, {"label": "politics", "score": 0.125}],
    ),
    (
        "fill-mask",
        {"inputs": "x [MASK]"},
        [
            {
                "sequence": "the quick brown fox jumps.",
                "score": 0.875,
                "token": 4419,
                "token_str": "fox",
            }
        ],
    ),
    (
        "question-answering",
        {"inputs": QA},
        {"answer": "The quick brown fox", "score": 0.875, "start": 0, "end": 19},
    ),
    (
        "table-question-answering",
        {"inputs": TABLE},
        {
            "answer": "SUM > 12, 3",
            "coordinates": [[0, 1], [1, 1]],
            "cells": ["12", "3"],
            "aggregator": "SUM",
        },
    ),
    ("tabular-classification", {"inputs": {"data": BOATS}}, ["wherry"]),
    ("tabular-regression", {"inputs": {"data": BOATS}}, [7.25]),
    (
        "sentence-similarity",
        {"inputs": {"source_sentence": "a", "sentences": ["b"]}},
        [0.875, 0.125],
    ),
    ("sentence-similarity", {"inputs": ["a", "b"]}, {"similarities": [0.875, 0.125]}),
    ("ranking", {"inputs": ["a", "b"]}, {"scores": 0.875}),
    ("ranking", {"inputs": [["a", "b"]]}, {"scores": [0.875]}),
    (
        "feature-extraction",
        {"inputs": "x", "truncate": True},
        [[0.5, -0.5], [0.25, 0.75], [1.0, 0.0]],
    ),
    ("image-feature-extraction", {"inputs": PICTURE}, [[0.5, -0.25, 0.875]]),
    (
        "visual-document-retrieval",
        {"inputs": {"query": "x", "images": [PICTURE, PICTURE]}},
        [{"index": 1, "score": 9.5}, {"index": 0, "score": 7.25}],
    ),
    (
        "document-question-answering",
        {"inputs": {"image": PICTURE, "question": "What?"}},
        [{"answer": "39.50", "score": 0.875, "start": 1, "end": 1, "page": 1}],
    ),
    (
        "visual-question-answering",
        {"inputs": PICTURE, "question": "What?", "image": PICTURE, "parameters": {"top_k": 2}},
        [{"answer": "grey", "score": 0.875}, {"answer": "blue", "score": 0.125}],
    ),
    ("image-to-text", {"inputs": PICTURE}, [{"generated_text": "a grey square"}]),
    (
        "audio-text-to-text",
        {"inputs": {"audio": SOUND, "text": "What?"}},
        [{"input_text": "What?", "generated_text": "Wind in the rigging."}],
    ),
    (
        "image-text-to-text",
        {"inputs": {"image": PICTURE, "text": "What?"}},
        [{"input_text": "What?", "generated_text": "A grey square."}],
    ),
    (
        "image-segmentation",
        {"inputs": PICTURE},
        [
            {"label": "boat", "score": 0.875, "mask": PICTURE},
            {"label": "river", "score": 0.75, "mask": PICTURE},
        ],
    ),
    ("mask-generation", {"inputs": PICTURE}, {"masks": [PICTURE], "scores": [0.875]}),
    (
        "depth-estimation",
        {"inputs": PICTURE},
        {"depth": PICTURE, "predicted_depth": [[0.5, 0.25]]},
    ),
    ("keypoint-matching", {"inputs": [PICTURE, PICTURE]}, MATCHES),
    ("keypoint-matching", {"inputs": [[PICTURE, PICTURE]] * 2}, [MATCHES, MATCHES]),
    *(
        ("video-classification", {"inputs": video, "parameters": {"top_k": 2}}, answer)
        for video, answer in (
            (PICTURE, SAILING),
            ({"video": [PICTURE, PICTURE]}, SAILING),
            ([PICTURE, [PICTURE, PICTURE]], [SAILING, SAILING]),
        )
    ),
    (
        "zero-shot-object-detection",
        {"inputs": PICTURE, "parameters": {"candidate_labels": "boat, buoy"}},
        [
            {
                "label": "boat",
                "score": 0.875,
                "box": {"xmin": 1, "ymin": 2, "xmax": 7, "ymax": 6},
            }
        ],
    ),
    (
        "automatic-speech-recognition",
        {"inputs": SOUND, "parameters": {"return_timestamps": True}},
        {
            "text": " All aboard. Cast off!",
            "chunks": [
                {"text": " All aboard.", "timestamp": [0.0, 0.0625]},
                {"text": " Cast off!", "timestamp": [0.0625, 0.125]},
            ],
        },
    ),
]


def post(http: httpx.Client, task: str, body: object, **headers: str) -> httpx.Response:
    return http.post(f"/models/{task}", json=body, headers=headers)


def said(http: httpx.Client, task: str, body: object) -> Any:
    answer = post(http, task, body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_every_task_has_a_reader_and_a_writer() -> None:
    assert set(READERS) == set(WRITERS) == set(task_names()) - NO_FORM


@pytest.mark.parametrize(("task", "body", "expected"), ANSWERS)
def test_answers_have_the_shape_that_clients_parse(
    task: str, body: dict[str, Any], expected: Any, http: httpx.Client, serving: Worker
) -> None:
    assert said(http, task, body) == expected


@pytest.mark.parametrize("task", sorted(set(task_names()) - NO_FORM))
def test_every_task_answers_its_plainest_request(
    task: str, http: httpx.Client, serving: Worker
) -> None:
    inputs = {name: body["inputs"] for name, body, _ in reversed(ANSWERS)}
    file = {"vision": PICTURE, "audio": SOUND}.get(get_task(task).family, "a text")
    body: dict[str, Any] = {"inputs": inputs.get(task, file)}
    if "zero-shot" in task:
        body["parameters"] = {"candidate_labels": ["a", "b"]}
    if task in ("image-to-text", "visual-question-answering"):
        body = {"inputs": PICTURE, "question": "What?"} if "visual" in task else {"inputs": PICTURE}
    if task in ("text-to-audio", "text-to-speech"):
        body = {"inputs": "a text"}
    answer = post(http, task, body)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "task", ["image-classification", "object-detection", "image-segmentation", "image-to-text"]
)
@pytest.mark.parametrize("kind", [None, "image/png", "application/octet-stream", "text/plain"])
def test_a_file_needs_no_content_type(
    task: str, kind: str | None, http: httpx.Client, serving: Worker
) -> None:
    headers = {"Content-Type": kind} if kind else {}
    raw = http.post(f"/models/{task}", content=PNG, headers=headers)
    assert raw.status_code == 200, raw.text
    assert raw.json() == said(http, task, {"inputs": PICTURE})


def test_tables_come_as_clients_send_them(http: httpx.Client, serving: Worker) -> None:
    table = {"length_m": ["12.5", "25"], "sails": [1, 2]}
    for body in ({"inputs": {"data": table}}, {"table": table, "parameters": {}}):
        assert said(http, "tabular-classification", body) == ["wherry", "wherry"]
        assert said(http, "tabular-regression", body) == [7.25, 7.25]


def test_parameters_of_a_file_come_with_the_query(http: httpx.Client, serving: Worker) -> None:
    answer = http.post("/models/image-classification?top_k=2", content=PNG)
    assert len(answer.json()) == 2
    labels = {"candidate_labels": ["1", "2"]}
    for task, file in (
        ("zero-shot-image-classification", PNG),
        ("zero-shot-audio-classification", WAV),
    ):
        answer = http.post(f"/models/{task}", content=file, params=labels)
        assert answer.status_code == 200, answer.text
        assert len(answer.json()) == 2
    wrong = http.post("/models/image-classification?top_k=many", content=PNG)
    assert wrong.status_code == 400
    assert "top_k" in wrong.json()["error"]


def test_raw_samples_may_begin_as_json_does(http: httpx.Client, serving: Worker) -> None:
    samples = b"{" + bytes(15_999)
    answer = http.post("/models/audio-classification?sampling_rate=16000", content=samples)
    assert answer.status_code == 200, answer.text


def test_a_list_is_answered_by_a_list(http: httpx.Client, serving: Worker) -> None:
    assert len(said(http, "embedding", {"inputs": "a", "normalize": True})) == 1
    assert len(said(http, "embedding", {"inputs": ["a", "b"]})) == 2
    either = ["a", {"image": PICTURE}, {"text": "a"}, f"data:image/png;base64,{PICTURE}"]
    text, image, *again = said(http, "multimodal-embedding", {"inputs": either})
    assert [text, image] == again
    scan = said(
        http, "multimodal-embedding", {"inputs": f"data:application/dicom;base64,{PICTURE}"}
    )
    assert scan == [image]
    assert said(http, "multimodal-embedding", {"inputs": {"image": PICTURE}}) == [image]
    assert len(said(http, "fill-mask", {"inputs": ["a [MASK]", "b [MASK]"]})) == 2
    assert len(said(http, "object-detection", {"inputs": [PICTURE, PICTURE]})) == 2
    assert isinstance(said(http, "object-detection", {"inputs": [PICTURE]})[0], list)
    assert isinstance(said(http, "question-answering", {"inputs": [QA]}), list)
    both = {"query": ["How many?", "Which?"], "table": TABLE["table"]}
    assert len(said(http, "table-question-answering", {"inputs": both})) == 2


def test_a_picture_is_the_whole_answer(http: httpx.Client, serving: Worker) -> None:
    for accept in ("*/*", "image/png"):
        answer = post(http, "text-to-image", {"inputs": "fog"}, Accept=accept)
        assert answer.headers["content-type"] == "image/png"
        assert answer.content == PNG
    answer = post(http, "text-to-image", {"inputs": "fog"}, Accept="application/json")
    assert answer.json() == PICTURE
    assert said(http, "text-to-image", {"inputs": ["fog"]}) == [PICTURE]
    depth = post(http, "depth-estimation", {"inputs": PICTURE}, Accept="image/png")
    assert depth.content == PNG


def test_a_sound_is_the_whole_answer(http: httpx.Client, serving: Worker) -> None:
    for task in ("text-to-speech", "text-to-audio"):
        answer = post(http, task, {"inputs": "Cast off!"})
        assert (answer.headers["content-type"], answer.content) == ("audio/wav", WAV)
        [one] = said(http, task, {"inputs": ["Cast off!"]})
        assert one == {"audio": SOUND, "sampling_rate": 16_000}
    asked = {"generation_parameters": {"do_sample": True, "max_new_tokens": 9}}
    answer = post(http, "text-to-audio", {"inputs": "Cast off!", "parameters": asked})
    assert answer.status_code == 200, answer.text


def test_an_image_comes_in_the_size_asked_for(http: httpx.Client, serving: Worker) -> None:
    size = {"width": 5, "height": 3}
    body = {"inputs": PICTURE, "parameters": {"target_size": size}}
    answer = post(http, "image-to-image", body)
    assert Image.open(io.BytesIO(answer.content)).size == (5, 3)


def test_the_javascript_client_gets_a_caption_as_it_parses_it(
    http: httpx.Client, serving: Worker
) -> None:
    agent = {"User-Agent": "@huggingface/inference/4.13.30"}
    assert post(http, "image-to-text", {"inputs": PICTURE}, **agent).json() == {
        "generated_text": "a grey square"
    }


def test_entities_are_grouped_unless_tokens_are_asked_for(
    http: httpx.Client, serving: Worker
) -> None:
    [first, *_] = said(http, "token-classification", {"inputs": "x"})
    assert first == {
        "entity_group": "ANIMAL",
        "score": 0.875,
        "word": "fox",
        "start": 16,
        "end": 19,
    }
    tokens = {"inputs": "x", "parameters": {"aggregation_strategy": "none"}}
    assert {"entity", "index"} <= set(said(http, "token-classification", tokens)[0])


def test_a_conversation_goes_on_in_its_own_shape(http: httpx.Client, serving: Worker) -> None:
    old = {"past_user_inputs": ["a"], "generated_responses": ["b"], "text": "c"}
    assert said(http, "chat", {"inputs": old}) == {
        "generated_text": "Paris.",
        "conversation": {
            "past_user_inputs": ["a", "c"],
            "generated_responses": ["b", "Paris."],
        },
    }
    turn = {"role": "user", "content": "a"}
    assert said(http, "chat", {"inputs": [turn]}) == [
        {"generated_text": [turn, {"role": "assistant", "content": "Paris."}]}
    ]
    assert said(http, "chat", {"inputs": "a"}) == [{"generated_text": "Paris."}]


def test_details_tell_the_tokens(http: httpx.Client, serving: Worker) -> None:
    body = {"inputs": "x", "parameters": {"details": True, "max_new_tokens": 20}}
    [answer] = said(http, "text-generation", body)
    assert answer["generated_text"] == " Paris."
    details = answer["details"]
    assert details["finish_reason"] == "eos_token"
    assert details["generated_tokens"] == 3
    assert details["prefill"] == []
    assert isinstance(details["tokens"], list)


def test_a_stream_ends_with_the_whole_text(http: httpx.Client, serving: Worker) -> None:
    body = {"inputs": "x", "stream": True}
    with http.stream("POST", "/models/text-generation", json=body) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [json.loads(line[5:]) for line in answer.iter_lines() if line.startswith("data:")]
    assert lines[-1]["generated_text"] == " Paris."
    assert lines[-1]["details"]["finish_reason"] == "eos_token"
    assert [line["index"] for line in lines] == list(range(1, len(lines) + 1))
    assert "".join(line["token"]["text"] for line in lines) == " Paris."


def test_masks_come_with_what_else_was_asked_for() -> None:
    masks = [[ObjectMask(mask=PNG, score=0.5, logits=[[1.5, 2.5]])]]
    output = MaskGenerationOutput(masks=masks, image_embeddings=["ab"])
    given = MaskGenerationInput(images=[PNG])
    answered = Answered(output, given, Rows({}), cast("HfRequest", None))  # which it does not read
    assert WRITERS["mask-generation"](answered) == {
        "masks": [PICTURE],
        "scores": [0.5],
        "mask_logits": [[[1.5, 2.5]]],
        "image_embedding": "ab",
    }
