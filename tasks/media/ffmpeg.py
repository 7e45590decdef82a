"""Files opened through FFmpeg's libraries (PyAV): the one place that says how."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import BinaryIO, TypeVar

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from ...protocol.errors import RowError
from .containers import Container

S = TypeVar("S", AudioStream, VideoStream)


@contextlib.contextmanager
def opened(
    data: bytes | BinaryIO, kind: Container, stream_type: type[S], *, whole: str, holds: str
) -> Iterator[tuple[InputContainer, S]]:
    """A file and its best stream of a type. `whole` and `holds` are the words of its errors.

    An open file is read from its beginning and stays open. Raises RowError for a file without such
    a stream, one that is not read, and a broken one; also for what shows only as the caller reads.
    """
    whole_file = io.BytesIO(data) if isinstance(data, bytes) else data
    whole_file.seek(0)
    try:
        # The demuxer is ours to say: FFmpeg's own guess may be a playlist, which names other files.
        with av.open(whole_file, "r", format=kind.demuxer, metadata_errors="replace") as file:
            stream = file.streams.best("audio" if stream_type is AudioStream else "video")
            if not isinstance(stream, stream_type):
                raise RowError(f"the file has no {holds}")
            if stream.codec_context is None:
                raise RowError(f"the {whole} is of a codec that is not read")
            yield file, stream
    except FFmpegError as error:
        raise RowError(f"the {whole} cannot be read ({type(error).__name__})") from None
