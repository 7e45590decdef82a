"""Backends over Hugging Face Transformers and torch."""
