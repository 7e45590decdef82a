"""The demo: real inputs, checked answers."""
