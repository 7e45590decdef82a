"""A tensor's elements: between Python values, nested lists and raw little-endian bytes."""

from __future__ import annotations

import itertools
import math
import struct
import sys
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

from .base64_text import decoded
from .datatypes import Datatype
from .errors import InvalidTensor, PayloadTooLarge
from .json_kinds import kind_in_words

Raw = bytes | bytearray | memoryview

#: BYTES elements carry their length in front: four bytes, unsigned, little-endian.
_PREFIX = struct.Struct("<I")

#: Elements of one BYTES tensor, at most: empty ones take four bytes here, and 41 as Python's.
MAX_ELEMENTS = 1_000_000

#: Characters of a text that are written at a time.
_PIECE = 65_536

_FLOAT_MAX = {Datatype.FP32: 3.4028234663852886e38, Datatype.FP64: sys.float_info.max}


def flatten(data: Sequence[Any], *, name: str, strict: bool = True) -> Sequence[Any]:
    """Row-major elements of nested lists. Raises InvalidTensor for mixed ones, strict for ragged
    ones too.
    """
    while data:
        kinds = set(map(type, data))
        if not any(issubclass(kind, list) for kind in kinds):
            break
        if not all(issubclass(kind, list) for kind in kinds) or (
            strict and len(set(map(len, data))) != 1
        ):
            raise InvalidTensor(f"tensor {name!r}: ragged data; every row must have the same form")
        data = list(itertools.chain.from_iterable(data))
    return data


def check_values(values: Sequence[Any], datatype: Datatype, *, name: str) -> None:
    """Refuse JSON values that are not of the datatype. Raises InvalidTensor."""
    if datatype.binary_only:
        raise InvalidTensor(f"tensor {name!r}: {datatype} has no JSON form; send it as binary data")
    kinds = set(map(type, values))
    allowed = _KINDS.get(datatype, {int})
    if not kinds <= allowed:
        wrong = " and ".join(sorted(map(kind_in_words, kinds - allowed)))
        right = " or ".join(kind_in_words(kind) for kind in _KINDS.get(datatype, {int}) - {bytes})
        raise InvalidTensor(
            f"tensor {name!r}: {datatype} data holds {wrong}; each element is to be {right}"
        )
    limits = datatype.integer_range
    if limits and values:
        low, high = min(values), max(values)
        if low < limits[0] or high > limits[1]:
            value = low if low < limits[0] else high
            raise InvalidTensor(
                f"tensor {name!r}: {value!s:.40} is out of the range of {datatype}, "
                f"{limits[0]} to {limits[1]}"
            )
    greatest = _FLOAT_MAX.get(datatype)
    if greatest and values:
        value = max(values, key=abs)
        # 1e400 is a JSON number, read as infinity; an integer may be longer than any float.
        if abs(value) > greatest:
            raise InvalidTensor(f"tensor {name!r}: {value!s:.40} is out of the range of {datatype}")


_KINDS: dict[Datatype, set[type]] = {
    Datatype.BOOL: {bool},
    Datatype.FP32: {int, float},
    Datatype.FP64: {int, float},
    Datatype.BYTES: {str, bytes},
}


def check_raw(raw: Raw, datatype: Datatype, count: int, *, name: str) -> None:
    """Hold the bytes of raw data against `count` elements; allocates nothing by it.

    Raises InvalidTensor, PayloadTooLarge.
    """
    size = memoryview(raw).nbytes
    if datatype.width is not None:
        if size != count * datatype.width:
            raise InvalidTensor(
                f"tensor {name!r}: expected {count * datatype.width} bytes for {count} elements "
                f"of {datatype}, got {size}"
            )
        return
    if MAX_ELEMENTS < count <= size // _PREFIX.size:
        raise PayloadTooLarge(
            f"tensor {name!r} has {count} BYTES elements; {MAX_ELEMENTS} are allowed"
        )
    # One more than there should be is looked for, no more: four bytes make an element.
    most = min(count, MAX_ELEMENTS) + 1
    found = sum(1 for _ in itertools.islice(split_bytes(raw, name=name), most))
    if found != count:
        got = f"{found} or more" if found == most else found
        raise InvalidTensor(f"tensor {name!r}: expected {count} BYTES elements, got {got}")


def split_bytes(raw: Raw, *, name: str) -> Iterable[memoryview]:
    """The elements of raw BYTES data, uncopied. Raises InvalidTensor where a length lies."""
    view = memoryview(raw).cast("B")
    at, end = 0, len(view)
    while at < end:
        if end - at < _PREFIX.size:
            raise InvalidTensor(f"tensor {name!r}: {end - at} bytes left over, no length prefix")
        (length,) = _PREFIX.unpack_from(view, at)
        at += _PREFIX.size
        if length > end - at:
            raise InvalidTensor(
                f"tensor {name!r}: an element claims {length} bytes where {end - at} are left"
            )
        yield view[at : at + length]
        at += length


