"""A table's cell as what a task reads: a file's bytes, text, or a JSON value."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from pydantic_core import from_json

from ....protocol.base64_text import decoded
from ....protocol.datatypes import Datatype
from ....protocol.errors import RowError
from ....tasks.tensors import TensorSpec
from .files import FileStore, not_empty
from .remote import located

#: Longer than any path may be: base64.
_LONGEST_PATH = 4096

#: How base64 of JPEG, PNG, GIF, RIFF (WEBP, WAV), FLAC and OGG begins: "/9j/" is no folder.
_BASE64_MAGIC = ("/9j/", "iVBORw0KGgo", "R0lGOD", "UklGR", "ZkxhQw", "T2dnU")


class Cell(NamedTuple):
    """What a cell held."""

    value: Any  # bytes, text, or any JSON value, as the input's content says
    #: Where the file is, "" where there is none.
    path: str = ""
    #: This machine's file that was read, as the system calls it; "" for none.
    file: str = ""


class Member(NamedTuple):
    """A file inside another, as a cell."""

    data: bytes
    path: str


class CellReader:
    """Reads cells of a table; paths in them are relative to its folder."""

    def __init__(self, files: FileStore, folder: str) -> None:
        self._files, self._folder = files, folder

    def read(self, spec: TensorSpec, value: object) -> Cell:
        """What a cell holds for an input. Raises RowError."""
        if value is None or (value == "" and spec.content != "text"):
            raise RowError("it is empty")
        if len(spec.shape) > 1:
            return Cell([cell.value for cell in self._each(spec, value)])
        return self._one(spec, value)

    def _each(self, spec: TensorSpec, value: object) -> list[Cell]:
        if isinstance(value, str) and value.startswith("["):
            value = _json(value)
        if spec.is_file and spec.shape[-1] == -1 and not isinstance(value, list):
            value = [value]  # a moving picture
        if not isinstance(value, list):
            raise RowError(f"expected a list, found {_named(value)}")
        return [self._one(spec, entry) for entry in value]

    def _one(self, spec: TensorSpec, value: object) -> Cell:
        if isinstance(value, Member):
            inner = self._one(spec, value.data)
            return Cell(inner.value, value.path if spec.is_file else "")
        if spec.is_file:
            return self._file(value)
        if spec.datatype is not Datatype.BYTES:
            return Cell(_number(value, whole=spec.datatype is Datatype.INT64))
        return Cell(_json(value) if spec.content == "json" else text_of(value))

    def _file(self, value: object) -> Cell:
        """Bytes, `{bytes, path}` as `datasets` keeps them, base64, or a path."""
        if isinstance(value, Mapping) and ("bytes" in value or "path" in value):
            path = value.get("path")
            if value.get("bytes") is not None:
                data = self._file(value["bytes"]).value
                return Cell(data, path if isinstance(path, str) else "")
            value = path
        if value is None or value == {}:  # Arrow's objects are without what is null
            raise RowError("it is empty")
        if isinstance(value, bytes | bytearray | memoryview):
            return Cell(not_empty(bytes(value)))
        if not isinstance(value, str):
            raise RowError(f"expected a file, found {_named(value)}")
        if value.startswith("data:"):
            return Cell(not_empty(_data_uri(value)))
        if len(value) > _LONGEST_PATH or value.startswith(_BASE64_MAGIC):
            return Cell(not_empty(_base64(value)))
        return self._path(text_of(value))

    def _path(self, path: str) -> Cell:
        files, whole = located(self._files, self._folder, path)
        try:
            data = not_empty(files.read(whole))
        except RowError as error:
            raise UnreadFile(error.message, files.shown(whole)) from None
        return Cell(data, files.shown(whole), whole if files.is_local else "")


class UnreadFile(RowError):
    """A cell names a file that cannot be read."""

    def __init__(self, message: str, path: str) -> None:
        super().__init__(message)
        self.path = path


def plain_cells(cells: Mapping[str, object], *, lists: bool = False) -> dict[str, Any]:
    """A record's cells that are text, numbers, yes or no, or lists where those are of use; what is
    empty or NaN is None. Raises RowError.
    """
    plain: dict[str, Any] = {}
    for column, value in cells.items():
        if value is None or value == "" or value != value:  # NaN
            plain[column] = None
        elif isinstance(value, str):
            plain[column] = text_of(value)
        elif isinstance(value, Decimal):
            plain[column] = _plain(value)
        elif isinstance(value, bool | int | float) or (lists and isinstance(value, list)):
            plain[column] = value
    return plain


def _plain(value: Decimal) -> int | float:
    """A number of a data base's tables as JSON has it."""
    return int(value) if value == value.to_integral_value() else float(value)


def text_of(value: object) -> str:
    """A cell's text. Raises RowError for what is none, and for what UTF-8 cannot hold."""
    if not isinstance(value, str):
        if isinstance(value, bytes | bytearray | memoryview):
            return utf8(bytes(value))
        raise RowError(f"expected text, found {_named(value)}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise RowError("it is not UTF-8 text") from None
    return value


def utf8(data: bytes) -> str:
    """A file's text, without a byte order mark and the last line's end. Raises RowError."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RowError("it is not UTF-8 text") from None
    return text.replace("\r\n", "\n").removesuffix("\n")


def _number(value: object, *, whole: bool) -> int | float:
    """A number, as a table of text may have it, too. Raises RowError."""
    if isinstance(value, str):
        try:
            return int(value) if whole else float(value)
        except ValueError:
            pass
    elif isinstance(value, Decimal):
        return _plain(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise RowError(f"expected a number, found {_named(value)}")


def id_of(value: object) -> str:
    """A row's id; "" for an empty cell. Raises RowError for what is no id."""
    if value is None or value != value:  # NaN, as pandas has it for nothing
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str | bytes):
        raise RowError(f"an id is text or a number, not {_named(value)}")
    id_ = str(value) if isinstance(value, int | float | Decimal) else text_of(value)
    if id_.startswith("(row ") and id_.endswith(")"):
        raise RowError(f"the id {id_!r} looks like the name of a row without one")
    return id_


def _json(value: object) -> object:
    if not isinstance(value, str | bytes):
        return value
    try:
        return from_json(value)
    except ValueError:
        raise RowError("it is not JSON") from None


def _data_uri(value: str) -> bytes:
    head, comma, data = value.partition(",")
    if not comma or not head.lower().endswith(";base64"):
        raise RowError("a data: URI must be of base64")
    return _base64(data)


def _base64(data: str) -> bytes:
    try:
        return decoded(data)
    except ValueError:  # binascii's too
        raise RowError("it is not base64") from None


#: Kinds of values in people's words.
_NAMES = {
    "bool": "true or false",
    "int": "a number",
    "float": "a number",
    "str": "text",
    "bytes": "bytes",
    "list": "a list",
    "dict": "an object",
    "NoneType": "nothing",
}


def _named(value: object) -> str:
    return _NAMES.get(type(value).__name__, f"a {type(value).__name__}")
