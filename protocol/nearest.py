"""What somebody meant who wrote a name that is none."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def meant(word: str, names: Iterable[str], joint: str = "; ") -> str:
    """`; did you mean 'x'?` behind a message about an unknown word; "" where none is near.

    Whether letters are small or large makes no difference.
    """
    near = nearest(word, names)
    return f"{joint}did you mean {near!r}?" if near else ""


def nearest(word: str, names: Iterable[str]) -> str:
    """The name that a word is nearly; "" for none."""
    known = {name.lower(): name for name in sorted(names)}
    near = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.75)
    return known[near[0]] if near else ""
