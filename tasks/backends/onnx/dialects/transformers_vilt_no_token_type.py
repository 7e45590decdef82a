"""Dialect transformers-vilt-no-token-type: input_ids, pixel_values, pixel_mask -> logits
(B, answers), as transformers-vilt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ..graph import Shapes
from .transformers_vilt import TransformersVilt, asks

_NEEDED = {"input_ids", "pixel_values", "pixel_mask"}


class ViltNoTokenType(TransformersVilt):
    """ViLT of an exporter that left the token types out: there is one type only."""

    dialect: ClassVar[str] = "transformers-vilt-no-token-type"

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """By its names, and two axes."""
        return asks(inputs, outputs, _NEEDED)
