"""What clients of rerankers and of text-embeddings-inference call.

`/v1/rerank` and `/v2/rerank` as Cohere, Jina, vLLM, Infinity, Together and Voyage have them, and
the paths of Hugging Face's text-embeddings-inference 1.8, at the root and below `/models/{model}`.
One folder, since both have a path `/rerank`.
"""
