"""Dialect transformers-vilt-no-token-type: transformers-vilt without token_type_ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ..graph import Shapes
from .transformers_vilt import TransformersVilt

_NEEDED = {"input_ids", "pixel_values", "pixel_mask"}


class ViltNoTokenType(TransformersVilt):
    """ViLT of an exporter that left the token types out: there is one type only."""

    dialect: ClassVar[str] = "transformers-vilt-no-token-type"

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """By its names."""
        return {*inputs} - {"attention_mask"} == _NEEDED and "logits" in outputs
