"""Runs in an environment that holds one library and not Wherry: `retrieval_client.py LIBRARY URL`.

Makes every call with the real client; prints a line of JSON per call: its name, what it saw.
Rankings are pairs of a text's index and its score.
"""

from __future__ import annotations

import json
import sys

LIBRARY, URL = sys.argv[1], sys.argv[2]
QUERY = "Who jumps over the dog?"
TEXTS = [
    "Interest rates rose today.",
    "The quick brown fox jumps over the lazy dog.",
    "A wherry is a light boat for hire.",
]


def pairs(results):
    """Of objects, or of dicts."""
    return [
        [r["index"], r["relevance_score"]] if isinstance(r, dict) else [r.index, r.relevance_score]
        for r in results
    ]


def litellm():
    import litellm

    litellm.suppress_debug_info = True  # which goes to standard output

    def rerank(provider, base, **options):
        answer = litellm.rerank(
            model=f"{provider}/ranking",
            query=QUERY,
            documents=TEXTS,
            top_n=2,
            api_base=base,
            api_key="none",
            **options,
        )
        return {
            "ranking": pairs(answer.results),
            "texts": [each.get("document", {}).get("text") for each in answer.results],
        }

    def embedding():
        answer = litellm.embedding(
            model="openai/embedding", input=TEXTS, api_base=f"{URL}/v1", api_key="none"
        )
        return [each["embedding"] for each in answer.data]

    return {
        "rerank, cohere": lambda: rerank("cohere", URL),
        "rerank, jina_ai": lambda: rerank("jina_ai", URL),
        "rerank, hosted_vllm": lambda: rerank("hosted_vllm", URL),
        "rerank, infinity": lambda: rerank("infinity", f"{URL}/infinity"),
        "rerank, together_ai": lambda: rerank("together_ai", f"{URL}/v1"),
        "rerank, voyage": lambda: rerank("voyage", URL),
        "embedding": embedding,
    }


def cohere():
    import asyncio

    import cohere

    second = cohere.ClientV2(api_key="none", base_url=URL)
    first = cohere.Client(api_key="none", base_url=URL)

    def ranked(answer):
        return pairs(answer.results)

    def of_objects():
        answer = first.rerank(
            model="ranking",
            query=QUERY,
            documents=[{"text": text} for text in TEXTS],
            return_documents=True,
            top_n=2,
        )
        return {"ranking": ranked(answer), "texts": [r.document.text for r in answer.results]}

    async def at_once():
        client = cohere.AsyncClientV2(api_key="none", base_url=URL)
        answers = [client.rerank(model="ranking", query=QUERY, documents=TEXTS) for _ in range(3)]
        return [ranked(answer) for answer in await asyncio.gather(*answers)]

    def error():
        try:
            second.rerank(model="no-such-model", query=QUERY, documents=TEXTS)
        except cohere.NotFoundError as error:
            return error.body["message"]

    return {
        "ClientV2.rerank": lambda: ranked(
            second.rerank(model="ranking", query=QUERY, documents=TEXTS, top_n=2)
        ),
        "ClientV2.rerank, by cosines": lambda: ranked(
            second.rerank(model="sentence-similarity", query=QUERY, documents=TEXTS)
        ),
        "AsyncClientV2.rerank": lambda: asyncio.run(at_once()),
        "Client.rerank, documents": of_objects,
        "errors: an unknown model": error,
    }


def voyageai():
    import voyageai

    client = voyageai.Client(api_key="none", base_url=f"{URL}/v1")
    return {
        "rerank": lambda: pairs(client.rerank(QUERY, TEXTS, model="ranking", top_k=2).results),
    }


def infinity():
    from infinity_client import Client
    from infinity_client.api.default import embeddings, rerank
    from infinity_client.models import OpenAIEmbeddingInputText, RerankInput

    client = Client(base_url=f"{URL}/infinity")

    def ranked(**fields):
        body = RerankInput(query=QUERY, documents=TEXTS, top_n=2, **fields)
        return pairs(rerank.sync(client=client, body=body).results)

    def with_texts():
        body = RerankInput(
            query=QUERY, documents=TEXTS, top_n=2, model="ranking", return_documents=True
        )
        answer = rerank.sync(client=client, body=body)
        return {"ranking": pairs(answer.results), "texts": [r.document for r in answer.results]}

    def embedded():
        body = OpenAIEmbeddingInputText(input_=TEXTS, model="embedding")
        return [each.embedding for each in embeddings.sync(client=client, body=body).data]

    return {
        "rerank": lambda: ranked(model="ranking"),
        "rerank, documents": with_texts,
        "rerank, no model named": ranked,
        "embeddings": embedded,
    }


