"""Real clients of rerankers and of text-embeddings-inference, unchanged, against our stack."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.tasks.text.embedding import EmbeddingInput, EmbeddingOutput
from wherry.tasks.text.ranking import RankingInput, RankingOutput
from wherry.tasks.text.sentence_similarity import SentenceSimilarityInput, SentenceSimilarityOutput

from .conftest import Environment

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(1500)]

QUERY = "Who jumps over the dog?"
TEXTS = [
    "Interest rates rose today.",
    "The quick brown fox jumps over the lazy dog.",
    "A wherry is a light boat for hire.",
]

Check = Callable[[Any, Client], None]


def _pairs(saw: Any, client: Client, most: int) -> None:
    given = RankingInput(queries=[QUERY], texts=[TEXTS], top_k=most)
    output = client.infer("ranking", given, 60)
    assert isinstance(output, RankingOutput)
    [ours] = output.rankings
    assert [index for index, _ in saw] == [each.index for each in ours]
    assert [score for _, score in saw] == pytest.approx([e.score for e in ours], abs=1e-5)
    assert saw[0][0] == 1  # the trained model knows


def ranking(saw: Any, client: Client) -> None:
    """The two best."""
    _pairs(saw, client, 2)


def rankings(saw: Any, client: Client) -> None:
    """All three, several times."""
    assert len(saw) == 3
    for each in saw:
        _pairs(each, client, 3)


def with_texts(saw: Any, client: Client) -> None:
    """The two best, and what they say."""
    ranking(saw["ranking"], client)
    assert saw["texts"] == [TEXTS[index] for index, _ in saw["ranking"]]


def _cosines(client: Client) -> list[float]:
    given = SentenceSimilarityInput(source_sentences=[QUERY], sentences=[TEXTS])
    output = client.infer("sentence-similarity", given, 60)
    assert isinstance(output, SentenceSimilarityOutput)
    return output.scores[0]


def cosines(saw: Any, client: Client) -> None:
    """In the texts' order."""
    assert saw == pytest.approx(_cosines(client), abs=1e-5)


def by_cosines(saw: Any, client: Client) -> None:
    """The likest first."""
    ours = sorted(enumerate(_cosines(client)), key=lambda pair: -pair[1])
    assert [index for index, _ in saw] == [index for index, _ in ours]
    assert [score for _, score in saw] == pytest.approx([s for _, s in ours], abs=1e-5)


def _vectors(client: Client, **fields: Any) -> list[list[float]]:
    output = client.infer("embedding", EmbeddingInput(**{"texts": TEXTS, **fields}), 60)
    assert isinstance(output, EmbeddingOutput)
    return output.embeddings


def vectors(saw: Any, client: Client) -> None:
    """A vector a text."""
    assert np.array(saw) == pytest.approx(np.array(_vectors(client)), abs=1e-5)


def long_vector(saw: Any, client: Client) -> None:
    """The first text's, as long as the model makes it."""
    [ours] = _vectors(client, texts=TEXTS[:1], normalize=False)
    assert np.array(saw).reshape(-1) == pytest.approx(np.array(ours), abs=1e-4)


def one_vector(saw: Any, client: Client) -> None:
    """The second text's."""
    assert saw == pytest.approx(_vectors(client)[1], abs=1e-5)


def unknown(saw: Any, client: Client) -> None:
    """What is wrong is said."""
    assert "no-such-model" in saw


