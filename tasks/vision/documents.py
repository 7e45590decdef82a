"""Documents as rows: every page of one is read, and its answers say which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, PrivateAttr

from ..base import TaskInput
from ..items import ItemsOutput
from .images import ImagesInput

if TYPE_CHECKING:
    from ..media.pages import Page

#: Pages of a document, at most.
MAX_PAGES = 1000


class DocumentsInput(ImagesInput):
    """A batch of files, of which each may have several pages."""

    frames: Literal["first", "all"] | None = Field(
        default=None,
        description="Which pages of a file, or frames, are read: all, or the first. When not given "
        "all pages (PDF, TIFF) and the first frame (GIF, WebP, ...).",
    )
    dpi: int = Field(
        default=200, ge=36, le=1200, description="Dots an inch that pages of PDF are drawn with."
    )

    _page: Page | None = PrivateAttr(default=None)

    @property
    def page(self) -> Page | None:
        """The page that this row stands for, where it is one of several."""
        return self._page

    def parts(self) -> Sequence[Self]:
        """A row a page, for one whose file has several that are wanted; else the row itself.

        Raises RowError.
        """
        from ..media.pages import pages_of  # for workers: it looks into the file

        pages = pages_of(
            self.images[0],
            self.frames,
            most=MAX_PAGES,
            dpi=self.dpi,
            background=self.background,
        )
        return [self._at(page) for page in pages] or [self]

    def _at(self, page: Page) -> Self:
        part = self.model_copy()
        part._page = page  # noqa: SLF001 # of its own kind
        return part

    def unread(self) -> str:
        """Nothing: which pages are read is said."""
        return ""


class DocumentsOutput(ItemsOutput):
    """Per document, items of which each says its page."""

    @classmethod
    def of_parts(cls, answers: Sequence[Any], row: TaskInput) -> Self:
        """The items of all pages."""
        if len(answers) == 1:
            return super().of_parts(answers, row)
        field = cls.ROWS[0]
        items = [
            item
            for number, answer in enumerate(answers, 1)
            for item in getattr(answer.on_page(number), field)[0]
        ]
        return cls.model_validate({field: [cls.ordered(items, row)]})

    def on_page(self, number: int) -> Self:
        """The same answer to one row, of the page of this number in its document."""
        field = self.ROWS[0]
        items = [item.model_copy(update={"page": number}) for item in getattr(self, field)[0]]
        return self.model_copy(update={field: [items]})

    @classmethod
    def ordered(cls, items: list[Any], row: TaskInput) -> list[Any]:  # noqa: ARG003 # for those that rank
        """The items as they are answered, page by page."""
        return items
