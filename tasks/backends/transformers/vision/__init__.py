"""Tasks that take images, over Transformers; `base` is what they share."""
