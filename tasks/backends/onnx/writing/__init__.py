"""Graphs that write text: transformers' own `generate` over ONNX Runtime, so that prompts, stops,
limits and seeds are those of the backend transformers. Needs torch and transformers beside it.
"""
