"""Hugging Face's inference HTTP interface, over the same tasks and the same queue.

What clients send and parse: huggingface_hub's InferenceClient, `@huggingface/inference`, the JSON
schemas of `@huggingface/tasks`, and the container of Inference Endpoints. docs/huggingface.md tells
where these disagree, and what is answered then.
"""
