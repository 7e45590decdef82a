"""Vision tasks: images in."""
