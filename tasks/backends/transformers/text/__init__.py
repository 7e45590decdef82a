"""Tasks that take text, over Transformers; `base` is what they share."""
