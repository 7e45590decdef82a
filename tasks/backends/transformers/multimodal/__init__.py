"""Tasks of images and text together, over Transformers."""