def values_of(raw: Raw, datatype: Datatype, *, name: str) -> list[Any]:
    """Python values of raw data; BYTES elements as `bytes`. Raises InvalidTensor."""
    if datatype is Datatype.BYTES:
        return [bytes(element) for element in split_bytes(raw, name=name)]
    view = memoryview(raw).cast("B")
    if datatype is Datatype.BF16:
        # bfloat16 is the upper half of a float32.
        halves = array("H", bytes(view))
        if sys.byteorder == "big":
            halves.byteswap()
        wide = array("I", (half << 16 for half in halves))
        return memoryview(wide).cast("B").cast("f").tolist()
    code = datatype.code
    if code is None:
        raise InvalidTensor(f"tensor {name!r}: {datatype} has no element code")
    if sys.byteorder == "big" or code == "e":
        return list(struct.unpack(f"<{len(view) // (datatype.width or 1)}{code}", view))
    # A format from the datatype table, which memoryview's literal types cannot follow.
    values: list[Any] = view.cast(code).tolist()  # type: ignore[call-overload] # see above
    return values


def raw_of(values: Sequence[Any], datatype: Datatype, *, name: str) -> bytes:
    """Raw data of Python values; BYTES elements may be `bytes` or `str`. Raises InvalidTensor."""
    try:
        if datatype is Datatype.BYTES:
            return b"".join(bytes_pieces(values))
        if datatype is Datatype.BOOL:
            return bytes(map(bool, values))
        if datatype is Datatype.BF16:
            return b"".join(_bfloat16(value) for value in values)
        if sys.byteorder == "big" or datatype is Datatype.FP16:
            return struct.pack(f"<{len(values)}{datatype.code}", *values)
        return array(str(datatype.code), values).tobytes()
    except (TypeError, OverflowError, ValueError, struct.error) as error:
        raise InvalidTensor(f"tensor {name!r}: not {datatype} data: {error}") from None


def bytes_size(values: Sequence[str | bytes], *, name: str) -> int:
    """How many bytes the raw data of BYTES values takes. Raises InvalidTensor."""
    try:
        return sum(map(_length, values)) + len(values) * _PREFIX.size
    except (TypeError, ValueError) as error:
        raise InvalidTensor(f"tensor {name!r}: not BYTES data: {error}") from None


def bytes_pieces(values: Sequence[str | bytes]) -> Iterable[bytes]:
    """Raw data of BYTES values, piece by piece: no text is in memory whole a second time.

    The values are those that `bytes_size` took; what it refuses raises errors of Python's here.
    """
    for value in values:
        if isinstance(value, str) and len(value) > _PIECE:
            yield _PREFIX.pack(_length(value))
            for at in range(0, len(value), _PIECE):
                yield value[at : at + _PIECE].encode()
        else:
            element = value.encode() if isinstance(value, str) else value
            yield _PREFIX.pack(len(element))
            yield element


def _length(value: str | bytes) -> int:
    return utf8_size(value) if isinstance(value, str) else memoryview(value).nbytes


def utf8_size(text: str, errors: str = "strict") -> int:
    """How many bytes a text takes as UTF-8, which is not made whole. Raises UnicodeEncodeError."""
    if text.isascii():
        return len(text)
    if len(text) <= _PIECE:
        return len(text.encode(errors=errors))
    pieces = range(0, len(text), _PIECE)
    return sum(len(text[at : at + _PIECE].encode(errors=errors)) for at in pieces)


def _bfloat16(value: float) -> bytes:
    (bits,) = struct.unpack("<I", struct.pack("<f", value))
    if math.isnan(value):
        return struct.pack("<H", (bits >> 16) | 0x40)
    # Round to nearest, ties to even, as hardware does.
    return struct.pack("<H", min((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16, 0xFFFF))


def text_of(element: str | bytes | memoryview, *, name: str) -> str:
    """A text element. Raises InvalidTensor unless it is UTF-8."""
    if isinstance(element, str):
        return element
    try:
        return str(element, "utf-8")
    except UnicodeDecodeError:
        raise InvalidTensor(f"tensor {name!r}: text must be UTF-8") from None


def blob_of(element: str | bytes, *, name: str) -> bytes:
    """A file's bytes; a string is base64. Raises InvalidTensor."""
    if not isinstance(element, str):
        return bytes(element)
    try:
        return decoded(element)
    except ValueError:
        raise InvalidTensor(
            f"tensor {name!r}: not base64, as a file in JSON must be; or send it as binary data"
        ) from None


def all_finite(values: Sequence[float]) -> bool:
    """Whether JSON can carry these numbers."""
    # One sum in C settles the common case: a NaN or an infinity would show in it.
    try:
        if math.isfinite(math.fsum(values)):
            return True
    except (OverflowError, ValueError):
        pass
    return all(map(math.isfinite, values))
