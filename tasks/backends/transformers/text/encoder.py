"""Models that make vectors of texts: an AutoModel, or the encoder of one that also writes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..whole import POOLER, load_whole, read_config

#: Types of which transformers has the encoder as a class of its own: folders may hold no decoder.
_APART = frozenset({"mt5", "t5", "umt5"})

#: Other encoder-decoders of which the encoder makes the vectors, as sentence-transformers has it.
#: Of BART, mBART, LED and their kin both halves read the text.
_ENCODERS = frozenset(
    {
        *("blenderbot", "blenderbot-small", "longt5", "m2m_100", "marian", "pegasus", "pegasus_x"),
        *("nllb-moe", "prophetnet", "switch_transformers", "t5gemma", "t5gemma2"),
    }
)

_DECODER = r"^decoder\."

#: Positions that are computed, and never saved.
_SINES = {"marian": (r"^encoder\.embed_positions\.",)}


def load_encoder(
    source: str,
    *,
    revision: str | None = None,
    **loading: Any,  # of from_pretrained
) -> tuple[Any, list[str]]:
    """Load a model without a head, as `load_whole` does; no pooler is needed, nor a decoder where
    the encoder stands alone. Raises ModelRefused.
    """
    kind = read_config(source, revision).model_type
    auto_class = "AutoModelForTextEncoding" if kind in _APART else "AutoModel"
    unread: Iterable[str] = (POOLER,)
    if kind in _ENCODERS:
        unread = (POOLER, _DECODER, *_SINES.get(kind, ()))
    model, lacking = load_whole(auto_class, source, unread, revision=revision, **loading)
    return model.get_encoder() if kind in _ENCODERS else model, lacking
