"""Files as CTranslate2 writes them, byte by byte."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from wherry.samples.packaged.ctranslate2 import read_variables


def text(name: str) -> bytes:
    return struct.pack("<H", len(name) + 1) + name.encode() + b"\0"


def variable(name: str, kind: int, values: np.ndarray) -> bytes:
    head = struct.pack(f"<B{values.ndim}I", values.ndim, *values.shape)
    return text(name) + head + struct.pack("<BI", kind, values.nbytes) + values.tobytes()


HALVES = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.5]], dtype="<f2")
HEAD = text("WhisperSpec") + struct.pack("<I", 3)
TWO = struct.pack("<I", 2) + variable("a/weight", 4, HALVES)
WHOLE = (
    struct.pack("<I", 6)
    + HEAD
    + TWO
    + variable("num_heads", 2, np.array(6, dtype="<i2"))
    + struct.pack("<I", 1)
    + text("b/weight")
    + text("a/weight")
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "model.bin"


def test_variables_come_by_their_names_and_aliases(file: Path) -> None:
    file.write_bytes(WHOLE)
    found = read_variables(file)
    assert set(found) == {"a/weight", "b/weight", "num_heads"}
    assert found["a/weight"].dtype == np.float16
    assert np.array_equal(found["a/weight"], HALVES)
    assert found["b/weight"] is found["a/weight"]
    assert found["num_heads"].shape == ()
    assert int(found["num_heads"]) == 6


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (WHOLE[:-3], "ends too early"),
        (WHOLE[:40], "ends too early"),
        (WHOLE + b"x", "more follows"),
        (struct.pack("<I", 4) + WHOLE[4:], "not CTranslate2 of version 5 to 6"),
        (WHOLE.replace(struct.pack("<BI", 4, 12), struct.pack("<BI", 9, 12)), "type 9"),
    ],
)
def test_what_is_another_format_is_told(data: bytes, said: str, file: Path) -> None:
    file.write_bytes(data)
    with pytest.raises(ValueError, match=said):
        read_variables(file)
