"""The model parameter `decode`: whether pictures may be decoded to less than their size."""

from __future__ import annotations

import logging

from ..base import ModelRefused

log = logging.getLogger(__name__)

_EXACT, _SCALED = "exact", "scaled"


def is_scaled(decode: str, *, scaled_decoding: bool) -> bool:
    """Whether they may, by that parameter or its older form. Raises ValueError for other words."""
    if decode not in (_EXACT, _SCALED):
        raise ValueError(f"decode {decode!r}: use {_EXACT} or {_SCALED}")
    if scaled_decoding:
        log.warning('the model parameter scaled_decoding is called decode = "scaled" now')
    return decode == _SCALED or scaled_decoding


def refusal(whose: str, why: str) -> ModelRefused:
    """What a model is refused with that cannot be served so."""
    return ModelRefused(f'decode = "scaled": {whose}: {why}; leave the parameter out')
