"""Tasks: what the fleet can do, as declared shapes. May import protocol.

Knows no queue, no HTTP, no device; `backends/` alone imports torch, transformers and onnxruntime,
and only when a backend is made.
"""
