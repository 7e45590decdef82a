"""The paths of text-embeddings-inference, at the root and below `/models/{model}`."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from ...conftest import Worker

TEXTS = ["a boat", "a wherry"]


def said(http: httpx.Client, path: str, **fields: Any) -> Any:
    answer = http.post(path, json=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("path", ["/embed", "/models/embedding/embed"])
def test_texts_get_a_vector_each(http: httpx.Client, serving: Worker, path: str) -> None:
    both = said(http, path, inputs=TEXTS)
    assert both == [*said(http, path, inputs=TEXTS[0]), *said(http, path, inputs=[TEXTS[1]])]
    [short] = said(http, path, inputs=TEXTS[0], dimensions=2)
    assert sum(value * value for value in short) == pytest.approx(1)
    for fields in (
        {"normalize": None, "truncate": None, "prompt_name": None, "truncation_direction": None},
        {"normalize": True, "truncate": True, "truncation_direction": "Left"},
    ):
        assert said(http, path, inputs=TEXTS, **fields) == both


@pytest.mark.parametrize("path", ["/embed_all", "/models/feature-extraction/embed_all"])
def test_tokens_get_a_vector_each(http: httpx.Client, serving: Worker, path: str) -> None:
    found = said(http, path, inputs=TEXTS)
    assert len(found) == 2
    assert all(isinstance(number, float) for text in found for token in text for number in token)


@pytest.mark.parametrize(
    "path",
    ["/similarity", "/models/sentence-similarity/similarity", "/models/embedding/similarity"],
)
def test_a_sentence_is_compared_with_others(http: httpx.Client, serving: Worker, path: str) -> None:
    found = said(http, path, inputs={"source_sentence": "a", "sentences": ["a", "b"]})
    assert len(found) == 2
    if "embedding" in path:
        assert found[0] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("path", ["/rerank", "/models/ranking/rerank"])
def test_texts_are_ranked(http: httpx.Client, serving: Worker, path: str) -> None:
    assert said(http, path, query="a", texts=TEXTS) == [
        {"index": 1, "score": 0.875},
        {"index": 0, "score": 0.125},
    ]
    with_text = said(http, path, query="a", texts=TEXTS, return_text=True, raw_scores=True)
    assert [each["text"] for each in with_text] == TEXTS[::-1]


@pytest.mark.parametrize("path", ["/predict", "/models/text-classification/predict"])
@pytest.mark.parametrize(
    ("inputs", "many"),
    [
        ("a", 0),
        (["a"], 0),
        (["a", "b"], 0),
        ([["a"]], 1),
        ([["a"], ["b"], ["c"]], 3),
        ([["a", "b"], ["c", "d"]], 2),
    ],
)
def test_texts_and_pairs_are_classified(
    http: httpx.Client, serving: Worker, path: str, inputs: Any, many: int
) -> None:
    one = [{"score": 0.75, "label": "calm"}, {"score": 0.25, "label": "storm"}]
    assert said(http, path, inputs=inputs) == ([one] * many if many else one)


def test_what_a_model_is(http: httpx.Client) -> None:
    found = http.get("/models/ranking/info").json()
    assert found["model_type"] == {"reranker": {}}
    assert (found["model_id"], found["model_pipeline_tag"]) == ("ranking", "ranking")
    assert found["max_client_batch_size"] == 64
    assert "model_type" not in http.get("/models/chat/info").json()
    assert http.get("/info").json()["model_id"] == "embedding"
    assert http.get("/models/no-such/info").status_code == 404


@pytest.mark.parametrize(
    ("path", "fields", "says"),
    [
        ("/embed", {"inputs": [1, 2]}, "tokens are not taken"),
        ("/embed", {"inputs": [[1, 2]]}, "check_embedding_ctx_length=False"),
        ("/embed", {"inputs": []}, "inputs"),
        ("/embed", {"inputs": "a", "dimensions": 9999}, "dimensions: this model's vectors have"),
        ("/embed", {"inputs": "a", "mood": 1}, "mood"),
        ("/embed", {"inputs": "a", "truncation_direction": "up"}, "truncation_direction"),
        ("/models/chat/embed", {"inputs": "a"}, "this path is for embedding: embedding"),
        ("/embed_all", {"inputs": "a", "prompt_name": "query"}, "prompt_name: vectors of tokens"),
        ("/similarity", {"inputs": {"source_sentence": "a", "sentences": []}}, "inputs.sentences"),
        (
            "/similarity",
            {
                "inputs": {"source_sentence": "a", "sentences": ["b"]},
                "parameters": {"prompt_name": "query"},
            },
            "prompt_name: model 'sentence-similarity'",
        ),
        ("/predict", {"inputs": []}, "inputs: expected a text"),
        ("/predict", {"inputs": ["a", "b", "c"]}, "inputs[0]: expected a text"),
        ("/predict", {"inputs": [["a"], ["b", "c"]]}, "inputs: all texts or all pairs"),
        ("/predict", {"inputs": [["a"], 1]}, "inputs[1]: expected"),
        ("/rerank", {"query": "a", "texts": []}, "texts"),
        ("/embed_sparse", {"inputs": "a"}, "embed_sparse: sparse vectors are answered by no task"),
        ("/models/embedding/embed_sparse", {"inputs": "a"}, "embed_sparse: "),
        ("/tokenize", {"inputs": "a"}, "tokenize: tokenizers are with the workers"),
        ("/models/embedding/decode", {"ids": [1]}, "decode: tokenizers are with the workers"),
    ],
)
def test_a_refusal_has_the_form_of_that_server(
    http: httpx.Client, serving: Worker, path: str, fields: dict[str, Any], says: str
) -> None:
    answer = http.post(path, json=fields)
    assert answer.status_code == 400, answer.text
    assert says in answer.json()["error"]
    assert answer.json()["error_type"] == "Validation"


def test_several_models_that_would_do_have_to_be_told_apart(
    http: httpx.Client, serving: Worker
) -> None:
    # `embedding` has a second version, which is the same model.
    assert said(http, "/embed", inputs="a")
    answer = http.post("/embed", json={"inputs": "a", "model": "no-such"})
    assert answer.status_code == 404
