"""What Hugging Face's surface refuses, and in which words."""

from __future__ import annotations

import base64

import httpx
import pytest

from wherry.tasks.samples import PNG

from ...conftest import BODY_LIMIT, Worker

PICTURE = base64.b64encode(PNG).decode()


def post(http: httpx.Client, task: str, body: object) -> httpx.Response:
    return http.post(f"/models/{task}", json=body)


def refused(http: httpx.Client, task: str, body: object, status: int = 400) -> str:
    answer = post(http, task, body)
    assert answer.status_code == status, answer.text
    error: str = answer.json()["error"]
    return error


@pytest.mark.parametrize(
    ("task", "body", "names"),
    [
        ("text-classification", {"inputs": 3}, ("text-classification", "inputs", "int")),
        ("text-classification", {}, ("inputs", "nothing")),
        ("text-classification", {"inputs": []}, ("inputs", "empty")),
        ("text-classification", {"inputs": "x", "parameters": [1]}, ("parameters", "object")),
        ("text-classification", {"inputs": "x", "parameters": {"topk": 0}}, ("top_k",)),
        ("text-classification", {"inputs": "x", "parameters": {"odd": 1}}, ("odd", "top_k")),
        ("zero-shot-classification", {"inputs": "x"}, ("candidate_labels",)),
        ("question-answering", {"inputs": "x"}, ("question",)),
        ("question-answering", {"inputs": {"question": "x"}}, ("inputs.context",)),
        ("table-question-answering", {"inputs": {"query": "x", "table": 3}}, ("table",)),
        ("tabular-regression", {"inputs": {"data": {"a": 3}}}, ("inputs.data.a", "list")),
        ("tabular-regression", {"table": {"a": [1], "b": [1, 2]}}, ("'b' has 2 rows",)),
        ("tabular-regression", {"table": {"a": [[1]]}}, ("records",)),
        ("sentence-similarity", {"inputs": ["x"]}, ("two texts",)),
        ("ranking", {"inputs": ["a", "b", "c"]}, ("pair",)),
        ("chat", {"inputs": 3}, ("past_user_inputs",)),
        ("chat", {"inputs": {"generated_responses": ["a"], "text": "b"}}, ("past_user_inputs",)),
        ("chat", {"inputs": "a", "parameters": {"tools": [{}]}}, ("tools", "/v1/chat")),
        ("chat", {"inputs": "a", "parameters": {"grammar": {"type": "xml"}}}, ("grammar", "regex")),
        (
            "text-generation",
            {"inputs": "a", "parameters": {"grammar": {"type": "json", "value": "{"}}},
            ("parameters.grammar", "a JSON schema"),
        ),
        (
            "text-generation",
            {"inputs": "a", "parameters": {"grammar": {"type": "regex", "value": "(["}}},
            ("structured_outputs",),
        ),
        ("image-classification", {"inputs": "https://a.b/c.png"}, ("inputs", "URL")),
        ("keypoint-matching", {"inputs": PICTURE}, ("inputs", "two images")),
        ("keypoint-matching", {"inputs": [[PICTURE] * 3]}, ("inputs", "two images")),
        ("image-classification", {"inputs": "!"}, ("inputs", "base64")),
        ("image-classification", {"inputs": ""}, ("inputs", "empty")),
        (
            "visual-question-answering",
            {
                "inputs": [
                    {"image": PICTURE, "question": "a"},
                    {"image": PICTURE, "question": "b"},
                ]
            },
            ("question",),
        ),
        ("image-to-image", {"inputs": PICTURE, "parameters": {"prompt": "x"}}, ("prompt",)),
        (
            "image-to-image",
            {"inputs": PICTURE, "parameters": {"target_size": {"width": 10**6, "height": 3}}},
            ("target_size", "4096"),
        ),
        ("text-generation", {"inputs": "x", "parameters": {"watermark": True}}, ("watermark",)),
        ("text-generation", {"inputs": ["x", "y"], "stream": True}, ("stream",)),
        ("fill-mask", {"inputs": "x", "stream": True}, ("stream", "fill-mask")),
        ("fill-mask", {"inputs": "x", "stream": 1}, ("stream",)),
        ("video-mask-generation", {"inputs": "x"}, ("/v2/models/video-mask-generation/infer",)),
    ],
)
def test_a_refusal_names_the_task_the_field_and_the_remedy(
    task: str, body: object, names: tuple[str, ...], http: httpx.Client
) -> None:
    error = refused(http, task, body)
    assert all(name in error for name in names), error


def test_bodies_that_are_neither_json_nor_a_file_are_refused(http: httpx.Client) -> None:
    for content, kind in ((b"", ""), (b"{nope", "application/json"), (b"[1]", "application/json")):
        answer = http.post(
            "/models/fill-mask", content=content, headers={"Content-Type": kind} if kind else {}
        )
        assert answer.status_code == 400
        assert "the body" in answer.json()["error"]
    answer = http.post("/models/fill-mask", content=b"\xff\xd8")
    assert "takes text" in answer.json()["error"]
    answer = http.post("/models/image-classification", files={"file": PNG})
    assert "form" in answer.json()["error"]


def test_unknown_models_are_404_and_unloaded_ones_503(http: httpx.Client) -> None:
    assert "nobody/nothing" in refused(http, "nobody/nothing", {"inputs": "x"}, 404)
    http.post("/v2/repository/models/fill-mask/unload")
    try:
        answer = post(http, "fill-mask", {"inputs": "x [MASK]"})
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.json()["error_type"] == "overloaded"
    finally:
        http.post("/v2/repository/models/fill-mask/load")


def test_a_body_that_is_too_large_is_413(http: httpx.Client) -> None:
    error = refused(http, "fill-mask", {"inputs": "x" * (BODY_LIMIT + 1)}, 413)
    assert str(BODY_LIMIT) in error


def test_texts_with_details_have_a_deadline_too(http: httpx.Client, worker: Worker) -> None:
    worker.beat("text", models=("text-generation",))
    body = {"inputs": "x", "parameters": {"details": True}}
    assert "/v2/jobs/" in refused(http, "text-generation", body, 504)


def test_a_model_that_nobody_serves_yet_is_loading(http: httpx.Client, worker: Worker) -> None:
    answer = post(http, "translation", {"inputs": "x"})
    assert answer.status_code == 503, answer.text
    assert "loading" in answer.json()["error"]
    assert answer.headers["Retry-After"] == str(answer.json()["estimated_time"])
    worker.beat("text", models=("translation",))
    slow = post(http, "translation", {"inputs": "x"})
    assert slow.status_code == 504
    assert "/v2/jobs/" in slow.json()["error"]


def test_a_model_answers_to_its_hub_id(http: httpx.Client, serving: Worker) -> None:
    assert post(http, "google/vit-base-patch16-224", {"inputs": PICTURE}).status_code == 200
    about = http.get("/models/google/vit-base-patch16-224/info").json()
    assert about["model_pipeline_tag"] == "image-classification"
    assert http.get("/models/google/vit-base-patch16-224/health").status_code == 503
    serving.beat("vision", models=("image-classification",))
    assert http.get("/models/google/vit-base-patch16-224/health").status_code == 200
