"""Base64 as clients write it: with line breaks as MIME has them, blanks, or without its padding."""

from __future__ import annotations

import binascii
from io import BytesIO

#: Characters decoded at a time: whole groups of four.
_PIECE = 1 << 20


def decoded(text: str, start: int = 0) -> bytes:
    """The bytes of base64 from `start` on, whose text is not copied whole. Raises ValueError."""
    if not start:
        try:
            return binascii.a2b_base64(text, strict_mode=True)
        except binascii.Error:
            pass  # read more patiently
    file, rest, ended = BytesIO(), "", False
    for at in range(start, len(text), _PIECE):
        piece = rest + "".join(text[at : at + _PIECE].split())
        whole = len(piece) - len(piece) % 4
        if piece and ended:
            raise binascii.Error("padding before the end")
        file.write(binascii.a2b_base64(piece[:whole], strict_mode=True))
        rest, ended = piece[whole:], piece.endswith("=")
    file.write(binascii.a2b_base64(rest + "=" * (-len(rest) % 4), strict_mode=True))
    return file.getvalue()
