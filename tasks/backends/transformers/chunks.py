"""Models that look at a long text in chunks show what padding does to it beyond a few of these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def lengthened(
    tokens: Sequence[int], config: Any, most: int | None, *, half: bool = False
) -> list[int]:
    """Tokens over and over until they fill more chunks than one looks at, or half as many.

    `most` bounds them. As they are for a model that looks at all of a text.
    """
    wanted = min(_several_chunks(config, most), most or 10**9) // (2 if half else 1)
    times = max(1, -(-wanted // max(1, len(tokens))))
    return [*tokens] if times == 1 else ([*tokens] * times)[:wanted]


def _several_chunks(config: Any, most: int | None) -> int:
    kept = getattr(config, "keep_window_size", None) or 0  # Doge: looks at no more places of a text
    if kept and kept < (most or 10**9):
        return int(3 * kept)  # the shorter one is longer than that, too
    if getattr(config, "attention_type", "") == "block_sparse":  # BigBird: shorter texts whole
        return int((5 + 2 * config.num_random_blocks) * config.block_size + 1)
    names = ("lsh_attn_chunk_length", "local_attn_chunk_length")  # Reformer
    return 4 * max(getattr(config, name, None) or 0 for name in names)
