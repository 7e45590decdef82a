"""Audio tasks: sound in, or sound out."""
