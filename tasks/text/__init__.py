"""Text tasks: text in."""