#: Library -> what is installed, the name in the page, and what each call is to have seen.
LIBRARIES: dict[str, tuple[tuple[str, ...], dict[str, Check]]] = {
    "litellm": (
        ("litellm==1.110.2",),
        {
            **{
                f"rerank, {provider}": with_texts
                for provider in ("cohere", "hosted_vllm", "infinity", "jina_ai", "together_ai")
            },
            "rerank, voyage": with_texts,
            "embedding": vectors,
        },
    ),
    "cohere": (
        ("cohere==7.3.1",),
        {
            "ClientV2.rerank": ranking,
            "ClientV2.rerank, by cosines": by_cosines,
            "AsyncClientV2.rerank": rankings,
            "Client.rerank, documents": with_texts,
            "errors: an unknown model": unknown,
        },
    ),
    "voyageai": (("voyageai==0.5.0",), {"rerank": ranking}),
    "infinity": (
        ("infinity-client==0.0.78",),
        {
            "rerank": ranking,
            "rerank, documents": with_texts,
            "rerank, no model named": ranking,
            "embeddings": vectors,
        },
    ),
    "huggingface_hub": (
        ("huggingface_hub==2.4.0", "numpy"),
        {
            "InferenceClient.feature_extraction, /embed": vectors,
            "InferenceClient.feature_extraction, /embed with parameters": long_vector,
            "InferenceClient.sentence_similarity, /similarity": cosines,
        },
    ),
    "haystack": (
        ("huggingface-api-haystack==3.1.0", "haystack-ai==3.4.1"),
        {
            "HuggingFaceTEIRanker": ranking,
            "HuggingFaceAPITextEmbedder": vectors,
            "HuggingFaceAPIDocumentEmbedder": vectors,
        },
    ),
    "langchain": (
        ("langchain-cohere==0.6.0", "langchain-huggingface==1.2.3", "numpy"),
        {
            "CohereRerank": ranking,
            "HuggingFaceEndpointEmbeddings.embed_documents": vectors,
            "HuggingFaceEndpointEmbeddings.embed_query": one_vector,
        },
    ),
    "langchain_openai": (
        ("langchain-openai==1.7.4",),
        {"OpenAIEmbeddings.embed_documents": vectors},
    ),
    "llama_index": (
        (
            "llama-index-embeddings-text-embeddings-inference==0.6.0",
            "llama-index-postprocessor-jinaai-rerank==0.6.0",
            "llama-index-postprocessor-tei-rerank==0.6.0",
        ),
        {
            "TextEmbeddingInference (ranker)": ranking,
            "JinaRerank": ranking,
            "TextEmbeddingsInference": vectors,
        },
    ),
}

#: Library -> what the page calls it, where that is not what is installed first.
NAMES = {
    "huggingface_hub": "huggingface_hub 2.4.0",
    "llama_index": "llama-index integrations 0.6.0",
    "langchain": "langchain-cohere==0.6.0, langchain-huggingface==1.2.3",
}

JAVASCRIPT = "cohere-ai 8.1.0 (JavaScript)"
JAVASCRIPT_CALLS: dict[str, Check] = {
    "CohereClientV2.rerank": ranking,
    "CohereClient.rerank, documents": with_texts,
}

Saw = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def seen(
    environment: Environment, drive: Callable[..., list[dict[str, Any]]], fleet: Stack
) -> Callable[[str], Saw]:
    """What a library's calls saw, each library driven once."""
    known: dict[str, Saw] = {}

    def of(library: str) -> Saw:
        if library not in known:
            python = environment(library, *LIBRARIES[library][0])
            lines = drive(python, "retrieval_client.py", library, fleet.url)
            known[library] = {line["call"]: line for line in lines}
        return known[library]

    return of


def _calls() -> list[Any]:
    found = []
    for library, (packages, checks) in LIBRARIES.items():
        name = NAMES.get(library, packages[0])
        found += [pytest.param(library, c, marks=pytest.mark.call(name, c)) for c in checks]
    return found


@pytest.mark.parametrize(("library", "call"), _calls())
def test_the_call_works(
    library: str, call: str, seen: Callable[[str], Saw], client: Client
) -> None:
    found = seen(library)[call]
    assert not found["failed"]
    LIBRARIES[library][1][call](found["saw"], client)


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_call_is_checked(library: str, seen: Callable[[str], Saw]) -> None:
    assert set(seen(library)) == set(LIBRARIES[library][1])


@pytest.fixture(scope="module")
def by_javascript(tmp_path_factory: pytest.TempPathFactory, fleet: Stack) -> Saw:
    """What Cohere's JavaScript client reads."""
    folder = tmp_path_factory.mktemp("cohere-javascript")
    npm = shutil.which("npm")
    if not npm:
        pytest.skip("npm is not installed")
    (folder / "package.json").write_text("{}")
    script = shutil.copy(Path(__file__).with_name("cohere_client.mjs"), folder)
    for command in (
        [npm, "install", "--no-audit", "--no-fund", "cohere-ai@8.1.0"],
        ["node", script, fleet.url],
    ):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    return {line["call"]: line for line in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize(
    "call", [pytest.param(c, marks=pytest.mark.call(JAVASCRIPT, c)) for c in JAVASCRIPT_CALLS]
)
def test_the_javascript_call_works(call: str, by_javascript: Saw, client: Client) -> None:
    assert not by_javascript[call]["failed"]
    JAVASCRIPT_CALLS[call](by_javascript[call]["saw"], client)
