"""What Pixano's clients call, every generation of them. See docs/pixano.md."""
