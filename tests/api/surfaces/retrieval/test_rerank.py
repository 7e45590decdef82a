"""`/v1/rerank`, `/v2/rerank` and `/rerank`: what each client sends, and what it is to read."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from wherry.api.http.documents import validated
from wherry.api.surfaces.retrieval.rerank_requests import RerankRequest
from wherry.protocol.errors import InvalidRequest

from ...conftest import Worker

TEXTS = ["Rates rose today.", "A fox jumps."]
#: The stub's answer is the task's example: the second text first.
SCORES = [(1, 0.875), (0, 0.125)]


def body(**fields: Any) -> dict[str, Any]:
    return {"model": "ranking", "query": "Who jumps?", "documents": TEXTS, **fields}


def pairs(results: list[dict[str, Any]]) -> list[tuple[int, float]]:
    return [(each["index"], each["relevance_score"]) for each in results]


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/rerank", "/rerank", "/models/ranking/v1/rerank", "/models/ranking/rerank"),
        *("/v2/rerank", "/models/ranking/v2/rerank", "/infinity/rerank"),
    ],
)
def test_every_path_puts_documents_in_order(http: httpx.Client, serving: Worker, path: str) -> None:
    answer = http.post(path, json=body(model="dummy" if "/models/" in path else "ranking"))
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert pairs(said["results"]) == SCORES
    assert said["meta"]["billed_units"] == {"search_units": 1}
    assert said["id"]


def test_the_first_version_answers_in_all_its_clients_words(
    http: httpx.Client, serving: Worker
) -> None:
    said = http.post("/v1/rerank", json=body(documents=[{"text": t, "id": 7} for t in TEXTS]))
    found = said.json()
    assert found["results"][0]["document"] == {"text": TEXTS[1], "id": 7}
    assert (found["object"], found["model"]) == ("rerank", "ranking")
    assert found["usage"] == {"prompt_tokens": 0, "total_tokens": 0}
    assert found["meta"]["api_version"] == {"version": "1"}
    assert pairs(found["data"]) == SCORES
    assert all("document" not in each for each in found["data"])
    asked = http.post("/v1/rerank", json=body(return_documents=True)).json()
    assert [each["document"] for each in asked["data"]] == [{"text": TEXTS[1]}, {"text": TEXTS[0]}]
    bare = http.post("/v1/rerank", json=body(return_documents=False)).json()
    assert all("document" not in each for each in bare["results"])


def test_infinitys_clients_read_bare_texts(http: httpx.Client, serving: Worker) -> None:
    documents = [{"text": TEXTS[0]}, TEXTS[1]]
    found = http.post("/infinity/rerank", json=body(documents=documents)).json()
    assert [each["document"] for each in found["results"]] == TEXTS[::-1]
    assert http.post("/infinity/rerank", json={}).json()["detail"].startswith("query")
    given = {"model": "embedding", "input": TEXTS, "dimensions": 0}
    vectors = http.post("/infinity/embeddings", json=given)
    assert vectors.json()["data"] == http.post("/v1/embeddings", json=given).json()["data"]


def test_the_second_version_answers_no_documents(http: httpx.Client, serving: Worker) -> None:
    found = http.post("/v2/rerank", json=body()).json()
    assert found["results"][0] == {"index": 1, "relevance_score": 0.875}
    assert found["meta"]["api_version"] == {"version": "2"}


@pytest.mark.parametrize("model", ["sentence-similarity", "embedding"])
def test_models_that_compare_vectors_rank_by_cosines(
    http: httpx.Client, serving: Worker, model: str
) -> None:
    answer = http.post("/v1/rerank", json=body(model=model, top_n=1))
    assert answer.status_code == 200, answer.text
    [best] = answer.json()["results"]
    alike = {"source_sentence": "Who jumps?", "sentences": TEXTS}
    cosines = http.post(f"/models/{model}/similarity", json={"inputs": alike}).json()
    assert best["relevance_score"] == pytest.approx(max(cosines))
    assert best["index"] == cosines.index(max(cosines))
    refused = http.post("/v1/rerank", json=body(model=model, instruction="Be kind."))
    assert refused.status_code == 400
    assert "instruction: " in refused.json()["error"]["message"]


@pytest.mark.parametrize("named", [None, "", "default/not-specified"])
def test_a_request_that_names_no_model_gets_the_only_reranker(
    http: httpx.Client, serving: Worker, named: str | None
) -> None:
    answer = http.post("/rerank", json=body(model=named))
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == "ranking"


def test_what_is_read_of_a_document() -> None:
    documents = [{"text": "a", "title": "T"}, {"text": "b", "title": "U"}]
    asked = validated(RerankRequest, body(documents=documents))
    assert asked.texts() == ["a", "b"]
    titled = validated(RerankRequest, body(documents=documents, rank_fields=["title", "text"]))
    assert titled.texts() == ["title: T\ntext: a", "title: U\ntext: b"]


def test_every_clients_words_for_the_same() -> None:
    voyage = validated(RerankRequest, body(top_k=3, truncation=False))
    assert (voyage.most, voyage.options.cut) == (3, {"truncate": False})
    vllm = validated(
        RerankRequest,
        body(
            top_n=3,
            truncation_side="Left",
            truncate_prompt_tokens=-1,
            use_activation=False,
            instruction="Find it.",
            priority=1,
            user="u",
        ),
    )
    assert (vllm.most, vllm.options.cut) == (3, {"truncation_direction": "left"})
    assert (vllm.wants_raw, vllm.options.instruction) == (True, "Find it.")
    nulls = {name: None for name in RerankRequest.model_fields if name not in body()}
    assert validated(RerankRequest, body(**nulls)) == validated(RerankRequest, body())


def test_lengths_that_are_not_heeded_are_told(http: httpx.Client, serving: Worker) -> None:
    answer = http.post("/v2/rerank", json=body(max_tokens_per_doc=512))
    assert answer.status_code == 200
    assert answer.headers["Wherry-Warning"].startswith("max_tokens_per_doc: not heeded")
    assert "Wherry-Warning" not in http.post("/v2/rerank", json=body()).headers


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"query": ["a"]}, "query"),
        ({"documents": []}, "documents"),
        ({"documents": [{"image": "data:image/png;base64,AA=="}]}, "documents[0].text: expected"),
        ({"documents": [{"text": "a"}], "rank_fields": ["title"]}, "documents[0].title: expected"),
        ({"top_n": 0}, "top_n"),
        ({"top_n": 1, "top_k": 2}, "top_k: it means what top_n does"),
        ({"truncate_prompt_tokens": 9}, "truncate_prompt_tokens: only -1"),
        ({"relevant_spans": {}}, "relevant_spans"),
        ({"return_embeddings": True}, "return_embeddings"),
        ({"model": "chat"}, "this path is for ranking and sentence-similarity and embedding: "),
    ],
)
def test_what_cannot_be_ranked_is_refused_by_its_name(
    http: httpx.Client, serving: Worker, fields: dict[str, Any], says: str
) -> None:
    answer = http.post("/v1/rerank", json=body(**fields))
    assert answer.status_code == 400, answer.text
    error = answer.json()
    # Cohere's clients read the first, Jina's the second.
    assert says in error["message"] == error["detail"] == error["error"]["message"]


def test_an_unknown_model_is_not_found(http: httpx.Client) -> None:
    answer = http.post("/v2/rerank", json=body(model="no-such"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")


def test_a_request_has_one_word_for_how_many() -> None:
    with pytest.raises(InvalidRequest, match="top_k"):
        validated(RerankRequest, body(top_n=2, top_k=3))
