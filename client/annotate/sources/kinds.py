"""What a file's name says it holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal

from ....protocol.errors import InvalidRequest
from ....tasks.base import Task
from ....tasks.tensors import Content, TensorSpec
from .sampling import is_one_picture

#: Films, which hold sound, too; see tasks/media/containers.py.
_FILMS = (
    *(".3gp", ".asf", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts"),
    *(".webm", ".wmv"),
)

#: The formats that workers read; see tasks/media/decode.py, and
#: tasks/audio/headers.py for sounds, of films too.
_SUFFIXES: Mapping[Content, tuple[str, ...]] = {
    "image": (
        *(".apng", ".avif", ".avifs", ".bmp", ".gif", ".ico", ".j2c", ".j2k", ".jfif", ".jp2"),
        *(".jpc", ".jpe", ".jpeg", ".jpf", ".jpg", ".jpx", ".mpo", ".pbm", ".pfm", ".pgm"),
        *(".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"),
        *(".dcm", ".dicom", ".heic", ".heics", ".heif", ".hif", ".jxl", ".pdf"),
    ),
    "audio": (
        *(".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp2", ".mp3", ".oga", ".ogg"),
        *(".opus", ".rf64", ".snd", ".w64", ".wav", ".aac", ".ac3", ".amr", ".m4a", ".m4b"),
        *(".mka", ".spx", ".wma", ".wv", *_FILMS),
    ),
    "text": (".txt",),
}

Kind = Literal["lines", "csv", "tsv", "parquet", "arrow", "tar", "paths", "text"]

_KINDS: Mapping[str, Kind] = {
    ".jsonl": "lines",
    ".ndjson": "lines",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".tar": "tar",
    ".tgz": "tar",
    ".tbz2": "tar",
    ".txz": "tar",
    ".lst": "paths",
    ".paths": "paths",
    ".txt": "text",
}

#: Kinds that may be packed in gzip; a tar knows itself how it is packed.
_PACKED = (".gz", ".bz2", ".xz")

#: Suffixes that tell what a file holds: those that are read, and what often lies beside them.
_TELLING = frozenset(
    {
        *(suffix for some in _SUFFIXES.values() for suffix in some),
        *(*_KINDS, *_PACKED, ".db", ".html", ".ini", ".json", ".log", ".md", ".npy", ".py"),
        *(".srt", ".svg", ".toml", ".vtt", ".xml", ".xmp", ".yaml", ".yml", ".zip"),
    }
)


def kind_of(name: str) -> Kind | None:
    """What a file's name says it is, if it is no single row."""
    name = name.lower()
    stem, dot, last = name.rpartition(".")
    if dot + last in _PACKED:
        kind = _KINDS.get(suffix_of(stem))
        fits = kind == "tar" or (dot + last == ".gz" and kind in ("lines", "csv", "tsv"))
        return kind if fits else None
    return _KINDS.get(suffix_of(name))


def is_gzip(name: str) -> bool:
    """Whether a table's name says that it is packed."""
    return name.lower().endswith(".gz")


def says_nothing(name: str) -> bool:
    """Whether a name's suffix is none that tells what a file holds."""
    return suffix_of(name) not in _TELLING


def suffixes(content: Content) -> tuple[str, ...]:
    """How files of that content end; () for what is no file."""
    return _SUFFIXES.get(content, ())


def endings(spec: TensorSpec, *, frames: bool = False) -> tuple[str, ...]:
    """How files of an input end: those of its content, and films where a row is many pictures, or
    one is and their `frames` are wanted.
    """
    films = spec.shape[1:] == (-1,) or (frames and is_one_picture(spec))
    return suffixes(spec.content) + (_FILMS if spec.content == "image" and films else ())


def is_film(name: str) -> bool:
    """Whether a file's name says that it is a film, or only sound in one of their kinds."""
    return name.lower().endswith(_FILMS)


def is_many(spec: TensorSpec, name: str) -> bool:
    """Whether a file of that name may be many rows of an input: frames or pages."""
    return is_one_picture(spec) and name.lower().endswith((*_FILMS, ".pdf"))


def needed_file(task: Task, shared: Collection[str] = ()) -> TensorSpec:
    """The one input that files can be, besides what all rows share.

    Raises InvalidRequest for a task that takes others.
    """
    specs = {spec.field: spec for spec in task.inputs if not spec.optional}
    needed = [specs[f] for f in task.input.ROWS if f in specs and f not in shared]
    needed += [spec for spec in either(task) if spec.is_file][:1]
    # Of any number of files in a row one may be all: a film.
    if len(needed) == 1 and needed[0].shape[-1] == -1 and endings(needed[0]):
        return needed[0]
    names = " and ".join(spec.name for spec in needed)
    texts = [spec.name for spec in needed if not spec.is_file]
    one_for_all = f", or one {texts[0]} for all rows (--input {texts[0]}=...)" if texts else ""
    raise InvalidRequest(
        f"{task.name} needs {names or 'nothing'} of every row: give a table with such columns "
        f"(JSONL, CSV, Parquet, Arrow) or tar shards instead of files{one_for_all}"
    )


def either(task: Task) -> list[TensorSpec]:
    """The inputs of which each row has one; [] for tasks whose rows are alike."""
    specs = {spec.field: spec for spec in task.inputs}
    return [specs[field] for field in task.input.ONE_OF]


def suffix_of(name: str) -> str:
    """How a file's name ends, from its last dot on, in lower case; "" without one."""
    base = name.rpartition("/")[2]
    stem, dot, last = base.rpartition(".")
    return (dot + last).lower() if stem else ""


def counted(left_out: Mapping[str, int]) -> str:
    """How many files of which kind, in words."""
    pairs = sorted(left_out.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{count:,} {suffix or 'without a suffix'}" for suffix, count in pairs)
