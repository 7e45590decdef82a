"""What CLIP, SigLIP and their kin call the vectors of images and texts that share a space."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .adapter import has_rank
from .graph import Shapes

#: CLIP's name, which its projection gives, and SigLIP's, which has none.
IMAGE_FEATURES = ("image_embeds", "pooler_output")
TEXT_FEATURES = ("text_embeds", "pooler_output")

#: Tokens that SigLIP was trained on, each text filled up to as many.
SIGLIP_TOKENS = 64


def features_of(outputs: Collection[str], names: Sequence[str]) -> str | None:
    """Which of a graph's outputs is the vector of its whole input; None where none is."""
    return next((name for name in names if name in outputs), None)


def gives_features(outputs: Shapes, names: Sequence[str]) -> bool:
    """Whether one of a graph's outputs is a vector of its whole input."""
    found = features_of(outputs, names)
    return found is not None and has_rank(outputs[found], 2)


def fills_up(config: Mapping[str, Any], output: str) -> bool:
    """Whether texts are filled up as SigLIP's are: its config says so, or its name for vectors."""
    told = config.get("model_type")
    return "siglip" in str(told) if told else output == TEXT_FEATURES[1]
