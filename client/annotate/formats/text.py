"""Text in files whose readers do not take every character."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

#: Line breaks to some readers; JSON leaves them as they are.
_BREAKS = str.maketrans({"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"})

#: What XML 1.0 has no way to write (section 2.2, Char).
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

#: Records have no cycles: to look for them takes a fifth of the time.
_JSON = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, separators=(",", ":"), allow_nan=False
)


def _writer() -> Callable[[Any], str]:
    """What `_JSON.encode` does of an object: that makes an encoder in C for each anew, which takes
    as long as writing a record. Where Python has no such encoder, or another, it is `_JSON.encode`.
    """
    try:
        make = json.encoder.c_make_encoder  # type: ignore[attr-defined] # not in its stubs
        pieces = make(
            None, _JSON.default, json.encoder.encode_basestring, None, ":", ",", *(False,) * 3
        )
    except (AttributeError, TypeError):
        return _JSON.encode
    return lambda value: "".join(pieces(value, 0))


_encode = _writer()


def clean(text: str) -> str:
    r"""Text that UTF-8 can hold: half a surrogate pair, as in broken file names, becomes \udcff."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def json_text(value: Any) -> str:
    """JSON in one line for every reader, to be written with `ERRORS`. NaN and infinity are null."""
    try:
        text = _encode(value)
    except ValueError:
        text = _encode(_finite(value))
    return unbroken(text)


def unbroken(text: str) -> str:
    """JSON whose line breaks are escaped, those too that Unicode has beside LF."""
    return text if text.isascii() else text.translate(_BREAKS)


#: How files are opened that hold JSON: half a surrogate pair comes out as the escape it is in JSON.
ERRORS = "backslashreplace"


def xml_text(text: str) -> str:
    """Text that XML can hold: others of its characters become U+FFFD."""
    return _NOT_XML.sub("\ufffd", clean(text))


def yaml_text(text: str) -> str:
    """A double-quoted scalar of YAML (1.2, section 7.3.1)."""
    return '"' + "".join(map(_yaml_character, clean(text))) + '"'


def one_line(text: str) -> str:
    """Text for a file that holds one entry a line: what cannot be printed is escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in clean(text))


def _yaml_character(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, (list, tuple)) else value
