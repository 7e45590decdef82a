from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from ....protocol.errors import RowError
from ..pictures import Pictures
from ..rows import Annotation, Origin
from .joining import ReadPart

#: From a whole file of a part to that of the whole output.
Moved = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputLayout:
    """What is asked of an output beyond its format."""

    #: The rows' pictures, to be taken to their places; None where they are not to be in it.
    pictures: Pictures | None = None
    #: Parts of the data set besides `train` -> their shares of its rows.
    split: Mapping[str, float] = field(default_factory=dict)
    #: What the place of a row's file begins with for who is to open it.
    media_prefix: str = ""


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
    #: Whether its readers look for each row's picture under the name that it writes.
    names_pictures: ClassVar[bool] = False
    #: Options that it has a use for, as `Options` has them; one with any takes an OutputLayout too.
    uses: ClassVar[frozenset[str]] = frozenset()
    #: Names in its folder that it writes only if it is given pictures.
    picture_names: ClassVar[tuple[str, ...]] = ()
    #: Whether outputs of rows that follow each other can be joined to the one of all: a writer can
    #: `leave` what it has come to, and another `join` it. Not if pictures are to be in it.
    joins: ClassVar[bool] = False
    #: Whether it is given pictures unasked, as links: its readers have no use for it without.
    needs_pictures: ClassVar[bool] = False

    def __init__(self, path: Path, origin: Origin, layout: OutputLayout | None = None) -> None:
        self.path, self.origin, self.layout = path, origin, layout or OutputLayout()
        #: What people are to know of the whole output, when it is closed.
        self.notes: list[str] = []

    @abstractmethod
    def write(self, annotation: Annotation) -> None:
        """Write one row's answer. Raises RowError for one that the format cannot hold.

        Nothing of such a row is in the output then.
        """

    @abstractmethod
    def close(self) -> None:
        """Make the output whole."""

    def leave(self, folder: Path) -> None:
        """Write to a folder what it has come to, in place of making the output whole.

        Files of one row stay at `path`, and nothing else does.
        """
        raise NotImplementedError

    def join(self, read: ReadPart) -> Moved | None:
        """Go on with what the writer of the rows that follow left, as if it had written them.

        Answers what makes that one's files of one row this one's; None where they are as they are.
        Raises CannotJoin where they are not what one writer would have made.
        """
        raise NotImplementedError

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
