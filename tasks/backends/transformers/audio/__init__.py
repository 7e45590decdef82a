"""Tasks that hear or speak, over Transformers; `base` is what they share."""
