from __future__ import annotations

from enum import StrEnum


class Datatype(StrEnum):
    """A tensor's element type, by its name in OIP v2."""

    BOOL = "BOOL"
    UINT8 = "UINT8"
    UINT16 = "UINT16"
    UINT32 = "UINT32"
    UINT64 = "UINT64"
    INT8 = "INT8"
    INT16 = "INT16"
    INT32 = "INT32"
    INT64 = "INT64"
    FP16 = "FP16"
    BF16 = "BF16"
    FP32 = "FP32"
    FP64 = "FP64"
    BYTES = "BYTES"

    @property
    def width(self) -> int | None:
        """Bytes per element; None for BYTES, whose elements carry their own length."""
        return _WIDTH[self]

    @property
    def code(self) -> str | None:
        """The element's format character of struct and memoryview; None for BYTES and BF16."""
        return _CODE.get(self)

    @property
    def integer_range(self) -> tuple[int, int] | None:
        """Least and greatest value of an integer type; None for others."""
        name = self.value
        if not name.startswith(("INT", "UINT")):
            return None
        bits = int(name.lstrip("UINT"))
        return (0, 2**bits - 1) if name[0] == "U" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)

    @property
    def binary_only(self) -> bool:
        """Whether JSON has no form for it."""
        return self in (Datatype.FP16, Datatype.BF16)


_WIDTH: dict[Datatype, int | None] = {
    Datatype.BOOL: 1,
    Datatype.UINT8: 1,
    Datatype.UINT16: 2,
    Datatype.UINT32: 4,
    Datatype.UINT64: 8,
    Datatype.INT8: 1,
    Datatype.INT16: 2,
    Datatype.INT32: 4,
    Datatype.INT64: 8,
    Datatype.FP16: 2,
    Datatype.BF16: 2,
    Datatype.FP32: 4,
    Datatype.FP64: 8,
    Datatype.BYTES: None,
}

_CODE: dict[Datatype, str] = {
    Datatype.BOOL: "?",
    Datatype.UINT8: "B",
    Datatype.UINT16: "H",
    Datatype.UINT32: "I",
    Datatype.UINT64: "Q",
    Datatype.INT8: "b",
    Datatype.INT16: "h",
    Datatype.INT32: "i",
    Datatype.INT64: "q",
    Datatype.FP16: "e",
    Datatype.FP32: "f",
    Datatype.FP64: "d",
}
