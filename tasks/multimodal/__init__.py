"""Multimodal tasks: images and text together, or one made from the other."""
