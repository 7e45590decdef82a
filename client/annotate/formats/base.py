from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from ....protocol.errors import RowError
from ..rows import Annotation, Origin


class Writer(ABC):
    """Writes annotations as they come, in constant memory, to a place that is renamed at the end.

    `path` is free for it to make: a file, or a folder where `is_folder`. The same annotations make
    the same bytes: no times, no random names.
    """

    is_folder: ClassVar[bool] = False
    #: Names in its folder that it may write, all else below these; () for any.
    names: ClassVar[tuple[str, ...]] = ()
    #: Whether it is of films alone: of their frames where a row is a picture.
    of_films: ClassVar[bool] = False
    #: Parameters without which answers lack what it writes: a run asks with them.
    asks: ClassVar[Mapping[str, Any]] = {}
    #: Whether it writes rows' own texts: `Annotation.text` is there then.
    writes_text: ClassVar[bool] = False

    def __init__(self, path: Path, origin: Origin) -> None:
        self.path, self.origin = path, origin

    @abstractmethod
    def write(self, annotation: Annotation) -> None:
        """Write one row's answer. Raises RowError for one that the format cannot hold.

        Nothing of such a row is in the output then.
        """

    @abstractmethod
    def close(self) -> None:
        """Make the output whole."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()


def size_of(annotation: Annotation) -> tuple[int, int]:
    """Width and height of a row's image. Raises RowError where they are not known."""
    if not annotation.size or 0 in annotation.size:
        raise RowError("the size of its image is not known")
    return annotation.size