def huggingface_hub():
    from huggingface_hub import InferenceClient

    def at(path):
        return InferenceClient(model=f"{URL}/models/{path}")

    return {
        "InferenceClient.feature_extraction, /embed": lambda: (
            at("embedding/embed").feature_extraction(TEXTS).tolist()
        ),
        "InferenceClient.feature_extraction, /embed with parameters": lambda: (
            at("embedding/embed")
            .feature_extraction(
                TEXTS[0], normalize=False, truncate=True, truncation_direction="left"
            )
            .tolist()
        ),
        "InferenceClient.sentence_similarity, /similarity": lambda: at(
            "embedding/similarity"
        ).sentence_similarity(QUERY, TEXTS),
    }


def haystack():
    from haystack import Document
    from haystack_integrations.components.embedders.huggingface_api import (
        HuggingFaceAPIDocumentEmbedder,
        HuggingFaceAPITextEmbedder,
    )
    from haystack_integrations.components.rankers.huggingface_api import HuggingFaceTEIRanker

    documents = [Document(content=text) for text in TEXTS]
    tei = {
        "api_type": "text_embeddings_inference",
        "api_params": {"url": f"{URL}/models/embedding/embed"},
    }

    def ranked():
        ranker = HuggingFaceTEIRanker(url=URL, top_k=2)
        found = ranker.run(query=QUERY, documents=documents)["documents"]
        return [[TEXTS.index(each.content), each.score] for each in found]

    return {
        "HuggingFaceTEIRanker": ranked,
        "HuggingFaceAPITextEmbedder": lambda: [
            HuggingFaceAPITextEmbedder(**tei).run(text)["embedding"] for text in TEXTS
        ],
        "HuggingFaceAPIDocumentEmbedder": lambda: [
            each.embedding
            for each in HuggingFaceAPIDocumentEmbedder(**tei).run(documents)["documents"]
        ],
    }


def langchain():
    import cohere
    from huggingface_hub import InferenceClient
    from langchain_cohere import CohereRerank
    from langchain_huggingface import HuggingFaceEndpointEmbeddings

    def ranked():
        client = cohere.ClientV2(api_key="none", base_url=URL)
        reranker = CohereRerank(client=client, model="ranking", cohere_api_key="none")
        return pairs(reranker.rerank(TEXTS, QUERY, top_n=2))

    def embedder():
        made = HuggingFaceEndpointEmbeddings()  # which takes no URL for its model
        made.client = InferenceClient(model=f"{URL}/models/embedding/embed")
        return made

    return {
        "CohereRerank": ranked,
        "HuggingFaceEndpointEmbeddings.embed_documents": lambda: embedder().embed_documents(TEXTS),
        "HuggingFaceEndpointEmbeddings.embed_query": lambda: embedder().embed_query(TEXTS[1]),
    }


def langchain_openai():
    from langchain_openai import OpenAIEmbeddings

    embedder = OpenAIEmbeddings(
        model="embedding", base_url=f"{URL}/v1", api_key="none", check_embedding_ctx_length=False
    )
    return {"OpenAIEmbeddings.embed_documents": lambda: embedder.embed_documents(TEXTS)}


def llama_index():
    from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
    from llama_index.embeddings.text_embeddings_inference import TextEmbeddingsInference
    from llama_index.postprocessor.jinaai_rerank import JinaRerank
    from llama_index.postprocessor.tei_rerank import TextEmbeddingInference

    def ranked(postprocessor):
        nodes = [NodeWithScore(node=TextNode(text=text), score=0.0) for text in TEXTS]
        found = postprocessor.postprocess_nodes(nodes, QueryBundle(QUERY))
        return [[TEXTS.index(each.node.text), each.score] for each in found]

    embedder = TextEmbeddingsInference(
        base_url=f"{URL}/models/embedding", model_name="embedding", text_instruction=" "
    )
    return {
        "TextEmbeddingInference (ranker)": lambda: ranked(
            TextEmbeddingInference(base_url=f"{URL}/models/ranking", top_n=2)
        ),
        "JinaRerank": lambda: ranked(
            JinaRerank(base_url=f"{URL}/v1", model="ranking", top_n=2, api_key="none")
        ),
        "TextEmbeddingsInference": lambda: embedder.get_text_embedding_batch(TEXTS),
    }


for name, call in globals()[LIBRARY]().items():
    failed, saw = "", None
    try:
        saw = call()
    except Exception as error:
        failed = f"{type(error).__name__}: {error}"
    print(json.dumps({"call": name, "saw": saw, "failed": failed}), flush=True)
