"""Text a token at a time: sampling, stopping, scores, continuous batching. Knows no task."""
